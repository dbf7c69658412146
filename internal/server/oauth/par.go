package oauth

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

const pushedPrefix = "urn:ietf:params:oauth:request_uri:"

// push is POST /oauth/par (RFC 9126): the request is checked whole, by an app that proved who it is, before a user sees any
// of it.
func (s *Server) push(w http.ResponseWriter, r *http.Request) error {
	p, err := s.form(w, r)
	if err != nil {
		return err
	}
	c, err := s.introduce(r, p)
	if err != nil {
		return err
	}
	if p.has("request_uri") {
		return fail(invalidRequest, "request_uri is what this endpoint gives; it takes none")
	}
	jkt, err := s.proof(r, s.Issuer+"/oauth/par")
	if err != nil {
		return err
	}
	if p, err = s.unwrap(r.Context(), c.app, p); err != nil {
		return err
	}
	to, err := s.wayBack(c.app, p)
	if err != nil {
		return err
	}
	if jkt != "" {
		if p.has("dpop_jkt") && p.get("dpop_jkt") != jkt {
			return fail(invalidRequest, "dpop_jkt names another key than the proof (RFC 9449 section 10.1)")
		}
		p.values.Set("dpop_jkt", jkt)
	}
	if _, err := s.ask(r.Context(), c.app, p, to); err != nil {
		return err
	}
	text, err := s.keepPushed(r.Context(), c.app, p)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, struct {
		URI       string `json:"request_uri"`
		ExpiresIn int64  `json:"expires_in"`
	}{pushedPrefix + text.Reveal(), int64(grant.PushedLife / time.Second)})
}

func (s *Server) keepPushed(ctx context.Context, a *app.App, p params) (secret.Secret, error) {
	for _, name := range secretParams() {
		p.values.Del(name)
	}
	p.values.Del("client_assertion_type")
	body, err := json.Marshal(p.values)
	if err != nil {
		return secret.Secret{}, err
	}
	ticket, text, err := secret.NewTicket(s.Random)
	if err != nil {
		return secret.Secret{}, err
	}
	pepper, digest := s.Ring.MAC(pushedText(text.Reveal()))
	return text, s.Requests.PushRequest(ctx, &grant.Pushed{
		ID: ticket, Digest: digest[:], Pepper: pepper, App: a.ID, Params: body, ExpiresAt: s.Now().UTC().Truncate(time.Microsecond).Add(grant.PushedLife),
	})
}

func pushedText(ticket string) string { return "pushed\x00" + ticket }

// takePushed fetches what an app pushed, once.
func (s *Server) takePushed(ctx context.Context, a *app.App, uri string) (params, error) {
	over := fail(invalidRequest, "this request_uri is not one of this client's, was used, or is older than a minute")
	text := strings.TrimPrefix(uri, pushedPrefix)
	ticket, ok := secret.TicketID(text)
	if !ok {
		return params{}, over
	}
	pushed, err := s.Requests.Pushed(ctx, ticket)
	if fault.Is(err, fault.NotFound) {
		return params{}, over
	}
	if err != nil {
		return params{}, err
	}
	if pushed.App != a.ID || !s.matches(ctx, pushed.Pepper, pushed.Digest, pushedText(text)) {
		return params{}, over
	}
	won, err := s.Requests.TakePushed(ctx, ticket, s.Now())
	if err != nil {
		return params{}, err
	}
	if !won {
		return params{}, over
	}
	var values url.Values
	if err := json.Unmarshal(pushed.Params, &values); err != nil {
		return params{}, err
	}
	return newParams(values)
}

// matches reports whether a secret belongs to the digest in a row, whatever pepper that was made with.
func (s *Server) matches(ctx context.Context, pepper int, digest []byte, text string) bool {
	if len(digest) != 32 {
		return false
	}
	if !s.Ring.KnowsPepper(pepper) {
		if err := s.Ring.Reload(ctx); err != nil {
			s.Log.WarnContext(ctx, "the keyring cannot be read", "error", err)
		}
	}
	return s.Ring.Matches(pepper, [32]byte(digest), text)
}
