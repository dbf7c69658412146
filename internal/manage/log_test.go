package manage

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

func TestChangesAfter(t *testing.T) {
	w := newWorld(t)
	all, err := w.svc.ChangesAfter(t.Context(), w.admin, "", 0)
	if err != nil || len(all.Items) == 0 {
		t.Fatalf("ChangesAfter = %+v, %v", all, err)
	}
	var got []lanyard.Change
	cursor := ""
	for {
		page, err := w.svc.ChangesAfter(t.Context(), w.admin, cursor, 3)
		if err != nil || len(page.Items) > 3 {
			t.Fatalf("ChangesAfter(%q, 3) = %+v, %v", cursor, page, err)
		}
		if len(page.Items) == 0 {
			if page.Cursor != cursor {
				t.Errorf("an empty page has cursor %q, want %q as before", page.Cursor, cursor)
			}
			break
		}
		got, cursor = append(got, page.Items...), page.Cursor
	}
	if len(got) != len(all.Items) || cursor != all.Cursor {
		t.Errorf("pages of 3 hold %d changes and end at %q, want %d and %q", len(got), cursor, len(all.Items), all.Cursor)
	}
	now, err := w.svc.ChangesAfter(t.Context(), w.admin, "now", 0)
	if err != nil || len(now.Items) != 0 || now.Cursor != all.Cursor || now.Revision != got[len(got)-1].Revision || all.Revision != now.Revision {
		t.Errorf("ChangesAfter now = %+v, %v, want the place behind the newest", now, err)
	}
	w.newApp(w.a.team)
	next, err := w.svc.ChangesAfter(t.Context(), w.admin, cursor, 0)
	if err != nil || len(next.Items) != 1 || next.Items[0].Kind != "app" {
		t.Errorf("ChangesAfter the end = %+v, %v, want the new app", next, err)
	}
	last, err := parsePlace(all.Cursor)
	if err != nil {
		t.Fatal(err)
	}
	ahead, retagged := last, last
	ahead.Revision += 1000
	retagged.Tag ^= 1
	for name, cursor := range map[string]string{
		"garbage": "x", "a revision": "r5", "padded": all.Cursor + "=", "short": all.Cursor[1:], "long": all.Cursor + "AAAA", "SQL": "' OR 1=1 --",
		"ahead of the log": placeText(ahead), "an entry of another database": placeText(retagged), "huge": strings.Repeat("A", 5000),
		"negative": base64.RawURLEncoding.EncodeToString([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x01")),
	} {
		_, err := w.svc.ChangesAfter(t.Context(), w.admin, cursor, 0)
		wantFault(t, "ChangesAfter "+name, err, fault.ChangesReset, "")
	}
	for _, limit := range []int{-1, 1001} {
		_, err := w.svc.ChangesAfter(t.Context(), w.admin, "", limit)
		wantFault(t, fmt.Sprintf("ChangesAfter with limit %d", limit), err, fault.Invalid, "limit")
	}
	first, err := w.svc.ChangesAfter(t.Context(), w.admin, "", 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.TrimChanges(t.Context(), begin.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	_, err = w.svc.ChangesAfter(t.Context(), w.admin, first.Cursor, 0)
	wantFault(t, "ChangesAfter what was trimmed", err, fault.ChangesReset, "")
	oldest, err := w.svc.ChangesAfter(t.Context(), w.admin, "", 0)
	if err != nil || len(oldest.Items) != 1 || oldest.Cursor != next.Cursor {
		t.Errorf("ChangesAfter from the oldest kept = %+v, %v, want the newest alone", oldest, err)
	}
}

func TestAuditFilters(t *testing.T) {
	w := newWorld(t)
	page, err := w.svc.Audit(t.Context(), w.admin, "app.create", w.a.app, List{})
	if err != nil || len(page.Items) != 1 || page.Items[0].Target != w.a.app || page.Items[0].Actor != "command test" || page.Items[0].TeamID != w.a.team {
		t.Errorf("Audit = %+v, %v, want the one line", page, err)
	}
	for _, filter := range [][2]string{{"\x00", ""}, {"", "\x00"}} {
		_, err := w.svc.Audit(t.Context(), w.admin, filter[0], filter[1], List{})
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("Audit(%q) = %v, want invalid_request", filter, err)
		}
	}
}

func TestSearchAudit(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]struct {
		q    AuditSearch
		some bool
	}{
		"actor":            {AuditSearch{Action: "app.create", Actor: "command test"}, true},
		"another actor":    {AuditSearch{Action: "app.create", Actor: "command other"}, false},
		"from before":      {AuditSearch{From: begin.Add(-time.Hour)}, true},
		"from later":       {AuditSearch{From: begin.Add(1000 * time.Hour)}, false},
		"to before":        {AuditSearch{To: begin.Add(-time.Hour)}, false},
		"to later":         {AuditSearch{Action: "app.create", To: begin.Add(1000 * time.Hour)}, true},
		"everything at it": {AuditSearch{Action: "app.create", Target: w.a.app, Actor: "command test", From: begin.Add(-time.Hour), To: begin.Add(1000 * time.Hour)}, true},
	} {
		page, err := w.svc.SearchAudit(t.Context(), w.admin, test.q, List{})
		if err != nil || len(page.Items) > 0 != test.some {
			t.Errorf("SearchAudit by %s = %d lines, %v, want some: %v", name, len(page.Items), err, test.some)
		}
	}
}

func TestUsageQueryRefused(t *testing.T) {
	w := newWorld(t)
	hour := begin.Add(time.Hour)
	for _, tc := range []struct {
		field string
		q     UsageQuery
	}{
		{"granularity", UsageQuery{Granularity: "week"}},
		{"group_by", UsageQuery{GroupBy: []string{"user"}}},
		{"group_by", UsageQuery{GroupBy: []string{"app", "app"}}},
		{"group_by", UsageQuery{GroupBy: []string{"1; DROP TABLE app"}}},
		{"colour", UsageQuery{Filter: map[string][]string{"colour": {"x"}}}},
		{"user", UsageQuery{Filter: map[string][]string{"user": {"x"}}}},
		{"api", UsageQuery{Filter: map[string][]string{"api": {"\x00"}}}},
		{"api", UsageQuery{Filter: map[string][]string{"api": make([]string, maxFilterValues+1)}}},
		{"to", UsageQuery{From: hour, To: hour}},
		{"to", UsageQuery{From: hour, To: begin}},
		{"from", UsageQuery{From: time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC)}},
		{"limit", UsageQuery{Limit: 201}},
	} {
		_, err := w.svc.UsageRows(t.Context(), w.admin, tc.q)
		wantFault(t, fmt.Sprintf("UsageRows(%+v)", tc.q), err, fault.Invalid, tc.field)
	}
	_, err := w.svc.UsageRows(t.Context(), w.admin, UsageQuery{Filter: map[string][]string{"app": {"x"}}})
	wantFault(t, "UsageRows of a malformed app", err, fault.NotFound, "")
	_, _, err = w.svc.Reconcile(t.Context(), w.admin, hour, begin)
	wantFault(t, "Reconcile backwards", err, fault.Invalid, "to")
	lost := errors.New("spool is gone")
	w.svc.Flush = func(context.Context) error { return lost }
	if _, err := w.svc.UsageRows(t.Context(), w.admin, UsageQuery{}); !errors.Is(err, lost) {
		t.Errorf("UsageRows with a failing flush = %v, want its error", err)
	}
}

// count brings calls of both teams into the database.
func (w *world) count() {
	w.t.Helper()
	b := usage.Batch{}
	for i, s := range []side{w.a, w.b} {
		b.Rows = append(b.Rows, usage.Row{
			Minute: begin.UnixMicro(), Team: id.Team(s.team), App: id.App(s.app), Key: id.Key(s.key), API: "weather", Operation: "GET /v1/forecast",
			Outcome: "valid", Mode: "live", Count: int64(10 + i), Units: int64(20 + i),
		})
	}
	if b.Rows[0].Team > b.Rows[1].Team {
		b.Rows[0], b.Rows[1] = b.Rows[1], b.Rows[0]
	}
	absorbed, err := w.store.AbsorbUsage(w.t.Context(), usage.Marker{Node: id.New[id.Node](), Epoch: strings.Repeat("0", 32), Segment: 1, SHA256: [32]byte{1}}, &b)
	if err != nil || !absorbed {
		w.t.Fatalf("AbsorbUsage = %v, %v", absorbed, err)
	}
}

// TestUsageStaysWithinReach: whatever is grouped or filtered by, only own rows are counted.
func TestUsageStaysWithinReach(t *testing.T) {
	w := newWorld(t)
	w.count()
	query := UsageQuery{From: begin.Add(5 * time.Minute), To: begin.Add(6 * time.Minute), Granularity: "hour"} // within the hour, shown whole
	for _, tc := range []struct {
		name   string
		filter map[string][]string
		want   int64
	}{
		{"all", nil, 10},
		{"own app", map[string][]string{"app": {w.a.app}}, 10},
		{"foreign app", map[string][]string{"app": {w.b.app}}, 0},
		{"foreign team", map[string][]string{"team": {w.b.team}}, 0},
		{"both teams", map[string][]string{"team": {w.a.team, w.b.team}}, 10},
		{"foreign key", map[string][]string{"key": {w.b.key}}, 0},
	} {
		query.Filter = tc.filter
		for _, group := range [][]string{nil, {"team"}, {"app", "key", "api", "operation", "outcome", "mode"}} {
			query.GroupBy = group
			page, err := w.svc.UsageRows(t.Context(), w.a.keyActor, query)
			var got int64
			for _, r := range page.Items {
				got += r.Count
				if r.Team != "" && r.Team != w.a.team {
					t.Errorf("UsageRows %s shows team %s", tc.name, r.Team)
				}
			}
			if err != nil || got != tc.want {
				t.Errorf("UsageRows %s by %v = %+v, %v, want a count of %d", tc.name, group, page, err, tc.want)
			}
		}
	}
	query.Filter, query.GroupBy, query.Limit = nil, []string{"team"}, 1
	first, err := w.svc.UsageRows(t.Context(), w.admin, query)
	if err != nil || len(first.Items) != 1 || first.NextCursor == "" {
		t.Fatalf("UsageRows in pages of 1 = %+v, %v", first, err)
	}
	query.Cursor = first.NextCursor
	second, err := w.svc.UsageRows(t.Context(), w.admin, query)
	if err != nil || len(second.Items) != 1 || second.NextCursor != "" || second.Items[0].Team == first.Items[0].Team || first.Items[0].Count+second.Items[0].Count != 21 {
		t.Errorf("UsageRows pages = %+v, %+v, %v, want both teams once", first, second, err)
	}
	query.GroupBy = []string{"app"}
	_, err = w.svc.UsageRows(t.Context(), w.admin, query)
	wantFault(t, "UsageRows with the cursor of another query", err, fault.Invalid, "cursor")
	_, differences, err := w.svc.Reconcile(t.Context(), w.admin, begin, begin.Add(time.Hour))
	if err != nil || len(differences) != 0 {
		t.Errorf("Reconcile = %v, %v, want none", differences, err)
	}
}

func TestUsageQueryShowsWholePeriods(t *testing.T) {
	at := func(text string) time.Time {
		when, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	s := &Service{Now: func() time.Time { return at("2026-07-15T10:20:30Z") }}
	for _, tc := range []struct {
		q        UsageQuery
		from, to string
	}{
		{UsageQuery{}, "2026-07-01T00:00:00Z", "2026-07-16T00:00:00Z"},
		{UsageQuery{Granularity: "month"}, "2026-07-01T00:00:00Z", "2026-08-01T00:00:00Z"},
		{UsageQuery{Granularity: "hour", From: at("2026-07-02T03:04:05Z"), To: at("2026-07-02T05:00:00Z")}, "2026-07-02T03:00:00Z", "2026-07-02T05:00:00Z"},
		{UsageQuery{Granularity: "minute", From: at("2026-07-02T03:04:05+02:00"), To: at("2026-07-02T03:04:06+02:00")}, "2026-07-02T01:04:00Z", "2026-07-02T01:05:00Z"},
	} {
		got, err := s.usageQuery(tc.q)
		if err != nil || !got.From.Equal(at(tc.from)) || !got.To.Equal(at(tc.to)) {
			t.Errorf("usageQuery(%+v) = %s to %s, %v, want %s to %s", tc.q, got.From, got.To, err, tc.from, tc.to)
		}
	}
}
