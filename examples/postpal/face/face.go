// Package face is what PostPal looks like: its one page, the badge on it, and the headers that keep it to itself. What an app has to
// do to sign people in stands in package postpal.
package face

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"
)

//go:embed static
var files embed.FS

// Face shows PostPal to people.
type Face struct {
	provider, issuer string
	page             *template.Template
}

// New returns the face of an app of a provider, which people know by a name.
func New(provider, issuer string) *Face {
	return &Face{provider, issuer, template.Must(template.ParseFS(files, "static/page.html"))}
}

// view is what the page shows.
type view struct {
	Provider string
	Account  string // where the provider's people take badges back
	Problem  string // what went wrong on the way in
	Badge    *badge // nil: nobody is signed in
	Result   *Result
}

// Out shows the page to somebody who is not signed in.
func (f *Face) Out(w http.ResponseWriter) { f.show(w, http.StatusOK, view{}) }

// Fail shows it to somebody who did not get in, with a sentence that says why.
func (f *Face) Fail(w http.ResponseWriter, why string) {
	f.show(w, http.StatusBadRequest, view{Problem: why})
}

// In shows the page to somebody who is signed in. The script on it asks for JSON, and is told how the badge is and no more.
func (f *Face) In(w http.ResponseWriter, r *http.Request, p *Pass) {
	b := p.draw(time.Now()) //nolint:forbidigo // the real clock
	if r.Header.Get("Accept") != "application/json" {
		f.show(w, http.StatusOK, view{Badge: b, Result: p.Result})
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(b) // whoever does not listen any more needs no answer
}

func (f *Face) show(w http.ResponseWriter, status int, v view) {
	v.Provider, v.Account = f.provider, f.issuer+"/account"
	var page bytes.Buffer
	if err := f.page.Execute(&page, v); err != nil {
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = page.WriteTo(w) // whoever does not listen any more needs no answer
}

// maxForm is the size of the largest form that the page sends.
const maxForm = 8 << 10

// Around serves the files of the page and what next serves. It forbids the page everything it does not need, and every cache to keep
// it. A form on another site could post here with our cookie in the browser's hand: what does not come from our own page is refused.
// Logging out leads to the provider, so its origin is one that forms may lead to.
func (f *Face) Around(next http.Handler) http.Handler {
	policy := "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
	if u, err := url.Parse(f.issuer); err == nil && u.Host != "" && !strings.ContainsAny(u.Host, " ;,'") {
		policy += " " + u.Scheme + "://" + u.Host
	}
	mux := http.NewServeMux()
	mux.Handle("GET /static/", http.FileServerFS(files))
	mux.Handle("/", http.MaxBytesHandler(next, maxForm))
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		guarded.ServeHTTP(w, r)
	})
}
