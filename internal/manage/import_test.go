package manage

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

func sha256Hash(value string) *lanyard.ImportHash {
	return &lanyard.ImportHash{Algorithm: "sha256", Value: value}
}

func ownCredential(t *testing.T, kind secret.Kind, mode secret.Mode, keyID id.Key) string {
	t.Helper()
	s, err := secret.New("other", kind, mode, id.Chars(keyID), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return s.Reveal()
}

func TestImportItems(t *testing.T) {
	w := newWorld(t)
	sum := sha256.Sum256([]byte("a foreign key nobody guesses"))
	past := begin.Add(-time.Hour)
	own := ownCredential(t, secret.Key, secret.Test, id.New[id.Key]())
	mistyped := own[:len(own)-1] + "0"
	if mistyped == own {
		mistyped = own[:len(own)-1] + "1"
	}
	for _, tc := range []struct {
		name string
		item lanyard.ImportKey
		want string // code
		says string // in the detail
	}{
		{"neither", lanyard.ImportKey{}, "invalid_request", "one of the two"},
		{"both", lanyard.ImportKey{Secret: "sixteen-letters-x", Hash: sha256Hash(hex.EncodeToString(sum[:]))}, "invalid_request", "one of the two"},
		{"15 letters", lanyard.ImportKey{Secret: strings.Repeat("ab", 7) + "c"}, "invalid_request", "guessed"},
		{"513 letters", lanyard.ImportKey{Secret: strings.Repeat("ab", 256) + "c"}, "invalid_request", "16 to 512"},
		{"one letter over and over", lanyard.ImportKey{Secret: strings.Repeat("a", 40)}, "invalid_request", "over and over"},
		{"a space", lanyard.ImportKey{Secret: "sixteen letters x"}, "invalid_request", "spaces"},
		{"a line break", lanyard.ImportKey{Secret: "sixteen-letters-x\n"}, "invalid_request", "spaces"},
		{"a NUL", lanyard.ImportKey{Secret: "sixteen-letters-\x00"}, "invalid_request", "printable"},
		{"no ASCII", lanyard.ImportKey{Secret: "sixteen-letters-ü"}, "invalid_request", "printable"},
		{"16 letters", lanyard.ImportKey{Secret: "sixteen-letters!"}, "created", ""},
		{"512 letters", lanyard.ImportKey{Secret: strings.Repeat("ab", 256)}, "created", ""},
		{"another algorithm", lanyard.ImportKey{Hash: &lanyard.ImportHash{Algorithm: "md5", Value: strings.Repeat("0", 32)}}, "invalid_request", "hash.algorithm"},
		{"a short hash", lanyard.ImportKey{Hash: sha256Hash(hex.EncodeToString(sum[:31]))}, "invalid_request", "32 bytes"},
		{"a long hash", lanyard.ImportKey{Hash: sha256Hash(hex.EncodeToString(sum[:]) + "00")}, "invalid_request", "32 bytes"},
		{"no hash", lanyard.ImportKey{Hash: sha256Hash("")}, "invalid_request", "32 bytes"},
		{"a hash in neither encoding", lanyard.ImportKey{Hash: sha256Hash("0x" + hex.EncodeToString(sum[:]))}, "invalid_request", "32 bytes"},
		{"a hash with a line break", lanyard.ImportKey{Hash: sha256Hash(base64.StdEncoding.EncodeToString(sum[:]) + "\n")}, "invalid_request", "32 bytes"},
		{"a hash with stray bits", lanyard.ImportKey{Hash: sha256Hash(strings.Repeat("A", 42) + "B")}, "invalid_request", "32 bytes"},
		{"the hash of nothing", lanyard.ImportKey{Hash: sha256Hash("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")}, "invalid_request", "nothing"},
		{"hexadecimal", lanyard.ImportKey{Hash: sha256Hash(hex.EncodeToString(sum[:]))}, "created", ""},
		{"the same in capitals", lanyard.ImportKey{Hash: sha256Hash(strings.ToUpper(hex.EncodeToString(sum[:])))}, "conflict", "here already"},
		{"the same in base64", lanyard.ImportKey{Hash: sha256Hash(base64.StdEncoding.EncodeToString(sum[:]))}, "conflict", "here already"},
		{"the same unpadded", lanyard.ImportKey{Hash: sha256Hash(base64.RawStdEncoding.EncodeToString(sum[:]))}, "conflict", "here already"},
		{"the same in the URL alphabet", lanyard.ImportKey{Hash: sha256Hash(base64.RawURLEncoding.EncodeToString(sum[:]))}, "conflict", "here already"},
		{"the same as text", lanyard.ImportKey{Secret: strings.ReplaceAll("a foreign key nobody guesses", " ", "")}, "created", ""},
		{"own format, mistyped", lanyard.ImportKey{Secret: mistyped}, "invalid_request", "mistyped"},
		{"own format, another mode", lanyard.ImportKey{Secret: own, Mode: "live"}, "invalid_request", "test"},
		{"own format", lanyard.ImportKey{Secret: own}, "created", ""},
		{"own format, again", lanyard.ImportKey{Secret: own}, "conflict", "already"},
		{"own format, an id that is taken", lanyard.ImportKey{Secret: ownCredential(t, secret.Key, secret.Live, id.Key(w.a.key))}, "conflict", w.a.key},
		{"own format, publishable", lanyard.ImportKey{Secret: ownCredential(t, secret.Publishable, secret.Live, id.New[id.Key]())}, "invalid_request", "publishable"},
		{"own format, a refresh token", lanyard.ImportKey{Secret: ownCredential(t, secret.Refresh, secret.Live, id.New[id.Key]())}, "invalid_request", "kind"},
		{"no name", lanyard.ImportKey{Name: " ", Secret: "another-foreign-key-1"}, "invalid_request", "name"},
		{"an end in the past", lanyard.ImportKey{Secret: "another-foreign-key-2", ExpiresAt: &past}, "invalid_request", "future"},
		{"an unknown mode", lanyard.ImportKey{Secret: "another-foreign-key-3", Mode: "prod"}, "invalid_request", "mode"},
	} {
		if tc.item.Name == "" {
			tc.item.Name = "k"
		}
		for _, dry := range []bool{true, false} {
			before := w.trace()
			got, err := w.svc.ImportKeys(t.Context(), w.admin, lanyard.ImportInput{AppID: w.a.app, Keys: []lanyard.ImportKey{tc.item}, DryRun: dry})
			if err != nil {
				t.Fatalf("%s: ImportKeys = %v", tc.name, err)
			}
			want := tc.want
			if dry && want == "created" {
				want = "would_create"
			}
			item := got.Items[0]
			if item.Code != want || !strings.Contains(item.Detail, tc.says) || (item.ID != "") != (want == "created") {
				t.Errorf("%s: ImportKeys(dry_run %v) = %+v, want code %s and %q in the detail", tc.name, dry, item, want, tc.says)
			}
			if changed := w.trace() != before; changed != (want == "created") {
				t.Errorf("%s: ImportKeys(dry_run %v) changed something: %v", tc.name, dry, changed)
			}
			if tc.item.Secret != "" && strings.Contains(item.Detail, tc.item.Secret) {
				t.Errorf("%s: the detail repeats the secret: %s", tc.name, item.Detail)
			}
		}
	}
}

func TestImportIsPartial(t *testing.T) {
	w := newWorld(t)
	sum := sha256.Sum256([]byte("the-first-foreign-key"))
	in := lanyard.ImportInput{AppID: w.a.app, Keys: []lanyard.ImportKey{
		{Name: "raw", Secret: "the-first-foreign-key", Scopes: []string{"forecast.read"}, Metadata: lanyard.Metadata{"from": "old"}},
		{Name: "same", Hash: sha256Hash(hex.EncodeToString(sum[:]))},
		{Name: "weak", Secret: "1234"},
		{Name: "not grantable", Secret: "the-second-foreign-key", Scopes: []string{"forecast.read", "messages.read"}},
		{Name: "hashed", Hash: sha256Hash(strings.Repeat("ab", 32)), Mode: "test"},
	}}
	got, err := w.svc.ImportKeys(t.Context(), w.admin, in)
	if err != nil || got.Created != 2 || got.Refused != 3 {
		t.Fatalf("ImportKeys = %+v, %v, want 2 created and 3 refused", got, err)
	}
	for i, want := range []string{"created", "conflict", "invalid_request", "scope_not_grantable", "created"} {
		if it := got.Items[i]; it.Code != want || it.Index != i || it.Name != in.Keys[i].Name {
			t.Errorf("item %d = %+v, want %s", i, it, want)
		}
	}
	raw, err := w.store.Key(t.Context(), audit.ServerReach(), id.Key(got.Items[0].ID))
	if err != nil {
		t.Fatal(err)
	}
	pepper, digest := w.svc.MAC(key.ImportText(sha256.Sum256([]byte("the-first-foreign-key"))))
	if v := raw.Versions[0]; v.Scheme != key.SchemeImported || !bytes.Equal(v.Digest, digest[:]) || v.Pepper != pepper || !v.Imported || raw.Prefix != "" {
		t.Errorf("imported text is kept as %+v with prefix %q, want its MAC and none", v, raw.Prefix)
	}
	hashed, err := w.store.Key(t.Context(), audit.ServerReach(), id.Key(got.Items[4].ID))
	if err != nil {
		t.Fatal(err)
	}
	_, digest = w.svc.MAC(key.ImportText([32]byte(bytes.Repeat([]byte{0xab}, 32))))
	if v := hashed.Versions[0]; v.Scheme != key.SchemeImported || !bytes.Equal(v.Digest, digest[:]) || hashed.Mode != secret.Test {
		t.Errorf("imported hash is kept as %+v, want its MAC: a bare hash never stands in the database", v)
	}
	if ev := w.lastEvent(); ev.Action != "key.import" || ev.Target != w.a.app || ev.Details["created"] != "2" || ev.Details["refused"] != "3" {
		t.Errorf("audit line = %+v, want the counts", ev)
	}

	rotated, err := w.svc.RotateKey(t.Context(), w.admin, got.Items[0].ID, lanyard.RotateInput{})
	if err != nil {
		t.Fatal(err)
	}
	if c, err := secret.Parse(rotated.Secret); err != nil || c.ID != id.Chars(raw.ID) || c.Prefix != "acme" {
		t.Errorf("rotated import parses to %+v, %v, want our format under its id", c, err)
	}
	shown, err := w.svc.Key(t.Context(), w.admin, got.Items[0].ID)
	if err != nil || shown.Hint == "imported" || !shown.Versions[1].Imported || shown.Versions[0].Imported {
		t.Errorf("Key after rotation = %+v, %v, want its hint in our format", shown, err)
	}
}

func TestImportRefusesWhole(t *testing.T) {
	w := newWorld(t)
	_, err := w.svc.ImportKeys(t.Context(), w.admin, lanyard.ImportInput{AppID: w.a.app})
	wantFault(t, "ImportKeys of none", err, fault.Invalid, "keys")
	_, err = w.svc.ImportKeys(t.Context(), w.admin, lanyard.ImportInput{AppID: w.a.app, Keys: make([]lanyard.ImportKey, maxImport+1)})
	wantFault(t, "ImportKeys of too many", err, fault.Invalid, "keys")
}

// TestImportsRace: of two imports of the same keys at the same time each key is made once, and each import says what
// became of its own.
func TestImportsRace(t *testing.T) {
	w := newWorld(t)
	in := lanyard.ImportInput{AppID: w.a.app}
	for i := range 20 {
		in.Keys = append(in.Keys, lanyard.ImportKey{Name: "k", Secret: fmt.Sprintf("a-foreign-key-number-%d", i)})
	}
	results := make([]lanyard.Imported, 4)
	var wg sync.WaitGroup
	for n := range results {
		wg.Go(func() {
			var err error
			if results[n], err = w.svc.ImportKeys(t.Context(), w.admin, in); err != nil {
				t.Errorf("ImportKeys = %v", err)
			}
		})
	}
	wg.Wait()
	created := 0
	for _, r := range results {
		created += r.Created
		if r.Created+r.Refused != len(in.Keys) {
			t.Errorf("ImportKeys = %d created, %d refused, want %d in all", r.Created, r.Refused, len(in.Keys))
		}
	}
	if created != len(in.Keys) {
		t.Errorf("%d keys were created, want %d", created, len(in.Keys))
	}
}

// FuzzParseHash: what is accepted is one of the four spellings of 32 bytes.
func FuzzParseHash(f *testing.F) {
	sum := sha256.Sum256([]byte("x"))
	for _, text := range []string{hex.EncodeToString(sum[:]), base64.StdEncoding.EncodeToString(sum[:]), base64.RawURLEncoding.EncodeToString(sum[:]), "", "=", "\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseHash(lanyard.ImportHash{Algorithm: "sha256", Value: text})
		if err != nil {
			return
		}
		for _, spelling := range []string{
			hex.EncodeToString(got[:]), base64.StdEncoding.EncodeToString(got[:]), base64.RawStdEncoding.EncodeToString(got[:]),
			base64.URLEncoding.EncodeToString(got[:]), base64.RawURLEncoding.EncodeToString(got[:]),
		} {
			if text == spelling || strings.EqualFold(text, spelling) && len(text) == 64 {
				return
			}
		}
		t.Errorf("parseHash(%q) = %x, which is not spelled so", text, got)
	})
}

// TestImportAgain: a key is recognised however it comes back, as text or as hash, before or after it was used.
func TestImportAgain(t *testing.T) {
	w := newWorld(t)
	const text = "a-foreign-key-of-some-length"
	sum := sha256.Sum256([]byte(text))
	asText, asHash := lanyard.ImportKey{Name: "text", Secret: text}, lanyard.ImportKey{Name: "hash", Hash: sha256Hash(hex.EncodeToString(sum[:]))}
	for i, item := range []lanyard.ImportKey{asHash, asHash, asText} {
		got, err := w.svc.ImportKeys(t.Context(), w.admin, lanyard.ImportInput{AppID: w.a.app, Keys: []lanyard.ImportKey{item}})
		if err != nil {
			t.Fatal(err)
		}
		want := "conflict"
		if i == 0 {
			want = "created"
		}
		if got.Items[0].Code != want {
			t.Errorf("import %d, as %s = %+v, want %s", i, item.Name, got.Items[0], want)
		}
	}
}
