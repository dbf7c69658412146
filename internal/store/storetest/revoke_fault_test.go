package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/pgtest"
	"github.com/lanyard-auth/lanyard/internal/store"
)

// takeBacks are the ways to end something under a grant.
func takeBacks(st *store.Store, g id.Grant, f id.Family, reused id.Code) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"RevokeGrant": func(ctx context.Context) error {
			return second(st.RevokeGrant(ctx, audit.ServerReach(), "", g, event("grant.revoke")))
		},
		"RevokeFamily": func(ctx context.Context) error { return second(st.RevokeFamily(ctx, f, event("family.revoke"))) },
		"RevokeToken": func(ctx context.Context) error {
			return second(st.RevokeToken(ctx, id.New[id.Token](), t0.Add(time.Hour), event("token.revoke")))
		},
		"RotateRefresh of a token ahead": func(ctx context.Context) error {
			return third(st.RotateRefresh(ctx, grant.Rotation{Family: f, Counter: 9, Now: t0}))
		},
		"RedeemCode again": func(ctx context.Context) error {
			return second(st.RedeemCode(ctx, reused, id.New[id.Family](), nil, t0.Add(time.Minute)))
		},
	}
}

// A revocation that could not be kept whole is an error, and no part of it was done (SECURITY-CASES 48).
func TestRevokeFault(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st, raw := db.open(t), db.raw(t)
		g := freshGrant(t, st)
		f, c := redeemed(t, st, g), issued(t, st, g)
		made := aFamily(g)
		wantOutcome(t, "RedeemCode", grant.Won)(st.RedeemCode(ctx, c.ID, made.ID, made, t0))
		for _, table := range []string{"revocation", "audit_event", "change_entry"} {
			must(t, second(raw.ExecContext(ctx, `ALTER TABLE `+table+` RENAME TO away`)))
			for name, call := range takeBacks(st, g.ID, f.ID, c.ID) {
				if err := call(ctx); err == nil {
					t.Errorf("%s without the table %s succeeded", name, table)
				}
			}
			must(t, second(raw.ExecContext(ctx, `ALTER TABLE away RENAME TO `+table)))
		}
		if now, err := st.GrantForDecision(ctx, g.ID); err != nil || !now.RevokedAt.IsZero() {
			t.Errorf("GrantForDecision = %+v, %v, want it live", now, err)
		}
		if live := liveChains(t, st, g.ID); len(live) != 2 {
			t.Errorf("%d chains live, want both", len(live))
		}
		if got := revokedNow(t, st, string(g.ID), string(f.ID), string(made.ID)); len(got) > 0 {
			t.Errorf("remembered as revoked: %v", got)
		}
		over, cancel := context.WithCancel(ctx)
		cancel()
		shut, err := store.Open(ctx, db.url, nil)
		must(t, err)
		must(t, shut.Close())
		for name, call := range takeBacks(st, g.ID, f.ID, c.ID) {
			wantKind(t, name+" of a caller who went", call(over), fault.Unavailable)
		}
		for name, call := range takeBacks(shut, g.ID, f.ID, c.ID) {
			wantKind(t, name+" of a closed database", call(ctx), fault.Unavailable)
		}
		for name, call := range takeBacks(st, g.ID, f.ID, c.ID) {
			if err := call(ctx); err != nil {
				t.Errorf("%s with everything back = %v", name, err)
			}
		}
	})
}

// Without its server nothing is taken back, and it says so.
func TestRevokeWithoutServer(t *testing.T) {
	server := pgtest.NewServer(t)
	url := server.Database()
	st := database{url: url, driver: "pgx", dsn: url}.open(t)
	g := freshGrant(t, st)
	f, c := redeemed(t, st, g), issued(t, st, g)
	wantOutcome(t, "RedeemCode", grant.Won)(st.RedeemCode(ctx, c.ID, id.New[id.Family](), nil, t0))
	server.Kill()
	for range 3 {
		for name, call := range takeBacks(st, g.ID, f.ID, c.ID) {
			wantKind(t, name+" without its server", call(ctx), fault.Unavailable)
		}
	}
}
