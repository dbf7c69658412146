// Package signin is the way of a person from an app's question to its answer: Next says which step comes, without I/O and
// with the time given, and Gate lets in who knows a password.
//
// The pages of the steps belong to package server/login, the question and the answer to server/oauth.
package signin

import (
	"time"

	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/session"
)

// Step is what comes next.
type Step string

// The steps.
const (
	Login   Step = "login"   // show the sign-in page
	Consent Step = "consent" // ask what the app may do
	Issue   Step = "issue"   // answer the app
	Deny    Step = "deny"    // refuse the app, with Error
)

// Errors that the app is told (OpenID Connect Core section 3.1.2.6, RFC 6749 section 4.1.2.1).
const (
	AccessDenied    = "access_denied"
	LoginRequired   = "login_required"
	ConsentRequired = "consent_required"
)

// State is everything the next step depends on.
type State struct {
	Request    *grant.Request
	Session    *session.Session // nil: nobody is logged in
	Grant      *grant.Grant     // what this user allowed this app before; nil: nothing
	Document   string           // digest of the app's metadata document as it is now
	FirstParty bool             // the provider's own app: nobody is asked
	Now        time.Time
}

// Next is the next step, and with Deny the error for the app. It never asks a person anything with prompt=none.
func Next(s *State) (step Step, denied string) {
	ask, progress := &s.Request.Ask, &s.Request.Progress
	silent := ask.Wants("none")
	if progress.Denied {
		return Deny, AccessDenied
	}
	if s.mustLogin() {
		if silent {
			return Deny, LoginRequired
		}
		return Login, ""
	}
	switch {
	case progress.AllowedBy == s.Session.User && !progress.AllowedAt.IsZero():
		return Issue, "" // they said so on this very request
	case s.FirstParty:
		return Issue, ""
	case !ask.Wants("consent") && s.Grant != nil && s.Grant.Covers(ask.Scopes, s.Document):
		return Issue, ""
	case silent:
		return Deny, ConsentRequired
	}
	return Consent, ""
}

// mustLogin reports whether somebody has to prove who they are, though perhaps they did before.
func (s *State) mustLogin() bool {
	ask := &s.Request.Ask
	if s.Session == nil {
		return true
	}
	// Whoever logged in for this request has done what it asked, however short max_age is.
	anew := s.Session.AuthAt.Before(s.Request.CreatedAt)
	switch {
	case ask.HintedUser != "" && ask.HintedUser != s.Session.User:
		return true
	case anew && (ask.Wants("login") || ask.Wants("select_account")):
		return true
	case anew && ask.MaxAge != nil:
		return s.Now.Sub(s.Session.AuthAt) > time.Duration(*ask.MaxAge)*time.Second
	}
	return false
}

// Unticked is what was asked on this request and not ticked; nothing where nobody was asked.
func (s *State) Unticked() []string {
	if p := &s.Request.Progress; !p.AllowedAt.IsZero() && p.AllowedBy == s.Session.User {
		return grant.Without(s.Request.Ask.Scopes, p.Allowed)
	}
	return nil
}

// Allowed is what may be issued once Next says Issue: what was ticked on this request, else all that was asked, which then
// was allowed before or needs no asking.
func (s *State) Allowed() []string {
	if p := &s.Request.Progress; !p.AllowedAt.IsZero() && p.AllowedBy == s.Session.User {
		return p.Allowed
	}
	return s.Request.Ask.Scopes
}
