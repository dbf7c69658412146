package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/store"
)

// A reader who knows everything up to a revision never finds an older entry later: revision order is commit order.
func TestRevisionOrderIsCommitOrder(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		nodes := []*store.Store{db.open(t), db.open(t)}
		owner := newTeam(t, nodes[0])
		start := head(t, nodes[0])
		const writers, each = 32, 5
		watching, stop := context.WithCancel(ctx)
		read := make(chan id.Revision, 1)
		go func() {
			last := start
			for {
				over := watching.Err() != nil // asked before the look: what was written until then is in it
				entries, err := nodes[1].ChangesAfter(context.WithoutCancel(watching), last, 1000)
				if err != nil {
					t.Errorf("ChangesAfter = %v", err)
				}
				for _, e := range entries {
					if e.Revision != last+1 || e.Tag == 0 {
						t.Errorf("entry %d (tag %d) follows %d, want no gap: one was committed out of order", e.Revision, e.Tag, last)
					}
					last = e.Revision
				}
				if len(entries) == 0 && over {
					read <- last
					return
				}
			}
		}()
		type made struct {
			app id.App
			rev id.Revision
		}
		seen := map[id.Revision]id.App{}
		for _, all := range race(writers, func(i int) (all []made) {
			for range each {
				a := anApp(owner)
				rev, err := nodes[i%2].CreateApp(ctx, a, event("app.create"))
				if err != nil {
					t.Errorf("CreateApp = %v", err)
				}
				// What was answered is there for everybody, with its entry.
				if entries, err := nodes[(i+1)%2].ChangesAfter(ctx, rev-1, 1); err != nil || len(entries) != 1 || entries[0].ID != string(a.ID) {
					t.Errorf("ChangesAfter(%d) = %v, %v, want the entry of %s", rev-1, entries, err, a.ID)
				}
				all = append(all, made{a.ID, rev})
			}
			return all
		}) {
			for _, m := range all {
				seen[m.rev] = m.app
			}
		}
		stop()
		if last := <-read; last != start+writers*each || len(seen) != writers*each {
			t.Errorf("%d revisions were answered and the reader came to %d, want %d and %d", len(seen), last, writers*each, start+writers*each)
		}
		apps, err := nodes[0].Apps(ctx, audit.ServerReach(), app.Filter{Limit: 1000})
		if err != nil || len(apps) != writers*each {
			t.Errorf("Apps = %d, %v, want %d", len(apps), err, writers*each)
		}
	})
}

func TestPoll(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		beat := changes.Beat{Node: id.New[id.Node](), Name: "here", StartedAt: t0, Within: time.Minute}
		for range 2 {
			got, err := st.Poll(ctx, beat)
			if err != nil || got.Revision != 0 || got.Tag != 0 || got.Now.IsZero() || got.Nodes != 1 {
				t.Errorf("Poll of an empty log = %+v, %v", got, err)
			}
		}
		other := changes.Beat{Node: id.New[id.Node](), StartedAt: t0, Within: time.Minute}
		if got, err := st.Poll(ctx, other); err != nil || got.Nodes != 2 {
			t.Errorf("Poll beside another node = %+v, %v, want 2 nodes", got, err)
		}
		other.Within = -time.Hour
		if got, err := st.Poll(ctx, other); err != nil || got.Nodes != 1 {
			t.Errorf("Poll beside a node unseen = %+v, %v, want 1 node", got, err)
		}
		must(t, st.LeaveNode(ctx, other.Node))
		newTeam(t, st)
		newTeam(t, st)
		beat.Applied = 1
		got, err := st.Poll(ctx, beat)
		if err != nil || got.Revision != 2 {
			t.Errorf("Poll = %+v, %v, want revision 2", got, err)
		}
		if entries, err := st.ChangesAfter(ctx, 0, 1); err != nil || entries[0].Tag != got.Tag {
			t.Errorf("ChangesAfter(0) = %v, %v, want the tag %d that the poll saw at the beat's revision", entries, err, got.Tag)
		}
		behind, err := st.Behind(ctx, 2, time.Minute)
		if err != nil || len(behind) != 1 || behind[0].Applied != 1 {
			t.Errorf("Behind(2) = %v, %v, want the node at 1", behind, err)
		}
		if behind, err = st.Behind(ctx, 1, time.Minute); err != nil || len(behind) != 0 {
			t.Errorf("Behind(1) = %v, %v, want none", behind, err)
		}
		if behind, err = st.Behind(ctx, 2, -time.Hour); err != nil || len(behind) != 0 {
			t.Errorf("Behind of nodes unseen = %v, %v, want none", behind, err)
		}
		nodes, now, err := st.Nodes(ctx, time.Minute)
		if err != nil || len(nodes) != 1 || nodes[0].Name != "here" || nodes[0].SeenAt.After(now) || !nodes[0].StartedAt.Equal(t0) {
			t.Errorf("Nodes = %+v at %s, %v, want the one", nodes, now, err)
		}
		must(t, st.ForgetNodes(ctx, time.Minute))
		if nodes, _, err = st.Nodes(ctx, time.Minute); err != nil || len(nodes) != 1 {
			t.Errorf("Nodes after forgetting those unseen for a minute = %+v, %v, want the one", nodes, err)
		}
		must(t, st.ForgetNodes(ctx, -time.Minute))
		if nodes, _, err = st.Nodes(ctx, time.Minute); err != nil || len(nodes) != 0 {
			t.Errorf("Nodes after forgetting all = %+v, %v, want none", nodes, err)
		}
		must(t, second(st.Poll(ctx, beat)))
		must(t, st.LeaveNode(ctx, beat.Node))
		if nodes, _, err = st.Nodes(ctx, time.Minute); err != nil || len(nodes) != 0 {
			t.Errorf("Nodes after the node left = %+v, %v, want none", nodes, err)
		}
	})
}

func TestTrimChanges(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		newTeam(t, st)
		newTeam(t, st)
		must(t, st.TrimChanges(ctx, t0))
		if got := since(t, st, 0); len(got) != 2 {
			t.Errorf("entries as old as the bound are %v, want both", got)
		}
		must(t, st.TrimChanges(ctx, t0.Add(time.Hour)))
		got, err := st.ChangesAfter(ctx, 0, 10)
		if err != nil || len(got) != 1 || got[0].Revision != 2 {
			t.Errorf("entries left = %v, %v, want the newest", got, err)
		}
	})
}

// A watcher is told of changes on its own node at once, and on PostgreSQL of those on others too.
func TestWatchChanges(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		other := st
		if st.Engine() == "postgres" {
			other = db.open(t)
		}
		watching, stop := context.WithCancel(ctx)
		hints, ended := make(chan struct{}, 1), make(chan struct{})
		go func() {
			defer close(ended)
			st.WatchChanges(watching, func() {
				select {
				case hints <- struct{}{}:
				default:
				}
			})
		}()
		for hinted := false; !hinted; { // it may not listen yet
			newTeam(t, other)
			select {
			case <-hints:
				hinted = true
			case <-time.After(20 * time.Millisecond):
			}
		}
		stop()
		<-ended
	})
}
