package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/browser"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/outbox"
)

// Notices says which apps have to be told that a session ended. The steps that end sessions write them.
type Notices interface {
	ClaimLogouts(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]outbox.Logout, error)
	LogoutTold(ctx context.Context, n outbox.Logout) error
	LogoutFailed(ctx context.Context, n outbox.Logout, next time.Time, lastError string) error
}

// Bounds of telling apps that a session has ended.
const (
	logoutLease   = time.Minute
	logoutTries   = 5
	logoutAtOnce  = 50
	logoutTokenIs = 2 * time.Minute
	maxAnswer     = 4 << 10
)

// EndSession ends the session of a browser. The apps it signed in to are told; those that want to hear it from the browser
// itself are returned as addresses to load (OpenID Connect Front-Channel Logout section 2). The session is over whether
// these can be found or not.
func (s *Server) EndSession(r *http.Request, visit *browser.Visit) ([]string, error) {
	now := s.Now().UTC().Truncate(time.Microsecond)
	actor := audit.Actor{Label: string(visit.User.ID), User: visit.User.ID}
	ended, err := s.Sessions.EndSessions(r.Context(), visit.User.ID, visit.Session.ID, "", actor.New(now, "session.end", string(visit.Session.ID), "", nil))
	if err != nil {
		return nil, err
	}
	var frames []string
	for _, e := range ended {
		for _, appID := range e.Apps {
			a, err := s.Verifier.Client(r.Context(), string(appID))
			if err != nil {
				s.Log.WarnContext(r.Context(), "an app is not told by the browser that a session ended", "app", appID, "error", err)
				continue
			}
			if a != nil && a.OAuth.FrontURI != "" {
				frames = append(frames, s.frontAddress(a, e.Alias))
			}
		}
	}
	return frames, nil
}

// frontAddress is what a browser loads to log out of an app. Session and issuer go along, so that it ends the right one.
func (s *Server) frontAddress(a *app.App, ended id.Session) string {
	return withQuery(a.OAuth.FrontURI, url.Values{"iss": {s.Issuer}, "sid": {sid(ended)}})
}

// Deliver tells the apps whose turn it is (OpenID Connect Back-Channel Logout section 2.5), all at once: one that does not
// answer holds up nobody else's. It is done every few seconds on every node; each notice is claimed by one.
func (s *Server) Deliver(ctx context.Context) error {
	notices, err := s.Notices.ClaimLogouts(ctx, s.Now(), logoutLease, logoutAtOnce)
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	errs := make([]error, len(notices))
	for i, n := range notices {
		all.Go(func() { errs[i] = s.settle(ctx, n) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// settle delivers a notice and writes down what became of it. An app that cannot be told is told later, a few times.
func (s *Server) settle(ctx context.Context, n outbox.Logout) error {
	failed := s.deliver(ctx, n)
	switch {
	case failed == nil:
		return s.Notices.LogoutTold(ctx, n)
	case n.Attempts >= logoutTries:
		s.Log.WarnContext(ctx, "an app could not be told that a session ended; giving up", "app", n.App, "error", failed)
		return s.Notices.LogoutTold(ctx, n)
	}
	return s.Notices.LogoutFailed(ctx, n, s.Now().Add(time.Duration(1<<n.Attempts)*10*time.Second), failed.Error())
}

func (s *Server) deliver(ctx context.Context, n outbox.Logout) error {
	a, err := s.Verifier.Client(ctx, string(n.App))
	if err != nil {
		return err
	}
	if a == nil || a.OAuth.BackchannelURI == "" {
		return nil // nobody left to tell
	}
	token, err := s.logoutToken(ctx, a, n)
	if err != nil {
		return err
	}
	answer, err := s.Outbound.PostForm(ctx, a.OAuth.BackchannelURI, url.Values{"logout_token": {token}}, maxAnswer)
	if err != nil {
		return err
	}
	if answer.Status != http.StatusOK && answer.Status != http.StatusNoContent {
		return fault.New(fault.Unavailable, "the app answered %d", answer.Status)
	}
	return nil
}

// logoutToken says that a session ended (OpenID Connect Back-Channel Logout section 2.4). It can be taken for no ID token:
// it has a type of its own, an event, and never a nonce.
func (s *Server) logoutToken(ctx context.Context, a *app.App, n outbox.Logout) (string, error) {
	subject, err := s.subject(a, n.User)
	if err != nil {
		return "", err
	}
	jti, err := id.Base62(s.Random, id.Length)
	if err != nil {
		return "", err
	}
	now := s.Now()
	payload, err := json.Marshal(map[string]any{
		"iss": s.Issuer, "aud": a.ClientID(), "iat": now.Unix(), "exp": now.Add(logoutTokenIs).Unix(), "jti": jti, "sub": subject, "sid": sid(n.Session),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": struct{}{}},
	})
	if err != nil {
		return "", fmt.Errorf("encode a logout token: %w", err)
	}
	alg := a.OAuth.IDTokenAlg
	if alg == "" {
		alg = defaultAlg
	}
	return s.Minter.Sign(ctx, "logout+jwt", alg, payload)
}
