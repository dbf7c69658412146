package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/store"
)

// oneOf runs do on all callers at once, half of them on another node, and wants exactly one of them to win.
func oneOf(t *testing.T, what string, do func(i int) (bool, error)) {
	t.Helper()
	won := 0
	for _, w := range race(oneUseRacers, func(i int) bool {
		w, err := do(i)
		if err != nil {
			t.Errorf("%s = %v", what, err)
		}
		return w
	}) {
		if w {
			won++
		}
	}
	if won != 1 {
		t.Errorf("%s has %d winners, want one", what, won)
	}
}

// redeemer wants an outcome of a redemption to be that of a winner or of one who lost a race.
func redeemer(outcome grant.Outcome, err error) (bool, error) {
	if err == nil && outcome != grant.Won && outcome != grant.Lost {
		err = fmt.Errorf("the outcome %q, want won or lost", outcome)
	}
	return outcome == grant.Won, err
}

// liveChains are the chains under a grant that go on.
func liveChains(t *testing.T, st *store.Store, g id.Grant) []*grant.Family {
	t.Helper()
	live, err := st.Families(ctx, g, t0)
	must(t, err)
	return live
}

// Everything that is used once has one winner among 64 callers on two nodes, and leaves what that one made (SECURITY-CASES
// 40, 44; PROTOCOLS 7).
func TestOneUseRace(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		nodes := []*store.Store{db.open(t), db.open(t)}
		st := nodes[0]
		for round := range oneUseRounds(t) {
			g := freshGrant(t, st)

			r, codes := newRequest(t, st, g.App), make([]*grant.Code, oneUseRacers)
			oneOf(t, "IssueCode", func(i int) (bool, error) {
				codes[i] = aCode(g)
				return nodes[i%2].IssueCode(ctx, r.ID, browser, codes[i])
			})
			var code *grant.Code
			for _, c := range codes {
				if found, err := st.Code(ctx, c.ID); err == nil {
					if code != nil {
						t.Error("IssueCode left two codes for one request")
					}
					code = found
				}
			}

			oneOf(t, "RedeemCode", func(i int) (bool, error) {
				f := aFamily(g)
				return redeemer(nodes[i%2].RedeemCode(ctx, code.ID, f.ID, f, t0))
			})
			code, err := st.Code(ctx, code.ID)
			must(t, err)
			if live := liveChains(t, st, g.ID); len(live) != 1 || live[0].ID != code.Family {
				t.Errorf("RedeemCode left %d chains, want the one that is noted", len(live))
			}

			g = freshGrant(t, st)
			d := newDevice(t, st, g.App, false)
			browsers := make([][]byte, oneUseRacers)
			oneOf(t, "DeviceByCode", func(i int) (bool, error) {
				browsers[i] = digest(fmt.Sprint("browser ", i))
				_, err := nodes[i%2].DeviceByCode(ctx, [][]byte{d.UserDigest}, browsers[i], t0)
				if fault.Is(err, fault.NotFound) {
					return false, nil
				}
				return err == nil, err
			})
			d, err = st.Device(ctx, d.ID)
			must(t, err)
			oneOf(t, "AnswerDevice", func(i int) (bool, error) {
				return nodes[i%2].AnswerDevice(ctx, d.ID, d.Browser, approval(aGrant(g.User, g.App, fmt.Sprint(i))), t0, event("device.approve"))
			})
			if g, err = st.GrantForDecision(ctx, g.ID); err != nil || len(g.Scopes) != 2 {
				t.Errorf("AnswerDevice left the grant %+v, %v, want what the winner ticked and nothing else", g, err)
			}
			oneOf(t, "RedeemDevice", func(i int) (bool, error) {
				f := aFamily(g)
				return redeemer(nodes[i%2].RedeemDevice(ctx, d.ID, f.ID, f, t0))
			})
			if live := liveChains(t, st, g.ID); len(live) != 1 {
				t.Errorf("RedeemDevice left %d chains, want one", len(live))
			}

			p := newPushed(t, st, g.App)
			oneOf(t, "TakePushed", func(i int) (bool, error) { return nodes[i%2].TakePushed(ctx, p.ID, t0) })
			oneOf(t, "Once", func(i int) (bool, error) { return nodes[i%2].Once(ctx, fmt.Sprint("jti ", round), t0) })
			r = newRequest(t, st, g.App)
			oneOf(t, "DropRequest", func(i int) (bool, error) { return nodes[i%2].DropRequest(ctx, r.ID, browser) })
		}
	})
}

// Callers that present the same refresh token at once all get the same successor, made with the winner's key; and a chain
// never has two live leaves (SECURITY-CASES 40).
func TestRotateRefreshRace(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		nodes := []*store.Store{db.open(t), db.open(t)}
		st := nodes[0]
		g := freshGrant(t, st)
		f := redeemed(t, st, g)
		type answer struct {
			f       *grant.Family
			outcome grant.Outcome
			err     error
		}
		for round := range oneUseRounds(t) {
			now, counter := t0.Add(time.Duration(round)*time.Hour), uint32(round)
			won := 0
			var leaf *grant.Family
			for i, a := range race(oneUseRacers, func(i int) (a answer) {
				a.f, a.outcome, a.err = nodes[i%2].RotateRefresh(ctx, grant.Rotation{Family: f.ID, Counter: counter, KeyVersion: i + 1, Now: now})
				return a
			}) {
				switch {
				case a.err != nil || a.outcome != grant.Won && a.outcome != grant.Same:
					t.Fatalf("RotateRefresh = %q, %v, want won or same", a.outcome, a.err)
				case a.outcome == grant.Won:
					if won++; a.f.KeyVersion != i+1 {
						t.Errorf("the winner's row names key %d, want %d", a.f.KeyVersion, i+1)
					}
				}
				if leaf == nil {
					leaf = a.f
				}
				if a.f.Counter != counter+1 || a.f.KeyVersion != leaf.KeyVersion {
					t.Errorf("RotateRefresh answers the token at %d with key %d, and at %d with key %d: two leaves", a.f.Counter, a.f.KeyVersion, leaf.Counter, leaf.KeyVersion)
				}
			}
			if live := liveChains(t, st, g.ID); won != 1 || len(live) != 1 || live[0].Counter != counter+1 {
				t.Errorf("RotateRefresh has %d winners and left %+v, want one and one live chain at %d", won, live, counter+1)
			}
		}
		if n := len(auditLines(t, st, "family.reuse")); n != 0 {
			t.Errorf("%d chains ended by a race", n)
		}
		// The two oldest tokens at once, with the newest: the chain ends once, and nobody is let in afterwards.
		f = redeemed(t, st, g)
		for counter := range uint32(3) {
			rotated(t, st, f.ID, counter, t0, grant.Won)
		}
		before := head(t, st)
		race(oneUseRacers, func(i int) error {
			_, outcome, err := nodes[i%2].RotateRefresh(ctx, grant.Rotation{Family: f.ID, Counter: uint32(i % 2), KeyVersion: 1, Now: t0})
			if err != nil || outcome != grant.Reused && outcome != grant.Dead {
				t.Errorf("RotateRefresh of an old token = %q, %v, want reused or dead", outcome, err)
			}
			return err
		})
		if got := since(t, st, before); len(got) != 1 || got[0] != entry(changes.Revocation, string(f.ID)) {
			t.Errorf("entries %v, want one of the chain", got)
		}
		wantReuse(t, st, g, f.ID, "family.reuse", t0)
		rotated(t, st, f.ID, 3, t0, grant.Dead)
	})
}

// Whoever takes a grant back at the moment in which a code, a device and a chain under it are used has ended all that came of
// it: no chain goes on, whichever was first.
func TestRevokeRacesUse(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		nodes := []*store.Store{db.open(t), db.open(t)}
		st := nodes[0]
		for range oneUseRounds(t) {
			g := freshGrant(t, st)
			f, d := redeemed(t, st, g), approved(t, st, g)
			codes := make([]*grant.Code, 8)
			for i := range codes {
				codes[i] = issued(t, st, g)
			}
			race(2*len(codes), func(i int) error {
				st, made := nodes[i%2], aFamily(g)
				var err error
				switch {
				case i == 3:
					err = second(st.RevokeGrant(ctx, audit.ServerReach(), "", g.ID, event("grant.revoke")))
				case i == 5:
					err = second(st.RedeemDevice(ctx, d.ID, made.ID, made, t0))
				case i < len(codes):
					err = second(st.RedeemCode(ctx, codes[i].ID, made.ID, made, t0))
				default:
					err = third(st.RotateRefresh(ctx, grant.Rotation{Family: f.ID, KeyVersion: 1, Now: t0}))
				}
				if err != nil {
					t.Errorf("racer %d = %v", i, err)
				}
				return err
			})
			if live := liveChains(t, st, g.ID); len(live) != 0 {
				t.Errorf("%d chains go on under a grant that was taken back", len(live))
			}
		}
	})
}
