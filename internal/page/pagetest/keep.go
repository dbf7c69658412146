package pagetest

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"regexp"
	"testing"
)

// loaded are the addresses of a page's assets.
var loaded = regexp.MustCompile(`"/(assets/[a-z0-9.-]+)"`)

// Keep writes a page and its assets into the directory that $LANYARD_PAGES names, for a browser to look at; without it, nothing.
// assets serves GET /assets/{name}.
func Keep(t testing.TB, assets http.Handler, name, body string) {
	t.Helper()
	dir := os.Getenv("LANYARD_PAGES")
	if dir == "" {
		return
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }() // what was written is closed already
	mux := http.NewServeMux()
	mux.Handle("GET /assets/{name}", assets)
	files := map[string]string{name + ".html": body}
	for _, m := range loaded.FindAllStringSubmatch(body, -1) {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+m[1], nil))
		files[m[1]] = w.Body.String()
	}
	for name, text := range files {
		if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := root.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
