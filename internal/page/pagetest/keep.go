package pagetest

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// loaded are the addresses of a page's assets.
var loaded = regexp.MustCompile(`"(/assets/[a-z0-9.-]+)"`)

// Keep writes a page and its assets below the directory in $LANYARD_PAGES, for a browser to look at; without it, nothing. assets
// serves GET /assets/{name}.
func Keep(t testing.TB, assets http.Handler, name, body string) {
	t.Helper()
	dir := os.Getenv("LANYARD_PAGES")
	if dir == "" {
		return
	}
	files := map[string]string{"/" + name + ".html": body}
	mux := http.NewServeMux()
	mux.Handle("GET /assets/{name}", assets)
	for _, m := range loaded.FindAllStringSubmatch(body, -1) {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, m[1], nil))
		files[m[1]] = w.Body.String()
	}
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
