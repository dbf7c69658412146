package lanyard

import (
	"context"
	"iter"
	"net/http"
	"net/url"
)

// APIs returns a page of the protected APIs.
func (c *Client) APIs(ctx context.Context, q ListQuery) (Page[API], error) {
	return fetch[Page[API]](ctx, c, call{op: "list APIs", method: http.MethodGet, at: []string{"apis"}, query: q.values()})
}

// AllAPIs goes through all protected APIs.
func (c *Client) AllAPIs(ctx context.Context, q ListQuery) iter.Seq2[API, error] {
	return all(q, func(page ListQuery) (Page[API], error) { return c.APIs(ctx, page) })
}

// API returns one API by name.
func (c *Client) API(ctx context.Context, name string) (API, error) {
	return fetch[API](ctx, c, call{op: "show API", method: http.MethodGet, at: []string{"apis", name}})
}

// PutAPI declares an API: what stood there under its name before is replaced. A dry run only says what would change.
func (c *Client) PutAPI(ctx context.Context, name string, in API, dryRun bool) (CatalogDiff, error) {
	return fetch[CatalogDiff](ctx, c, call{op: "declare API", method: http.MethodPut, at: []string{"apis", name}, query: dry(dryRun), in: in})
}

// DeleteAPI removes an API. Nothing passes its doors afterwards.
func (c *Client) DeleteAPI(ctx context.Context, name string) error {
	return c.tell(ctx, call{op: "delete API", method: http.MethodDelete, at: []string{"apis", name}})
}

// Catalog returns all that lanyard.yaml declares.
func (c *Client) Catalog(ctx context.Context) (Catalog, error) {
	return fetch[Catalog](ctx, c, call{op: "read the catalog", method: http.MethodGet, at: []string{"catalog"}})
}

// ApplyCatalog makes the server's catalog what in says; APIs it does not name are left alone. Applying the same again changes
// nothing. A dry run only says what would change.
func (c *Client) ApplyCatalog(ctx context.Context, in Catalog, dryRun bool) (CatalogDiff, error) {
	return fetch[CatalogDiff](ctx, c, call{op: "apply the catalog", method: http.MethodPut, at: []string{"catalog"}, query: dry(dryRun), in: in})
}

func dry(is bool) url.Values {
	if !is {
		return nil
	}
	return url.Values{"dry_run": {"true"}}
}

// Plans returns a page of an API's plans.
func (c *Client) Plans(ctx context.Context, api string, q ListQuery) (Page[NamedPlan], error) {
	return fetch[Page[NamedPlan]](ctx, c, call{op: "list plans", method: http.MethodGet, at: []string{"apis", api, "plans"}, query: q.values()})
}

// SpendAlerts returns the amounts at which a team is told of its open bill for an API.
func (c *Client) SpendAlerts(ctx context.Context, teamID, api string) (SpendAlerts, error) {
	return fetch[SpendAlerts](ctx, c, call{op: "read spend alerts", method: http.MethodGet, at: []string{"teams", teamID, "subscriptions", api, "alerts"}})
}

// SetSpendAlerts replaces them.
func (c *Client) SetSpendAlerts(ctx context.Context, teamID, api string, in SpendAlerts) (SpendAlerts, error) {
	return fetch[SpendAlerts](ctx, c, call{op: "set spend alerts", method: http.MethodPut, at: []string{"teams", teamID, "subscriptions", api, "alerts"}, in: in})
}

// Subscribe sets which plan a team has for an API.
func (c *Client) Subscribe(ctx context.Context, teamID, api string, in SubscriptionInput) (Subscription, error) {
	return fetch[Subscription](ctx, c, call{op: "subscribe", method: http.MethodPut, at: []string{"teams", teamID, "subscriptions", api}, in: in})
}
