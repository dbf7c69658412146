package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/store"
)

var browser = digest("browser")

func aRequest(a id.App) *grant.Request {
	return &grant.Request{
		ID: id.New[id.Request](), App: a, Browser: browser, CreatedAt: t0, ExpiresAt: t0.Add(grant.RequestLife),
		Ask: grant.Ask{Issue: grant.Issue{Scopes: []string{"forecast.read"}, Audience: "weather"}, ResponseMode: "query", State: "a\x00state"},
	}
}

func newRequest(t *testing.T, st *store.Store, a id.App) *grant.Request {
	t.Helper()
	r := aRequest(a)
	must(t, st.SaveRequest(ctx, r))
	return r
}

func aCode(g *grant.Grant) *grant.Code {
	code := id.New[id.Code]()
	return &grant.Code{
		ID: code, Digest: digest(string(code)), Pepper: 1, App: g.App, User: g.User, Grant: g.ID, Session: sessionOf(g.User),
		Issue:     grant.Issue{Scopes: []string{"forecast.read"}, Audience: "weather", RedirectURI: "https://app.example/cb", Challenge: "challenge"},
		CreatedAt: t0, ExpiresAt: t0.Add(grant.CodeLife),
	}
}

// issued is a code that waits to be redeemed.
func issued(t *testing.T, st *store.Store, g *grant.Grant) *grant.Code {
	t.Helper()
	c := aCode(g)
	if ok, err := st.IssueCode(ctx, newRequest(t, st, g.App).ID, browser, c); !ok || err != nil {
		t.Fatalf("IssueCode = %t, %v", ok, err)
	}
	return c
}

func aFamily(g *grant.Grant) *grant.Family {
	return &grant.Family{
		ID: id.New[id.Family](), App: g.App, User: g.User, Grant: g.ID, Session: id.New[id.Session](), Mode: secret.Live,
		Issue: grant.Issue{Scopes: []string{"forecast.read"}, Audience: "weather"}, Seed: digest("seed")[:16], KeyVersion: 1,
		CreatedAt: t0, RotatedAt: t0, UsedAt: t0, IdleAt: t0.Add(grant.FamilyIdle), ExpiresAt: t0.Add(grant.FamilyLife),
	}
}

// redeemed is a chain that a code was redeemed for.
func redeemed(t *testing.T, st *store.Store, g *grant.Grant) *grant.Family {
	t.Helper()
	f := aFamily(g)
	wantOutcome(t, "RedeemCode", grant.Won)(st.RedeemCode(ctx, issued(t, st, g).ID, f.ID, f, t0))
	return f
}

func wantOutcome(t *testing.T, what string, want grant.Outcome) func(grant.Outcome, error) {
	t.Helper()
	return func(got grant.Outcome, err error) {
		t.Helper()
		if err != nil || got != want {
			t.Errorf("%s = %q, %v, want %q", what, got, err, want)
		}
	}
}

// families counts the rows of chains.
func families(t *testing.T, db database) (n int) {
	t.Helper()
	must(t, db.raw(t).QueryRowContext(ctx, `SELECT COUNT(*) FROM family`).Scan(&n))
	return n
}

// A request is answered once, by the browser that brought it, for its app, and in time.
func TestIssueCodeRefusals(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		g, other := freshGrant(t, st), freshGrant(t, st)
		r := newRequest(t, st, g.App)
		late, foreign := aCode(g), aCode(other)
		late.CreatedAt = r.ExpiresAt
		for name, c := range map[string]struct {
			request id.Request
			browser []byte
			code    *grant.Code
		}{
			"nothing":         {id.New[id.Request](), browser, aCode(g)},
			"another browser": {r.ID, digest("other"), aCode(g)},
			"no browser":      {r.ID, nil, aCode(g)},
			"another app":     {r.ID, browser, foreign},
			"expired":         {r.ID, browser, late},
		} {
			if ok, err := st.IssueCode(ctx, c.request, c.browser, c.code); ok || err != nil {
				t.Errorf("IssueCode for %s = %t, %v, want false", name, ok, err)
			}
			wantKind(t, "Code after "+name, second(st.Code(ctx, c.code.ID)), fault.NotFound)
		}
		over := aCode(g)
		over.Session = id.New[id.Session]()
		wantKind(t, "IssueCode in a session that ended", second(st.IssueCode(ctx, r.ID, browser, over)), fault.NotFound)
		taken := aCode(g)
		taken.ID = issued(t, st, g).ID
		ok, err := st.IssueCode(ctx, r.ID, browser, taken)
		wantKind(t, "IssueCode with an id that is taken", err, fault.Conflict)
		must(t, second(st.Request(ctx, r.ID, browser, t0))) // still there
		c := aCode(g)
		c.CreatedAt = r.ExpiresAt.Add(-time.Microsecond)
		if again, err := st.IssueCode(ctx, r.ID, browser, c); ok || !again || err != nil {
			t.Errorf("IssueCode in the last microsecond = %t, %v, want true", again, err)
		}
		if again, err := st.IssueCode(ctx, r.ID, browser, aCode(g)); again || err != nil {
			t.Errorf("IssueCode again = %t, %v, want false", again, err)
		}
		got, err := st.Code(ctx, c.ID)
		if diff := cmp.Diff(c, got); err != nil || diff != "" {
			t.Errorf("Code: %v, -want +got:\n%s", err, diff)
		}
	})
}

// No code is redeemed late, or for whom it would be refused (SECURITY-CASES C, G); then it is not consumed either.
func TestRedeemCodeRefusals(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		g := freshGrant(t, st)
		f := aFamily(g)
		wantKind(t, "RedeemCode of nothing", second(st.RedeemCode(ctx, id.New[id.Code](), f.ID, f, t0)), fault.NotFound)
		wantKind(t, "Code of nothing", second(st.Code(ctx, id.New[id.Code]())), fault.NotFound)
		late := issued(t, st, g)
		wantOutcome(t, "RedeemCode at its end", grant.Dead)(st.RedeemCode(ctx, late.ID, f.ID, f, late.ExpiresAt))
		for name, off := range outOfForce {
			g := freshGrant(t, st)
			c, f := issued(t, st, g), aFamily(g)
			off(t, st, g)
			wantOutcome(t, "RedeemCode with "+name, grant.Dead)(st.RedeemCode(ctx, c.ID, f.ID, f, t0))
			got, err := st.Code(ctx, c.ID)
			if err != nil || !got.ConsumedAt.IsZero() || got.Family != "" {
				t.Errorf("%s: Code = %+v, %v, want it not consumed", name, got, err)
			}
			used, err := st.GrantForDecision(ctx, g.ID)
			if err != nil || !used.LastUsedAt.IsZero() {
				t.Errorf("%s: GrantForDecision = %+v, %v, want it never used", name, used, err)
			}
		}
		wrong := aFamily(freshGrant(t, st))
		if _, err := st.RedeemCode(ctx, late.ID, wrong.ID, wrong, t0); err == nil || fault.KindOf(err) != "" {
			t.Errorf("RedeemCode with another grant's chain = %v, want an error without a kind", err)
		}
		if _, err := st.RedeemCode(ctx, late.ID, id.New[id.Family](), f, t0); err == nil || fault.KindOf(err) != "" {
			t.Errorf("RedeemCode with another chain than noted = %v, want an error without a kind", err)
		}
		if n := families(t, db); n != 0 {
			t.Errorf("%d chains after refusals, want none", n)
		}
		wantOutcome(t, "RedeemCode in its last microsecond", grant.Won)(st.RedeemCode(ctx, late.ID, f.ID, f, late.ExpiresAt.Add(-time.Microsecond)))
	})
}

// The first redemption wins; a second soon after has lost a race, and a later one ends what the first made, once.
func TestRedeemCode(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		g := freshGrant(t, st)
		for name, kept := range map[string]bool{"with a chain": true, "without": false} {
			c, f := issued(t, st, g), aFamily(g)
			row := f
			if !kept {
				row = nil
			}
			before := head(t, st)
			wantOutcome(t, "RedeemCode "+name, grant.Won)(st.RedeemCode(ctx, c.ID, f.ID, row, t0))
			if rev := head(t, st); rev != before {
				t.Errorf("%s: issuing moved the head to %s", name, rev)
			}
			c.ConsumedAt, c.Family = t0, f.ID
			got, err := st.Code(ctx, c.ID)
			if diff := cmp.Diff(c, got); err != nil || diff != "" {
				t.Errorf("%s: Code: %v, -want +got:\n%s", name, err, diff)
			}
			chain, err := st.Family(ctx, f.ID)
			if kept {
				if diff := cmp.Diff(f, chain); err != nil || diff != "" {
					t.Errorf("%s: Family: %v, -want +got:\n%s", name, err, diff)
				}
			} else {
				wantKind(t, "Family where none was kept", err, fault.NotFound)
			}
			other := aFamily(g)
			wantOutcome(t, "RedeemCode soon after", grant.Lost)(st.RedeemCode(ctx, c.ID, other.ID, other, t0.Add(grant.Race-time.Microsecond)))
			if got := revokedNow(t, st, string(f.ID), string(other.ID)); len(got) > 0 {
				t.Errorf("%s: a race that was lost revoked %v", name, got)
			}
			late := t0.Add(grant.Race)
			for range 2 {
				wantOutcome(t, "RedeemCode later", grant.Reused)(st.RedeemCode(ctx, c.ID, other.ID, other, late))
			}
			if diff := cmp.Diff([]string{entry(changes.Revocation, string(f.ID))}, since(t, st, before)); diff != "" {
				t.Errorf("%s: entries -want +got:\n%s", name, diff)
			}
			revoked, err := st.RevocationsOf(ctx, []string{string(f.ID), string(other.ID)})
			if diff := cmp.Diff([]changes.Revoked{{Subject: string(f.ID), Until: late.Add(changes.RevocationLife)}}, revoked); err != nil || diff != "" {
				t.Errorf("%s: RevocationsOf: %v, -want +got:\n%s", name, err, diff)
			}
			if kept && ended(t, db, "family", f.ID) != late.UnixMicro() {
				t.Errorf("%s: the chain has not ended", name)
			}
			wantReuse(t, st, g, f.ID, "family.reuse", late)
		}
		if n := families(t, db); n != 1 {
			t.Errorf("%d chains, want the one that was kept", n)
		}
	})
}

// wantReuse wants exactly one audit line of a chain that was ended because something under it was used again.
func wantReuse(t *testing.T, st *store.Store, g *grant.Grant, family id.Family, action string, at time.Time) {
	t.Helper()
	found := 0
	for _, line := range auditLines(t, st, action) {
		if line.Target != string(family) {
			continue
		}
		found++
		want := map[string]string{"app": string(g.App), "grant": string(g.ID)}
		if diff := cmp.Diff(want, line.Details); diff != "" || line.Actor != "system" || line.Team != g.Team || !line.At.Equal(at) {
			t.Errorf("audit line %+v, details -want +got:\n%s", line, diff)
		}
	}
	if found != 1 {
		t.Errorf("%d lines %s of %s, want one", found, action, family)
	}
}
