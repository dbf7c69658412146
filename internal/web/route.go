package web

import (
	"net/http"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// Mux serves mux, with problems in place of its plain texts for a path or method nobody serves. A path that is not in its
// normal form (doubled slashes, dots, control characters) is not found: cleaning it up by a redirect would send a browser
// wherever the path says (`//evil.example/`), and a reader of the path never sees two spellings of one thing. lost answers where
// there is nothing; Refuse of the kit does for programs.
func (k *Kit) Mux(mux *http.ServeMux, lost func(http.ResponseWriter, *http.Request, error)) http.Handler {
	return k.Handle(func(w http.ResponseWriter, r *http.Request) error {
		if !normal(r.URL.Path) {
			lost(w, r, fault.New(fault.NotFound, "there is nothing at this path; it is not in its normal form"))
			return nil
		}
		handler, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return nil
		}
		var says verdict
		handler.ServeHTTP(&says, r)
		if says.status != http.StatusMethodNotAllowed {
			lost(w, r, fault.New(fault.NotFound, "there is nothing at this path"))
			return nil
		}
		allow := says.Header().Get("Allow")
		w.Header().Set("Allow", allow)
		p := k.Problem(w.Header(), r, fault.New(fault.Invalid, "%.20s is not served here; allowed: %s", r.Method, allow))
		p.Status = http.StatusMethodNotAllowed
		k.write(w, r, p)
		return nil
	})
}

// normal reports whether a path is absolute, clean, and free of what no path of ours holds.
func normal(p string) bool {
	if p == "" || p[0] != '/' || !utf8.ValidString(p) || strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return false
	}
	clean := path.Clean(p)
	return p == clean || p == clean+"/"
}

// verdict is a ResponseWriter that only listens to what ServeMux would have answered.
type verdict struct {
	header http.Header
	status int
}

func (v *verdict) Header() http.Header {
	if v.header == nil {
		v.header = http.Header{}
	}
	return v.header
}

func (v *verdict) Write(b []byte) (int, error) { return len(b), nil }

func (v *verdict) WriteHeader(status int) { v.status = status }
