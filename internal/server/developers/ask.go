package developers

import (
	"context"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/web"
)

const (
	tryFor     = 10 * time.Second // how long a call may take
	maxShow    = 16 << 10         // bytes of an answer's body that are shown
	maxHeaders = 40
	maxHeader  = 300 // bytes of each that are shown
)

// answered is what came back.
type answered struct {
	Status  string // "200 OK"
	Good    bool
	Headers []page.Fact
	Body    string
	Note    string // what is to be said of the body
}

// ask sends a call to who answers it, in this process: it reaches nothing else. It comes from where the person is, and carries nothing of
// their browser.
func (p *rooms) ask(r *http.Request, api *catalog.Compiled, c call, credential secret.Secret) (*answered, error) {
	ctx, cancel := context.WithTimeout(r.Context(), tryFor)
	defer cancel()
	address := api.Policy.Identifier + c.path
	if c.query != "" {
		address += "?" + c.query
	}
	sent, err := http.NewRequestWithContext(ctx, c.method, address, strings.NewReader(c.body)) //nolint:gosec // it goes to a handler of ours, over no connection
	if err != nil {
		return nil, err
	}
	sent.URL.Path = strings.TrimPrefix(sent.URL.Path, pathOf(p.Gateway))
	sent.URL.RawPath = strings.TrimPrefix(sent.URL.RawPath, pathOf(p.Gateway))
	sent.RemoteAddr = net.JoinHostPort(p.Client(r).String(), "0")
	sent.Header = http.Header{"Authorization": {"Bearer " + credential.Reveal()}, "Accept": {"application/json, */*"}, "User-Agent": {"Lanyard"}}
	if c.body != "" {
		sent.Header.Set("Content-Type", "application/json")
	}
	got := web.Capture{Max: maxShow}
	p.serve(&got, sent)
	got.WriteHeader(http.StatusOK)
	return shown(&got, credential), nil
}

// serve hands a call to who answers it. One that breaks off, such as a stream that is longer than a try, shows what had come.
func (p *rooms) serve(got *web.Capture, sent *http.Request) {
	defer func() {
		if caught := recover(); caught != nil && caught != http.ErrAbortHandler { //nolint:errorlint // recovered as it was thrown; nobody wraps it
			panic(caught)
		}
	}()
	p.Calls.ServeHTTP(got, sent)
}

// pathOf is the path of an address.
func pathOf(address string) string {
	_, rest, _ := strings.Cut(address, "://")
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[i:]
	}
	return ""
}

// shown is an answer as a page may show it. Who echoes the credential does not get it onto the page.
func shown(got *web.Capture, credential secret.Secret) *answered {
	hide := strings.NewReplacer(credential.Reveal(), "[redacted]")
	made := &answered{Status: strings.TrimSpace(strconv.Itoa(got.Status) + " " + http.StatusText(got.Status)), Good: got.Status < http.StatusBadRequest}
	for _, name := range slices.Sorted(maps.Keys(got.Header())) {
		for _, value := range got.Header()[name] {
			if len(made.Headers) < maxHeaders {
				made.Headers = append(made.Headers, page.Fact{Term: name, Text: cut(hide.Replace(value), maxHeader)})
			}
		}
	}
	body := got.Body.String()
	if got.Cut {
		made.Note = "Cut after " + page.Count(maxShow) + " bytes."
		for i := 0; i < utf8.UTFMax && !utf8.ValidString(body); i++ { // in the middle of a letter
			body = body[:len(body)-1]
		}
		body = withoutTail(body, credential.Reveal())
	}
	switch {
	case body == "":
		made.Note = "It has no body."
	case !utf8.ValidString(body) || strings.ContainsRune(body, 0):
		made.Note = page.CountOf(int64(len(body)), "byte") + " that are no text."
	default:
		made.Body = hide.Replace(body)
	}
	return made
}

// withoutTail cuts off the begin of a secret at the end of a text that was cut there.
func withoutTail(text, secret string) string {
	for n := min(len(secret)-1, len(text)); n > 0; n-- {
		if strings.HasSuffix(text, secret[:n]) {
			return text[:len(text)-n]
		}
	}
	return text
}

// cut shortens a text.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
