package lanyard

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// CreateSecret makes a client secret of an app (scope lanyard.keys.write): a key of kind cs. Its secret is in this answer
// and in none after it.
func (c *Client) CreateSecret(ctx context.Context, appID string, in SecretInput) (NewKey, error) {
	return fetch[NewKey](ctx, c, call{op: "create secret", method: http.MethodPost, at: []string{"apps", appID, "secrets"}, in: in, create: true})
}

// TokenQuery asks for personal tokens.
type TokenQuery struct {
	UserID string // "": one's own, and for a key of the server everybody's
	ListQuery
}

// CreateToken makes a personal token of the user who asks (scope lanyard.keys.write). Its secret is in this answer and in
// none after it.
func (c *Client) CreateToken(ctx context.Context, in PersonalTokenInput) (NewPersonalToken, error) {
	return fetch[NewPersonalToken](ctx, c, call{op: "create token", method: http.MethodPost, at: []string{"tokens"}, in: in, create: true})
}

// PersonalToken returns one personal token, without its secret.
func (c *Client) PersonalToken(ctx context.Context, id string) (PersonalToken, error) {
	return fetch[PersonalToken](ctx, c, call{op: "show token", method: http.MethodGet, at: []string{"tokens", id}})
}

// PersonalTokens returns a page of personal tokens, newest first.
func (c *Client) PersonalTokens(ctx context.Context, q TokenQuery) (Page[PersonalToken], error) {
	v := q.values()
	set(v, "user_id", q.UserID)
	return fetch[Page[PersonalToken]](ctx, c, call{op: "list tokens", method: http.MethodGet, at: []string{"tokens"}, query: v})
}

// AllPersonalTokens goes through all personal tokens, newest first.
func (c *Client) AllPersonalTokens(ctx context.Context, q TokenQuery) iter.Seq2[PersonalToken, error] {
	return all(q.ListQuery, func(page ListQuery) (Page[PersonalToken], error) {
		q.ListQuery = page
		return c.PersonalTokens(ctx, q)
	})
}

// RevokeToken takes a personal token back for good. With wait it answers when every node refuses it, or after that time.
func (c *Client) RevokeToken(ctx context.Context, id, reason string, wait time.Duration) (Applied, error) {
	v := url.Values{}
	set(v, "reason", reason)
	return c.end(ctx, call{op: "revoke token", at: []string{"tokens", id}, query: v}, wait)
}

// GrantQuery asks for what users allow apps.
type GrantQuery struct {
	UserID string // "": of any user within reach
	AppID  string // "": to any app
	ListQuery
}

// Grants returns a page of live grants, newest first (scope lanyard.grants.read).
func (c *Client) Grants(ctx context.Context, q GrantQuery) (Page[Grant], error) {
	v := q.values()
	set(v, "user_id", q.UserID)
	set(v, "app_id", q.AppID)
	return fetch[Page[Grant]](ctx, c, call{op: "list grants", method: http.MethodGet, at: []string{"grants"}, query: v})
}

// AllGrants goes through all live grants, newest first.
func (c *Client) AllGrants(ctx context.Context, q GrantQuery) iter.Seq2[Grant, error] {
	return all(q.ListQuery, func(page ListQuery) (Page[Grant], error) {
		q.ListQuery = page
		return c.Grants(ctx, q)
	})
}

// RevokeGrant takes back what a user allowed an app, with every token under it. With wait it answers when every node refuses
// them, or after that time.
func (c *Client) RevokeGrant(ctx context.Context, id string, wait time.Duration) (Applied, error) {
	return c.end(ctx, call{op: "revoke grant", at: []string{"grants", id}, query: url.Values{}}, wait)
}

// end sends a DELETE that can be waited for.
func (c *Client) end(ctx context.Context, k call, wait time.Duration) (Applied, error) {
	k.method = http.MethodDelete
	if wait > 0 {
		k.query.Set("wait", wait.String())
		k.wait = wait
	}
	return fetch[Applied](ctx, c, k)
}

// Sessions returns a page of where a user is logged in, newest first; userID "" is oneself.
func (c *Client) Sessions(ctx context.Context, userID string, q ListQuery) (Page[Session], error) {
	v := q.values()
	set(v, "user_id", userID)
	return fetch[Page[Session]](ctx, c, call{op: "list sessions", method: http.MethodGet, at: []string{"sessions"}, query: v})
}

// EndSession logs a user out of one browser.
func (c *Client) EndSession(ctx context.Context, id string) (Ended, error) {
	return fetch[Ended](ctx, c, call{op: "end session", method: http.MethodDelete, at: []string{"sessions", id}})
}

// EndUserSessions logs a user out everywhere. Tokens that apps hold go on: UserPatch.RevokeTokens ends those too.
func (c *Client) EndUserSessions(ctx context.Context, userID string) (Ended, error) {
	return fetch[Ended](ctx, c, call{op: "end sessions", method: http.MethodDelete, at: []string{"users", userID, "sessions"}})
}
