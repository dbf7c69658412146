package store

import (
	"cmp"
	"context"
	"database/sql"
	"maps"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/keyring"
)

// Report says what a restoration did, and what it could not do or has undone: somebody has to look after that.
type Report struct {
	Backup   Summary
	Revision id.Revision
	Rows     map[string]int64 // that came from the backup, by table

	// UsageKept says that the database's own count stayed, and got only those segments that it did not have.
	UsageKept bool
	// Revoked are the revocations since the backup that were applied again: "key_…", "key_…#2" for one version, "grant_…",
	// "fam_…" for a chain of refresh tokens, or "user_…^2" for all tokens up to that epoch.
	Revoked []string
	// Gone was made since: it is no more, and credentials among it are refused.
	Gone []Thing
	// Back was deleted, disabled, suspended or taken away since: it works again.
	Back []Thing
	// Reverted was changed since (rights, restrictions, limits): it is as it was.
	Reverted []Thing
	// Rotations were made since and are undone.
	Rotations []UndoneRotation
}

// Thing is something a restoration touched.
type Thing struct {
	Kind string // user, team, member, app, key, personal token, grant, api, subscription
	ID   string
	Name string
}

// UndoneRotation is a key whose newest secrets are gone with their rotation.
type UndoneRotation struct {
	Key     id.Key
	Refused []int     // versions whose secrets are refused from now on
	Good    int       // the version whose secret is the current one again; 0: none is left
	Until   time.Time // when Good stops working; zero: not before it is rotated
}

// standing is what a restoration has to know of a database, before and after.
type standing struct {
	head        int64
	system      id.Team // the built-in team; "": none yet
	unused      bool    // nobody and nothing in it but what the server made itself
	keyring     keyring.State
	things      map[Thing]thingState
	revokedKeys []revokedKey
	versions    []versionState
	revocations []revocationRow
}

// thingState is whether a thing works, and what it may do.
type thingState struct {
	off   bool
	state string
}

type revokedKey struct {
	key           id.Key
	at, deletedAt int64
	reason        string
}

type versionState struct {
	key                          id.Key
	number                       int
	createdAt, endsAt, revokedAt int64
}

type revocationRow struct {
	subject   string
	at, until int64
}

// look reads the standing of the database as it is now.
func (r *restore) look(ctx context.Context) (st *standing, err error) {
	st = &standing{things: map[Thing]thingState{}}
	if err := r.q.QueryRowContext(ctx, `SELECT revision FROM change_head WHERE id = 1`).Scan(&st.head); err != nil {
		return nil, err
	}
	var used int64
	if err := r.q.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM users) + (SELECT COUNT(*) FROM api_key) + (SELECT COUNT(*) FROM api) +
		(SELECT COUNT(*) FROM team WHERE system = 0) + (SELECT COUNT(*) FROM usage_segment)`).Scan(&used); err != nil {
		return nil, err
	}
	st.unused = used == 0
	if st.system, _, err = systemTeam(ctx, r.q); err != nil {
		return nil, err
	}
	if st.keyring, err = loadKeyring(ctx, r.q); err != nil {
		return nil, err
	}
	if err := r.lookAtThings(ctx, st); err != nil {
		return nil, err
	}
	if err := r.lookAtRevoked(ctx, st); err != nil {
		return nil, err
	}
	rows, err := r.q.QueryContext(ctx, `SELECT key_id, version, created_at, ends_at, revoked_at FROM api_key_version ORDER BY key_id, version`)
	if err != nil {
		return nil, err
	}
	return st, scanAll(rows, func() error {
		var v versionState
		err := rows.Scan(&v.key, &v.number, &v.createdAt, &v.endsAt, &v.revokedAt)
		st.versions = append(st.versions, v)
		return err
	})
}

func (r *restore) lookAtThings(ctx context.Context, st *standing) error {
	rows, err := r.q.QueryContext(ctx, `
		SELECT 'user', id, email, disabled_at, CAST(admin AS TEXT) || limits FROM users
		UNION ALL SELECT 'team', id, name, suspended_at, limits || stripe_customer FROM team
		UNION ALL SELECT 'member', team_id || '/' || user_id, role, 0, role FROM member
		UNION ALL SELECT 'app', id, name, disabled_at + deleted_at, type || limits || oauth FROM app
		UNION ALL SELECT 'key', id, name, disabled_at + deleted_at + revoked_at,
			scopes || restrictions || apis || limits || '/' || CAST(not_before AS TEXT) || '/' || CAST(expires_at AS TEXT) FROM api_key
		UNION ALL SELECT 'personal token', id, name, revoked_at, scopes || restrictions FROM personal_token
		UNION ALL SELECT 'grant', g.id, u.email || ' / ' || a.name, g.revoked_at, g.scopes FROM grants g JOIN users u ON u.id = g.user_id JOIN app a ON a.id = g.app_id
		UNION ALL SELECT 'api', name, name, 0, spec FROM api
		UNION ALL SELECT 'subscription', team_id || '/' || api, plan, 0, plan FROM subscription s
			WHERE since = (SELECT MAX(o.since) FROM subscription o WHERE o.team_id = s.team_id AND o.api = s.api)`)
	if err != nil {
		return err
	}
	return scanAll(rows, func() error {
		var t Thing
		var off int64
		var state string
		if err := rows.Scan(&t.Kind, &t.ID, &t.Name, &off, &state); err != nil {
			return err
		}
		st.things[Thing{Kind: t.Kind, ID: t.ID}] = thingState{off: off > 0, state: state}
		r.names[Thing{Kind: t.Kind, ID: t.ID}] = t.Name // as it is called after, once that was looked at
		return nil
	})
}

func (r *restore) lookAtRevoked(ctx context.Context, st *standing) error {
	keys, err := r.q.QueryContext(ctx, `SELECT id, revoked_at, revoke_reason, deleted_at FROM api_key WHERE revoked_at > 0 ORDER BY id`)
	if err != nil {
		return err
	}
	if err := scanAll(keys, func() error {
		var k revokedKey
		err := keys.Scan(&k.key, &k.at, &k.reason, &k.deletedAt)
		st.revokedKeys = append(st.revokedKeys, k)
		return err
	}); err != nil {
		return err
	}
	memory, err := r.q.QueryContext(ctx, `SELECT subject, at, until FROM revocation`)
	if err != nil {
		return err
	}
	return scanAll(memory, func() error {
		var v revocationRow
		err := memory.Scan(&v.subject, &v.at, &v.until)
		st.revocations = append(st.revocations, v)
		return err
	})
}

// carried notes a revocation that was applied again, if a row took it.
func (r *restore) carried(result sql.Result, err error, subject string) error {
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if n > 0 {
		r.report.Revoked = append(r.report.Revoked, subject)
	}
	return err
}

// compare fills in the report from how things stand after.
func (r *restore) compare(after *standing) {
	for _, t := range slices.SortedFunc(maps.Keys(r.names), compareThings) {
		was, before := r.before.things[t]
		is, now := after.things[t]
		named := Thing{Kind: t.Kind, ID: t.ID, Name: r.names[t]}
		switch {
		case before && !now && !was.off:
			r.report.Gone = append(r.report.Gone, named)
		case before && now && was.off && !is.off, !before && now && !is.off && !r.before.unused:
			r.report.Back = append(r.report.Back, named)
		case before && now && !is.off && was.state != is.state:
			r.report.Reverted = append(r.report.Reverted, named)
		}
	}
	r.compareRotations(after)
}

func compareThings(x, y Thing) int {
	return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.ID, y.ID))
}

// compareRotations finds the versions that are no more, of keys that still work.
func (r *restore) compareRotations(after *standing) {
	type version struct {
		key       id.Key
		number    int
		createdAt int64
	}
	there := make(map[version]bool, len(after.versions))
	current := map[id.Key]versionState{}
	for _, v := range after.versions { // by number
		there[version{v.key, v.number, v.createdAt}] = true
		if v.revokedAt == 0 {
			current[v.key] = v
		}
	}
	undone := map[id.Key]*UndoneRotation{}
	for _, v := range r.before.versions {
		is, works := after.things[Thing{Kind: "key", ID: string(v.key)}]
		if there[version{v.key, v.number, v.createdAt}] || v.revokedAt > 0 || !works || is.off {
			continue
		}
		u := undone[v.key]
		if u == nil {
			u = &UndoneRotation{Key: v.key, Good: current[v.key].number, Until: moment(current[v.key].endsAt)}
			undone[v.key] = u
		}
		u.Refused = append(u.Refused, v.number)
	}
	for _, k := range slices.Sorted(maps.Keys(undone)) {
		r.report.Rotations = append(r.report.Rotations, *undone[k])
	}
}
