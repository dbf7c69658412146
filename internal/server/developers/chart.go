package developers

import (
	"net/http"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// span is a stretch of time that a chart shows, bar by bar.
type span struct {
	name, text, caption, what string
	grain                     usage.Granularity
	bars                      int
	label                     string // how a bar's time is written
}

var spans = []span{
	{"hour", "Last hour", "Requests a minute", "Minute", usage.Minute, 60, "15:04"},
	{"day", "Last day", "Requests an hour", "Hour", usage.Hour, 24, "Mon 15:04"},
	{"month", "Last 30 days", "Requests a day", "Day", usage.Day, 30, "2 Jan"},
	{"year", "Last 12 months", "Requests a month", "Month", usage.Month, 12, "January 2006"},
}

// from is the beginning of the first bar of a span that ends now.
func (s span) from(now time.Time) time.Time {
	at := s.grain.Start(now)
	for range s.bars - 1 {
		at = s.grain.Start(at.Add(-time.Nanosecond))
	}
	return at
}

// chart counts calls over a span, allowed and refused.
func (p *rooms) chart(r *http.Request, d *desk, s span, filter map[string][]string) (page.Chart, error) {
	rows, err := p.outcomes(r, d, s, filter)
	if err != nil {
		return page.Chart{}, err
	}
	return p.draw(s, rows), nil
}

// outcomes counts calls over a span bar by bar, by how they ended.
func (p *rooms) outcomes(r *http.Request, d *desk, s span, filter map[string][]string) ([]lanyard.UsageRow, error) {
	now := p.Now()
	narrowed := map[string][]string{"team": {d.Team.ID}}
	for name, values := range filter {
		narrowed[name] = values
	}
	return p.Manage.UsageSums(r.Context(), d.Actor, manage.UsageQuery{From: s.from(now), To: now, Granularity: string(s.grain), GroupBy: []string{"outcome"}, Filter: narrowed})
}

// draw makes a chart of what outcomes counted.
func (p *rooms) draw(s span, rows []lanyard.UsageRow) page.Chart {
	made := page.Chart{ID: "chart", Caption: s.caption, What: s.what}
	counted := map[int64]page.Bar{}
	for _, row := range rows {
		bar := counted[row.Start.Unix()]
		if row.Outcome == string(policy.Valid) {
			bar.Allowed += row.Count
		} else {
			bar.Refused += row.Count
		}
		counted[row.Start.Unix()] = bar
	}
	if len(counted) == 0 {
		return made
	}
	for at := s.from(p.Now()); len(made.Bars) < s.bars; at = s.grain.Next(at) {
		bar := counted[at.Unix()]
		bar.Label = at.UTC().Format(s.label)
		made.Bars = append(made.Bars, bar)
	}
	return made
}

// sums counts calls over a span by a dimension that has few values.
func (p *rooms) sums(r *http.Request, d *desk, s span, dimension string, apps ...string) (map[string]lanyard.UsageRow, error) {
	rows, err := p.ranked(r, d, s, dimension, manage.Ranking{}, apps...)
	if err != nil {
		return nil, err
	}
	total := make(map[string]lanyard.UsageRow, len(rows))
	for _, row := range rows {
		total[valueOf(row, dimension)] = row
	}
	return total, nil
}

// ranked counts calls over a span by a dimension, in the order of a ranking.
func (p *rooms) ranked(r *http.Request, d *desk, s span, dimension string, by manage.Ranking, apps ...string) ([]lanyard.UsageRow, error) {
	now := p.Now()
	q := manage.UsageQuery{From: s.from(now), To: now, Granularity: string(s.grain), GroupBy: []string{dimension}, Filter: map[string][]string{"team": {d.Team.ID}, "app": apps}}
	return p.Manage.RankUsage(r.Context(), d.Actor, q, by)
}

// valueOf is what a row has in a dimension.
func valueOf(row lanyard.UsageRow, dimension string) string {
	switch dimension {
	case "app":
		return row.App
	case "key":
		return row.Key
	case "operation":
		return row.Operation
	case "outcome":
		return row.Outcome
	case "api":
		return row.API
	}
	return ""
}
