package secret

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/id"
)

// vectors is testdata/vectors.json; it was computed by another implementation and describes itself.
type vectors struct {
	Valid []struct {
		Text, Prefix, ID, Note string
		Kind                   Kind
		Mode                   Mode
	}
	Invalid        []struct{ Text, Reason, Note string }
	Refresh        []refreshVector
	RefreshInvalid []refreshVector `json:"refresh_invalid"`
}

type refreshVector struct {
	Body, MAC, Note string
	Version         byte
	Counter         uint32
}

var reasons = map[string]error{
	"empty": ErrEmpty, "too_long": ErrTooLong, "shape": ErrShape, "kind": ErrKind, "mode": ErrMode, "length": ErrLength, "checksum": ErrChecksum,
}

func loadVectors(t testing.TB) vectors {
	t.Helper()
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Valid) == 0 || len(v.Invalid) == 0 || len(v.Refresh) == 0 || len(v.RefreshInvalid) == 0 {
		t.Fatal("vectors.json lacks a section")
	}
	return v
}

func TestParseRefuses(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range loadVectors(t).Invalid {
		want := reasons[v.Reason]
		if want == nil {
			t.Fatalf("vectors.json: unknown reason %q", v.Reason)
		}
		seen[v.Reason] = true
		if c, err := Parse(v.Text); !errors.Is(err, want) || c != (Credential{}) {
			t.Errorf("Parse(%s: %q) = %v, %v, want %v", v.Note, v.Text, c, err, want)
		}
	}
	for reason := range reasons {
		if !seen[reason] {
			t.Errorf("no vector is refused for %q", reason)
		}
	}
}

// One credential, changed in every way a transport or a person changes text.
func TestParseRefusesEveryOtherTextOfACredential(t *testing.T) {
	good := issue(t, "lyd", Key, Live)
	for n := range good {
		if _, err := Parse(good[:n]); err == nil {
			t.Errorf("Parse accepts the first %d characters", n)
		}
		if _, err := Parse(good[n+1:]); err == nil {
			t.Errorf("Parse accepts it without the first %d characters", n+1)
		}
		for c := range 256 {
			if byte(c) == good[n] {
				continue
			}
			if _, err := Parse(good[:n] + string([]byte{byte(c)}) + good[n+1:]); err == nil {
				t.Errorf("Parse accepts it with byte %d replaced by %q", n, []byte{byte(c)})
			}
			if _, err := Parse(good[:n] + string([]byte{byte(c)}) + good[n:]); err == nil {
				t.Errorf("Parse accepts it with %q put in at %d", []byte{byte(c)}, n)
			}
		}
	}
}

func TestParseAccepts(t *testing.T) {
	for _, v := range loadVectors(t).Valid {
		want := Credential{Prefix: v.Prefix, Kind: v.Kind, Mode: v.Mode, ID: v.ID}
		if got, err := Parse(v.Text); err != nil || got != want {
			t.Errorf("Parse(%s: %q) = %v, %v, want %v", v.Note, v.Text, got, err, want)
		}
	}
}

func TestNewParsesAndDiffers(t *testing.T) {
	for _, kind := range Kinds() {
		for _, mode := range []Mode{Live, Test} {
			app := id.New[id.Key]()
			s, err := New("acme", kind, mode, id.Chars(app), chacha(1))
			if err != nil {
				t.Fatal(err)
			}
			want := Credential{Prefix: "acme", Kind: kind, Mode: mode, ID: id.Chars(app)}
			if got, err := Parse(s.Reveal()); err != nil || got != want {
				t.Errorf("Parse(New(%v)) = %v, %v, want it back", want, got, err)
			}
			other, err := New("acme", kind, mode, id.Chars(app), chacha(2))
			if err != nil {
				t.Fatal(err)
			}
			if other.Reveal() == s.Reveal() {
				t.Error("New gives the same secret for other randomness")
			}
		}
	}
}

func TestNewRefuses(t *testing.T) {
	chars := strings.Repeat("A", 16)
	boom := errors.New("boom")
	for _, tc := range []struct {
		name, prefix string
		kind         Kind
		mode         Mode
		id           string
		random       io.Reader
	}{
		{"prefix of 1", "l", Key, Live, chars, chacha(1)},
		{"prefix of 13", "a234567890123", Key, Live, chars, chacha(1)},
		{"upper-case prefix", "Lyd", Key, Live, chars, chacha(1)},
		{"prefix with an underscore", "ly_d", Key, Live, chars, chacha(1)},
		{"unknown kind", "lyd", "sk", Live, chars, chacha(1)},
		{"unknown mode", "lyd", Key, "prod", chars, chacha(1)},
		{"short id", "lyd", Key, Live, chars[1:], chacha(1)},
		{"typed id", "lyd", Key, Live, "key_" + chars[4:], chacha(1)},
		{"failing source", "lyd", Key, Live, chars, failing{boom}},
		{"source too short", "lyd", Key, Live, chars, bytes.NewReader(make([]byte, 8))},
	} {
		if s, err := New(tc.prefix, tc.kind, tc.mode, tc.id, tc.random); err == nil || !s.IsZero() {
			t.Errorf("New(%s) = %v, %v, want an error", tc.name, s, err)
		}
	}
	if _, err := New("lyd", Key, Live, chars, failing{boom}); !errors.Is(err, boom) {
		t.Errorf("New(failing source) error = %v, want %v in its chain", err, boom)
	}
	if _, err := Assemble("lyd", Key, Live, chars, [BodyLength]byte{}); err == nil {
		t.Error("Assemble(body of NULs) = nil error")
	}
}

func TestValidPrefix(t *testing.T) {
	for prefix, want := range map[string]bool{
		"lyd": true, "ab": true, "a1": true, "a23456789bcd": true,
		"": false, "a": false, "1a": false, "a23456789bcde": false, "Ab": false, "a_b": false, "a-b": false, "aé": false, "ab\n": false,
	} {
		if err := ValidPrefix(prefix); (err == nil) != want {
			t.Errorf("ValidPrefix(%q) = %v, want valid %v", prefix, err, want)
		}
	}
}

func TestChecksumIsCRC32(t *testing.T) {
	for _, text := range []string{"", "a", "123456789", "lyd_key_live_", strings.Repeat("z", 70)} {
		var got uint64
		for _, c := range checksum(text) {
			digit, ok := value(c)
			if !ok {
				t.Fatalf("checksum(%q) has the character %q", text, c)
			}
			got = got*62 + digit
		}
		if want := uint64(crc32.ChecksumIEEE([]byte(text))); got != want {
			t.Errorf("checksum(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestParseDoesNotAllocate(t *testing.T) {
	v := loadVectors(t)
	texts := []string{v.Valid[0].Text}
	for _, bad := range v.Invalid {
		texts = append(texts, bad.Text)
	}
	for _, text := range texts {
		if got := testing.AllocsPerRun(20, func() { _, _ = Parse(text) }); got != 0 {
			t.Errorf("Parse(%q) allocates %v times, want 0", text, got)
		}
	}
}

func TestDecodeRefreshRefuses(t *testing.T) {
	for _, v := range loadVectors(t).RefreshInvalid {
		if _, err := DecodeRefresh(v.Body); !errors.Is(err, ErrRefresh) {
			t.Errorf("DecodeRefresh(%s: %q) error = %v, want %v", v.Note, v.Body, err, ErrRefresh)
		}
	}
}

func TestRefreshVectors(t *testing.T) {
	for _, v := range loadVectors(t).Refresh {
		mac, err := hex.DecodeString(v.MAC)
		if err != nil {
			t.Fatal(err)
		}
		body := RefreshBody{Version: v.Version, Counter: v.Counter, MAC: RefreshMAC(mac)}
		if got := body.Encode(); string(got[:]) != v.Body {
			t.Errorf("Encode(%s) = %s, want %s", v.Note, got, v.Body)
		}
		if got, err := DecodeRefresh(v.Body); err != nil || got != body {
			t.Errorf("DecodeRefresh(%s) = version %d counter %d mac %x, %v, want it back", v.Note, got.Version, got.Counter, got.MAC[:], err)
		}
	}
}

func TestParseRefresh(t *testing.T) {
	body := RefreshBody{Version: 3, Counter: 70000, MAC: RefreshMAC([]byte("eighteen bytes mac"))}
	s, err := Assemble("lyd", Refresh, Test, strings.Repeat("F", 16), body.Encode())
	if err != nil {
		t.Fatal(err)
	}
	c, got, err := ParseRefresh(s.Reveal())
	if err != nil || got != body || c.ID != strings.Repeat("F", 16) || c.Kind != Refresh || c.Mode != Test {
		t.Errorf("ParseRefresh = %v, version %d counter %d, %v, want it back", c, got.Version, got.Counter, err)
	}
	if _, _, err := ParseRefresh(issue(t, "lyd", Key, Live)); !errors.Is(err, ErrKind) {
		t.Errorf("ParseRefresh(an API key) error = %v, want %v", err, ErrKind)
	}
	if _, _, err := ParseRefresh(s.Reveal() + "\n"); err == nil {
		t.Error("ParseRefresh accepts a trailing newline")
	}
	large, err := Assemble("lyd", Refresh, Live, strings.Repeat("F", 16), [BodyLength]byte(bytes.Repeat([]byte("z"), BodyLength)))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := ParseRefresh(large.Reveal()); !errors.Is(err, ErrRefresh) {
		t.Errorf("ParseRefresh(number above 2^184) error = %v, want %v", err, ErrRefresh)
	}
}

func BenchmarkParse(b *testing.B) {
	v := loadVectors(b)
	b.Run("valid", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Parse(v.Valid[0].Text); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("invalid", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for _, bad := range v.Invalid {
				if _, err := Parse(bad.Text); err == nil {
					b.Fatal(bad.Text)
				}
			}
		}
	})
}

// chacha is a random source that repeats itself from run to run.
func chacha(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

func issue(t testing.TB, prefix string, kind Kind, mode Mode) string {
	t.Helper()
	s, err := New(prefix, kind, mode, "8fK2mQz7Lr0Xc41Z", chacha(7))
	if err != nil {
		t.Fatal(err)
	}
	return s.Reveal()
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
