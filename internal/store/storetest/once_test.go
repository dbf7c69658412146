package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
)

// What may be presented once passes once, whatever it is made of and however long it is.
func TestOnce(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		for _, what := range []string{"", "a", "A", "a\x00", "\xff", "\xfe", "a ", strings.Repeat("a", 100_000), strings.Repeat("a", 100_001)} {
			for _, want := range []bool{true, false, false} {
				if first, err := st.Once(ctx, what, t0); first != want || err != nil {
					t.Errorf("Once(%.10q, %d long) = %t, %v, want %t", what, len(what), first, err, want)
				}
			}
		}
		must(t, st.TrimGrants(ctx, t0.Add(time.Minute-time.Microsecond)))
		if first, err := st.Once(ctx, "a", t0); first || err != nil {
			t.Errorf("Once before the note may go = %t, %v, want false", first, err)
		}
		must(t, st.TrimGrants(ctx, t0.Add(time.Minute)))
		if first, err := st.Once(ctx, "a", t0); !first || err != nil {
			t.Errorf("Once after the note went = %t, %v, want true", first, err)
		}
	})
}

// Each thing stays until the last microsecond in which it may be asked for.
func TestTrimGrants(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		g := freshGrant(t, st)
		r, p, c, d := newRequest(t, st, g.App), newPushed(t, st, g.App), issued(t, st, g), newDevice(t, st, g.App, false)
		idle, revoked, live := redeemed(t, st, g), redeemed(t, st, g), aFamily(g)
		must(t, second(st.RevokeFamily(ctx, revoked.ID, event("family.revoke"))))
		live.IdleAt = t0.Add(grant.FamilyLife)
		wantOutcome(t, "RedeemCode", grant.Won)(st.RedeemCode(ctx, issued(t, st, g).ID, live.ID, live, t0))
		const day = 24 * time.Hour
		for _, thing := range []struct {
			name string
			goes time.Time
			read func() error
		}{
			{"pushed", p.ExpiresAt, func() error { return second(st.Pushed(ctx, p.ID)) }},
			{"request", r.ExpiresAt, func() error { return second(st.Request(ctx, r.ID, browser, t0)) }},
			{"device", d.ExpiresAt.Add(time.Hour), func() error { return second(st.Device(ctx, d.ID)) }},
			{"code", c.ExpiresAt.Add(25 * time.Hour), func() error { return second(st.Code(ctx, c.ID)) }},
			{"revoked chain", t0.Add(changes.RevocationLife + day), func() error { return second(st.Family(ctx, revoked.ID)) }},
			{"idle chain", idle.IdleAt.Add(day), func() error { return second(st.Family(ctx, idle.ID)) }},
		} {
			must(t, st.TrimGrants(ctx, thing.goes.Add(-time.Microsecond)))
			if err := thing.read(); err != nil {
				t.Errorf("%s in its last microsecond = %v, want it there", thing.name, err)
			}
			must(t, st.TrimGrants(ctx, thing.goes))
			wantKind(t, thing.name+" afterwards", thing.read(), fault.NotFound)
		}
		wantChain(t, st, live)
		must(t, second(st.GrantForDecision(ctx, g.ID)))
	})
}

// More rows than one step takes go as well.
func TestTrimManyRows(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		g := freshGrant(t, st)
		live := redeemed(t, st, g)
		raw := db.raw(t)
		many := func(query string) {
			t.Helper()
			must(t, second(raw.ExecContext(ctx, `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) `+query)))
		}
		at := t0.UnixMicro()
		many(fmt.Sprintf(`INSERT INTO seen_once (id, until) SELECT 'seen ' || CAST(i AS TEXT), %d + i FROM n`, at))
		many(fmt.Sprintf(`INSERT INTO family (id, app_id, user_id, grant_id, session_id, mode, issue, seed, counter, key_version, created_at, rotated_at, used_at, idle_at, expires_at, revoked_at)
			SELECT 'fam ' || CAST(i AS TEXT), app_id, user_id, grant_id, '', mode, issue, seed, 0, 1, created_at, rotated_at, %d + i, %d + i, expires_at, 0 FROM n, family WHERE id = '%s'`, at, at, live.ID))
		must(t, st.TrimGrants(ctx, t0.Add(25*time.Hour)))
		if n := rowCounts(t, db)["seen_once"]; n != 0 {
			t.Errorf("%d notes left, want none", n)
		}
		if n := families(t, db); n != 1 {
			t.Errorf("%d chains left, want the one that lives", n)
		}
		got, err := st.GrantForDecision(ctx, g.ID)
		if want := time.UnixMicro(at + 2500).UTC(); err != nil || !got.LastUsedAt.Equal(want) {
			t.Errorf("GrantForDecision = %+v, %v, want it used at %s", got, err, want)
		}
	})
}

// rowCounts is the number of rows of each table that grants and what hangs on them could fill.
func rowCounts(t *testing.T, db database) map[string]int {
	t.Helper()
	counts, raw := map[string]int{}, db.raw(t)
	for _, table := range []string{
		"grants", "auth_request", "pushed_request", "auth_code", "family", "device", "seen_once", "revocation", "change_entry", "audit_event", "outbox", "delivery", "session", "session_app", "logout_notice",
	} {
		var n int
		must(t, raw.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+table).Scan(&n))
		counts[table] = n
	}
	return counts
}

// No token is a row: 2,000 rotations, signs of life and redemptions leave one row for each code and each chain that was kept.
func TestNoRowPerToken(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		g := freshGrant(t, st)
		f, kept := redeemed(t, st, g), redeemed(t, st, g)
		want := rowCounts(t, db)
		for i := range uint32(900) {
			now := t0.Add(time.Duration(i) * time.Hour)
			rotated(t, st, f.ID, i, now, grant.Won)
			_, outcome, err := st.RotateRefresh(ctx, grant.Rotation{Family: kept.ID, Keep: true, Now: now})
			wantOutcome(t, "RotateRefresh that keeps", grant.Won)(outcome, err)
		}
		if diff := cmp.Diff(want, rowCounts(t, db)); diff != "" {
			t.Errorf("rows after 1,800 rotations, -want +got:\n%s", diff)
		}
		for i := range 200 {
			c, f := issued(t, st, g), aFamily(g)
			made := f
			if i%2 == 0 {
				made = nil
			} else {
				want["family"]++
			}
			wantOutcome(t, "RedeemCode", grant.Won)(st.RedeemCode(ctx, c.ID, f.ID, made, t0))
			want["auth_code"]++
		}
		if diff := cmp.Diff(want, rowCounts(t, db)); diff != "" {
			t.Errorf("rows after 200 redemptions, -want +got:\n%s", diff)
		}
		must(t, st.TrimGrants(ctx, t0.Add(26*time.Hour)))
		want["auth_code"] = 0
		if diff := cmp.Diff(want, rowCounts(t, db)); diff != "" {
			t.Errorf("rows a day later, -want +got:\n%s", diff)
		}
	})
}
