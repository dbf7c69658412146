package lanyard

import (
	"context"
	"iter"
	"net/http"
)

// AppQuery asks for apps.
type AppQuery struct {
	TeamID string // "": of every team within reach
	Name   string // "": of any name
	ListQuery
}

// CreateApp makes an app (scope lanyard.apps.write).
func (c *Client) CreateApp(ctx context.Context, in AppInput) (App, error) {
	return fetch[App](ctx, c, call{op: "create app", method: http.MethodPost, at: []string{"apps"}, in: in, create: true})
}

// App returns one app.
func (c *Client) App(ctx context.Context, id string) (App, error) {
	return fetch[App](ctx, c, call{op: "show app", method: http.MethodGet, at: []string{"apps", id}})
}

// Apps returns a page of apps, newest first.
func (c *Client) Apps(ctx context.Context, q AppQuery) (Page[App], error) {
	v := q.values()
	set(v, "team_id", q.TeamID)
	set(v, "name", q.Name)
	return fetch[Page[App]](ctx, c, call{op: "list apps", method: http.MethodGet, at: []string{"apps"}, query: v})
}

// AllApps goes through all apps, newest first.
func (c *Client) AllApps(ctx context.Context, q AppQuery) iter.Seq2[App, error] {
	return all(q.ListQuery, func(page ListQuery) (Page[App], error) {
		q.ListQuery = page
		return c.Apps(ctx, q)
	})
}

// UpdateApp changes what in names and leaves the rest.
func (c *Client) UpdateApp(ctx context.Context, id string, in AppPatch) (App, error) {
	return fetch[App](ctx, c, call{op: "update app", method: http.MethodPatch, at: []string{"apps", id}, in: in})
}

// DeleteApp revokes everything the app has and removes it.
func (c *Client) DeleteApp(ctx context.Context, id string) error {
	return c.tell(ctx, call{op: "delete app", method: http.MethodDelete, at: []string{"apps", id}})
}
