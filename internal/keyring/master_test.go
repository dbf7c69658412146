package keyring

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

func TestParseMasterRefuses(t *testing.T) {
	raw := bytes.Repeat([]byte{0xfb}, keySize) // gives + and / in standard base64
	good := base64.StdEncoding.EncodeToString(raw)
	for _, tt := range []struct{ name, text string }{
		{"empty", ""},
		{"no version", good},
		{"empty version", ":" + good},
		{"zero version", "0:" + good},
		{"negative version", "-1:" + good},
		{"signed version", "+1:" + good},
		{"leading zero", "01:" + good},
		{"huge version", "2147483648:" + good},
		{"overflowing version", "99999999999999999999:" + good},
		{"other digits", "١:" + good},
		{"no key", "1:"},
		{"garbage", "1:!!not base64!!"},
		{"url alphabet", "1:" + base64.URLEncoding.EncodeToString(raw)},
		{"no padding", "1:" + strings.TrimRight(good, "=")},
		{"more padding", "1:" + good + "="},
		{"loose last bits", "1:" + good[:len(good)-2] + "t="},
		{"line end inside", "1:" + good[:20] + "\n" + good[20:]},
		{"line end after", "1:" + good + "\n"},
		{"space before", " 1:" + good},
		{"space after", "1:" + good + " "},
		{"NUL after", "1:" + good + "\x00"},
		{"31 bytes", "1:" + base64.StdEncoding.EncodeToString(raw[:31])},
		{"33 bytes", "1:" + base64.StdEncoding.EncodeToString(append(bytes.Clone(raw), 1))},
		{"twice", "1:" + good + "1:" + good},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseMaster(tt.text)
			if !fault.Is(err, fault.Invalid) || !got.isZero() {
				t.Fatalf("ParseMaster(%q) = %v, %v, want no key and %s", tt.text, got, err, fault.Invalid)
			}
			if _, secret, _ := strings.Cut(tt.text, ":"); len(secret) > 8 && strings.Contains(err.Error(), secret[:8]) {
				t.Errorf("ParseMaster(%q) error repeats the key: %v", tt.text, err)
			}
			if len(tt.text) > 8 && strings.Contains(err.Error(), tt.text[:8]) {
				t.Errorf("ParseMaster(%q) error repeats the text: %v", tt.text, err)
			}
		})
	}
}

func TestGenerateMasterRefuses(t *testing.T) {
	boom := errors.New("boom")
	if m, err := GenerateMaster(1, iotest.ErrReader(boom)); !errors.Is(err, boom) || !m.isZero() {
		t.Errorf("GenerateMaster(failing source) = %v, %v, want no key and %v", m, err, boom)
	}
	if m, err := GenerateMaster(1, strings.NewReader("too short")); err == nil || !m.isZero() {
		t.Errorf("GenerateMaster(short source) = %v, %v, want no key and an error", m, err)
	}
	for _, version := range []int{0, -1, maxVersion + 1} {
		if m, err := GenerateMaster(version, strings.NewReader(strings.Repeat("x", keySize))); !fault.Is(err, fault.Invalid) {
			t.Errorf("GenerateMaster(%d) = %v, %v, want %s", version, m, err, fault.Invalid)
		}
	}
}

func TestParseMasterReadsWhatRevealWrites(t *testing.T) {
	for _, version := range []int{1, 2, 10, maxVersion} {
		want := master(t, version, 0xfb)
		got, err := ParseMaster(want.Reveal())
		if err != nil || got.Version != version || !got.sameKey(want) {
			t.Errorf("ParseMaster(Reveal of version %d) = %v, %v, want it back", version, got, err)
		}
	}
}

func TestCheckTellsKeysAndVersionsApart(t *testing.T) {
	seen := map[string]Master{}
	for _, m := range []Master{master(t, 1, 'a'), master(t, 2, 'a'), master(t, 1, 'b'), master(t, 2, 'b')} {
		check, err := m.check()
		if err != nil {
			t.Fatal(err)
		}
		if other, found := seen[string(check)]; found {
			t.Errorf("check of %v = check of %v, want them different", m, other)
		}
		if bytes.Contains(check, m.key()[:8]) {
			t.Errorf("check of %v holds a part of the key", m)
		}
		seen[string(check)] = m
	}
}

func TestBindIsUnambiguous(t *testing.T) {
	seen := map[string][]string{}
	for _, parts := range [][]string{
		{"d"},
		{"d", ""},
		{"d", "", ""},
		{"d", "a"},
		{"d", "a", ""},
		{"d", "", "a"},
		{"d", "ab", "c"},
		{"d", "a", "bc"},
		{"da"},
		{"d", "a", "b", "c"},
		{"d", "abc"},
		{"", "d"},
	} {
		got := string(bind(parts[0], parts[1:]...))
		if other, found := seen[got]; found {
			t.Errorf("bind(%q) = bind(%q), want them different", parts, other)
		}
		seen[got] = parts
	}
}

func FuzzParseMaster(f *testing.F) {
	good := master(f, 7, 0xfb).Reveal()
	for _, seed := range []string{good, good + "\n", "07:" + good, good[:10], "1:", ":", "", strings.ToLower(good)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseMaster(text)
		if err == nil && m.Reveal() != text {
			t.Errorf("ParseMaster(%q) accepts a second spelling of %q", text, m.Reveal())
		}
		if err != nil && !m.isZero() {
			t.Errorf("ParseMaster(%q) = %v with error %v, want no key", text, m, err)
		}
	})
}
