package storetest

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/store"
)

// oneUseRounds is how often a race for something that is used once is run: as often as LANYARD_RACE_ROUNDS says, else rounds.
func oneUseRounds(t *testing.T) int {
	t.Helper()
	text := os.Getenv("LANYARD_RACE_ROUNDS")
	if text == "" {
		return rounds()
	}
	n, err := strconv.Atoi(text)
	must(t, err)
	return n
}

const oneUseRacers = 64

func aLink(purpose factor.Purpose, u id.User, email string) *factor.Link {
	link := id.New[id.Link]()
	return &factor.Link{
		ID: link, Digest: digest(string(link)), Pepper: 1, Purpose: purpose, User: u, Email: email,
		CreatedAt: t0, ExpiresAt: t0.Add(factor.LinkLife),
	}
}

func aLetter() *factor.Letter {
	return &factor.Letter{ID: id.New[id.Message](), Kind: "mail", Sealed: []byte("sealed")}
}

func TestLinkRefusals(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		nobody := id.New[id.Link]()
		wantKind(t, "Link of nothing", second(w.Link(ctx, nobody)), fault.NotFound)
		l := aLink(factor.Reset, w.dev, "ada@example.com")
		must(t, w.CreateLink(ctx, l, nil))
		taken := aLink(factor.Login, w.owner, "eve@example.com")
		taken.ID = l.ID
		letter := aLetter()
		wantKind(t, "CreateLink with an id that is taken", w.CreateLink(ctx, taken, letter), fault.Conflict)
		if n := deliveries(t, db); n != 0 {
			t.Errorf("%d letters of a link that was refused", n)
		}
		for what, c := range map[string]struct {
			link id.Link
			at   time.Time
		}{"nothing": {nobody, t0}, "expired to the microsecond": {l.ID, l.ExpiresAt}, "expired": {l.ID, l.ExpiresAt.Add(time.Hour)}} {
			if took, err := w.TakeLink(ctx, c.link, c.at); took || err != nil {
				t.Errorf("TakeLink of %s = %t, %v, want false", what, took, err)
			}
		}
		if took, err := w.TakeLink(ctx, l.ID, l.ExpiresAt.Add(-time.Microsecond)); !took || err != nil {
			t.Errorf("TakeLink in its last microsecond = %t, %v, want true", took, err)
		}
		if took, err := w.TakeLink(ctx, l.ID, t0); took || err != nil {
			t.Errorf("TakeLink again = %t, %v, want false", took, err)
		}
	})
}

func deliveries(t *testing.T, db database) (n int) {
	t.Helper()
	must(t, db.raw(t).QueryRowContext(ctx, `SELECT COUNT(*) FROM delivery`).Scan(&n))
	return n
}

// What was stored comes back; the newest link of a user, address and purpose is the only one of them that works.
func TestLinks(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		signup := aLink(factor.SignUp, "", "new@example.com")
		signup.Data, signup.Browser = []byte(`{"name":"Ada"}`), digest("browser")
		others := []*factor.Link{
			aLink(factor.Reset, w.dev, "ada@example.com"), aLink(factor.Login, w.dev, "ada@example.com"), aLink(factor.Reset, w.owner, "ada@example.com"),
			aLink(factor.SignUp, "", "other@example.com"), aLink(factor.Setup, "", ""), signup,
		}
		for _, l := range others {
			must(t, w.CreateLink(ctx, l, aLetter()))
		}
		if n := deliveries(t, db); n != len(others) {
			t.Errorf("%d letters, want %d", n, len(others))
		}
		used := aLink(factor.Reset, w.dev, "bob@example.com")
		must(t, w.CreateLink(ctx, used, nil))
		must(t, second(w.TakeLink(ctx, used.ID, t0)))
		used.ConsumedAt = t0
		next := aLink(factor.Reset, w.dev, "bob@example.com")
		must(t, w.CreateLink(ctx, next, nil))
		newest := aLink(factor.Reset, w.dev, "bob@example.com")
		newest.CreatedAt, newest.ExpiresAt = t0.Add(time.Minute), t0.Add(time.Hour)
		must(t, w.CreateLink(ctx, newest, nil))
		if took, err := w.TakeLink(ctx, next.ID, t0); took || err != nil {
			t.Errorf("TakeLink of a link with a newer one = %t, %v, want false", took, err)
		}
		for _, l := range append(others, used, newest) {
			got, err := w.Link(ctx, l.ID)
			if diff := cmp.Diff(l, got); err != nil || diff != "" {
				t.Errorf("Link: %v, -want +got:\n%s", err, diff)
			}
		}
		must(t, w.TrimLinks(ctx, t0.Add(factor.LinkLife+7*24*time.Hour)))
		must(t, second(w.Link(ctx, used.ID)))
		must(t, w.TrimLinks(ctx, t0.Add(factor.LinkLife+7*24*time.Hour+time.Microsecond)))
		wantKind(t, "Link that ended a week ago", second(w.Link(ctx, used.ID)), fault.NotFound)
		must(t, second(w.Link(ctx, newest.ID)))
	})
}

// A link has one winner, however many press its button, and of links made at once one works.
func TestLinkRace(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		nodes := []*store.Store{db.open(t), db.open(t)}
		w := newWorld(t, nodes[0])
		for round := range oneUseRounds(t) {
			address := fmt.Sprintf("ada%d@example.com", round)
			made := race(oneUseRacers, func(i int) *factor.Link {
				l := aLink(factor.Reset, w.dev, address)
				if err := nodes[i%2].CreateLink(ctx, l, nil); err != nil {
					t.Errorf("CreateLink = %v", err)
				}
				return l
			})
			good := 0
			for _, l := range made {
				if _, err := w.Link(ctx, l.ID); err == nil {
					good++
				}
			}
			if good != 1 {
				t.Errorf("%d of links made at once work, want one", good)
			}
			l := aLink(factor.Login, w.dev, address)
			must(t, w.CreateLink(ctx, l, nil))
			won := 0
			for _, took := range race(oneUseRacers, func(i int) bool {
				took, err := nodes[i%2].TakeLink(ctx, l.ID, t0)
				if err != nil {
					t.Errorf("TakeLink = %v", err)
				}
				return took
			}) {
				if took {
					won++
				}
			}
			if won != 1 {
				t.Errorf("TakeLink has %d winners, want one", won)
			}
		}
	})
}
