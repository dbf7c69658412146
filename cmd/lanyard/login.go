package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/oauth2"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// cliClient is this program among the apps of every server: public, and made at its start.
const cliClient = "app_LanyardCLI000000"

// cliScopes is what a login asks for. What the person may not use themselves has no effect.
// The reading scopes stand by themselves since people tick the writing ones, or leave them.
const cliScopes = "openid profile email lanyard.apps.read lanyard.apps.write lanyard.keys.read lanyard.keys.write lanyard.usage.read"

func (p *program) login() *cobra.Command {
	scopes := strings.Fields(cliScopes)
	cmd := &cobra.Command{
		Use:   "login",
		Short: "Sign in to a server, so that commands need no LANYARD_TOKEN",
		Long: `Sign in to the server of --url or LANYARD_URL with a browser, on this machine or any other: this
prints an address and a code, and waits until you have typed it there and said yes. What comes of
it is kept in your configuration directory, readable by you alone, and renews itself.

LANYARD_TOKEN and LANYARD_TOKEN_FILE go before it.`,
		Example: "  lanyard login --url https://auth.example.com\n  lanyard login --scope openid --scope lanyard.usage.read",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			server, err := p.serverURL("")
			if err != nil {
				return err
			}
			return p.signIn(cmd.Context(), server, scopes)
		},
	}
	cmd.Flags().StringSliceVar(&scopes, "scope", scopes, "what this program may do for you; may be repeated")
	return cmd
}

func (p *program) signIn(ctx context.Context, server string, scopes []string) error {
	file, err := p.loginFile()
	if err != nil {
		return err
	}
	if _, err := file.read(); err != nil { // before somebody goes to a browser for nothing
		return err
	}
	got, err := p.byDevice(ctx, server, oauthConfig(server, cliClient, "", scopes))
	if err != nil {
		return err
	}
	entry := p.keep(cliClient, got, strings.Join(scopes, " "))
	var before signedIn
	err = file.change(ctx, func(all *logins) error {
		before = all.Servers[server]
		all.Servers[server], all.Current = entry, server
		return nil
	})
	if err != nil {
		return errors.Join(err, p.revoke(ctx, server, entry))
	}
	if before.RefreshToken != "" {
		if err := p.revoke(ctx, server, before); err != nil {
			p.notes.linef("The login from before could not be ended: %s", sentence(err))
		}
	}
	who, err := p.person(ctx, server, entry.AccessToken)
	if err != nil {
		who = person{} // what came is kept, and works or not when it is used
	}
	if p.asJSON() {
		return p.json(whoIs{Server: server, Kind: "login", Name: who.Name, Email: who.Email, Scopes: strings.Fields(entry.Scope), ExpiresAt: present(entry.Expiry)})
	}
	p.out.linef("Signed in to %s%s.", server, who.as())
	p.notes.linef("It is kept in %s. `lanyard logout` ends it.", file.path)
	return nil
}

// byDevice gets a token by RFC 8628: the person types a code at the server while this program asks whether they have.
func (p *program) byDevice(ctx context.Context, server string, cfg *oauth2.Config, more ...oauth2.AuthCodeOption) (*oauth2.Token, error) {
	ctx = p.withWeb(ctx)
	asked, err := cfg.DeviceAuth(ctx, more...)
	if err != nil {
		return nil, tokenFailure(server, err)
	}
	if asked.DeviceCode == "" || asked.UserCode == "" || !isWebAddress(asked.VerificationURI) {
		return nil, notLanyard(server)
	}
	p.notes.linef("Open   %s", cell(asked.VerificationURI))
	p.notes.linef("type   %s", cell(asked.UserCode))
	if isWebAddress(asked.VerificationURIComplete) {
		p.notes.linef("or go  %s", cell(asked.VerificationURIComplete))
	}
	p.notes.linef("Waiting for your answer there…")
	if p.notes.err != nil {
		return nil, p.notes.err
	}
	got, err := cfg.DeviceAccessToken(ctx, asked, more...)
	switch {
	case err == nil:
		return got, nil
	case refusal(err) == "access_denied":
		p.notes.linef("lanyard: the answer there was no, so nothing was handed out")
		return nil, errNo
	case refusal(err) == "expired_token", errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return nil, fault.New(fault.Unauthenticated, "nobody typed the code in time: run the command again for a new one")
	}
	return nil, tokenFailure(server, err)
}

// isWebAddress reports whether a person can be sent to an address.
func isWebAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

// refusal is the error code of a server's answer, or "".
func refusal(err error) string {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		return refused.ErrorCode
	}
	return ""
}

// tokenFailure puts into a sentence why a server issued no token.
func tokenFailure(server string, err error) error {
	var refused *oauth2.RetrieveError
	var unreached *url.Error
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &unreached):
		return fault.Down(err, "%s does not answer: %s; is the address right, and does the server run?", server, unreached.Err)
	case !errors.As(err, &refused), refused.ErrorCode == "":
		return notLanyard(server)
	}
	what := map[string]string{
		"invalid_client":      "the server does not know this app, or its secret is not right",
		"unauthorized_client": "the app did not register this way of getting tokens; add it to its grant types",
		"invalid_scope":       "the app may not ask for these scopes",
		"invalid_target":      "there is no API of that --resource",
	}[refused.ErrorCode]
	if what == "" {
		what = "the server says " + short(refused.ErrorCode)
	}
	if detail := strings.TrimSuffix(short(refused.ErrorDescription), "."); detail != "" {
		what += ": " + detail
	}
	return fault.New(fault.Unauthenticated, "%s", what)
}

// short is a stranger's text as far as it is shown.
func short(text string) string {
	text = cell(text)
	if len(text) > 300 {
		text = strings.ToValidUTF8(text[:300], "") + "…"
	}
	return text
}

func notLanyard(server string) error {
	return fault.New(fault.Unavailable, "%s did not answer as a Lanyard server does: is the address right?", server)
}

// person is who a token is for, as the server tells.
type person struct {
	Subject string `json:"sub"`
	Name    string `json:"name"`
	Email   string `json:"email"`
}

func (w person) as() string {
	switch {
	case w.Name != "" && w.Email != "":
		return " as " + short(w.Name) + " <" + short(w.Email) + ">"
	case w.Name+w.Email != "":
		return " as " + short(w.Name+w.Email)
	}
	return ""
}

// person asks /oauth/userinfo. A refusal is fault.Unauthenticated.
func (p *program) person(ctx context.Context, server, token string) (person, error) {
	var who person
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"/oauth/userinfo", nil)
	if err != nil {
		return who, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := p.web().Do(req) // #nosec G704 -- the operator's own setting
	if err != nil {
		return who, tokenFailure(server, err)
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized:
		return who, fault.New(fault.Unauthenticated, "the token does not work at %s, or not any more", server)
	case http.StatusForbidden:
		return who, fault.New(fault.InsufficientScope, "the token has no scope openid, so the server does not say whose it is")
	default:
		return who, notLanyard(server)
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 64<<10)).Decode(&who); err != nil {
		return who, notLanyard(server)
	}
	return who, nil
}

// revoke ends what a login holds (RFC 7009): the refresh token, and with it all that came of it.
func (p *program) revoke(ctx context.Context, server string, entry signedIn) error {
	token, hint := entry.RefreshToken, "refresh_token"
	if token == "" {
		token, hint = entry.AccessToken, "access_token"
	}
	form := url.Values{"token": {token}, "token_type_hint": {hint}, "client_id": {entry.ClientID}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server+"/oauth/revoke", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := p.web().Do(req) // #nosec G704 -- the operator's own setting
	if err != nil {
		return tokenFailure(server, err)
	}
	if err := res.Body.Close(); err != nil {
		return fmt.Errorf("read the answer of %s: %w", server, err)
	}
	if res.StatusCode != http.StatusOK {
		return fault.New(fault.Unavailable, "%s did not end the login (status %d)", server, res.StatusCode)
	}
	return nil
}
