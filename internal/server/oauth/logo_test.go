package oauth_test

import (
	"bytes"
	"encoding/pem"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// stranger is a host of somebody else's, on TLS, that the server is allowed to fetch from.
func stranger(t *testing.T, serve http.HandlerFunc) (*httptest.Server, func(*config.Settings)) {
	t.Helper()
	there := httptest.NewTLSServer(serve)
	t.Cleanup(there.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: there.Certificate().Raw})
	if err := os.WriteFile(file, block, 0o600); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(there.URL)
	if err != nil {
		t.Fatal(err)
	}
	return there, func(s *config.Settings) { s.OutboundAllow, s.OutboundCAFile = []string{u.Host}, file }
}

// TestLogo: SECURITY-CASES 28 and DESIGN section 9: an app's logo is a copy by its bytes, and nothing on our origin that could run.
func TestLogo(t *testing.T) {
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	there, allow := stranger(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		switch r.URL.Path {
		case "/logo.png":
			w.Header().Set("Content-Type", "text/html") // what it says of itself does not count
			_, _ = w.Write(picture.Bytes())
		case "/logo.svg":
			w.Header().Set("Content-Type", "image/svg+xml")
			_, _ = w.Write([]byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`))
		case "/liar.png":
			w.Header().Set("Content-Type", "image/png")
			_, _ = w.Write([]byte("<!doctype html><script>alert(1)</script>"))
		case "/huge.png":
			_, _ = w.Write(append(picture.Bytes(), make([]byte, 1<<20)...))
		case "/away.png":
			http.Redirect(w, r, "/logo.png", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	})
	w := newWorld(t, servertest.Options{Settings: allow})
	for _, path := range []string{"/logo.svg", "/liar.png", "/huge.png", "/away.png", "/none.png"} {
		c := w.app(lanyard.AppInput{Name: "Odd " + path, Type: "public", OAuthSettings: lanyard.OAuthSettings{LogoURI: there.URL + path}})
		if r := call(t, http.MethodGet, w.node.URL+"/logo/"+c.id, nil, nil); r.status != http.StatusNotFound || strings.Contains(r.raw, "alert") {
			t.Errorf("%s = %d %.80q, want 404", path, r.status, r.raw)
		}
	}
	for _, name := range []string{"app_AAAAAAAAAAAAAAAA", "nonsense", "..%2f..%2fetc"} {
		if r := call(t, http.MethodGet, w.node.URL+"/logo/"+name, nil, nil); r.status != http.StatusNotFound {
			t.Errorf("the logo of %s = %d, want 404", name, r.status)
		}
	}
	c := w.app(lanyard.AppInput{Name: "Pretty", Type: "public", OAuthSettings: lanyard.OAuthSettings{LogoURI: there.URL + "/logo.png"}})
	asked.Store(0)
	for range 3 {
		r := call(t, http.MethodGet, w.node.URL+"/logo/"+c.id, nil, nil)
		if r.status != http.StatusOK || r.raw != picture.String() || r.header.Get("Content-Type") != "image/png" || r.header.Get("X-Content-Type-Options") != "nosniff" ||
			r.header.Get("Content-Security-Policy") != "default-src 'none'; sandbox" {
			t.Fatalf("the logo = %d %v", r.status, r.header)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("the logo was fetched %d times, want once", n)
	}
	if p := w.browser.Get(c.ask(nil)); !strings.Contains(p.Body, `src="/logo/`+c.id+`"`) {
		t.Errorf("the login page does not show the logo: %.500s", p.Body)
	}
}
