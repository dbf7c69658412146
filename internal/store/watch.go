package store

import (
	"context"
	"errors"
	"time"

	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/outbox"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// ofWorkingApp leaves out the keys that are refused for their owner's sake.
const ofWorkingApp = `EXISTS (SELECT 1 FROM app a JOIN team t ON t.id = a.team_id WHERE a.id = k.app_id AND a.deleted_at = 0 AND a.disabled_at = 0 AND t.suspended_at = 0)`

// Watched lists keys with what is known of their use, newest first.
func (s *Store) Watched(ctx context.Context, reach audit.Reach, f key.WatchFilter) (all []*key.Watched, err error) {
	err = s.snapshot(ctx, "look keys over", func(q querier) error {
		w := within("k.team_id", reach).and("k.deleted_at = 0 AND k.revoked_at = 0 AND k.disabled_at = 0 AND "+ofWorkingApp).
			and("(k.expires_at = 0 OR k.expires_at > ?)", micros(f.Since)).
			given("k.team_id = ?", string(f.Team)).given("k.id = ?", string(f.Key)).after("k.created_at, k.id", f.Before, f.BeforeID)
		rows, err := q.QueryContext(ctx, keySelect+w.newest("k.", f.Key != "", f.Limit), w.args...)
		if err != nil {
			return err
		}
		var keys []*key.Key
		if err := scanAll(rows, func() error {
			k, err := scanKey(rows)
			keys = append(keys, k)
			return err
		}); err != nil || len(keys) == 0 {
			return err
		}
		if err := loadVersions(ctx, q, keys...); err != nil {
			return err
		}
		for _, k := range keys {
			all = append(all, &key.Watched{Key: k})
		}
		return loadUses(ctx, q, all)
	})
	return all, err
}

// loadUses reads the names of the keys' apps, their networks, and when they stood in an address.
func loadUses(ctx context.Context, q querier, all []*key.Watched) error {
	byID, byApp := make(map[id.Key]*key.Watched, len(all)), map[id.App][]*key.Watched{}
	ids, apps := make([]string, 0, len(all)), []string{}
	for _, w := range all {
		byID[w.ID] = w
		ids = append(ids, string(w.ID))
		if byApp[w.App] == nil {
			apps = append(apps, string(w.App))
		}
		byApp[w.App] = append(byApp[w.App], w)
	}
	named := (&where{}).oneOf("id", apps)
	rows, err := q.QueryContext(ctx, `SELECT id, name FROM app`+named.String(), named.args...)
	if err != nil {
		return err
	}
	if err := scanAll(rows, func() error {
		var appID id.App
		var name string
		err := rows.Scan(&appID, &name)
		for _, w := range byApp[appID] {
			w.AppName = name
		}
		return err
	}); err != nil {
		return err
	}
	of := (&where{}).oneOf("key_id", ids)
	// A key can have a few more than it should, where several nodes saw it first.
	seen := of.clone()
	rows, err = q.QueryContext(ctx, `SELECT key_id, network, first_at, last_at FROM api_key_network`+of.String()+` LIMIT `+seen.arg(len(all)*2*usage.MaxNetworks), seen.args...)
	if err != nil {
		return err
	}
	if err := scanAll(rows, func() error {
		var keyID id.Key
		var seen advice.Seen
		var first, last int64
		err := rows.Scan(&keyID, &seen.Network, &first, &last)
		if w := byID[keyID]; w != nil && len(w.Networks) < usage.MaxNetworks {
			seen.First, seen.Last = moment(first), moment(last)
			w.Networks = append(w.Networks, seen)
		}
		return err
	}); err != nil {
		return err
	}
	rows, err = q.QueryContext(ctx, `SELECT key_id, at, api FROM api_key_query`+of.String(), of.args...)
	if err != nil {
		return err
	}
	return scanAll(rows, func() error {
		var keyID id.Key
		var at int64
		var api string
		err := rows.Scan(&keyID, &at, &api)
		if w := byID[keyID]; w != nil {
			w.InQuery, w.QueryAPI = moment(at), api
		}
		return err
	})
}

// LooksDue lists the teams whose keys are to be looked over, those that wait longest first.
func (s *Store) LooksDue(ctx context.Context, now time.Time, limit int) (due []outbox.Look, err error) {
	err = s.read("ask whose keys are to be looked over", func(q querier) error {
		rows, err := q.QueryContext(ctx, `SELECT id, look_at, digest_at, digest_off, told FROM team WHERE look_at <= $1 ORDER BY look_at LIMIT $2`, micros(now), limit)
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			var l outbox.Look
			var at, digest, off int64
			var told string
			err := rows.Scan(&l.Team, &at, &digest, &off, &told)
			l.At, l.DigestAt, l.Off = moment(at), moment(digest), off == 1
			due = append(due, l)
			return errors.Join(err, decode(told, &due[len(due)-1].Told))
		})
	})
	return due, err
}

// Looked writes down what a look led to, all of it or nothing. The conditional UPDATE comes first: of several that looked, one tells;
// the others get false. What webhooks were told once they are not told again. Housekeeping: no audit line, no change entry.
func (s *Store) Looked(ctx context.Context, l outbox.Looked, now time.Time) (first bool, err error) {
	told, err := encode(append([]string{}, l.Told...))
	if err != nil {
		return false, err
	}
	err = s.step(ctx, "look keys over", func(ctx context.Context, q querier) error {
		first, err = decides(ctx, q, `UPDATE team SET look_at = $3, digest_at = $4, told = $5 WHERE id = $1 AND look_at = $2`,
			string(l.Team), micros(l.Was), micros(l.At), micros(l.DigestAt), told)
		if err != nil || !first {
			return err
		}
		for _, m := range l.Messages {
			fresh, err := decides(ctx, q, `INSERT INTO outbox (id, kind, subject, team_id, body, created_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (kind, subject) DO NOTHING`,
				string(m.ID), string(m.Kind), m.Subject, string(m.Team), m.Body, micros(m.CreatedAt))
			if err != nil {
				return err
			}
			if !fresh {
				continue
			}
			if err := tell(ctx, q, m); err != nil {
				return err
			}
		}
		for _, letter := range l.Letters {
			if err := post(ctx, q, factor.Letter{ID: letter.ID, Kind: "mail", Sealed: letter.Sealed}, now); err != nil {
				return err
			}
		}
		return forgetNetworks(ctx, q, l.Team, l.Forget)
	})
	return first && err == nil, err
}

// forgetNetworks deletes networks that a team's keys were not used from since a time. The latest of a key stays: whether the next one
// is new is told by it.
func forgetNetworks(ctx context.Context, q querier, teamID id.Team, before time.Time) error {
	_, err := q.ExecContext(ctx, `DELETE FROM api_key_network WHERE key_id IN (SELECT k.id FROM api_key k WHERE k.team_id = $1) AND last_at < $2
		AND EXISTS (SELECT 1 FROM api_key_network o WHERE o.key_id = api_key_network.key_id AND (o.last_at, o.network) > (api_key_network.last_at, api_key_network.network))`,
		string(teamID), micros(before))
	return err
}
