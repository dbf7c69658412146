package postpal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// session is one browser: on its way in (attempt), or signed in (idToken).
type session struct {
	idToken string
	user    string // the provider's id of the person: the one thing about them that never changes

	mu              sync.Mutex
	attempt         *attempt
	name            string // "" until somebody says it
	access, refresh string
	granted         []string      // the scopes the badge has, which may be fewer than were asked
	lifetime        time.Duration // of an access token
	expires         time.Time
	gone            string // why the badge works no more; "": it works
	result          *result
}

// Why a badge works no more, as it is stamped on it.
const (
	takenBack = "taken back"
	expired   = "expired"
)

func (s *session) signedIn() bool { return s != nil && s.idToken != "" }

// take returns the attempt that state belongs to, once.
func (s *session) take(state string) *attempt {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.attempt == nil || s.attempt.state != state {
		return nil
	}
	try := s.attempt
	s.attempt = nil
	return try
}

// keep takes what the token endpoint answered. It names the scopes only where they differ from those asked (RFC 6749 section 5.1), and
// may leave out how long the token lives; then we ask again after five minutes.
func (s *session) keep(token *oauth2.Token, now time.Time) {
	s.access, s.refresh = token.AccessToken, token.RefreshToken
	if scope, ok := token.Extra("scope").(string); ok {
		s.granted = strings.Fields(scope)
	}
	s.lifetime = time.Duration(token.ExpiresIn) * time.Second
	if s.lifetime <= 0 {
		s.lifetime = 5 * time.Minute
	}
	s.expires = now.Add(s.lifetime)
}

// token returns the access token to call the API with. When its time is over, or it is the one the API just refused, there is a new one
// for the refresh token; when the provider has no new one either, the badge is gone.
//
// A refresh token works once, and using it twice looks like theft. So one request of a session refreshes while the others wait, and goes
// through with it even when its browser has left: the answer holds the next refresh token.
func (a *app) token(ctx context.Context, s *session, refused string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	late := !a.Now().Before(s.expires)
	switch {
	case s.gone != "" || !late && s.access != refused:
		return s.access, nil
	case s.refresh == "" && late:
		s.gone = expired
		return s.access, nil
	case s.refresh == "":
		s.gone = takenBack
		return s.access, nil
	}
	ctx = context.WithoutCancel(ctx)
	p, err := a.discover(ctx)
	if err != nil {
		return "", err
	}
	token, err := p.TokenSource(oidc.ClientContext(ctx, a.HTTPClient), &oauth2.Token{RefreshToken: s.refresh}).Token()
	var no *oauth2.RetrieveError
	switch {
	case errors.As(err, &no) && no.ErrorCode == "invalid_grant":
		s.gone = takenBack
	case err != nil:
		return "", fmt.Errorf("refresh the badge: %w", err)
	default:
		s.keep(token, a.Now())
	}
	return s.access, nil
}

// lose notes that the badge works no more.
func (s *session) lose(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = why
}

// sessions are kept in memory: a new start signs everybody out. When there are too many the oldest goes.
type sessions struct {
	cookie http.Cookie

	mu    sync.Mutex
	byID  map[string]*session
	order []string // of beginning; may name some that ended
}

const maxSessions = 1000

func newSessions(secure bool) *sessions {
	c := http.Cookie{Name: "postpal", Path: "/", HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode}
	if secure {
		c.Name = "__Host-postpal" // browsers then take it from this very host alone
	}
	return &sessions{cookie: c, byID: map[string]*session{}}
}

// of returns the session of the browser, or nil.
func (all *sessions) of(r *http.Request) *session {
	c, err := r.Cookie(all.cookie.Name)
	if err != nil {
		return nil
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	return all.byID[c.Value]
}

// start puts s in the place of the browser's session, under a new name that nobody can guess.
func (all *sessions) start(w http.ResponseWriter, r *http.Request, s *session) {
	c := all.cookie
	c.Value = rand.Text()
	all.mu.Lock()
	defer all.mu.Unlock()
	all.forget(r)
	for len(all.order) >= maxSessions {
		delete(all.byID, all.order[0])
		all.order = all.order[1:]
	}
	all.byID[c.Value], all.order = s, append(all.order, c.Value)
	http.SetCookie(w, &c)
}

func (all *sessions) end(w http.ResponseWriter, r *http.Request) {
	c := all.cookie
	c.MaxAge = -1
	all.mu.Lock()
	defer all.mu.Unlock()
	all.forget(r)
	http.SetCookie(w, &c)
}

func (all *sessions) forget(r *http.Request) {
	if c, err := r.Cookie(all.cookie.Name); err == nil {
		delete(all.byID, c.Value)
	}
}
