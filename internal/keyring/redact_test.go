package keyring

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// TestNothingPrintsKeys prints every exported type in every way and looks for the master key, the wrapped keys and the
// forms in which fmt and JSON show bytes.
func TestNothingPrintsKeys(t *testing.T) {
	m := master(t, 1, 0xa7)
	previous := master(t, 2, 0xb9)
	store := &memory{}
	r := open(t, store, Masters{Current: m, Previous: &previous})
	keys, err := unwrap(m, store.state)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := r.Signer(t.Context(), "ES256", now)
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for _, key := range append(keys, openKey{key: m.key()[:]}, openKey{key: previous.key()[:]}) {
		at := 0
		if key.Purpose.Algorithm() != "" {
			at = 40 // PKCS #8 begins alike in every key of a kind; here are bytes of the secret number
		}
		shown = append(shown, spellings(key.key[at:at+8])...)
	}

	// As it stands in other packages' structs, where fmt reads unexported fields without asking.
	type config struct {
		master   Master
		masters  Masters
		pointer  *Master
		ring     *Ring
		wrapped  map[string]Master
		anything any
	}
	_, digest := r.MAC(credential)
	for _, v := range []any{
		m, &m,
		Masters{Current: m, Previous: &previous},
		&Masters{Current: m, Previous: &previous},
		[]Master{m},
		map[string]Master{"x": m},
		struct{ M Master }{m},
		config{m, Masters{Current: m, Previous: &previous}, &m, r, map[string]Master{"x": m}, m},
		&config{m, Masters{Current: m, Previous: &previous}, &m, r, map[string]Master{"x": m}, m},
		r, store.state, &store.state, store.state.Rows, store.state.Rows[0], r.List(), r.List()[0],
		Pepper, Current,
		Place{"a", "b", "c"},
		Lookup{1, digest},
		r.Lookups(credential), ErrUnknownVersion, ErrSealed,
		signer, *signer,
	} {
		var out []string
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%o", "%b", "%c", "%U", "%t", "%p", "%T"} {
			out = append(out, fmt.Sprintf(verb, v))
		}
		if encoded, err := json.Marshal(v); err == nil {
			out = append(out, string(encoded))
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		for _, text := range append(out, log.String()) {
			for _, secret := range shown {
				if strings.Contains(text, secret) {
					t.Errorf("%T prints as %q, which shows key bytes", v, text)
				}
			}
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if got, want := fmt.Sprintf(verb, m), "master key version 1 [redacted]"; got != want {
			t.Errorf("Sprintf(%q, master) = %q, want %q", verb, got, want)
		}
	}
	if got, err := json.Marshal(m); err != nil || string(got) != `"master key version 1 [redacted]"` {
		t.Errorf("Marshal(master) = %s, %v, want it redacted", got, err)
	}
	if !strings.Contains(m.Reveal(), base64.StdEncoding.EncodeToString(m.key()[:])) {
		t.Error("Reveal does not, so this test would miss nothing")
	}
}

// spellings are the ways in which a few bytes show up in print.
func spellings(b []byte) []string {
	decimal := strings.Trim(fmt.Sprint(b), "[]")
	return []string{
		string(b), hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)), fmt.Sprintf("% x", b),
		decimal, strings.ReplaceAll(decimal, " ", ", "), strings.ReplaceAll(decimal, " ", ","),
		strings.Trim(fmt.Sprintf("%#v", b), "[]byte{}"), strings.Trim(fmt.Sprintf("%o", b), "[]"),
		strings.Trim(fmt.Sprintf("%b", b), "[]"), base64.StdEncoding.EncodeToString(b[:6]),
		strings.Trim(fmt.Sprintf("%c", b), "[]"), strings.Trim(fmt.Sprintf("%U", b), "[]"), strings.Trim(fmt.Sprintf("%q", b), `"`),
	}
}
