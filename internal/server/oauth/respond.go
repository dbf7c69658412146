package oauth

import (
	"embed"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/browser"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/page"
)

//go:embed templates
var templates embed.FS

// respond sends an answer to the app, with the issuer (RFC 9207) and the state, errors included.
func (s *Server) respond(w http.ResponseWriter, r *http.Request, to wayBack, fields url.Values) error {
	fields.Set("iss", s.Issuer)
	if to.state != "" {
		fields.Set("state", to.state)
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if to.mode == "form_post" {
		return s.Page.FormPost(w, r, to.uri, fields)
	}
	// 303, so that no form goes along (RFC 9700 section 4.12).
	h.Set("Location", withQuery(to.uri, fields))
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// withQuery adds fields to an address as it was registered: its own query stays as it is.
func withQuery(address string, fields url.Values) string {
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	return address + separator + fields.Encode()
}

// errorPage is what a person sees where nothing may be sent to an app.
type errorPage struct {
	page.Frame
	Code   string
	Detail string
	Back   string // where the app waits for the error; empty: nowhere
}

// stay shows a failure here: app or redirect URI are in doubt, so nobody is sent anywhere.
func (s *Server) stay(w http.ResponseWriter, r *http.Request, err error) error {
	var f *failure
	if !errors.As(err, &f) {
		return err
	}
	return s.pages.Render(w, r, http.StatusBadRequest, "stay", errorPage{Frame: s.frame(r, "This login cannot go on"), Code: f.Code, Detail: f.Detail})
}

func (s *Server) frame(r *http.Request, title string) page.Frame {
	frame := s.Page.Frame(r, title, "")
	frame.Private = true
	return frame
}

// sendBack tells the app what is wrong with its request. A person who is logged in here, or who is to see no page, is sent
// at once; anybody else sees where they would go and clicks: an address that only redirects is a thief's friend (RFC 9700
// section 4.11.2).
func (s *Server) sendBack(w http.ResponseWriter, r *http.Request, visit *browser.Visit, to wayBack, err error) error {
	f, known := translate(err)
	if !known || fault.Is(err, fault.Unavailable) {
		return err
	}
	fields := url.Values{"error": {f.Code}, "error_description": {plain(f.Detail)}}
	if visit.SignedIn() || to.silent {
		return s.respond(w, r, to, fields)
	}
	fields.Set("iss", s.Issuer)
	if to.state != "" {
		fields.Set("state", to.state)
	}
	data := errorPage{Frame: s.frame(r, "This login cannot go on"), Code: f.Code, Detail: f.Detail, Back: withQuery(to.uri, fields)}
	return s.pages.Render(w, r, http.StatusBadRequest, "stay", data)
}
