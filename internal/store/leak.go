package store

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/leak"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// LeakOfKey implements leak.Store.
func (s *Store) LeakOfKey(ctx context.Context, l *leak.Leak, report leak.Report) (first bool, rev id.Revision, err error) {
	err = s.step(ctx, "note that a key leaked", func(ctx context.Context, q querier) error {
		if err := lockRow(ctx, q, "api_key", string(l.Key)); err != nil {
			return err
		}
		k, err := oneKey(ctx, q, audit.ServerReach(), l.Key)
		if err != nil {
			return err
		}
		l.Outcome = outcomeOf(report.Rule, leakedKeyIsDead(k, l.Version, l.FoundAt))
		if first, err = noteLeak(ctx, q, l, report); err != nil || !first || l.Outcome != leak.Revoked {
			return err
		}
		rev, err = s.endLeakedKey(ctx, q, k, l.Version, report.Reason, report.Revoked)
		return err
	})
	return first, rev, err
}

// leakedKeyIsDead reports whether one secret of a key does not work any more and never will. A disabled key may be enabled.
func leakedKeyIsDead(k *key.Key, version int, now time.Time) bool {
	status := k.StatusAt(now)
	return status == policy.Revoked || status == policy.Expired || versionEnded(k, version, now)
}

// endLeakedKey ends a key for one of its secrets. A secret that was rotated away ends alone: the one that took its place is in nobody
// else's hands.
func (s *Store) endLeakedKey(ctx context.Context, q querier, k *key.Key, version int, reason string, ev audit.Event) (id.Revision, error) {
	if current := k.Current(); current != nil && current.Number == version {
		version = 0
	} else {
		ev.Details["version"] = strconv.Itoa(version)
	}
	before := revokedSubjects(k)
	if err := k.Revoke(ev.At, reason, version); err != nil {
		return 0, err
	}
	return s.keepKey(ctx, q, k, before, ev)
}

// outcomeOf is what becomes of a leak.
func outcomeOf(rule leak.Rule, dead bool) leak.Outcome {
	switch {
	case dead:
		return leak.DeadByNow
	case rule.Policy == leak.Revoke:
		return leak.Revoked
	case rule.Policy == leak.RevokeAfter:
		return leak.Waiting
	}
	return leak.Told
}

// versionEnded reports whether a secret of a key does not work any more.
func versionEnded(k *key.Key, number int, now time.Time) bool {
	for i := range k.Versions {
		if v := &k.Versions[i]; v.Number == number {
			return !v.RevokedAt.IsZero() || !v.EndsAt.IsZero() && !now.Before(v.EndsAt)
		}
	}
	return true
}

// sooner is by how much a new moment must come before the one that was told, to count as stricter: nodes' clocks differ a little.
const sooner = time.Minute

// noteLeak writes a leak down, tells whom it concerns, and reports whether there is anything to be done that was not done before. The
// unique key decides: of several reports of a secret one is the first. A later one counts where the rule has become stricter since: what
// was only told of waits or ends, and what waits ends now, or sooner. What was promised never comes later.
func noteLeak(ctx context.Context, q querier, l *leak.Leak, report leak.Report) (bool, error) {
	l.DueAt = time.Time{}
	if l.Outcome == leak.Waiting {
		l.DueAt = report.Rule.Due(l.FoundAt)
	}
	first, err := decides(ctx, q, `INSERT INTO leak (id, key_id, version, team_id, user_id, kind, name, place, source, outcome, found_at, due_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (key_id, version) DO UPDATE SET outcome = excluded.outcome, due_at = excluded.due_at
		WHERE leak.outcome = 'notified' AND excluded.outcome IN ('waiting', 'revoked')
			OR leak.outcome = 'waiting' AND (excluded.outcome = 'revoked' OR excluded.outcome = 'waiting' AND leak.due_at - excluded.due_at > $13)`,
		string(l.ID), string(l.Key), l.Version, string(l.Team), string(l.User), string(l.Kind), l.Name, l.Place, string(l.Source), string(l.Outcome),
		micros(l.FoundAt), micros(l.DueAt), sooner.Microseconds())
	if err != nil || !first {
		return false, err
	}
	if l.Outcome != leak.DeadByNow {
		for _, m := range report.Mails {
			if err := post(ctx, q, factor.Letter{ID: m.ID, Kind: "mail", Sealed: m.Sealed}, l.FoundAt); err != nil {
				return false, err
			}
		}
	}
	report.Leaked.Details["outcome"] = string(l.Outcome)
	if !l.DueAt.IsZero() {
		report.Leaked.Details["until"] = l.DueAt.UTC().Format(time.RFC3339)
	}
	return true, writeAudit(ctx, q, report.Leaked)
}

// LeakOfToken implements leak.Store.
func (s *Store) LeakOfToken(ctx context.Context, l *leak.Leak, report leak.Report) (first bool, rev id.Revision, err error) {
	err = s.step(ctx, "note that a personal token leaked", func(ctx context.Context, q querier) error {
		if err := lockRow(ctx, q, "personal_token", string(l.Key)); err != nil {
			return err
		}
		p, err := onePersonal(ctx, q, l.User, l.Key)
		if err != nil {
			return err
		}
		l.Outcome = outcomeOf(report.Rule, p.StatusAt(l.FoundAt) != policy.Valid)
		if first, err = noteLeak(ctx, q, l, report); err != nil || !first || l.Outcome != leak.Revoked {
			return err
		}
		rev, err = s.endLeakedToken(ctx, q, l.Key, report.Reason, report.Revoked)
		return err
	})
	return first, rev, err
}

func (s *Store) endLeakedToken(ctx context.Context, q querier, token id.Key, reason string, ev audit.Event) (id.Revision, error) {
	if _, err := q.ExecContext(ctx, `UPDATE personal_token SET revoked_at = $2, revoke_reason = $3 WHERE id = $1`, string(token), micros(ev.At), reason); err != nil {
		return 0, err
	}
	if err := s.revoke(ctx, q, string(token), ev.At); err != nil {
		return 0, err
	}
	return s.finish(ctx, q, ev, change{changes.Key, string(token)}, change{changes.Revocation, string(token)})
}

// DueLeaks implements leak.Store.
func (s *Store) DueLeaks(ctx context.Context, now time.Time, limit int) (due []*leak.Leak, err error) {
	err = s.read("list leaks that are due", func(q querier) error {
		due, err = leaks(ctx, q, ` WHERE outcome = 'waiting' AND due_at <= $1 ORDER BY due_at, id LIMIT $2`, micros(now), limit)
		return err
	})
	return due, err
}

// EndLeak implements leak.Store. The thing is locked before its leak, as a report does; then the conditional UPDATE decides who of
// several ends it. It comes before the revocation, and with it or not at all.
func (s *Store) EndLeak(ctx context.Context, l *leak.Leak, now time.Time, reason string, revoked audit.Event) (done bool, rev id.Revision, err error) {
	err = s.step(ctx, "end what leaked", func(ctx context.Context, q querier) error {
		table := "api_key"
		if l.Kind == secret.Personal {
			table = "personal_token"
		}
		if err := lockRow(ctx, q, table, string(l.Key)); err != nil {
			return err
		}
		k, dead, err := s.leaked(ctx, q, l, now)
		if err != nil {
			return err
		}
		outcome := leak.Revoked
		if dead {
			outcome = leak.Mended
		}
		done, err = decides(ctx, q, `UPDATE leak SET outcome = $2 WHERE id = $1 AND outcome = 'waiting' AND due_at <= $3`, string(l.ID), string(outcome), micros(now))
		switch {
		case err != nil || !done || dead:
			return err
		case k == nil:
			rev, err = s.endLeakedToken(ctx, q, l.Key, reason, revoked)
		default:
			rev, err = s.endLeakedKey(ctx, q, k, l.Version, reason, revoked)
		}
		return err
	})
	return done, rev, err
}

// leaked reads what a leak is about, a key or (nil) a personal token, and whether it works no more. What is gone does not.
func (s *Store) leaked(ctx context.Context, q querier, l *leak.Leak, now time.Time) (k *key.Key, dead bool, err error) {
	if l.Kind == secret.Personal {
		var p *key.Personal
		if p, err = onePersonal(ctx, q, l.User, l.Key); err == nil {
			dead = p.StatusAt(now) != policy.Valid
		}
	} else if k, err = oneKey(ctx, q, audit.ServerReach(), l.Key); err == nil {
		dead = leakedKeyIsDead(k, l.Version, now)
	}
	if fault.Is(err, fault.NotFound) {
		return nil, true, nil
	}
	return k, dead, err
}

// Leaks implements leak.Store.
func (s *Store) Leaks(ctx context.Context, reach audit.Reach, f leak.Filter) (all []*leak.Leak, err error) {
	err = s.read("list leaks", func(q querier) error {
		w := within("team_id", reach).given("team_id = ?", string(f.Team)).after("found_at, id", f.Before, f.BeforeID)
		all, err = leaks(ctx, q, w.String()+` ORDER BY found_at DESC, id DESC LIMIT `+w.arg(f.Limit), w.args...)
		return err
	})
	return all, err
}

// LeaksOfUser implements leak.Store.
func (s *Store) LeaksOfUser(ctx context.Context, userID id.User, limit int) (all []*leak.Leak, err error) {
	err = s.read("list leaks of a user's tokens", func(q querier) error {
		all, err = leaks(ctx, q, ` WHERE user_id = $1 AND user_id <> '' ORDER BY found_at DESC, id DESC LIMIT $2`, string(userID), limit)
		return err
	})
	return all, err
}

func leaks(ctx context.Context, q querier, tail string, args ...any) (all []*leak.Leak, err error) {
	rows, err := q.QueryContext(ctx, `SELECT id, key_id, version, team_id, user_id, kind, name, place, source, outcome, found_at, due_at FROM leak`+tail, args...) // #nosec G202 -- constants
	if err != nil {
		return nil, err
	}
	err = scanAll(rows, func() error {
		var l leak.Leak
		var found, due int64
		err := rows.Scan(&l.ID, &l.Key, &l.Version, &l.Team, &l.User, &l.Kind, &l.Name, &l.Place, &l.Source, &l.Outcome, &found, &due)
		l.FoundAt, l.DueAt = moment(found), moment(due)
		all = append(all, &l)
		return err
	})
	return all, err
}

// idsAtOnce is how many ids one statement asks for.
const idsAtOnce = 500

// KnownIDs implements leak.Store. Each id is looked for among keys and personal tokens alike, in few statements.
func (s *Store) KnownIDs(ctx context.Context, ids []id.Key) (map[id.Key]bool, error) {
	known := map[id.Key]bool{}
	for some := range slices.Chunk(ids, idsAtOnce) {
		if err := s.read("look for ids", func(q querier) error {
			in := placeholders(1, len(some))
			rows, err := q.QueryContext(ctx, `SELECT id FROM api_key WHERE id IN (`+in+`) UNION ALL SELECT id FROM personal_token WHERE id IN (`+in+`)`, anys(texts(some))...) //nolint:sqlclosecheck // scanAll closes them
			if err != nil {
				return err
			}
			return scanAll(rows, func() error {
				var found id.Key
				err := rows.Scan(&found)
				known[found] = true
				return err
			})
		}); err != nil {
			return nil, err
		}
	}
	return known, nil
}
