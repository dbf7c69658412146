package store

import (
	"context"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/leak"
	"github.com/lanyard-auth/lanyard/internal/policy"
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
		status := k.StatusAt(l.FoundAt)
		l.Outcome = outcomeOf(l, status == policy.Revoked || status == policy.Expired || versionEnded(k, l.Version, l.FoundAt))
		if first, err = noteLeak(ctx, q, l, report); err != nil || !first {
			return err
		}
		if l.Outcome != leak.Revoked {
			return nil
		}
		// A secret that was rotated away ends alone: the one that took its place is in nobody else's hands.
		version := l.Version
		if current := k.Current(); current != nil && current.Number == version {
			version = 0
		}
		before := revokedSubjects(k)
		if err := k.Revoke(l.FoundAt, report.Reason, version); err != nil {
			return err
		}
		rev, err = s.keepKey(ctx, q, k, before, report.Revoked)
		return err
	})
	return first, rev, err
}

// outcomeOf is what becomes of a leak.
func outcomeOf(l *leak.Leak, dead bool) leak.Outcome {
	switch {
	case dead:
		return leak.DeadByNow
	case leak.PolicyOf(l.Kind) == leak.Revoke:
		return leak.Revoked
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

// noteLeak writes a leak down, tells whom it concerns, and reports whether nobody did so before. The unique key decides: of several
// reports of a secret one is the first.
func noteLeak(ctx context.Context, q querier, l *leak.Leak, report leak.Report) (bool, error) {
	first, err := decides(ctx, q, `INSERT INTO leak (id, key_id, version, team_id, user_id, kind, name, place, outcome, found_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (key_id, version) DO NOTHING`,
		string(l.ID), string(l.Key), l.Version, string(l.Team), string(l.User), string(l.Kind), l.Name, l.Place, string(l.Outcome), micros(l.FoundAt))
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
		l.Outcome = outcomeOf(l, !p.RevokedAt.IsZero() || !l.FoundAt.Before(p.ExpiresAt))
		if first, err = noteLeak(ctx, q, l, report); err != nil || !first || l.Outcome != leak.Revoked {
			return err
		}
		if _, err := q.ExecContext(ctx, `UPDATE personal_token SET revoked_at = $2, revoke_reason = $3 WHERE id = $1`, string(l.Key), micros(l.FoundAt), report.Reason); err != nil {
			return err
		}
		if err := s.revoke(ctx, q, string(l.Key), l.FoundAt); err != nil {
			return err
		}
		rev, err = s.finish(ctx, q, report.Revoked, change{changes.Key, string(l.Key)}, change{changes.Revocation, string(l.Key)})
		return err
	})
	return first, rev, err
}

// Leaks implements leak.Store.
func (s *Store) Leaks(ctx context.Context, reach audit.Reach, f leak.Filter) (all []*leak.Leak, err error) {
	err = s.read("list leaks", func(q querier) error {
		w := within("team_id", reach).given("team_id = ?", string(f.Team)).after("found_at, id", f.Before, f.BeforeID)
		rows, err := q.QueryContext(ctx, `SELECT id, key_id, version, team_id, user_id, kind, name, place, outcome, found_at FROM leak`+w.String()+
			` ORDER BY found_at DESC, id DESC LIMIT `+w.arg(f.Limit), w.args...)
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			var l leak.Leak
			var found int64
			err := rows.Scan(&l.ID, &l.Key, &l.Version, &l.Team, &l.User, &l.Kind, &l.Name, &l.Place, &l.Outcome, &found)
			l.FoundAt = moment(found)
			all = append(all, &l)
			return err
		})
	})
	return all, err
}
