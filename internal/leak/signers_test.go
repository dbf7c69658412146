package leak

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// service publishes keys, and signs.
type service struct {
	t       testing.TB
	mu      sync.Mutex
	listed  map[string]any // public keys by their identifiers
	keys    map[string]*ecdsa.PrivateKey
	status  int
	err     error
	fetches atomic.Int64
}

func newService(t testing.TB, names ...string) *service {
	t.Helper()
	s := &service{t: t, listed: map[string]any{}, keys: map[string]*ecdsa.PrivateKey{}, status: 200}
	for _, name := range names {
		s.add(name)
	}
	return s
}

func (s *service) add(name string) {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[name], s.listed[name] = key, key.Public()
}

func (s *service) list() []byte { // also within a fuzz target, where Helper is not to be called
	type entry struct {
		ID      string `json:"key_identifier"`
		Key     string `json:"key"`
		Current bool   `json:"is_current"`
	}
	var out struct {
		Keys []entry `json:"public_keys"`
	}
	for name, public := range s.listed {
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			s.t.Fatal(err)
		}
		out.Keys = append(out.Keys, entry{name, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), true})
	}
	body, err := json.Marshal(out)
	if err != nil {
		s.t.Fatal(err)
	}
	return body
}

func (s *service) get(context.Context) (int, []byte, error) {
	s.fetches.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, nil, s.err
	}
	return s.status, s.list(), nil
}

func (s *service) down(err error, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.status = err, status
}

// sign signs body.
func (s *service) sign(key *ecdsa.PrivateKey) string {
	s.t.Helper()
	digest := sha256.Sum256([]byte(body))
	der, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		s.t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

// signers asks the service; time is the bubble's.
func (s *service) signers() *Signers { return &Signers{Service: "GitHub", Get: s.get, Now: time.Now} }

const body = `[{"token":"x"}]`

func TestCheckRefuses(t *testing.T) {
	s := newService(t, "one", "two")
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s.keys["p384"], s.listed["p384"], s.listed["rsa"] = p384, p384.Public(), rsaKey.Public()
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := s.sign(s.keys["one"])
	v := s.signers()
	for name, tt := range map[string]struct{ identifier, signature, body string }{
		"no identifier": {"", good, body}, "a long identifier": {strings.Repeat("1", 10000), good, body}, "an unknown identifier": {"three", good, body},
		"no signature": {"one", "", body}, "no base64": {"one", "!" + good, body}, "url base64": {"one", strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(good) + "-", body},
		"a line break in it": {"one", good[:20] + "\n" + good[20:], body}, "a long signature": {"one", strings.Repeat("A", 100000), body}, "no ASN.1": {"one", base64.StdEncoding.EncodeToString([]byte("nonsense")), body},
		"more behind the ASN.1": {"one", base64.StdEncoding.EncodeToString(append(decode(t, good), 0)), body}, "raw r and s": {"one", base64.StdEncoding.EncodeToString(make([]byte, 64)), body},
		"another body": {"one", good, body + " "}, "a shorter body": {"one", good, body[:len(body)-1]}, "no body": {"one", good, ""}, "another key's": {"two", good, body},
		"a stranger's": {"one", s.sign(stranger), body}, "a key on another curve": {"p384", s.sign(p384), body}, "an RSA key": {"rsa", good, body},
	} {
		if err := v.Check(t.Context(), tt.identifier, tt.signature, []byte(tt.body)); !fault.Is(err, fault.Unauthenticated) && (!fault.Is(err, fault.Unavailable) || s.keys[tt.identifier] != nil && tt.identifier != "p384") {
			t.Errorf("Check of %s = %v, want unauthenticated", name, err)
		}
	}
	if err := v.Check(t.Context(), "one", good, []byte(body)); err != nil {
		t.Errorf("Check of a good signature = %v", err)
	}
}

func decode(t *testing.T, text string) []byte {
	t.Helper()
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// TestSignersRefetch: a new key is found when it is first named; identifiers that somebody made up do not make us ask more, and while we may
// not ask the answer is to come again.
func TestSignersRefetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, "old")
		v := s.signers()
		if err := v.Known(t.Context(), "made up"); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("an identifier that is not in the list = %v, want unauthenticated", err)
		}
		time.Sleep(time.Second)
		s.add("new")
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				if err := v.Known(t.Context(), rand.Text()); !fault.Is(err, fault.Unavailable) {
					t.Errorf("an unknown identifier while we may not ask = %v, want unavailable", err)
				}
			})
		}
		wg.Wait()
		var later *Later
		if err := v.Known(t.Context(), "new"); !errors.As(err, &later) || later.RetryAfter() <= 0 || later.RetryAfter() > refetchAfter || s.fetches.Load() != 1 {
			t.Errorf("a new key too soon = %v after %d fetches, want to be told when to come again, after one", err, s.fetches.Load())
		}
		if err := v.Known(t.Context(), "old"); err != nil {
			t.Errorf("the old key meanwhile = %v", err)
		}
		time.Sleep(refetchAfter)
		for range 1000 { // many at once, one fetch
			wg.Go(func() {
				if err := v.Known(t.Context(), "new"); err != nil {
					t.Errorf("the new key = %v", err)
				}
			})
		}
		wg.Wait()
		if got := s.fetches.Load(); got != 2 {
			t.Errorf("%d fetches, want 2", got)
		}
		// A key that is taken back is refused once the list is read anew.
		s.mu.Lock()
		delete(s.listed, "old")
		s.mu.Unlock()
		time.Sleep(freshFor)
		if err := v.Known(t.Context(), "old"); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("a key that was taken back = %v, want unauthenticated", err)
		}
		// However long strangers go on, so many fetches and no more.
		before := s.fetches.Load()
		for range 3600 {
			time.Sleep(time.Second)
			_ = v.Known(t.Context(), rand.Text())
		}
		if got := s.fetches.Load() - before; got > int64(time.Hour/refetchAfter) {
			t.Errorf("%d fetches in an hour of made-up identifiers, want at most %d", got, time.Hour/refetchAfter)
		}
	})
}

// TestSignersDown: without keys nothing is believed, and the sender is to come again; keys that were read serve a day.
func TestSignersDown(t *testing.T) {
	for name, failure := range map[string]struct {
		err    error
		status int
	}{"no answer": {errors.New("no route"), 0}, "an error": {nil, 500}, "a limit": {nil, 403}} {
		synctest.Test(t, func(t *testing.T) {
			s := newService(t, "one")
			s.down(failure.err, failure.status)
			v := s.signers()
			for range 3 {
				if err := v.Known(t.Context(), "one"); !fault.Is(err, fault.Unavailable) {
					t.Errorf("%s: without keys = %v, want unavailable", name, err)
				}
			}
			if got := s.fetches.Load(); got != 1 {
				t.Errorf("%s: %d fetches, want 1", name, got)
			}
			s.down(nil, 200)
			time.Sleep(refetchAfter)
			if err := v.Known(t.Context(), "one"); err != nil {
				t.Errorf("%s: when it is back = %v", name, err)
			}
			s.down(failure.err, failure.status)
			time.Sleep(staleFor - time.Second)
			if err := v.Known(t.Context(), "one"); err != nil {
				t.Errorf("%s: for a day = %v, want the key that was read", name, err)
			}
			time.Sleep(refetchAfter)
			if err := v.Known(t.Context(), "one"); !fault.Is(err, fault.Unavailable) {
				t.Errorf("%s: after a day = %v, want unavailable", name, err)
			}
		})
	}
}

// TestSignersGone: who asks may go, and the look goes on for the others.
func TestSignersGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, "one")
		v := s.signers()
		v.Get = func(ctx context.Context) (int, []byte, error) {
			time.Sleep(time.Second)
			if ctx.Err() != nil {
				return 0, nil, ctx.Err()
			}
			return s.get(ctx)
		}
		gone, leave := context.WithTimeout(t.Context(), time.Millisecond)
		defer leave()
		if err := v.Known(gone, "one"); !fault.Is(err, fault.Unavailable) {
			t.Errorf("who went = %v, want unavailable", err)
		}
		if err := v.Known(t.Context(), "one"); err != nil || s.fetches.Load() != 1 {
			t.Errorf("who stayed = %v after %d fetches, want the key after one", err, s.fetches.Load())
		}
	})
}

func TestParseKeysRefuses(t *testing.T) {
	for _, text := range []string{
		"", "{", "[]", "null", `{"public_keys":[]}`, `{"public_keys":[{"key_identifier":"a","key":"x"}]}`, `{"public_keys":` + strings.Repeat(`[`, 100) + strings.Repeat(`]`, 100) + `}`,
		`{"public_keys":[` + strings.Repeat(`{},`, 1000) + `{}]}`,
	} {
		if got, err := ParseKeys([]byte(text)); err == nil {
			t.Errorf("ParseKeys(%.50q) = %v, want an error", text, got)
		}
	}
	// The key in GitLab's own documentation.
	keys, err := ParseKeys([]byte(`{"public_keys":[{"key_identifier":"6917d7584f0fa65c8c33df5ab20f54dfb9a6e6ae","key":"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEN05/VjsBwWTUGYMpijqC5pDtoLEf\nuWz2CVZAZd5zfa/NAlSFgWRDdNRpazTARndB2+dHDtcHIVfzyVPNr2aznw==\n-----END PUBLIC KEY-----\n","is_current":true}]}`))
	if err != nil || keys["6917d7584f0fa65c8c33df5ab20f54dfb9a6e6ae"] == nil {
		t.Errorf("ParseKeys of GitLab's example = %v, %v", keys, err)
	}
}

func TestParseFoundRefuses(t *testing.T) {
	for _, text := range []string{"", " ", "null", "{}", `"x"`, `[1]`, `["x"]`, `[{"token":1}]`, `[{"token":"lyd_secret"}`, `[{"token":"lyd_secret"}]x`, `[{"token":"a","token":"b"}]`, "[{\"token\":\"\xff\"}]", `[` + strings.Repeat(`{},`, MaxFound) + `{}]`} {
		got, err := ParseFound([]byte(text))
		if !fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), "lyd_secret") {
			t.Errorf("ParseFound(%.60q) = %d entries, %v, want invalid_request", text, len(got), err)
		}
	}
	for text, want := range map[string][]Found{
		`[]`: nil, ` [ ] `: nil,
		`[{"token":"t","type":"acme_api_key","url":"https://github.com/a","source":"commit","new":{"x":[1]}},{"token":"u","location":"https://gitlab.example/b","url":null}]`: {
			{Token: "t", Type: "acme_api_key", URL: "https://github.com/a", Source: "commit"}, {Token: "u", Location: "https://gitlab.example/b"},
		},
	} {
		got, err := ParseFound([]byte(text))
		if err != nil || len(got) != len(want) {
			t.Fatalf("ParseFound(%q) = %d entries, %v, want %d", text, len(got), err, len(want))
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("ParseFound(%q)[%d] = %+v, want %+v", text, i, got[i], want[i])
			}
		}
	}
}

// FuzzReports: whatever comes, a report is read within its bounds or refused in words that hold none of it, and no signature that was not
// made by the key passes.
func FuzzReports(f *testing.F) {
	s := newService(f, "one")
	good := s.sign(s.keys["one"])
	for _, seed := range []struct{ identifier, signature, body string }{
		{"one", good, body}, {"one", "", ""}, {"two", good, body}, {"one", good + "=", "null"}, {"one", "AAAA", `[{"token":"\ud800"}]`}, {"", "\x00", `[{"url":"https://a:b@c/?d#e","location":null}]`},
	} {
		f.Add(seed.identifier, seed.signature, []byte(seed.body))
	}
	v := s.signers()
	f.Fuzz(func(t *testing.T, identifier, signature string, text []byte) {
		if err := v.Check(t.Context(), identifier, signature, text); err == nil && (identifier != "one" || string(text) != body) {
			t.Errorf("Check(%q, %q, %q) passed", identifier, signature, text)
		}
		found, err := ParseFound(text)
		if err != nil && (!fault.Is(err, fault.Invalid) || found != nil) {
			t.Errorf("ParseFound(%q) = %d entries, %v", text, len(found), err)
		}
		if len(found) > MaxFound {
			t.Errorf("ParseFound took %d entries", len(found))
		}
		for i := range found {
			if got := GitHub.In(found[i].Source); got.Way() != GitHub || len(got) > len(GitHub)+1+maxDetail {
				t.Errorf("In(%q) = %q", found[i].Source, got)
			}
		}
		if keys, err := ParseKeys(text); err == nil && len(keys) == 0 {
			t.Errorf("ParseKeys(%q) gave none and no error", text)
		}
	})
}
