package extauthz

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/server/doors"
)

// removeHeader tells Envoy which headers of the call not to forward.
const removeHeader = "X-Envoy-Auth-Headers-To-Remove"

// serveCall answers the HTTP variant: what comes is the call itself, without its body, below Prefix. 200 lets it through and nothing else does:
// Envoy hands every other answer to the caller. It cannot be told another path or query, so what cannot go on as it came is refused.
func (s *Service) serveCall(w http.ResponseWriter, r *http.Request) {
	call, err := s.readCall(r)
	if err != nil {
		fold(s.unread(err)).Write(w)
		return
	}
	var ruling doors.Ruling
	h := w.Header()
	if answer := s.rule(r.Context(), &call, &ruling, h); answer != nil {
		fold(answer).Write(w)
		return
	}
	for name, values := range ruling.Headers {
		h[name] = []string{strings.Join(values, ", ")}
	}
	left := leave(call.Header)
	h[removeHeader] = []string{strings.Join(left.remove, ", ")}
	if left.cookie != "" {
		h["Cookie"] = []string{left.cookie}
	}
	h["Cache-Control"] = []string{"no-store"}
	w.WriteHeader(http.StatusOK)
}

// readCall reads the call that a request is. The address of who is connected to Envoy stands at the end of X-Forwarded-For, and Envoy's own
// after it: both are there, or Envoy was told to show no headers.
func (s *Service) readCall(r *http.Request) (doors.Call, error) {
	if len(r.Header["X-Forwarded-For"]) == 0 {
		return doors.Call{}, errors.New("the header X-Forwarded-For is missing: allowed_headers has to cover every header")
	}
	scheme := r.Header["X-Forwarded-Proto"]
	if len(scheme) != 1 {
		return doors.Call{}, errors.New("the header X-Forwarded-Proto is not there once: allowed_headers has to cover every header")
	}
	for i, cookies := range r.Header["Cookie"] {
		r.Header["Cookie"][i] = apart(cookies)
	}
	d := described{
		method: r.Method, target: strings.TrimPrefix(r.RequestURI, Prefix), host: r.Host, scheme: scheme[0], header: r.Header, source: r.RemoteAddr,
	}
	call, err := d.call(s.doors.Proxies)
	if err != nil {
		return doors.Call{}, err
	}
	call.WholeQuery = true
	return call, settled(call.Path)
}

// settled fails for a path in another spelling than the normal one, which Envoy could not be told to forward in place of it.
func settled(path string) error {
	if normal, err := policy.NormalPath(path); err != nil || (&url.URL{Path: normal}).EscapedPath() == path {
		return nil //nolint:nilerr // what is no path at all is refused where every door does
	}
	return errors.New("the path is not spelt in the one way that Envoy could forward: encode what must be, and no more")
}

// fold puts the lines of every header into one: all of ours are lists (RFC 9110 section 5.3).
func fold(a *doors.Answer) *doors.Answer {
	for name, values := range a.Header {
		a.Header[name] = []string{strings.Join(values, ", ")}
	}
	return a
}
