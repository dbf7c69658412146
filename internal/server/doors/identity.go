package doors

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// What a door tells an upstream about a caller. All of them are always sent, empty where there is nothing to say: a front that copies
// headers only where it got one would leave the caller's own in place.
const (
	headerApp        = "X-Lanyard-App"
	headerTeam       = "X-Lanyard-Team"
	headerUser       = "X-Lanyard-User"
	headerScopes     = "X-Lanyard-Scopes"
	headerCredential = "X-Lanyard-Credential" //nolint:gosec // a name
	headerMode       = "X-Lanyard-Mode"
	headerAssertion  = "X-Lanyard-Assertion"
)

// IdentityHeaders are the names of the headers that say who calls.
func IdentityHeaders() []string {
	return []string{headerApp, headerTeam, headerUser, headerScopes, headerCredential, headerMode, headerAssertion}
}

// Identify sets every identity header for a call that may pass. It fails when the assertion cannot be signed: the call must not go on then.
func (d *Doors) Identify(ctx context.Context, r *Ruling, h http.Header) error {
	text, err := d.assertion(ctx, r)
	if err != nil {
		return err
	}
	said := &r.Decision
	h[headerApp] = []string{string(said.App)}
	h[headerTeam] = []string{string(said.Team)}
	h[headerUser] = []string{string(said.User)}
	h[headerScopes] = []string{strings.Join(said.Scopes, " ")}
	h[headerCredential] = []string{said.Credential()}
	h[headerMode] = []string{string(said.Mode)}
	h[headerAssertion] = []string{text}
	return nil
}

// Strip removes from a request what must not reach an upstream: see lanyard.StripHeaders.
func Strip(h http.Header) { lanyard.StripHeaders(h) }

// The life of an assertion. One is used again for calls of the same caller while at least half of it is left.
const (
	assertionLife  = 60 * time.Second
	assertionReuse = assertionLife / 2
	maxAssertions  = 10_000
)

// assertion is one that was signed.
type assertion struct {
	text string
	at   time.Time
}

func newAssertions() *otter.Cache[string, assertion] {
	return otter.Must(&otter.Options[string, assertion]{MaximumSize: maxAssertions, ExpiryCalculator: otter.ExpiryWriting[string, assertion](assertionReuse)})
}

// claims are what an assertion says.
type claims struct {
	Issuer     string   `json:"iss"`
	Audience   string   `json:"aud"`
	Subject    string   `json:"sub"`
	IssuedAt   int64    `json:"iat"`
	Expires    int64    `json:"exp"`
	App        id.App   `json:"app,omitempty"`
	AppName    string   `json:"app_name,omitempty"`
	Team       id.Team  `json:"team,omitempty"`
	User       id.User  `json:"user,omitempty"`
	Grant      id.Grant `json:"grant_id,omitempty"`
	Scope      string   `json:"scope"`
	Credential string   `json:"credential"`
	Kind       string   `json:"kind"`
	Mode       string   `json:"mode"`
	ACR        string   `json:"acr,omitempty"`
}

// assertion signs who calls: for the API alone, for a minute. Signing takes longer than deciding, so calls of one caller share one for half
// of that time.
func (d *Doors) assertion(ctx context.Context, r *Ruling) (string, error) {
	said := &r.Decision
	who := strings.Join([]string{
		r.API.Policy.Identifier, said.Credential(), string(said.Key), string(said.App), said.AppName, string(said.Team), string(said.User), string(said.Grant), string(said.Mode), said.ACR,
		strings.Join(said.Scopes, " "),
	}, "\x00")
	now := d.Now()
	if there, ok := d.assertions.GetIfPresent(who); ok && now.Sub(there.at) < assertionReuse && !now.Before(there.at) {
		return there.text, nil
	}
	c := claims{
		Issuer: d.Issuer, Audience: r.API.Policy.Identifier, IssuedAt: now.Unix(), Expires: now.Add(assertionLife).Unix(), App: said.App, AppName: said.AppName, Team: said.Team, User: said.User,
		Grant: said.Grant, Scope: strings.Join(said.Scopes, " "), Credential: said.Credential(), Kind: string(said.Kind), Mode: string(said.Mode), ACR: said.ACR,
	}
	if c.Subject = string(said.User); c.Subject == "" {
		c.Subject = string(said.App)
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	text, err := d.Assert(ctx, payload)
	if err != nil {
		return "", err
	}
	d.assertions.Set(who, assertion{text, now})
	return text, nil
}
