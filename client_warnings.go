package lanyard

import (
	"context"
	"iter"
	"net/http"
)

// WarningQuery asks for warnings.
type WarningQuery struct {
	TeamID  string // "": of every team within reach
	KeyID   string // "": of every key within reach
	Gravity string // note, warn or grave: only those and graver ones; "": all
	ListQuery
}

// Warnings returns a page of what there is to say of keys and client secrets within reach (scope lanyard.keys.read), newest key first. A page
// holds all warnings of its keys, so it can be a few longer than its limit.
func (c *Client) Warnings(ctx context.Context, q WarningQuery) (Page[Warning], error) {
	v := q.values()
	set(v, "team_id", q.TeamID)
	set(v, "key_id", q.KeyID)
	set(v, "gravity", q.Gravity)
	return fetch[Page[Warning]](ctx, c, call{op: "list warnings", method: http.MethodGet, at: []string{"warnings"}, query: v})
}

// AllWarnings goes through all of them.
func (c *Client) AllWarnings(ctx context.Context, q WarningQuery) iter.Seq2[Warning, error] {
	return all(q.ListQuery, func(page ListQuery) (Page[Warning], error) {
		q.ListQuery = page
		return c.Warnings(ctx, q)
	})
}
