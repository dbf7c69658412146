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

func TestPolicyOf(t *testing.T) {
	for kind, want := range map[secret.Kind]Policy{
		secret.Key: Revoke, secret.Client: Revoke, secret.Personal: Revoke, secret.Publishable: Notify, secret.Refresh: "", secret.Code: "", secret.Access: "", "": "",
	} {
		if got := PolicyOf(kind); got != want {
			t.Errorf("PolicyOf(%s) = %q, want %q", kind, got, want)
		}
	}
}
