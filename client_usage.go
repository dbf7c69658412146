package lanyard

import (
	"context"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// UsageQuery asks for counted calls. Only From and To are needed; each filter keeps the rows with that one value.
type UsageQuery struct {
	From, To    time.Time // From inclusive, To exclusive
	Granularity string    // minute, hour, day or month; "": the server's choice
	GroupBy     []string  // of team, app, key, api, operation, outcome, mode
	Team        string
	App         string
	Key         string
	API         string
	Operation   string
	Outcome     string
	Mode        string
	ListQuery
}

func (q UsageQuery) values() url.Values {
	v := q.ListQuery.values()
	span(v, q.From, q.To)
	set(v, "granularity", q.Granularity)
	set(v, "group_by", strings.Join(q.GroupBy, ","))
	set(v, "team", q.Team)
	set(v, "app", q.App)
	set(v, "key", q.Key)
	set(v, "api", q.API)
	set(v, "operation", q.Operation)
	set(v, "outcome", q.Outcome)
	set(v, "mode", q.Mode)
	return v
}

// span adds the two ends of a stretch of time; a zero one is left to the server.
func span(v url.Values, from, to time.Time) {
	if !from.IsZero() {
		v.Set("from", from.UTC().Format(time.RFC3339Nano))
	}
	if !to.IsZero() {
		v.Set("to", to.UTC().Format(time.RFC3339Nano))
	}
}

// Usage returns a page of counted calls, in the order of time.
func (c *Client) Usage(ctx context.Context, q UsageQuery) (Page[UsageRow], error) {
	return fetch[Page[UsageRow]](ctx, c, call{op: "read usage", method: http.MethodGet, at: []string{"usage"}, query: q.values()})
}

// AllUsage goes through all counted calls.
func (c *Client) AllUsage(ctx context.Context, q UsageQuery) iter.Seq2[UsageRow, error] {
	return all(q.ListQuery, func(page ListQuery) (Page[UsageRow], error) {
		q.ListQuery = page
		return c.Usage(ctx, q)
	})
}

// ExportUsage streams counted calls as "csv", "jsonl" or "cloudevents" (a line each), of any length. Close it. A stream that breaks off early ends with an
// error, not with io.EOF. The client's Timeout covers only the way to its first byte; ctx ends the rest.
func (c *Client) ExportUsage(ctx context.Context, q UsageQuery, format string) (io.ReadCloser, error) {
	v := q.values()
	set(v, "format", format)
	return c.stream(ctx, call{op: "export usage", method: http.MethodGet, at: []string{"usage", "export"}, query: v})
}

// Reconcile counts the ledger of [from, to) anew and compares every sum with it. No differences is how it should be.
func (c *Client) Reconcile(ctx context.Context, from, to time.Time) (Reconciliation, error) {
	v := url.Values{}
	span(v, from, to)
	// It counts, so it takes as long as there is to count.
	k := call{op: "reconcile usage", method: http.MethodGet, at: []string{"usage", "reconcile"}, query: v, wait: 10 * time.Minute}
	return fetch[Reconciliation](ctx, c, k)
}

// Audit returns a page of what people, credentials and commands did, newest first.
func (c *Client) Audit(ctx context.Context, q ListQuery) (Page[AuditEvent], error) {
	return fetch[Page[AuditEvent]](ctx, c, call{op: "read the audit log", method: http.MethodGet, at: []string{"audit"}, query: q.values()})
}

// AllAudit goes through the whole audit log, newest first.
func (c *Client) AllAudit(ctx context.Context, q ListQuery) iter.Seq2[AuditEvent, error] {
	return all(q, func(page ListQuery) (Page[AuditEvent], error) { return c.Audit(ctx, page) })
}

// Changes returns what came after a cursor in the log of changes, oldest first; limit 0 leaves the number to the server. A
// cursor the server no longer knows is a ProblemError with the code changes_reset.
func (c *Client) Changes(ctx context.Context, after string, limit int) (Changes, error) {
	v := url.Values{}
	set(v, "after", after)
	if limit != 0 {
		v.Set("limit", strconv.Itoa(limit))
	}
	return fetch[Changes](ctx, c, call{op: "read changes", method: http.MethodGet, at: []string{"changes"}, query: v})
}

// Attempts returns a page of the sources that presented credentials nobody issued, newest first.
func (c *Client) Attempts(ctx context.Context, q ListQuery) (Page[Attempt], error) {
	return fetch[Page[Attempt]](ctx, c, call{op: "list attempts", method: http.MethodGet, at: []string{"attempts"}, query: q.values()})
}

// AllAttempts goes through all attempts, newest first.
func (c *Client) AllAttempts(ctx context.Context, q ListQuery) iter.Seq2[Attempt, error] {
	return all(q, func(page ListQuery) (Page[Attempt], error) { return c.Attempts(ctx, page) })
}
