package leak

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

func TestCleanPlace(t *testing.T) {
	credential, err := secret.New("acme", secret.Key, secret.Live, "0123456789ABCDEF", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"": "", "  two\r\nlines\x00 ": "two lines",
		"https://user:pass@git.example/a/b.py?token=hush#L1": "https://git.example/a/b.py",
		"commit 4fe2 of repo/config.py":                      "commit 4fe2 of repo/config.py",
		"turned \u202e around":                               "turned around",
		"pasted " + credential.Reveal():                      "pasted acme_key_live_0123456789ABCDEF…",
	} {
		if got := CleanPlace(in); got != want {
			t.Errorf("CleanPlace(%q) = %q, want %q", in, got, want)
		}
	}
	if got := CleanPlace(strings.Repeat("ä", 1000)); len([]rune(got)) != maxPlace+1 {
		t.Errorf("CleanPlace of a long text has %d characters", len([]rune(got)))
	}
}

// TestSourceIn: the sender's word is kept if it is a word, and nothing else.
func TestSourceIn(t *testing.T) {
	for word, want := range map[string]Source{
		"": "github", "Commit": "github/commit", "pull_request_title": "github/pull_request_title", "a b": "github", "<script>": "github", "ä": "github", strings.Repeat("x", 41): "github", "/": "github",
	} {
		if got := GitHub.In(word); got != want || got.Way() != GitHub {
			t.Errorf("In(%.50q) = %q by way of %q, want %q", word, got, got.Way(), want)
		}
	}
}
