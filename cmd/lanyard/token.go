package main

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// tokenAsk is what the flags of `token` say.
type tokenAsk struct {
	app, resource, secretFrom string
	scopes                    []string
	device, own               bool
	maxAge                    time.Duration
}

func (p *program) token() *cobra.Command {
	var w tokenAsk
	cmd := &cobra.Command{
		Use:   "token --app APP --scope SCOPE…",
		Short: "Get an access token for an app of your own",
		Long: `Get an access token: a visitor badge that lets an app act for you. Your browser asks you what it
may do; the app needs the redirect address http://127.0.0.1/callback for that. With --device you
answer in a browser elsewhere. With --client-credentials the app gets a token for itself, and
proves who it is by its secret: at the prompt, on stdin, or from the variable that
--client-secret-from names.

The token alone goes to stdout, so that a program can read it; words about it go to stderr.`,
		Example: "  lanyard token --app PostPal --scope messages.read\n" +
			"  lanyard token --app app_… --scope messages.read --device\n" +
			"  lanyard token --app nightly-report --scope reports.write --client-credentials --client-secret-from REPORT_SECRET",
		Args: noArgument,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := w.check(); err != nil {
				return err
			}
			return p.getToken(cmd.Context(), &w)
		},
	}
	f := cmd.Flags()
	f.StringVar(&w.app, "app", "", "the app: its name, id or address (needed)")
	f.StringSliceVar(&w.scopes, "scope", nil, "what the token may do; may be repeated (needed)")
	f.StringVar(&w.resource, "resource", "", "the API's identifier, where the scopes do not say which is meant")
	f.DurationVar(&w.maxAge, "max-age", 0, "sign in again unless you did within this time, such as 5m: for calls that ask for it")
	f.BoolVar(&w.device, "device", false, "answer in a browser on another machine")
	f.BoolVar(&w.own, "client-credentials", false, "a token for the app itself, for nobody")
	f.StringVar(&w.secretFrom, "client-secret-from", "", "take the app's secret from this variable, in the environment or .env")
	return cmd
}

func (w *tokenAsk) check() error {
	switch {
	case w.app == "":
		return usage("--app is missing: which app is the token for?")
	case len(w.scopes) == 0:
		return usage("--scope is missing: what may be done with the token?")
	case w.maxAge < 0 || w.maxAge%time.Second != 0:
		return usage("--max-age is whole seconds, such as 5m or 30s")
	case w.maxAge > 0 && (w.device || w.own):
		return usage("--max-age is about a login in this machine's browser: it goes with neither --device nor --client-credentials")
	case w.device && w.own:
		return usage("--device asks a person and --client-credentials asks nobody; keep one of them")
	}
	return nil
}

func (p *program) getToken(ctx context.Context, w *tokenAsk) error {
	clientID, server, err := p.clientOf(ctx, w.app)
	if err != nil {
		return err
	}
	clientSecret, err := p.clientSecret(w)
	if err != nil {
		return err
	}
	cfg := oauthConfig(server, clientID, clientSecret.Reveal(), w.scopes)
	var more []oauth2.AuthCodeOption
	if w.resource != "" {
		more = append(more, oauth2.SetAuthURLParam("resource", w.resource)) // RFC 8707 section 2
	}
	if w.maxAge > 0 {
		more = append(more, oauth2.SetAuthURLParam("max_age", strconv.Itoa(int(w.maxAge/time.Second)))) // OpenID Connect Core section 3.1.2.1
	}
	var got *oauth2.Token
	switch {
	case w.own:
		got, err = p.forItself(ctx, cfg, w.resource)
		if err != nil {
			err = tokenFailure(server, err)
		}
	case w.device:
		got, err = p.byDevice(ctx, server, cfg, more...)
	default:
		got, err = p.byBrowser(ctx, server, cfg, more...)
	}
	if err != nil {
		return err
	}
	return p.showToken(w, got)
}

// clientOf is the client id that an app has at a server. A name is looked up with whatever credential there is.
func (p *program) clientOf(ctx context.Context, app string) (clientID, server string, err error) {
	current := ""
	if file, err := p.loginFile(); err == nil {
		if kept, err := file.read(); err == nil { // who names the server needs no login
			current = kept.Current
		}
	}
	if server, err = p.serverURL(current); err != nil {
		return "", "", err
	}
	if _, err := id.Parse[id.App](app); err == nil || strings.HasPrefix(app, "https://") {
		return app, server, nil
	}
	c, err := p.client()
	if err != nil {
		var wrong *usageError
		if errors.As(err, &wrong) {
			return "", "", usage("to find the app by its name, %s; or name it by its id", err)
		}
		return "", "", err
	}
	// The app is asked for at the server where it was found, with its own credential or none.
	if server, err = canonicalURL(c.URL); err != nil {
		return "", "", err
	}
	found, err := findApp(ctx, c, app)
	if err != nil {
		return "", "", err
	}
	if found.ClientID != "" {
		return found.ClientID, server, nil
	}
	return found.ID, server, nil
}

// clientSecret is the app's own; of a public app there is none.
func (p *program) clientSecret(w *tokenAsk) (secret.Secret, error) {
	if w.secretFrom == "" && !w.own {
		return secret.Secret{}, nil
	}
	return p.secret(entry{from: w.secretFrom}, "Client secret of "+cell(w.app))
}

// forItself gets a token by client credentials (RFC 6749 section 4.4).
func (p *program) forItself(ctx context.Context, cfg *oauth2.Config, resource string) (*oauth2.Token, error) {
	own := clientcredentials.Config{
		ClientID: cfg.ClientID, ClientSecret: cfg.ClientSecret, TokenURL: cfg.Endpoint.TokenURL, Scopes: cfg.Scopes, AuthStyle: cfg.Endpoint.AuthStyle,
	}
	if resource != "" {
		own.EndpointParams = map[string][]string{"resource": {resource}}
	}
	return own.Token(p.withWeb(ctx))
}

// issuedToken is the answer of a token endpoint (RFC 6749 section 5.1).
type issuedToken struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in,omitempty"`
	Scope        string `json:"scope,omitempty"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
}

func (p *program) showToken(w *tokenAsk, got *oauth2.Token) error {
	scope, ok := got.Extra("scope").(string)
	if !ok || scope == "" {
		scope = strings.Join(w.scopes, " ")
	}
	kind := advice.AccessToken
	if w.own {
		kind = advice.ClientCredentials
	}
	card := advice.Card{Kind: kind, Now: p.now(), JWT: strings.Count(got.AccessToken, ".") == 2}
	life := time.Duration(got.ExpiresIn) * time.Second
	if life == 0 && !got.Expiry.IsZero() { // package clientcredentials keeps the moment alone
		life = got.Expiry.Sub(card.Now).Round(time.Second)
	}
	if life > 0 {
		card.Expires = card.Now.Add(life)
	}
	p.notes.linef("It may: %s. %s", short(scope), advice.IfStolen(card).Text)
	if got.RefreshToken != "" && !p.asJSON() {
		p.notes.linef("A refresh token came with it and is not shown; -o json shows it.")
	}
	if p.asJSON() {
		idToken, _ := got.Extra("id_token").(string)
		return p.json(issuedToken{got.AccessToken, got.Type(), int64(life.Seconds()), scope, got.RefreshToken, idToken})
	}
	p.out.linef("%s", got.AccessToken)
	return nil
}
