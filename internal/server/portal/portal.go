// Package portal serves the pages people open: the provider's front, which credential to take, and what each refusal means.
//
// It owns how they look: one layout, a few partials, one style sheet and what it derives from the provider's colour. The words about
// credentials are package advice's, and it changes nothing: every page here is a GET without a session. No page holds a script, and
// their content security policy admits none.
package portal

import (
	"context"
	"html/template"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// Config is what the pages need. Brand and APIs must be set; they are asked for every page and should answer from memory.
type Config struct {
	Brand     func(context.Context) (lanyard.Brand, error) // where it fails, a page that needs nothing else is shown without a name
	APIs      func(context.Context) ([]lanyard.API, error) // the declared ones without Lanyard's own, in the order to show them
	PublicURL string                                       // without a slash at its end
	Log       *slog.Logger                                 // nil: nothing is logged
}

// Register adds every page and asset to mux. All are public.
func Register(mux *http.ServeMux, c Config) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	p := &portal{Config: c, kit: &web.Kit{PublicURL: c.PublicURL, Log: c.Log}, pages: parse(), static: static()}
	mux.HandleFunc("GET /{$}", p.handle(p.front))
	mux.HandleFunc("GET /which", p.handle(p.which))
	mux.HandleFunc("GET /errors/{$}", p.handle(p.listErrors))
	mux.HandleFunc("GET /errors/{code}", p.handle(p.explainError))
	mux.HandleFunc("GET /assets/{name}", p.handle(p.asset))
}

type portal struct {
	Config
	kit    *web.Kit
	pages  map[string]*template.Template // by file name without its ending
	static map[string]asset              // by file name
}

// contentPolicy admits what stands in our own files and nothing else: no script, no inline style, no frame around us.
const contentPolicy = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// handle sets the headers every answer has, and is the one place where a failure becomes an answer.
func (p *portal) handle(serve func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Frame-Options", "DENY")
		if err := serve(w, r); err != nil {
			p.refuse(w, r, err)
		}
	}
}

// refuse answers a program with a problem document and a person with a page that says the same.
func (p *portal) refuse(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set("Vary", "Accept")
	if wantsJSON(r) {
		p.kit.Refuse(w, r, err)
		return
	}
	problem := p.kit.Problem(w.Header(), r, err)
	page := failurePage{
		frame: p.frame(r, "There is nothing here", ""), Detail: sentence(problem.Detail), RequestID: web.RequestID(r.Context()),
		Status: problem.Status,
	}
	switch {
	case problem.Status >= 500:
		page.Title = "This page cannot be shown now"
	case problem.Status != http.StatusNotFound:
		page.Title = problem.Title
	}
	if err := p.render(w, problem.Status, "failure", page); err != nil {
		p.kit.Refuse(w, r, err)
	}
}

type failurePage struct {
	frame
	Detail    string
	RequestID string
	Status    int
}

// sentence makes of a fault's detail what can stand alone.
func sentence(detail string) string {
	if detail == "" {
		return ""
	}
	return upper(strings.TrimSuffix(detail, ".")) + "."
}

// wantsJSON reports whether a request accepts JSON and, unlike every browser, no page.
func wantsJSON(r *http.Request) bool {
	json, html := false, false
	for _, line := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(line, ",") {
			kind, params, err := mime.ParseMediaType(part)
			if err != nil {
				continue
			}
			if q, err := strconv.ParseFloat(params["q"], 64); err == nil && q == 0 {
				continue // RFC 9110 section 12.4.2: not acceptable
			}
			json = json || kind == "application/json" || kind == "application/problem+json"
			html = html || kind == "text/html"
		}
	}
	return json && !html
}
