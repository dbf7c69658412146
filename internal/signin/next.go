// Package signin is the way of a person from an app's question to its answer: Next says which step comes, without I/O and
// with the time given, and Gate lets in who knows a password.
//
// The pages of the steps belong to package server/login, the question and the answer to server/oauth.
package signin

import (
	"time"

	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/policy"
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
	Asked      []string         // what of the request's scopes this user may grant
	API        *policy.Scopes   // of the API that they are of; nil: OpenID scopes alone
	Grant      *grant.Grant     // what this user said to this app before; nil: nothing
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
		// Whoever logged in for this request though another was meant is not the one: asking again would never end.
		if silent || s.anotherMeant() && s.loggedIn() {
			return Deny, LoginRequired
		}
		return Login, ""
	}
	switch {
	case s.said():
		return Issue, "" // on this very request
	case s.FirstParty:
		return Issue, ""
	case !ask.Wants("consent") && s.answered():
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
	switch {
	case s.anotherMeant():
		return true
	case s.loggedIn(): // and has done what was asked, however short max_age is
		return false
	case ask.Wants("login") || ask.Wants("select_account"):
		return true
	case ask.MaxAge != nil:
		return s.Now.Sub(s.Session.AuthAt) > time.Duration(*ask.MaxAge)*time.Second
	}
	return false
}

// anotherMeant reports whether the app means somebody else than who is logged in.
func (s *State) anotherMeant() bool {
	hinted := s.Request.Ask.HintedUser
	return s.Session != nil && hinted != "" && hinted != s.Session.User
}

// loggedIn reports whether who is logged in did so for this request.
func (s *State) loggedIn() bool { return !s.Session.AuthAt.Before(s.Request.CreatedAt) }

// said reports whether the user who is logged in answered this very request, looking at the app as it is now.
func (s *State) said() bool {
	p := &s.Request.Progress
	return !p.AllowedAt.IsZero() && p.AllowedBy == s.Session.User && p.Document == s.Document
}

// answered reports whether what the user said before answers this request too.
func (s *State) answered() bool {
	if s.Grant == nil {
		return false
	}
	_, answered := s.Grant.Answers(s.Asked, s.Document, s.API)
	return answered
}

// Refused is what was asked on this request and not ticked; nothing where nobody was asked.
func (s *State) Refused() []string {
	if s.said() {
		return grant.Without(s.Asked, s.Request.Progress.Allowed)
	}
	return nil
}

// Allowed is what may be issued once Next says Issue: what was ticked on this request, else what of it was allowed before,
// else all that was asked, which then needs no asking.
func (s *State) Allowed() []string {
	switch {
	case s.said():
		return s.Request.Progress.Allowed
	case s.FirstParty || s.Grant == nil:
		return s.Asked
	}
	allowed, _ := s.Grant.Answers(s.Asked, s.Document, s.API)
	return allowed
}
