package oauth

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/token"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// Lifetimes of access tokens (DESIGN section 8).
const (
	jwtLife    = 15 * time.Minute
	opaqueLife = time.Hour
	maxLife    = 24 * time.Hour
)

// footing is what a token's life hangs on, as it stood before the request consumed anything. Whoever revokes everything after
// that raises an epoch beyond the token's: one that was read later would let the token live on.
type footing struct {
	grant    *grant.Grant // nil: client credentials
	epochs   token.Epochs
	disabled bool // the user
}

// footing reads how the user stands, unless there is none, and takes the epochs over.
func (s *Server) footing(ctx context.Context, a *app.App, userID id.User, g *grant.Grant) (footing, error) {
	on := footing{grant: g, epochs: token.Epochs{App: a.Epoch}}
	if g != nil {
		on.epochs.Grant = g.Epoch
	}
	if userID == "" {
		return on, nil
	}
	standing, err := s.Verifier.Standing(ctx, userID)
	if err != nil {
		return footing{}, err
	}
	on.epochs.User, on.disabled = standing.Epoch, standing.Disabled
	return on, nil
}

// mint says what an access token is to say.
type mint struct {
	footing
	app    *app.App
	mode   secret.Mode
	user   id.User // "": the app itself
	family id.Family
	issue  *grant.Issue
	scopes []string // of issue.Scopes those that go into this token
	jkt    string
	act    *token.Act
	until  time.Time // not to outlive; zero: no matter
}

// minted is an access token.
type minted struct {
	text   secret.Secret
	life   time.Duration
	scopes []string // of those asked for what the user may still grant
}

// access makes an access token for one API, in the format and with the lifetime that the API declares.
func (s *Server) access(ctx context.Context, m *mint) (minted, error) {
	format, life, alg, err := s.format(ctx, m.issue)
	if err != nil {
		return minted{}, err
	}
	now := s.Now().UTC().Truncate(time.Second)
	expires := now.Add(life)
	if !m.until.IsZero() && m.until.Before(expires) {
		expires = m.until.Truncate(time.Second)
	}
	chars, err := id.Base62(s.Random, id.Length)
	if err != nil {
		return minted{}, err
	}
	claims := token.Claims{
		ID: chars, App: m.app.ID, ClientID: m.app.ClientURL, Family: id.Chars(m.family), User: m.user, Subject: string(m.app.ID), Audience: m.issue.Audience, Scopes: m.scopes,
		Mode: m.mode, IssuedAt: now, ExpiresAt: expires, ACR: m.issue.ACR, AMR: m.issue.AMR, JKT: m.jkt, Act: m.act,
		Epochs: m.epochs,
	}
	if m.issue.AuthTime != 0 {
		claims.AuthTime = time.Unix(m.issue.AuthTime, 0).UTC()
	}
	if m.disabled {
		return minted{}, fail(invalidGrant, "the user's account is not in force")
	}
	if m.user != "" {
		// Whoever lost a role since they allowed this grants no more by it (DESIGN section 3).
		if claims.Scopes, err = s.Verifier.Grantable(ctx, m.user, m.app, m.scopes); err != nil {
			return minted{}, err
		}
		if len(claims.Scopes) == 0 {
			return minted{}, fail(invalidGrant, "the user may no longer grant any of this")
		}
		if claims.Subject, err = s.subject(m.app, m.user); err != nil {
			return minted{}, err
		}
	}
	if m.grant != nil {
		claims.Grant = m.grant.ID
		// What the user took out of the grant since is in no token any more.
		if claims.Scopes = grant.Without(claims.Scopes, grant.Without(claims.Scopes, m.grant.Scopes)); len(claims.Scopes) == 0 {
			return minted{}, fail(invalidGrant, "the user allows none of this any more")
		}
	}
	out := minted{life: expires.Sub(now), scopes: claims.Scopes}
	if format == "opaque" {
		out.text, err = s.Minter.Opaque(&claims, s.Prefix())
	} else {
		out.text, err = s.Minter.JWT(ctx, &claims, alg)
	}
	if fault.Is(err, fault.Invalid) || errors.Is(err, secret.ErrTooLong) {
		return minted{}, fail(invalidScope, "so many scopes do not fit into one token: ask for fewer")
	}
	return out, err
}

// format is how the API wants its tokens. Tokens for this server's own endpoints are opaque: nobody else reads them.
func (s *Server) format(ctx context.Context, issue *grant.Issue) (format string, life time.Duration, alg string, err error) {
	if issue.API == "" {
		return "opaque", opaqueLife, "", nil
	}
	view, err := s.Verifier.Catalog(ctx)
	if err != nil {
		return "", 0, "", err
	}
	api := view.ByIdentifier(issue.Audience)
	if api == nil || api.Policy.Name != issue.API {
		return "", 0, "", fail(invalidTarget, "the API %s is no longer there", short(issue.API))
	}
	if api.Policy == view.Management() {
		return "opaque", opaqueLife, "", nil
	}
	format, life, alg = "jwt", jwtLife, "ES256"
	if rules := api.Spec.Token; rules != nil {
		if rules.Format == "opaque" {
			format, life = "opaque", opaqueLife
		}
		if rules.Algorithm != "" {
			alg = rules.Algorithm
		}
		if d, err := time.ParseDuration(rules.Lifetime); err == nil && d > 0 {
			life = min(d, maxLife)
		}
	}
	return format, life, alg, nil
}

// narrowed are the scopes of a request that asks for fewer than were allowed: never for more (RFC 6749 section 6).
func narrowed(allowed, asked []string) ([]string, error) {
	if len(asked) == 0 {
		return allowed, nil
	}
	for _, scope := range asked {
		if !slices.Contains(allowed, scope) {
			return nil, fail(invalidScope, "the scope %s was not allowed before, so it cannot be asked now", short(scope))
		}
	}
	return asked, nil
}

// sameResource refuses a resource other than the one allowed before.
func sameResource(issue *grant.Issue, resources []string) error {
	for _, resource := range resources {
		if !verify.SameResource(resource, issue.Audience) {
			return fail(invalidTarget, "this was allowed for %s and for no other resource", short(issue.Audience))
		}
	}
	return nil
}
