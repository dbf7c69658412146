package postpal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// provider is what discovery found (OpenID Connect Discovery 1.0 section 4): one address is configured, the rest it says itself.
type provider struct {
	oauth2.Config
	verifier *oidc.IDTokenVerifier
	more     struct {
		EndSession string `json:"end_session_endpoint"`
		SaysIssuer bool   `json:"authorization_response_iss_parameter_supported"`
	}
}

// discover asks the provider at first use. A failure is not kept: the next visitor tries again.
func (a *app) discover(ctx context.Context) (*provider, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.provider != nil {
		return a.provider, nil
	}
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, a.HTTPClient), a.Issuer)
	if err != nil {
		return nil, fmt.Errorf("discover %s: %w", a.Issuer, err)
	}
	p := &provider{
		Config: oauth2.Config{ClientID: a.ClientID, RedirectURL: a.URL + "/callback", Scopes: a.Scopes, Endpoint: found.Endpoint()},
		// The verifier checks the signature against the provider's published keys, the issuer, the audience and the expiry.
		verifier: found.Verifier(&oidc.Config{ClientID: a.ClientID, Now: a.Now}),
	}
	// Otherwise oauth2 finds out by trying, and a code can be tried only once.
	p.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	if err := found.Claims(&p.more); err != nil {
		return nil, fmt.Errorf("read what %s says of itself: %w", a.Issuer, err)
	}
	a.provider = p
	return p, nil
}

// attempt is a sign-in under way. All three are random, used once, and kept on this side:
// state ties the answer to this browser, nonce the ID token to this attempt, and only who knows the verifier can redeem the code.
type attempt struct{ state, nonce, verifier string }

// login sends the browser to the provider.
func (a *app) login(w http.ResponseWriter, r *http.Request) {
	p, err := a.discover(r.Context())
	if err != nil {
		a.fail(w, http.StatusBadGateway, a.Provider+" cannot be reached just now. Try again in a moment.")
		return
	}
	try := &attempt{state: rand.Text(), nonce: rand.Text(), verifier: oauth2.GenerateVerifier()}
	a.sessions.start(w, r, &session{attempt: try})
	http.Redirect(w, r, p.AuthCodeURL(try.state, oidc.Nonce(try.nonce), oauth2.S256ChallengeOption(try.verifier)), http.StatusSeeOther)
}

// callback is where the provider sends the browser back. What arrives in the URL could be anybody's, so the order matters: was it
// asked for here (state), is it from whom we asked (iss), and only then what it says.
func (a *app) callback(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	try := a.sessions.of(r).take(q.Get("state"))
	if try == nil {
		a.fail(w, http.StatusBadRequest, "This sign-in did not begin in this browser, or it is over already. Begin again.")
		return
	}
	p, err := a.discover(r.Context())
	if err != nil {
		a.fail(w, http.StatusBadGateway, a.Provider+" cannot be reached just now. Try again in a moment.")
		return
	}
	// RFC 9207: an answer names its issuer, lest an app with several providers be fooled by one of them into asking another.
	if iss := q.Get("iss"); iss != a.Issuer && (iss != "" || p.more.SaysIssuer) {
		a.fail(w, http.StatusBadRequest, "The answer did not come from "+a.Provider+", so it was not used. Begin again.")
		return
	}
	switch problem := q.Get("error"); problem {
	case "":
	case "access_denied":
		a.fail(w, http.StatusForbidden, "You said no, so PostPal got nothing. Sign in whenever you change your mind.")
		return
	default:
		a.fail(w, http.StatusBadGateway, fmt.Sprintf("%s did not sign you in (%s). %s", a.Provider, problem, q.Get("error_description")))
		return
	}
	s, err := a.redeem(r.Context(), p, q.Get("code"), try)
	if err != nil {
		a.fail(w, http.StatusBadGateway, a.Provider+" did not confirm the sign-in, so nobody is signed in. Begin again.")
		return
	}
	a.sessions.start(w, r, s) // a new cookie: whoever knew the one before is not signed in by it
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// redeem exchanges the code and checks who signed in.
func (a *app) redeem(ctx context.Context, p *provider, code string, try *attempt) (*session, error) {
	ctx = oidc.ClientContext(ctx, a.HTTPClient)
	token, err := p.Exchange(ctx, code, oauth2.VerifierOption(try.verifier))
	if err != nil {
		return nil, fmt.Errorf("redeem the code: %w", err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := p.verifier.Verify(ctx, raw)
	if err != nil {
		return nil, fmt.Errorf("check the ID token: %w", err)
	}
	if id.Nonce != try.nonce {
		return nil, errors.New("the ID token is of another sign-in: its nonce differs")
	}
	s := &session{idToken: raw, user: id.Subject, granted: a.Scopes}
	var claims struct {
		Name string `json:"name"`
	}
	if err := id.Claims(&claims); err != nil {
		return nil, fmt.Errorf("read the ID token: %w", err)
	}
	s.name = claims.Name
	s.keep(token, a.Now())
	return s, nil
}

// logout forgets the session here and then ends the one at the provider (OpenID Connect RP-Initiated Logout 1.0), which asks and
// comes back.
func (a *app) logout(w http.ResponseWriter, r *http.Request) {
	s := a.sessions.of(r)
	a.sessions.end(w, r)
	p, err := a.discover(r.Context())
	if err != nil || !s.signedIn() || p.more.EndSession == "" {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	to, err := url.Parse(p.more.EndSession)
	if err != nil {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	q := to.Query()
	q.Set("client_id", a.ClientID)
	q.Set("id_token_hint", s.idToken)
	q.Set("post_logout_redirect_uri", a.URL+"/")
	to.RawQuery = q.Encode()
	http.Redirect(w, r, to.String(), http.StatusSeeOther)
}
