package manage

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// UsageQuery asks for counted calls.
type UsageQuery struct {
	// From is inclusive, To exclusive. Periods are shown whole: From goes back to the start of its period and To on to the
	// end of its. A zero To is now, a zero From the start of To's month.
	From, To    time.Time
	Granularity string              // minute, hour, day or month; "" is day
	GroupBy     []string            // team, app, key, api, operation, outcome, mode
	Filter      map[string][]string // by the same names: any of the values
	Limit       int
	Cursor      string
}

const maxFilterValues = 100

// UsageRows shows counted calls by period, oldest first. Rows of other teams are not there, whatever is filtered by. It
// needs lanyard.usage.read.
func (s *Service) UsageRows(ctx context.Context, actor audit.Actor, q UsageQuery) (lanyard.Page[lanyard.UsageRow], error) {
	page := lanyard.Page[lanyard.UsageRow]{Items: []lanyard.UsageRow{}}
	reach, err := s.may(actor, usageRead)
	if err != nil {
		return page, err
	}
	query, err := s.usageQuery(q)
	if err != nil {
		return page, err
	}
	size, err := List{Limit: q.Limit}.size()
	if err != nil {
		return page, err
	}
	asked := []string{q.From.String(), q.To.String(), q.Granularity, fmt.Sprint(q.GroupBy), fmt.Sprint(q.Filter)}
	payload, err := s.openCursor(q.Cursor, "usage", asked)
	if err != nil {
		return page, err
	}
	if len(payload) == 8 {
		query.Offset = int(binary.BigEndian.Uint64(payload)) // #nosec G115 -- authenticated: written below
	}
	query.Limit = size + 1
	if err := s.flush(ctx); err != nil {
		return page, err
	}
	sums, err := s.Usage.UsageSums(ctx, reach, query)
	if err != nil {
		return page, err
	}
	for i, sum := range sums {
		if i == size {
			page.NextCursor = s.cursor(binary.BigEndian.AppendUint64(nil, uint64(query.Offset+size)), "usage", asked) // #nosec G115 -- not negative
			break
		}
		page.Items = append(page.Items, wireUsage(sum))
	}
	return page, nil
}

// maxSums is how many rows are read in one piece.
const maxSums = 2000

// UsageSums is UsageRows in one piece, for who draws it: at most 2,000 rows. It needs lanyard.usage.read.
func (s *Service) UsageSums(ctx context.Context, actor audit.Actor, q UsageQuery) ([]lanyard.UsageRow, error) {
	return s.usageSums(ctx, actor, q, func(query *usage.Query) { query.Limit = maxSums })
}

// Ranking says which rows of a ranking are meant, and what it goes by.
type Ranking struct {
	ByUnits bool // not by calls
	Least   bool // the fewest first
	Skip    int  // rows that come before
	Limit   int  // at most 2,000; 0: as many
}

// RankUsage makes one row of the whole time for everything that is grouped by, in the order of a ranking. It needs lanyard.usage.read.
func (s *Service) RankUsage(ctx context.Context, actor audit.Actor, q UsageQuery, by Ranking) ([]lanyard.UsageRow, error) {
	if by.Limit <= 0 || by.Limit > maxSums {
		by.Limit = maxSums
	}
	return s.usageSums(ctx, actor, q, func(query *usage.Query) {
		query.Whole, query.ByUnits, query.Least, query.Offset, query.Limit = true, by.ByUnits, by.Least, max(by.Skip, 0), by.Limit
	})
}

func (s *Service) usageSums(ctx context.Context, actor audit.Actor, q UsageQuery, shape func(*usage.Query)) ([]lanyard.UsageRow, error) {
	reach, err := s.may(actor, usageRead)
	if err != nil {
		return nil, err
	}
	query, err := s.usageQuery(q)
	if err != nil {
		return nil, err
	}
	shape(&query)
	if err := s.flush(ctx); err != nil {
		return nil, err
	}
	sums, err := s.Usage.UsageSums(ctx, reach, query)
	if err != nil {
		return nil, err
	}
	rows := make([]lanyard.UsageRow, 0, len(sums))
	for _, sum := range sums {
		rows = append(rows, wireUsage(sum))
	}
	return rows, nil
}

func (s *Service) flush(ctx context.Context) error {
	if s.Flush == nil {
		return nil
	}
	return s.Flush(ctx)
}

func (s *Service) usageQuery(q UsageQuery) (usage.Query, error) {
	out := usage.Query{From: q.From, To: q.To, Granularity: usage.Day, Filter: map[usage.Dimension][]string{}}
	if q.Granularity != "" {
		var err error
		if out.Granularity, err = usage.ParseGranularity(q.Granularity); err != nil {
			return out, err
		}
	}
	if out.To.IsZero() {
		out.To = s.now()
	}
	if out.From.IsZero() {
		out.From = usage.Month.Start(out.To)
	}
	if !out.From.Before(out.To) {
		return out, fault.Field("to", "must be later than from")
	}
	if y := out.From.Year(); y < 1970 || out.To.Year() > 9999 {
		return out, fault.Field("from", "must lie between the years 1970 and 9999")
	}
	out.From = out.Granularity.Start(out.From)
	if whole := out.Granularity.Start(out.To); !whole.Equal(out.To) {
		out.To = out.Granularity.Next(out.To)
	} else {
		out.To = whole
	}
	for _, word := range q.GroupBy {
		d, err := dimension("group_by", word)
		if err != nil {
			return out, err
		}
		if slices.Contains(out.GroupBy, d) {
			return out, fault.Field("group_by", "%s stands there twice", d)
		}
		out.GroupBy = append(out.GroupBy, d)
	}
	for _, word := range slices.Sorted(maps.Keys(q.Filter)) {
		d, err := dimension(word, word)
		if err != nil {
			return out, err
		}
		for _, value := range q.Filter[word] {
			if err := checkFilter(d, value); err != nil {
				return out, err
			}
		}
		if err := checkCount(word, len(q.Filter[word]), maxFilterValues); err != nil {
			return out, err
		}
		if len(q.Filter[word]) > 0 {
			out.Filter[d] = q.Filter[word]
		}
	}
	return out, nil
}

// dimension reads one that the JSON API knows; users come with access tokens.
func dimension(field, word string) (usage.Dimension, error) {
	d, err := usage.ParseDimension(word)
	if err != nil || d == usage.ByUser {
		return "", fault.Field(field, "%.40q is nothing to group or filter by: want team, app, key, api, operation, outcome or mode", word)
	}
	return d, nil
}

// checkFilter refuses ids that name nothing. Ids of other teams match no row, so they need no look-up; deleted things stay
// on the books and can be asked for.
func checkFilter(d usage.Dimension, value string) (err error) {
	switch d {
	case usage.ByTeam:
		_, err = parseID[id.Team]("team", value)
	case usage.ByApp:
		_, err = parseID[id.App]("app", value)
	case usage.ByKey:
		_, err = parseID[id.Key]("key", value)
	default:
		err = checkText(string(d), value, maxFilter)
	}
	return err
}

// ReconcileBilling is Reconcile for quotas and final invoices. It needs lanyard.usage.read for the whole server.
func (s *Service) ReconcileBilling(ctx context.Context, actor audit.Actor, from, to time.Time) ([]billing.Difference, error) {
	if err := s.mayOnServer(actor, usageRead); err != nil {
		return nil, err
	}
	if !from.Before(to) {
		return nil, fault.Field("to", "must be later than from")
	}
	if err := s.flush(ctx); err != nil {
		return nil, err
	}
	return s.BillingStore.ReconcileBilling(ctx, from, to)
}

// Reconcile counts the ledger of a time anew and returns its calls, and where a rollup says otherwise: nowhere, if all is
// well. It needs lanyard.usage.read for the whole server.
func (s *Service) Reconcile(ctx context.Context, actor audit.Actor, from, to time.Time) (ledger int64, differences []usage.Difference, err error) {
	if err := s.mayOnServer(actor, usageRead); err != nil {
		return 0, nil, err
	}
	if !from.Before(to) {
		return 0, nil, fault.Field("to", "must be later than from")
	}
	if err := s.flush(ctx); err != nil {
		return 0, nil, err
	}
	return s.Usage.ReconcileUsage(ctx, from, to)
}
