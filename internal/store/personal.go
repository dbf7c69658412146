package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
)

// CreatePersonal implements key.PersonalStore. The epoch is the one the caller saw: a token that was made while somebody
// ended them all is dead from birth.
func (s *Store) CreatePersonal(ctx context.Context, p *key.Personal, ev audit.Event) (rev id.Revision, err error) {
	scopes, restrictions, err := encodeTwo(p.Scopes, p.Restrictions)
	if err != nil {
		return 0, err
	}
	err = s.step(ctx, "create a personal token", func(ctx context.Context, q querier) error {
		if _, err := oneUser(ctx, q, p.User); err != nil {
			return err
		}
		if _, err := q.ExecContext(ctx, `
			INSERT INTO personal_token (id, user_id, name, mode, prefix, scopes, restrictions, digest, pepper, epoch, created_at, expires_at, warned_days, revoked_at, revoke_reason)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, 0, '')`,
			string(p.ID), string(p.User), p.Name, string(p.Mode), p.Prefix, scopes, restrictions, p.Digest, p.Pepper, p.Epoch,
			micros(p.CreatedAt), micros(p.ExpiresAt)); err != nil {
			return err
		}
		rev, err = s.finish(ctx, q, ev, change{changes.Key, string(p.ID)})
		return err
	})
	return rev, err
}

const personalSelect = `SELECT p.id, p.user_id, p.name, p.mode, p.prefix, p.scopes, p.restrictions, p.digest, p.pepper, p.epoch,
	p.created_at, p.expires_at, p.revoked_at, p.revoke_reason, COALESCE(u.at, 0), COALESCE(u.network, ''), COALESCE(u.api, ''), COALESCE(u.operation, '')
	FROM personal_token p LEFT JOIN api_key_use u ON u.key_id = p.id`

func scanPersonal(row scanner) (*key.Personal, error) {
	var p key.Personal
	var scopes, restrictions string
	var created, expires, revoked, used int64
	if err := row.Scan(&p.ID, &p.User, &p.Name, &p.Mode, &p.Prefix, &scopes, &restrictions, &p.Digest, &p.Pepper, &p.Epoch,
		&created, &expires, &revoked, &p.RevokeReason, &used, &p.LastUsed.Network, &p.LastUsed.API, &p.LastUsed.Operation); err != nil {
		return nil, err
	}
	p.CreatedAt, p.ExpiresAt, p.RevokedAt, p.LastUsed.At = moment(created), moment(expires), moment(revoked), moment(used)
	return &p, decodeTwo(scopes, &p.Scopes, restrictions, &p.Restrictions)
}

// PersonalForDecision implements key.PersonalStore.
func (s *Store) PersonalForDecision(ctx context.Context, token id.Key) (*key.Personal, error) {
	return s.Personal(ctx, "", token)
}

// Personal implements key.PersonalStore. Revoked ones are there: their user sees what became of them.
func (s *Store) Personal(ctx context.Context, userID id.User, token id.Key) (p *key.Personal, err error) {
	err = s.read("read a personal token", func(q querier) error {
		p, err = onePersonal(ctx, q, userID, token)
		return err
	})
	return p, err
}

func onePersonal(ctx context.Context, q querier, userID id.User, token id.Key) (*key.Personal, error) {
	w := (&where{}).and("p.id = ?", string(token)).given("p.user_id = ?", string(userID))
	p, err := scanPersonal(q.QueryRowContext(ctx, personalSelect+w.String(), w.args...))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fault.Missing("personal token", string(token))
	}
	return p, err
}

// Personals implements key.PersonalStore.
func (s *Store) Personals(ctx context.Context, f key.PersonalFilter) (tokens []*key.Personal, err error) {
	err = s.read("list personal tokens", func(q querier) error {
		w := (&where{}).given("p.user_id = ?", string(f.User)).after("p.created_at, p.id", f.Before, f.BeforeID)
		tokens, err = personals(ctx, q, w.String()+` ORDER BY p.created_at DESC, p.id DESC LIMIT `+w.arg(f.Limit), w.args...)
		return err
	})
	return tokens, err
}

func personals(ctx context.Context, q querier, tail string, args ...any) (tokens []*key.Personal, err error) {
	rows, err := q.QueryContext(ctx, personalSelect+tail, args...)
	if err != nil {
		return nil, err
	}
	err = scanAll(rows, func() error {
		p, err := scanPersonal(rows)
		tokens = append(tokens, p)
		return err
	})
	return tokens, err
}

// RevokePersonal implements key.PersonalStore. Of a token that was revoked before, the revision is that of now: who waits for
// it waits for the revocation too.
func (s *Store) RevokePersonal(ctx context.Context, userID id.User, token id.Key, reason string, ev audit.Event) (p *key.Personal, rev id.Revision, err error) {
	err = s.step(ctx, "revoke a personal token", func(ctx context.Context, q querier) error {
		if err := lockRow(ctx, q, "personal_token", string(token)); err != nil {
			return err
		}
		if p, err = onePersonal(ctx, q, userID, token); err != nil {
			return err
		}
		if !p.RevokedAt.IsZero() {
			return q.QueryRowContext(ctx, `SELECT revision FROM change_head WHERE id = 1`).Scan(&rev)
		}
		p.RevokedAt, p.RevokeReason = moment(micros(ev.At)), reason
		if _, err := q.ExecContext(ctx, `UPDATE personal_token SET revoked_at = $2, revoke_reason = $3 WHERE id = $1`, string(token), micros(ev.At), reason); err != nil {
			return err
		}
		if err := s.revoke(ctx, q, string(token), ev.At); err != nil {
			return err
		}
		rev, err = s.finish(ctx, q, ev, change{changes.Key, string(token)}, change{changes.Revocation, string(token)})
		return err
	})
	return p, rev, err
}

// UpgradePersonal implements key.PersonalStore.
func (s *Store) UpgradePersonal(ctx context.Context, token id.Key, old []byte, pepper int, digest []byte) error {
	return s.step(ctx, "upgrade a personal token's digest", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, `UPDATE personal_token SET digest = $4, pepper = $3 WHERE id = $1 AND digest = $2`, string(token), old, pepper, digest)
		return err
	})
}

// ExpiringPersonal implements key.PersonalStore.
func (s *Store) ExpiringPersonal(ctx context.Context, of key.Expiring) (tokens []*key.Personal, err error) {
	err = s.read("list tokens that expire soon", func(q querier) error {
		from := of.Now
		if of.After.After(from) {
			from = of.After
		}
		w := (&where{}).and(`p.expires_at > ? AND p.expires_at <= ?`, micros(of.Now), micros(of.Now.Add(time.Duration(of.Days)*24*time.Hour))).
			and(`(p.expires_at, p.id) > (?, ?)`, micros(from), string(of.AfterID)).
			and(`(p.warned_days = 0 OR p.warned_days > ?) AND p.revoked_at = 0`, of.Days).
			and(`EXISTS (SELECT 1 FROM users o WHERE o.id = p.user_id AND o.disabled_at = 0 AND o.epoch = p.epoch)`)
		tokens, err = personals(ctx, q, w.String()+` ORDER BY p.expires_at, p.id LIMIT `+w.arg(of.Limit), w.args...)
		return err
	})
	return tokens, err
}

// WarnPersonal implements manage.Accounts. The conditional UPDATE comes first: of several who would warn one posts.
func (s *Store) WarnPersonal(ctx context.Context, token id.Key, days int, letter factor.Letter, now time.Time) (warned bool, err error) {
	err = s.step(ctx, "warn of a token's end", func(ctx context.Context, q querier) error {
		warned, err = decides(ctx, q, `UPDATE personal_token SET warned_days = $2 WHERE id = $1 AND (warned_days = 0 OR warned_days > $2) AND revoked_at = 0`, string(token), days)
		if err != nil || !warned {
			return err
		}
		return post(ctx, q, letter, now)
	})
	return warned && err == nil, err
}
