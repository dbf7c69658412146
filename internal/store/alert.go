package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/outbox"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/quota"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// alert tells webhooks of an alert in the step that it follows from, and has a mail be written about it. Kind, whom it is about, the period's
// beginning and the mark name it: it is told once.
func alert(ctx context.Context, q querier, kind outbox.Kind, mark string, a billing.Alert, now time.Time) error {
	body, err := encode(a)
	if err != nil {
		return err
	}
	m := outbox.Message{
		ID: id.New[id.Message](), Kind: kind, Team: a.Team, Body: body, CreatedAt: now,
		Subject: alertName(a, mark),
	}
	fresh, err := decides(ctx, q, `INSERT INTO outbox (id, kind, subject, team_id, body, created_at, mail) VALUES ($1, $2, $3, $4, $5, $6, 1) ON CONFLICT (kind, subject) DO NOTHING`,
		string(m.ID), string(m.Kind), m.Subject, string(m.Team), m.Body, micros(m.CreatedAt))
	if err != nil || !fresh {
		return err
	}
	return tell(ctx, q, m)
}

func alertName(a billing.Alert, mark string) string {
	return fmt.Sprintf("%s/%s/%d/%s", string(a.Team)+string(a.User), a.About, a.Start.Unix(), mark)
}

// isTold reports whether something was told.
func isTold(ctx context.Context, q querier, kind outbox.Kind, name string) (bool, error) {
	var one int
	err := q.QueryRowContext(ctx, `SELECT 1 FROM outbox WHERE kind = $1 AND subject = $2`, string(kind), name).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// Unmailed implements outbox.Store.
func (s *Store) Unmailed(ctx context.Context, limit int) (messages []outbox.Message, err error) {
	err = s.read("look for mails to write", func(q querier) error {
		messages, err = outboxWhere(ctx, q, `WHERE mail = 1 ORDER BY created_at LIMIT $1`, limit)
		return err
	})
	return messages, err
}

// Mailed implements outbox.Store.
func (s *Store) Mailed(ctx context.Context, message id.Message, letters []outbox.Mail, now time.Time) error {
	return s.step(ctx, "queue mails", func(ctx context.Context, q querier) error {
		first, err := decides(ctx, q, `UPDATE outbox SET mail = 0 WHERE id = $1 AND mail = 1`, string(message))
		if err != nil || !first {
			return err
		}
		for _, letter := range letters {
			if err := post(ctx, q, factor.Letter{ID: letter.ID, Kind: "mail", Sealed: letter.Sealed}, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// warn tells that a lease brought a quota to a mark. told is the mark that was told of before; where more is told, it is what to remember.
// Blocks that nodes hold count as used, at most a hundredth of the quota each. A call that was refused when a fiftieth was left or
// less says that the quota is used up: calls are refused from now on.
func warn(ctx context.Context, q querier, l quota.Lease, leased int64, refused bool, told string) (now string, err error) {
	mark := billing.MarkReached(leased, l.Limit)
	if mark > 0 && refused && l.Limit-leased <= max(1, l.Limit/50) {
		mark = 100
	}
	name := fmt.Sprintf("%d/%d", mark, l.Limit)
	if mark == 0 || told == name || told == fmt.Sprintf("100/%d", l.Limit) {
		return told, nil
	}
	a, known, err := quotaAlert(ctx, q, string(l.Subject))
	if err != nil || !known {
		return name, err
	}
	a.Percent, a.Limit, a.Start, a.End = mark, l.Limit, l.Start, l.End
	return name, alert(ctx, q, outbox.QuotaReached, name, a, l.Now)
}

// quotaAlert says whose quota it is. Nobody is told of what is only tried out in test mode.
func quotaAlert(ctx context.Context, q querier, subject string) (a billing.Alert, known bool, err error) {
	owner, rest, onAPI := strings.Cut(subject, "/")
	if !onAPI {
		a.Key, a.About = id.Key(owner), owner
		k, err := oneKey(ctx, q, audit.ServerReach(), a.Key)
		if fault.Is(err, fault.NotFound) {
			return a, false, nil
		}
		if err != nil {
			return a, false, err
		}
		a.Team = k.Team
		return a, true, nil
	}
	api, mode, _ := strings.Cut(rest, "/")
	a.API, a.About = api, api
	if _, err := id.Parse[id.User](owner); err == nil {
		a.User = id.User(owner)
	} else {
		a.Team = id.Team(owner)
	}
	return a, mode == liveMode, nil
}

// spending is how an open bill stands when everything that is leased on its meters of calls is used.
type spending struct {
	billing.Stretch
	team id.Team
	api  string
	used billing.Usage
	left int64 // of the meter that is leased, before it costs more than the limit
}

// lockSpending locks the pools of what the plan charges calls for, in the order of their names, and works out what is left of one of them.
func lockSpending(ctx context.Context, q querier, l quota.Lease, meter billing.Meter) (s spending, told string, err error) {
	owner, rest, _ := strings.Cut(string(l.Subject), "/")
	api, _, _ := strings.Cut(rest, "/")
	s = spending{team: id.Team(owner), api: api}
	h, err := history(ctx, q, s.team, s.api)
	if err != nil {
		return s, "", err
	}
	var found bool
	if s.Stretch, found = h.At(l.Start); !found || !s.Held.Start.Equal(l.Start) {
		return s, "", fault.Down(errors.New("no bill begins then"), "the plan has just been changed; try again")
	}
	if s.used, err = usedOfMeters(ctx, q, s.team, s.api, s.Stretch); err != nil {
		return s, "", err
	}
	for _, priced := range [2]billing.Meter{billing.Requests, billing.Units} {
		if !slices.ContainsFunc(s.Version.Charges.Prices, func(p billing.Price) bool { return p.Meter == priced }) {
			continue
		}
		one := l
		one.Subject, one.End = quota.Spend(owner, api, string(priced)), s.Held.End
		leased, was, err := lockPool(ctx, q, one)
		if err != nil {
			return s, "", err
		}
		if s.used[priced] = leased; priced == meter {
			told = was
		}
	}
	s.left, err = s.Version.Charges.UnitsLeft(s.used, s.Share(), meter)
	if errors.Is(err, billing.ErrTooLarge) {
		s.left, err = 0, nil
	}
	return s, told, err
}

// warnSpent tells that a call was refused since it would have cost more than the limit, of which little is left. The total is what is leased.
func (s spending) warnSpent(ctx context.Context, q querier, told string, now time.Time) (name string, err error) {
	limit := s.Version.Charges.SpendLimit
	if name = spentMark(100, limit); told == name {
		return told, nil
	}
	statement, err := s.Bill(s.used)
	if errors.Is(err, billing.ErrTooLarge) {
		statement.Total, err = limit, nil
	}
	if err != nil || s.left > 0 && billing.MarkReached(int64(statement.Total), int64(limit)) == 0 {
		return told, err // one call that is very large
	}
	a := s.alert(statement)
	a.Percent = 100
	return name, alert(ctx, q, outbox.SpendReached, name, a, now)
}

func spentMark(percent int, limit billing.Micros) string {
	return fmt.Sprintf("%d/%s", percent, limit)
}

func (s spending) alert(statement billing.Statement) billing.Alert {
	c := s.Version.Charges.Currency
	a := billing.Alert{About: s.api, Team: s.team, API: s.api, Currency: c, Total: c.Text(statement.Total), Start: s.Held.Start, End: s.Held.End}
	if limit := s.Version.Charges.SpendLimit; limit > 0 {
		a.SpendLimit = c.Text(limit)
	}
	return a
}

// liveMode is the mode that counts for bills, in the subject of a quota.
const liveMode = "live"

// markSpending has the bills of whom rows belong to compared with their limits and alerts, if anybody wants to know. The row of an account is
// locked even if it is marked: so whoever compares either sees these rows or comes again.
func markSpending(ctx context.Context, q querier, rows []usage.Row) error {
	seen := map[account]bool{}
	var touched []account
	for i := range rows {
		r := &rows[i]
		of := account{r.Team, r.API}
		if r.Outcome == string(policy.Valid) && r.Team != "" && string(r.Mode) == liveMode && !seen[of] {
			seen[of], touched = true, append(touched, of)
		}
	}
	slices.SortFunc(touched, func(x, y account) int {
		return strings.Compare(string(x.team)+"/"+x.api, string(y.team)+"/"+y.api)
	})
	for part := range slices.Chunk(touched, accountsAtOnce) {
		var pairs []string
		var args []any
		for _, of := range part {
			pairs = append(pairs, "("+placeholders(len(args)+1, 2)+")")
			args = append(args, string(of.team), of.api)
		}
		found, err := q.QueryContext(ctx, `SELECT team_id, api FROM billing_account WHERE (team_id, api) IN (`+valuesOf(pairs)+`) AND watched = 1 ORDER BY team_id, api`, args...) // #nosec G202 -- placeholders
		if err != nil {
			return err
		}
		var watched []account
		if err := scanAll(found, func() error {
			var of account
			err := found.Scan(&of.team, &of.api)
			watched = append(watched, of)
			return err
		}); err != nil {
			return err
		}
		for _, of := range watched {
			if err := lookAt(ctx, q, of.team, of.api); err != nil {
				return err
			}
		}
	}
	return nil
}

// accountsAtOnce bounds a look for watched accounts.
const accountsAtOnce = 200

func valuesOf(pairs []string) string { return "VALUES " + strings.Join(pairs, ", ") }

// lookAt has a watched bill compared with its limit and alerts.
func lookAt(ctx context.Context, q querier, teamID id.Team, api string) error {
	_, err := q.ExecContext(ctx, `UPDATE billing_account SET look_at = CASE WHEN look_at = 0 THEN 1 ELSE look_at END WHERE team_id = $1 AND api = $2 AND watched = 1`, string(teamID), api)
	return err
}

// TellSpending implements billing.SpendStore.
func (s *Store) TellSpending(ctx context.Context, now time.Time, limit int) (looked int, err error) {
	due, err := s.accountsWhere(ctx, `look_at > 0 AND look_at <= $1 ORDER BY look_at`, now, limit)
	if err != nil {
		return 0, err
	}
	return eachDue(due, func(a account) error {
		err := s.step(ctx, "compare an open bill", func(ctx context.Context, q querier) error { return tellSpending(ctx, q, a.team, a.api, now) })
		return about(err, string(a.team)+" on "+a.api)
	}, func(a account) error {
		return s.step(ctx, "compare an open bill later", func(ctx context.Context, q querier) error {
			_, err := q.ExecContext(ctx, `UPDATE billing_account SET look_at = $3 WHERE team_id = $1 AND api = $2`, string(a.team), a.api, micros(now.Add(tryAgain)))
			return err
		})
	})
}

// tellSpending first says that it looks, so that what is counted from then on has somebody look again.
func tellSpending(ctx context.Context, q querier, teamID id.Team, api string, now time.Time) error {
	first, err := decides(ctx, q, `UPDATE billing_account SET look_at = 0 WHERE team_id = $1 AND api = $2 AND look_at > 0 AND look_at <= $3`, string(teamID), api, micros(now))
	if err != nil || !first {
		return err
	}
	h, err := history(ctx, q, teamID, api)
	if err != nil {
		return err
	}
	stretch, _ := h.At(now)
	wanted, err := watch(ctx, q, teamID, api, stretch)
	if err != nil {
		return err
	}
	// What was used in the last moments of a period is counted when it is over.
	for _, stretch := range h.Stretches(now.Add(-justEnded), now.Add(time.Microsecond)) {
		if err := tellOf(ctx, q, teamID, api, stretch, wanted, now); err != nil {
			return err
		}
	}
	return nil
}

// justEnded is how long after its end an open bill is still told of.
const justEnded = 5 * time.Minute

// tellOf compares the bill of one stretch.
func tellOf(ctx context.Context, q querier, teamID id.Team, api string, stretch billing.Stretch, wanted []billing.Micros, now time.Time) error {
	if !stretch.Version.Charged() {
		return nil
	}
	used, err := usedIn(ctx, q, teamID, api, stretch)
	if err != nil {
		return err
	}
	statement, err := stretch.Bill(used)
	if errors.Is(err, billing.ErrTooLarge) {
		statement.Total, err = billing.MaxMicros, nil
	}
	if err != nil {
		return err
	}
	s := spending{Stretch: stretch, team: teamID, api: api}
	limit := stretch.Version.Charges.SpendLimit
	mark := billing.MarkReached(int64(statement.Total), int64(limit))
	if mark == 80 {
		full, err := isTold(ctx, q, outbox.SpendReached, alertName(s.alert(statement), spentMark(100, limit)))
		if err != nil {
			return err
		}
		if full { // a call was refused before what was leased is counted
			mark = 0
		}
	}
	if mark > 0 {
		a := s.alert(statement)
		a.Percent = mark
		if err := alert(ctx, q, outbox.SpendReached, spentMark(mark, limit), a, now); err != nil {
			return err
		}
	}
	for _, amount := range slices.Backward(wanted) {
		if amount > statement.Total {
			continue
		}
		a := s.alert(statement)
		a.Amount = stretch.Version.Charges.Currency.Text(amount)
		return alert(ctx, q, outbox.SpendReached, "="+amount.String(), a, now) // what is less was passed before, or with it
	}
	return nil
}

// watch notes whether anybody wants to know of the open bill of a stretch. It returns the amounts that the team wants to be told of, in order.
func watch(ctx context.Context, q querier, teamID id.Team, api string, stretch billing.Stretch) (wanted []billing.Micros, err error) {
	if wanted, err = spendAlerts(ctx, q, teamID, api); err != nil {
		return nil, err
	}
	watched := len(wanted) > 0 || stretch.Version.Charges.SpendLimit > 0
	_, err = q.ExecContext(ctx, `UPDATE billing_account SET watched = $3, look_at = CASE WHEN $3 = 1 AND look_at = 0 THEN 1 ELSE look_at END WHERE team_id = $1 AND api = $2 AND watched <> $3`, string(teamID), api, flag(watched))
	return wanted, err
}

func spendAlerts(ctx context.Context, q querier, teamID id.Team, api string) (amounts []billing.Micros, err error) {
	rows, err := q.QueryContext(ctx, `SELECT amount FROM spend_alert WHERE team_id = $1 AND api = $2 ORDER BY amount LIMIT $3`, string(teamID), api, billing.MostSpendAlerts) //nolint:sqlclosecheck // scanAll closes them
	if err != nil {
		return nil, err
	}
	return amounts, scanAll(rows, func() error {
		var amount int64
		err := rows.Scan(&amount)
		amounts = append(amounts, billing.Micros(amount))
		return err
	})
}

// SpendAlerts implements billing.SpendStore.
func (s *Store) SpendAlerts(ctx context.Context, teamID id.Team, api string) (amounts []billing.Micros, err error) {
	err = s.read("read spend alerts", func(q querier) error {
		amounts, err = spendAlerts(ctx, q, teamID, api)
		return err
	})
	return amounts, err
}

// SetSpendAlerts implements billing.SpendStore.
func (s *Store) SetSpendAlerts(ctx context.Context, teamID id.Team, api string, amounts []billing.Micros, ev audit.Event) error {
	return s.step(ctx, "set spend alerts", func(ctx context.Context, q querier) error {
		minute := ev.At.Truncate(time.Minute)
		if err := dueAt(ctx, q, teamID, api, minute, minute); err != nil {
			return err
		}
		if _, err := q.ExecContext(ctx, `DELETE FROM spend_alert WHERE team_id = $1 AND api = $2`, string(teamID), api); err != nil {
			return err
		}
		for _, amount := range amounts {
			if _, err := q.ExecContext(ctx, `INSERT INTO spend_alert (team_id, api, amount) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, string(teamID), api, int64(amount)); err != nil {
				return err
			}
		}
		if _, err := q.ExecContext(ctx, `UPDATE billing_account SET watched = 1, look_at = 1 WHERE team_id = $1 AND api = $2`, string(teamID), api); err != nil {
			return err
		}
		ev.Team = teamID
		_, err := s.finish(ctx, q, ev)
		return err
	})
}
