package developers

import (
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// Whoever echoes a credential, whole or cut off at the end, does not get it onto the page; what is no text is not shown.
func TestShownHidesTheCredential(t *testing.T) {
	const text = "lyd_key_live_thisIsTheSecretThatNobodyMaySee"
	for name, write := range map[string]string{
		"echo": `{"authorization": "Bearer ` + text + `"}`, "cut": strings.Repeat("x", maxShow-10) + text, "binary": "\x00\xff" + text, "none": "",
	} {
		got := web.Capture{Max: maxShow}
		got.Header().Set("X-Echo", text)
		got.Header().Set("X-Long", strings.Repeat("é", 1000))
		if _, err := got.Write([]byte(write)); err != nil {
			t.Fatal(err)
		}
		made := shown(&got, secret.Of(text))
		all := made.Body + made.Note
		for _, h := range made.Headers {
			all += h.Text
			if len(h.Text) > maxHeader+len("…") {
				t.Errorf("%s: a header of %d bytes is shown", name, len(h.Text))
			}
		}
		if strings.Contains(all, "lyd_key") || name == "binary" && made.Body != "" || (name == "cut") != strings.HasPrefix(made.Note, "Cut") {
			t.Errorf("%s is shown as %.200q, %q", name, made.Body, made.Note)
		}
	}
}

func TestPathOf(t *testing.T) {
	for address, want := range map[string]string{"https://id.test": "", "https://id.test/examples": "/examples", "http://localhost:8421": "", "https://id.test/a/b": "/a/b"} {
		if got := pathOf(address); got != want {
			t.Errorf("pathOf(%s) = %q, want %q", address, got, want)
		}
	}
}
