package scan

import (
	"bytes"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// FuzzFind: whatever the bytes, what is found is a credential inside them, and every plain one is found, as package secret's own
// simple search finds them. One that is put among them is found too.
func FuzzFind(f *testing.F) {
	finder := finder(f, "lyd", "acme")
	random := dice(20)
	planted := issue(f, random, "lyd", secret.Key, secret.Live)
	for i, text := range issueAll(f, random, "acme") {
		for _, w := range written {
			f.Add([]byte(w.write(text)), i)
		}
		for _, encode := range files() {
			f.Add(encode(text), i)
		}
	}
	f.Add([]byte(strings.Repeat(`\`, 100)+"&amp;amp;#x%25%u{=\r\n"), 3)
	f.Fuzz(func(t *testing.T, data []byte, at int) {
		found := finder.Find(data)
		last := int64(-1)
		for _, got := range found {
			text := got.Credential.Reveal()
			if _, err := secret.Parse(text); err != nil {
				if _, _, err := secret.ParseToken(text, nil); err != nil {
					t.Errorf("Find gives %q, which is no credential", text)
				}
			}
			if got.Offset < last || got.Offset >= int64(len(data)) || got.Line < 1 || got.Column < 1 || got.Line > 1+bytes.Count(data, []byte("\n")) {
				t.Errorf("Find gives a place that is not there: %s of %d bytes", brief(got), len(data))
			}
			if got.Encoding == Plain && !bytes.HasPrefix(data[got.Offset:], []byte(text)) {
				t.Errorf("Find gives a plain credential where none is: %s", brief(got))
			}
			last = got.Offset
		}
		secret.Find(string(data), func(text string, c secret.Credential) bool {
			if c.Prefix == "lyd" || c.Prefix == "acme" {
				wantFound(t, found, data, text)
			}
			return true
		})
		if len(data) > 0 {
			at = int(uint(at) % uint(len(data)))
			data = append(append(bytes.Clone(data[:at]), planted...), data[at:]...)
			wantFound(t, finder.Find(data), data, planted)
		}
	})
}

func wantFound(t *testing.T, found []Finding, data []byte, text string) {
	t.Helper()
	for _, f := range found {
		if f.Credential.Reveal() == text {
			return
		}
	}
	t.Errorf("Find passes over %q in %q", text, data)
}
