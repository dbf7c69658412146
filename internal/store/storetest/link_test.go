package storetest

import (
	"errors"
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
	"github.com/lanyard-auth/lanyard/internal/user"
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
			wantKind(t, "UseLink of "+what, used(w.Store, c.link, c.at), fault.NotFound)
		}
		if err := second(w.UseLink(ctx, l.ID, event("refused"), func(*user.User) error { return errRefused })); !errors.Is(err, errRefused) {
			t.Errorf("UseLink that is refused = %v, want the refusal", err)
		}
		if err := used(w.Store, l.ID, l.ExpiresAt.Add(-time.Microsecond)); err != nil {
			t.Errorf("UseLink in its last microsecond, after a refusal = %v, want it used", err)
		}
		wantKind(t, "UseLink again", used(w.Store, l.ID, t0), fault.NotFound)
		if lines := auditLines(t, w.Store, "refused"); len(lines) > 0 {
			t.Errorf("%d audit lines of a refusal", len(lines))
		}
	})
}

// used uses a link for nothing.
func used(st *store.Store, link id.Link, at time.Time) error {
	ev := event("link.use")
	ev.At = at
	return second(st.UseLink(ctx, link, ev, func(*user.User) error { return nil }))
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
		spent := aLink(factor.Reset, w.dev, "bob@example.com")
		must(t, w.CreateLink(ctx, spent, nil))
		must(t, used(w.Store, spent.ID, t0))
		spent.ConsumedAt = t0
		next := aLink(factor.Reset, w.dev, "bob@example.com")
		must(t, w.CreateLink(ctx, next, nil))
		newest := aLink(factor.Reset, w.dev, "bob@example.com")
		newest.CreatedAt, newest.ExpiresAt = t0.Add(time.Minute), t0.Add(time.Hour)
		must(t, w.CreateLink(ctx, newest, nil))
		wantKind(t, "UseLink of a link with a newer one", used(w.Store, next.ID, t0), fault.NotFound)
		for _, l := range append(others, spent, newest) {
			got, err := w.Link(ctx, l.ID)
			if diff := cmp.Diff(l, got); err != nil || diff != "" {
				t.Errorf("Link: %v, -want +got:\n%s", err, diff)
			}
		}
		must(t, w.TrimLinks(ctx, t0.Add(factor.LinkLife+7*24*time.Hour)))
		must(t, second(w.Link(ctx, spent.ID)))
		must(t, w.TrimLinks(ctx, t0.Add(factor.LinkLife+7*24*time.Hour+time.Microsecond)))
		wantKind(t, "Link that ended a week ago", second(w.Link(ctx, spent.ID)), fault.NotFound)
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
			for _, err := range race(oneUseRacers, func(i int) error { return used(nodes[i%2], l.ID, t0) }) {
				if err == nil {
					won++
				} else if !fault.Is(err, fault.NotFound) {
					t.Errorf("UseLink = %v", err)
				}
			}
			if won != 1 {
				t.Errorf("UseLink has %d winners, want one", won)
			}
		}
	})
}
