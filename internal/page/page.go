// Package page is what every surface of pages shares: the layout and the partials, the style sheet and what it derives from the
// provider's colour, the headers that go with a page, and the page a failure becomes.
//
// It knows no page but the failure, the way back to a client (FormPost) and the styleguide. What a page says, and to whom, is the
// surfaces': each parses its own files over the layout (Templates), embeds a Frame in its page structs, and serves through Handle.
// No page holds a script and their content security policy admits none, save the one line of FormPost, named by its hash.
package page

import (
	"context"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// Config is what pages need. Web and Brand must be set.
type Config struct {
	Web   *web.Kit
	Brand func(context.Context) (lanyard.Brand, error) // asked for every page, so it should answer from memory; where it fails, the page has no name
	Log   *slog.Logger                                 // nil: nothing is logged
}

// Kit makes pages. One serves all surfaces of a server; it is not changed after New.
type Kit struct {
	Config
	static map[string]asset // by file name
	own    *Set             // the pages that belong to no surface
}

// New returns the kit of a server.
func New(c Config) *Kit {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	k := &Kit{Config: c, static: static()}
	k.own = k.Templates(templates, "templates/own/*.html")
	return k
}

// Handle turns a function that returns its failure into a handler. It sets the headers every page has, and is the one place where a
// failure becomes an answer: a page for people, a problem document for programs, with the status and headers of package web's table.
func (k *Kit) Handle(serve func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", strict.text())
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Frame-Options", "DENY")
		if err := serve(w, r); err != nil {
			k.refuse(w, r, err)
		}
	}
}

// Lost answers where there is nothing at all: who asks for a page gets one, and everybody else a problem document.
func (k *Kit) Lost(w http.ResponseWriter, r *http.Request, err error) {
	if _, html := accepts(r); !html {
		w.Header().Set("Vary", "Accept")
		k.Web.Refuse(w, r, err)
		return
	}
	k.Handle(func(http.ResponseWriter, *http.Request) error { return err })(w, r)
}

// refuse answers a program with a problem document and a person with a page that says the same.
func (k *Kit) refuse(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set("Vary", "Accept")
	if WantsJSON(r) {
		k.Web.Refuse(w, r, err)
		return
	}
	problem := k.Web.Problem(w.Header(), r, err)
	page := failurePage{
		Frame: k.Frame(r, "There is nothing here", ""), Detail: sentence(problem.Detail), RequestID: web.RequestID(r.Context()),
		Status: problem.Status,
	}
	page.Private = true
	switch {
	case problem.Status >= 500:
		page.Title = "This page cannot be shown now"
	case problem.Status != http.StatusNotFound:
		page.Title = problem.Title
	}
	if err := k.own.Render(w, r, problem.Status, "failure", page); err != nil {
		k.Web.Refuse(w, r, err)
	}
}

// failurePage says what went wrong, in the look of the rest.
type failurePage struct {
	Frame
	Detail    string
	RequestID string
	Status    int
}

// sentence makes of a fault's detail what can stand alone.
func sentence(detail string) string {
	if detail == "" {
		return ""
	}
	return Upper(strings.TrimSuffix(detail, ".")) + "."
}

// WantsJSON reports whether a request accepts JSON and, unlike every browser, no page.
func WantsJSON(r *http.Request) bool {
	json, html := accepts(r)
	return json && !html
}

// accepts reports what a request names in its Accept.
func accepts(r *http.Request) (json, html bool) {
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
	return json, html
}
