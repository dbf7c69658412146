package page

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
)

func TestContact(t *testing.T) {
	for text, want := range map[string]Link{
		"":                              {},
		"help@acme.example":             {"help@acme.example", "mailto:help@acme.example"},
		"https://acme.example/help?a=b": {"Support", "https://acme.example/help?a=b"},
		"call us":                       {Text: "call us"},
		"javascript:alert(1)//a@b":      {Text: "javascript:alert(1)//a@b"},
		"a@b?bcc=c@d":                   {Text: "a@b?bcc=c@d"},
		"@b":                            {Text: "@b"},
		"a@":                            {Text: "a@"},
	} {
		if got := contact(text); got != want {
			t.Errorf("contact(%q) = %+v, want %+v", text, got, want)
		}
	}
	for _, address := range []string{"javascript:alert(1)", "data:text/html,x", "//evil.test", "/terms", "https:", "ftp://x", "https://%zz", " https://x"} {
		if got := WebLink("Terms", address); got != (Link{}) {
			t.Errorf("WebLink(%q) = %+v, want none", address, got)
		}
	}
}

func TestLocal(t *testing.T) {
	for _, address := range []string{"", "/", "//evil.test/x", `/\\evil.test`, "https://x/y", "data:image/png,x", "javascript:alert(1)", "logo.svg", "/\tx", "/a\nb"} {
		if got := local(address); got != "" {
			t.Errorf("local(%q) = %q, want none", address, got)
		}
	}
	if got := local("/logos/app_1"); got != "/logos/app_1" {
		t.Errorf("local of a path of ours = %q, want the path", got)
	}
}

func TestHref(t *testing.T) {
	for _, address := range []string{"", "javascript:alert(1)", "data:text/html,x", "//evil.test/", "com.example.app:/x", "https:"} {
		if got := (Link{"a", address}).Href(); got != "" {
			t.Errorf("Href of %q = %q, want none", address, got)
		}
	}
	for _, address := range []string{"/", "/account", "#passes", "https://rp.example/a?b=c", "mailto:help@acme.example"} {
		if got := (Link{"a", address}).Href(); got != address {
			t.Errorf("Href of %q = %q, want it", address, got)
		}
	}
}

func TestInitial(t *testing.T) {
	for name, want := range map[string]string{"": "?", "  ": "?", "acme": "A", " éa": "É", "\xff": "?", "日本": "日"} {
		if got := initial(name); got != want {
			t.Errorf("initial(%q) = %q, want %q", name, got, want)
		}
	}
	if got := Upper(""); got != "" {
		t.Errorf("Upper of nothing = %q, want nothing", got)
	}
}

// The page that explains an outage must be there during it.
func TestFrameOutlivesTheBrand(t *testing.T) {
	var log strings.Builder
	c := acme()
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	c.Brand = func(context.Context) (lanyard.Brand, error) { return lanyard.Brand{}, errors.New("database gone") }
	got := New(c).Frame(httptest.NewRequest(http.MethodGet, "/", nil), "A", "/")
	if got.Face.Name != nameless || got.Face.Initial != "L" || got.BrandSheet != brandAsset(ownColor, ".css").path() {
		t.Errorf("Frame without a brand = %+v, want our own name and colour", got)
	}
	if !strings.Contains(log.String(), "database gone") {
		t.Errorf("log = %q, want the reason", log.String())
	}
}
