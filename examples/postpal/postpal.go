// Package postpal is a small web app that signs people in with a Lanyard and then works for them, as far as they let it. Read it
// from top to bottom: this is what an app has to do, with golang.org/x/oauth2 and coreos/go-oidc. Package face draws the page.
//
// The access token is a visitor badge. It stays in this program; the browser gets a random cookie, so no script finds it. There is
// no secret: PostPal is a public client, and PKCE proves that whoever redeems a code began the sign-in. An app that can keep a
// secret sets oauth2.Config.ClientSecret besides.
package postpal

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/lanyard-auth/lanyard/examples/postpal/face"
	"golang.org/x/oauth2"
)

// Config says where PostPal stands. The provider must know URL + "/callback" as redirect URI, and URL + "/" for after a logout.
type Config struct {
	Issuer, Provider, ClientID string // the provider, exactly as it calls itself, what people call it, which app this is there
	API, URL                   string // the mail API, and where people reach PostPal
}

type app struct {
	Config
	face     *face.Face
	oauth    oauth2.Config
	verifier *oidc.IDTokenVerifier
	logoutAt string
	client   *http.Client
	sessions sync.Map // by cookie, in memory: a new start signs everybody out
}

// session is one browser: on its way in, or signed in. What a sign-in begins with is random: state ties the answer to this browser,
// nonce the ID token to this attempt, and only who knows the verifier can redeem the code.
type session struct {
	state, nonce, verifier string // of a sign-in under way
	idToken, user          string // of somebody who is signed in
	badge                  oauth2.TokenSource
	gone                   atomic.Bool // the badge was taken back
	result                 atomic.Pointer[face.Result]
}

// acts are what PostPal does with a badge: calls of the API.
var acts = map[string]string{"profile": "GET /v1/me", "messages": "GET /v1/messages", "post": "POST /v1/posts"}

// New asks the provider what it is (OpenID Connect Discovery 1.0): one address is configured, the rest it says itself.
func New(ctx context.Context, c Config) (http.Handler, error) {
	a := &app{Config: c, face: face.New(c.Provider, c.Issuer), client: &http.Client{Timeout: 10 * time.Second}}
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, a.client), c.Issuer)
	if err != nil {
		return nil, err
	}
	var more struct {
		LogoutAt string `json:"end_session_endpoint"`
	}
	if err := provider.Claims(&more); err != nil {
		return nil, err
	}
	a.logoutAt, a.verifier = more.LogoutAt, provider.Verifier(&oidc.Config{ClientID: c.ClientID})
	a.oauth = oauth2.Config{ClientID: c.ClientID, RedirectURL: c.URL + "/callback", Endpoint: provider.Endpoint(), Scopes: face.Scopes()}
	a.oauth.Endpoint.AuthStyle = oauth2.AuthStyleInParams // or oauth2 finds out by trying, and a code can be tried only once
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.home)
	mux.HandleFunc("GET /login", a.login)
	mux.HandleFunc("GET /callback", a.callback)
	mux.HandleFunc("POST /call/{what}", a.call)
	mux.HandleFunc("POST /logout", a.logout)
	return a.face.Around(mux), nil
}

// login sends the browser to the provider.
func (a *app) login(w http.ResponseWriter, r *http.Request) {
	s := &session{state: rand.Text(), nonce: rand.Text(), verifier: oauth2.GenerateVerifier()}
	a.begin(w, r, s)
	http.Redirect(w, r, a.oauth.AuthCodeURL(s.state, oidc.Nonce(s.nonce), oauth2.S256ChallengeOption(s.verifier)), http.StatusSeeOther)
}

// callback is where the provider sends the browser back. What arrives in the URL could be anybody's, so the order matters: was it
// asked for here (state), is it from whom we asked (iss, RFC 9207), and only then what it says. The code is exchanged for the badge
// and for an ID token, which says who signed in: the library checks its signature, issuer, audience and expiry, and we the nonce.
func (a *app) callback(w http.ResponseWriter, r *http.Request) {
	q, s := r.URL.Query(), a.session(r)
	switch {
	case s.state == "" || s.state != q.Get("state"):
		a.face.Fail(w, "This sign-in did not begin in this browser, or it is over already. Begin again.")
		return
	case q.Get("iss") != a.Issuer:
		a.face.Fail(w, "The answer did not come from "+a.Provider+", so it was not used. Begin again.")
		return
	case q.Has("error"): // access_denied: the user said no
		a.face.Fail(w, a.Provider+" let nobody in ("+q.Get("error")+"), so PostPal got nothing. Sign in whenever you change your mind.")
		return
	}
	ctx := oidc.ClientContext(context.WithoutCancel(r.Context()), a.client) // the badge is refreshed after this request too
	token, err := a.oauth.Exchange(ctx, q.Get("code"), oauth2.VerifierOption(s.verifier))
	in, id := &session{badge: a.oauth.TokenSource(ctx, token)}, &oidc.IDToken{}
	if err == nil {
		in.idToken, _ = token.Extra("id_token").(string)
		id, err = a.verifier.Verify(ctx, in.idToken)
	}
	if err != nil || id.Nonce != s.nonce {
		a.face.Fail(w, a.Provider+" did not confirm the sign-in, so nobody is signed in. Begin again.")
		return
	}
	in.user = id.Subject
	a.begin(w, r, in) // under a new cookie: whoever knew the one before is not signed in by it
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// ask calls the API with the badge. The API decides, not we: 401 says that the badge is no good any more, 403 that it is good, but not
// for this. Either is a problem document (RFC 9457) whose detail was written for people: show it as it is.
func (a *app) ask(r *http.Request, s *session, act string, body []byte) face.Result {
	got := face.Result{Act: act}
	method, path, _ := strings.Cut(acts[act], " ")
	req, err := http.NewRequestWithContext(r.Context(), method, a.API+path, bytes.NewReader(body))
	if err != nil || s.gone.Load() {
		return got
	}
	token, err := s.badge.Token() // the one we have, or when its time is over a new one for the refresh token
	if err != nil {
		var no *oauth2.RetrieveError
		s.gone.CompareAndSwap(false, errors.As(err, &no) && no.ErrorCode == "invalid_grant") // there is no new one: the user took the badge back
		return got
	}
	token.SetAuthHeader(req) // in the header, and never in the URL (RFC 6750 section 2.1)
	req.Header.Set("Content-Type", "application/json")
	res, err := a.client.Do(req)
	if err != nil {
		return got
	}
	defer res.Body.Close()
	got.Status = res.StatusCode
	got.Body, _ = io.ReadAll(io.LimitReader(res.Body, 64<<10))
	s.gone.CompareAndSwap(false, got.Status == http.StatusUnauthorized)
	return got
}

// call does what a button says and keeps the answer for the page, to which the browser is led: so a reload does nothing twice.
func (a *app) call(w http.ResponseWriter, r *http.Request) {
	var body []byte
	if text := r.FormValue("text"); text != "" {
		body, _ = json.Marshal(map[string]string{"text": text}) // strings always marshal
	}
	if s, act := a.session(r), r.PathValue("what"); s.user != "" && acts[act] != "" {
		got := a.ask(r, s, act, body)
		s.result.Store(&got)
	}
	http.Redirect(w, r, "/#result", http.StatusSeeOther)
}

// home uses the badge to find out whether it still works, so that the page tells the truth, and tells it to its script too.
func (a *app) home(w http.ResponseWriter, r *http.Request) {
	s := a.session(r)
	if s.user == "" {
		a.face.Out(w)
		return
	}
	me := a.ask(r, s, "profile", nil)
	token, _ := s.badge.Token() // nil: there is none any more
	a.face.In(w, r, &face.Pass{User: s.user, Profile: me.Body, Token: token, Gone: s.gone.Load(), Result: s.result.Load()})
}

// logout forgets the session here and then ends the one at the provider (OpenID Connect RP-Initiated Logout 1.0), which asks.
func (a *app) logout(w http.ResponseWriter, r *http.Request) {
	q := url.Values{"client_id": {a.ClientID}, "id_token_hint": {a.session(r).idToken}, "post_logout_redirect_uri": {a.URL + "/"}}
	a.begin(w, r, &session{})
	http.Redirect(w, r, a.logoutAt+"?"+q.Encode(), http.StatusSeeOther)
}

// session is the browser's; one that nobody knows is on no way in and signed in as nobody.
func (a *app) session(r *http.Request) *session {
	if c, err := r.Cookie("postpal"); err == nil {
		if s, ok := a.sessions.Load(c.Value); ok {
			return s.(*session)
		}
	}
	return &session{}
}

// begin puts a session in the place of the browser's, under a new name that nobody can guess.
func (a *app) begin(w http.ResponseWriter, r *http.Request, s *session) {
	if old, err := r.Cookie("postpal"); err == nil {
		a.sessions.Delete(old.Value)
	}
	c := &http.Cookie{Name: "postpal", Value: rand.Text(), Path: "/", HttpOnly: true, Secure: strings.HasPrefix(a.URL, "https:"), SameSite: http.SameSiteLaxMode}
	a.sessions.Store(c.Value, s)
	http.SetCookie(w, c)
}
