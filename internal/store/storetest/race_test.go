package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/node"
	"github.com/lanyard-auth/lanyard/internal/store"
	"github.com/lanyard-auth/lanyard/internal/team"
	"github.com/lanyard-auth/lanyard/internal/usage"
	"github.com/lanyard-auth/lanyard/internal/user"
)

const racers = 24

// rounds is how often a race is run.
func rounds() int {
	if testing.Short() {
		return 3
	}
	return 10
}

// winners runs do on all racers, half of them on another node, and counts who won. Whoever loses has to lose as it should.
func winners(t *testing.T, what string, nodes []*store.Store, do func(st *store.Store, i int) (won bool, err error), loser fault.Kind) {
	t.Helper()
	type answer struct {
		won bool
		err error
	}
	won := 0
	for _, a := range race(racers, func(i int) answer {
		ok, err := do(nodes[i%len(nodes)], i)
		return answer{ok, err}
	}) {
		switch {
		case a.err != nil && fault.KindOf(a.err) != loser:
			t.Errorf("%s = %v, want to win, or %q", what, a.err, loser)
		case a.err == nil && a.won:
			won++
		}
	}
	if won != 1 {
		t.Errorf("%s has %d winners, want one", what, won)
	}
}

func TestOneWinner(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		nodes := []*store.Store{db.open(t), db.open(t)}
		w := newWorld(t, nodes[0])
		server := audit.ServerReach()
		for round := range rounds() {
			winners(t, "ClaimAnswer", nodes, func(st *store.Store, i int) (bool, error) {
				there, err := st.ClaimAnswer(ctx, node.Answer{Key: fmt.Sprint("request ", round), Body: [32]byte{byte(i)}, At: t0})
				return there == nil, err
			}, "")

			k := newKey(t, nodes[0], w.ourApp, w.ours)
			must(t, third(nodes[0].UpdateKey(ctx, server, k.ID, event("key.rotate"), func(k *key.Key) error {
				return k.Rotate(t0, time.Hour, key.Version{Digest: digest(fmt.Sprint("rotated ", k.ID)), Scheme: key.SchemeMAC, Pepper: 1})
			})))
			winners(t, "UndoRotation", nodes, func(st *store.Store, _ int) (bool, error) {
				return true, third(st.UpdateKey(ctx, server, k.ID, event("key.undo"), func(k *key.Key) error { return k.UndoRotation(t0.Add(time.Minute)) }))
			}, fault.Conflict)

			winners(t, "CreateKeys of one digest", nodes, func(st *store.Store, _ int) (bool, error) {
				k := aKey(w.ourApp, w.ours)
				k.Versions[0].Digest = digest(fmt.Sprint("imported ", round))
				return true, second(st.CreateKeys(ctx, []*key.Key{k}, event("key.import")))
			}, fault.Conflict)

			winners(t, "CreateUser of one address", nodes, func(st *store.Store, i int) (bool, error) {
				address := fmt.Sprintf("%s%d@example.com", []string{"ada", "ADA"}[i%2], round)
				return true, second(st.CreateUser(ctx, &user.User{ID: id.New[id.User](), Email: address, CreatedAt: t0}, event("user.create")))
			}, fault.Conflict)

			winners(t, "ReplaceKeyring", nodes, func(st *store.Store, i int) (bool, error) {
				return st.ReplaceKeyring(ctx, keyring.State{Revision: round + 1, MasterVersion: 1, Check: []byte{byte(i)}, Rows: []keyring.Row{
					{Purpose: keyring.Pepper, Version: 1, MasterVersion: 1, Wrapped: []byte{byte(i)}, CreatedAt: t0, State: keyring.Current},
				}})
			}, "")

			m := marker(id.New[id.Node](), 1, "x")
			winners(t, "AbsorbUsage of one segment", nodes, func(st *store.Store, _ int) (bool, error) {
				return st.AbsorbUsage(ctx, m, usage.Aggregate([]usage.Event{use(w, t0, fmt.Sprint("segment ", round))}))
			}, "")
		}
		state, err := nodes[1].Keyring(ctx)
		if err != nil || state.Revision != rounds() || len(state.Rows) != 1 || state.Rows[0].Wrapped[0] != state.Check[0] {
			t.Errorf("Keyring = %+v, %v, want the state of one racer whole, at revision %d", state, err, rounds())
		}
		wantTotal(t, nodes[0], int64(rounds()), 3*int64(rounds()))
	})
}

// One built-in team with one app, whoever asks first.
func TestSystemTeam(t *testing.T) {
	for range rounds() / 2 { // each on a database of its own
		engines(t, func(t *testing.T, db database) {
			nodes := []*store.Store{db.open(t), db.open(t)}
			type made struct {
				team id.Team
				app  id.App
			}
			seen := map[made]bool{}
			for _, m := range race(racers, func(i int) made {
				teamID, appID, err := nodes[i%2].SystemTeam(ctx, t0)
				if err != nil {
					t.Errorf("SystemTeam = %v", err)
				}
				return made{teamID, appID}
			}) {
				seen[m] = true
			}
			teams, err := nodes[0].Teams(ctx, audit.ServerReach(), team.Filter{Limit: 10})
			must(t, err)
			apps, err := nodes[0].Apps(ctx, audit.ServerReach(), app.Filter{Limit: 10})
			must(t, err)
			if len(seen) != 1 || len(teams) != 1 || len(apps) != 1 || !teams[0].System || teams[0].Name != team.SystemName || !seen[made{teams[0].ID, apps[0].ID}] {
				t.Errorf("SystemTeam answered %v and made %d teams, %d apps, want one of each", seen, len(teams), len(apps))
			}
		})
	}
}

// The same idempotency keys in segments that are absorbed at once are charged once.
func TestChargedOnce(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		nodes := []*store.Store{db.open(t), db.open(t)}
		w := newWorld(t, nodes[0])
		const each = 5
		for round := range rounds() {
			race(16, func(i int) bool {
				var events []usage.Event
				for n := range each {
					// Each segment in an order of its own, and in a row of its own.
					ev := use(w, t0.Add(time.Duration(i*each+n)*time.Second), fmt.Sprintf("%d charge %d", round, (n*(1+i%4)+i)%each))
					ev.Operation = fmt.Sprintf("GET /%d", i%3)
					events = append(events, ev)
				}
				node := id.New[id.Node]()
				absorbed, err := nodes[i%2].AbsorbSegments(ctx, []usage.Counted{
					{Marker: marker(node, 1, "x"), Batch: usage.Aggregate(events[:i%each])}, {Marker: marker(node, 2, "x"), Batch: usage.Aggregate(events[i%each:])},
				})
				if !slices.Equal(absorbed, []bool{true, true}) || err != nil {
					t.Errorf("AbsorbSegments = %t, %v, want both counted", absorbed, err)
				}
				return err == nil
			})
		}
		wantTotal(t, nodes[0], int64(rounds()*each), 3*int64(rounds()*each))
	})
}

// Two owners who leave at once do not leave a team without one.
func TestLastOwnerRace(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		nodes := []*store.Store{db.open(t), db.open(t)}
		w := newWorld(t, nodes[0])
		for range rounds() {
			for _, u := range []id.User{w.owner, w.dev} {
				must(t, second(w.SetMember(ctx, audit.ServerReach(), w.ours, team.Member{User: u, Role: audit.RoleOwner}, event("m"))))
			}
			errs := race(2, func(i int) error {
				return second(nodes[i].RemoveMember(ctx, audit.ServerReach(), w.ours, []id.User{w.owner, w.dev}[i], event("m")))
			})
			if (errs[0] == nil) == (errs[1] == nil) || !fault.Is(errs[0], fault.Conflict) && !fault.Is(errs[1], fault.Conflict) {
				t.Errorf("RemoveMember of both owners = %v, %v, want one of them refused", errs[0], errs[1])
			}
		}
	})
}
