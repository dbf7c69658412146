package lanyard

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// KeyQuery asks for keys.
type KeyQuery struct {
	AppID  string // "": of every app within reach
	TeamID string // "": of every team within reach
	Name   string // "": of any name
	Kind   string // key, pub or cs; "": of any kind
	ListQuery
}

// CreateKey makes a key of an app (scope lanyard.keys.write). Its secret is in this answer and in none after it.
func (c *Client) CreateKey(ctx context.Context, appID string, in KeyInput) (NewKey, error) {
	return fetch[NewKey](ctx, c, call{op: "create key", method: http.MethodPost, at: []string{"apps", appID, "keys"}, in: in, create: true})
}

// Key returns one key, without its secret.
func (c *Client) Key(ctx context.Context, id string) (Key, error) {
	return fetch[Key](ctx, c, call{op: "show key", method: http.MethodGet, at: []string{"keys", id}})
}

// Keys returns a page of keys, newest first.
func (c *Client) Keys(ctx context.Context, q KeyQuery) (Page[Key], error) {
	v := q.values()
	set(v, "app_id", q.AppID)
	set(v, "team_id", q.TeamID)
	set(v, "name", q.Name)
	set(v, "kind", q.Kind)
	return fetch[Page[Key]](ctx, c, call{op: "list keys", method: http.MethodGet, at: []string{"keys"}, query: v})
}

// AllKeys goes through all keys, newest first.
func (c *Client) AllKeys(ctx context.Context, q KeyQuery) iter.Seq2[Key, error] {
	return all(q.ListQuery, func(page ListQuery) (Page[Key], error) {
		q.ListQuery = page
		return c.Keys(ctx, q)
	})
}

// UpdateKey changes what in names and leaves the rest.
func (c *Client) UpdateKey(ctx context.Context, id string, in KeyPatch) (Key, error) {
	return fetch[Key](ctx, c, call{op: "update key", method: http.MethodPatch, at: []string{"keys", id}, in: in})
}

// DeleteKey revokes a key and hides it.
func (c *Client) DeleteKey(ctx context.Context, id string) error {
	return c.tell(ctx, call{op: "delete key", method: http.MethodDelete, at: []string{"keys", id}})
}

// RotateKey gives a key a new secret under the same id. It is not repeated by itself when the connection breaks: look at
// the key's versions, and rotate again if the new secret was lost.
func (c *Client) RotateKey(ctx context.Context, id string, in RotateInput) (Rotated, error) {
	return fetch[Rotated](ctx, c, call{op: "rotate key", method: http.MethodPost, at: []string{"keys", id, "rotate"}, in: in})
}

// UndoRotation takes the newest secret back while the one before it still works.
func (c *Client) UndoRotation(ctx context.Context, id string) (Key, error) {
	return fetch[Key](ctx, c, call{op: "undo rotation", method: http.MethodPost, at: []string{"keys", id, "rotate", "undo"}})
}

// RevokeKey takes a key back for good, or one version of it. With wait the answer comes when every node refuses the key, at
// the latest after that time; Applied says which of the two it was. 0 does not wait.
func (c *Client) RevokeKey(ctx context.Context, id string, in RevokeInput, wait time.Duration) (Applied, error) {
	return c.applied(ctx, "revoke key", id, "revoke", in, wait)
}

// DisableKey switches a key off until EnableKey.
func (c *Client) DisableKey(ctx context.Context, id string) (Applied, error) {
	return c.applied(ctx, "disable key", id, "disable", nil, 0)
}

// EnableKey switches a disabled key on again. A revoked one stays revoked.
func (c *Client) EnableKey(ctx context.Context, id string) (Applied, error) {
	return c.applied(ctx, "enable key", id, "enable", nil, 0)
}

func (c *Client) applied(ctx context.Context, op, id, verb string, in any, wait time.Duration) (Applied, error) {
	k := call{op: op, method: http.MethodPost, at: []string{"keys", id, verb}, in: in}
	if wait > 0 {
		k.query, k.wait = url.Values{"wait": {wait.String()}}, wait
	}
	return fetch[Applied](ctx, c, k)
}

// ImportKeys takes keys over from another system, with one result per key in the order sent. It is not repeated by itself.
func (c *Client) ImportKeys(ctx context.Context, in ImportInput) (Imported, error) {
	return fetch[Imported](ctx, c, call{op: "import keys", method: http.MethodPost, at: []string{"keys", "import"}, in: in})
}

// RevokeSelf takes back the very key that the client's Token is. It needs no scope: whoever holds a secret may end it.
func (c *Client) RevokeSelf(ctx context.Context, reason string) (Applied, error) {
	in := RevokeInput{Reason: reason}
	return fetch[Applied](ctx, c, call{op: "revoke this key", method: http.MethodPost, at: []string{"keys", "revoke-self"}, in: in})
}
