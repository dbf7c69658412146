package lanyard

import (
	"context"
	"iter"
	"net/http"
)

// ReportLeak reports credentials that were found where they do not belong. Those of the server are ended, or their owners told, as
// its policy for their kind says; that is done when nil is returned, and nothing tells what was among them. Nobody has to say who
// they are: a Client without a Token may report, and a Token is not sent.
func (c *Client) ReportLeak(ctx context.Context, report LeakReport) error {
	return c.tell(ctx, call{op: "report a leak", method: http.MethodPost, at: []string{"leaks", "report"}, in: report, repeat: true, anonymous: true})
}

// CheckLeaks says of at most 200 credentials whether they work (scope lanyard.leaks.read), by their public ids alone: `key_` and the
// 16 characters that stand in the credential. The answers stand in the order of the ids.
func (c *Client) CheckLeaks(ctx context.Context, ids []string) ([]LeakCheck, error) {
	said, err := fetch[LeakChecks](ctx, c, call{op: "check credentials", method: http.MethodPost, at: []string{"leaks", "check"}, in: LeakQuestion{IDs: ids}, repeat: true})
	return said.Items, err
}

// LeakQuery asks for leaks.
type LeakQuery struct {
	TeamID string // "": of any team within reach
	ListQuery
}

// Leaks returns a page of the keys that were found where they do not belong, newest first.
func (c *Client) Leaks(ctx context.Context, q LeakQuery) (Page[Leak], error) {
	v := q.values()
	set(v, "team_id", q.TeamID)
	return fetch[Page[Leak]](ctx, c, call{op: "list leaks", method: http.MethodGet, at: []string{"leaks"}, query: v})
}

// AllLeaks goes through all leaks, newest first.
func (c *Client) AllLeaks(ctx context.Context, q LeakQuery) iter.Seq2[Leak, error] {
	return all(q.ListQuery, func(page ListQuery) (Page[Leak], error) {
		q.ListQuery = page
		return c.Leaks(ctx, q)
	})
}
