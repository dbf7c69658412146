// Package grant is the noun Grant: what one user allowed one app, and everything on the way to it and under it: requests
// under way, codes, device codes, chains of refresh tokens.
//
// Access tokens are no rows: they carry their grant, and die with it. What is used once (a code, a pushed request, a step
// of a chain, a device code) is consumed by one conditional statement in the Store, after all that can be checked without
// consuming it was checked. The rules of the protocol belong to package server/oauth.
package grant

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/policy"
)

// Lifetimes (DESIGN section 8).
const (
	RequestLife = 30 * time.Minute
	CodeLife    = 60 * time.Second
	PushedLife  = 60 * time.Second
	DeviceLife  = 10 * time.Minute
	FamilyIdle  = 30 * 24 * time.Hour
	FamilyLife  = 365 * 24 * time.Hour

	// Grace is how long after a rotation the predecessor still gets the same successor: an answer may have been lost.
	Grace = 30 * time.Second
	// Race is how long after a redemption a second one by the right app is taken for a race and not for theft.
	Race = 5 * time.Second
	// PollEvery is how often a device may ask, at first.
	PollEvery = 5 * time.Second
)

// Grant is what one user allowed one app. There is at most one live grant of the two.
type Grant struct {
	ID         id.Grant
	User       id.User
	App        id.App
	Team       id.Team // the app's
	Scopes     []string
	Refused    []string // asked and left unticked, by somebody who saw Document; none of them is in Scopes
	Unticked   []string // for Allow alone: what was refused and whatever gives it, taken out of what was allowed before
	Document   string   // digest of the app's metadata document that the user saw
	Epoch      int
	CreatedAt  time.Time
	UpdatedAt  time.Time
	LastUsedAt time.Time // when a token was last issued under it; zero: never
	RevokedAt  time.Time // zero: live
}

// Answers returns which of the scopes asked were allowed before, by themselves or by what includes them on the API they are
// of, and whether that answers whoever asks: the user saw the same document, each of the others was refused, and something is
// left to give. An app that asks for nothing but what was refused is worth another look.
func (g *Grant) Answers(asked []string, document string, api *policy.Scopes) (allowed []string, answered bool) {
	answered = g.Document == document
	for _, scope := range asked {
		switch {
		case slices.Contains(g.Scopes, scope) || api.Covers(g.Scopes, scope, true):
			allowed = append(allowed, scope)
		case !slices.Contains(g.Refused, scope):
			answered = false
		}
	}
	return allowed, answered && (len(allowed) > 0 || len(asked) == 0)
}

// Stands reports whether the grant holds an answer already, word for word.
func (g *Grant) Stands(yes, no []string, document string) bool {
	return g.Document == document && len(Without(yes, g.Scopes)) == 0 && len(Without(no, g.Refused)) == 0 && len(Without(g.Refused, yes)) == len(g.Refused)
}

// Without are the scopes that are not among others.
func Without(scopes, others []string) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return slices.Contains(others, s) })
}

// Issue is what is to be issued: decided at consent, and carried by codes, device codes and chains to every token.
type Issue struct {
	Scopes   []string        `json:"scopes"`
	API      string          `json:"api,omitempty"` // "": for OpenID scopes alone
	Audience string          `json:"aud"`
	Nonce    string          `json:"nonce,omitempty"`
	AuthTime int64           `json:"auth_time,omitempty"` // seconds
	ACR      string          `json:"acr,omitempty"`
	AMR      []string        `json:"amr,omitempty"`
	Claims   json.RawMessage `json:"claims,omitempty"` // the parameter `claims`, as checked
	JKT      string          `json:"jkt,omitempty"`    // thumbprint of the key that tokens are bound to

	// Codes alone.
	RedirectURI   string `json:"redirect_uri,omitempty"`
	RedirectGiven bool   `json:"redirect_given,omitempty"` // the request named it, so the redemption must too
	Challenge     string `json:"challenge,omitempty"`      // PKCE, S256
}

// Filter narrows a list of grants.
type Filter struct {
	IDs      []id.Grant // empty: any; else the answer is in no order, and the only page
	User     id.User
	App      id.App
	Live     bool
	Before   time.Time
	BeforeID string
	Limit    int
}

// Store keeps grants.
type Store interface {
	// Allow makes the live grant of user and app, or widens the one there is, takes out of it what was unticked, remembers what
	// was refused until it is allowed, and takes the document over; what was said to another document counts for nothing.
	// fault.NotFound or fault.Conflict where user or app are gone or not in use.
	Allow(ctx context.Context, g *Grant, ev audit.Event) (*Grant, error)
	// GrantForDecision reads a grant whatever became of it.
	GrantForDecision(ctx context.Context, grant id.Grant) (*Grant, error)
	// LiveGrant is the grant of user and app; fault.NotFound if there is none.
	LiveGrant(ctx context.Context, user id.User, app id.App) (*Grant, error)
	// Grants lists those within reach, newest first: a user's own (any reach of that user, by filter), a team's apps', or all.
	Grants(ctx context.Context, reach audit.Reach, filter Filter) ([]*Grant, error)
	// RevokeGrant ends a grant with every chain under it, and keeps it among the revocations: every token carries its grant. With
	// an owner only that user's: with any reach of that user, as in Grants. Revoking again leaves no second audit line.
	RevokeGrant(ctx context.Context, reach audit.Reach, owner id.User, grant id.Grant, ev audit.Event) (id.Revision, error)
	// RevokeToken keeps a token's id among the revocations until the given time (RFC 7009 for tokens without a chain).
	RevokeToken(ctx context.Context, token id.Token, until time.Time, ev audit.Event) (id.Revision, error)
	// Once notes what may be presented once, any bytes of any length, and reports whether this was the first time. The note
	// may go after the given time. Housekeeping.
	Once(ctx context.Context, what string, until time.Time) (bool, error)
	// TrimGrants forgets requests, codes, device codes, chains and notes that ended long enough ago.
	TrimGrants(ctx context.Context, now time.Time) error
}
