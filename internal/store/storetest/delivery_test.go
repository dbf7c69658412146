package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/outbox"
	"github.com/lanyard-auth/lanyard/internal/store"
)

func posted(t *testing.T, st *store.Store, at time.Time) outbox.Mail {
	t.Helper()
	l := factor.Letter{ID: id.New[id.Message](), Kind: "mail", Sealed: digest("mail")}
	must(t, st.Post(ctx, l, at))
	return outbox.Mail{ID: l.ID, Sealed: l.Sealed, CreatedAt: at}
}

// wantMails claims at a time and compares.
func wantMails(t *testing.T, what string, claim func() ([]outbox.Mail, error), want ...outbox.Mail) {
	t.Helper()
	got, err := claim()
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%s: %v, -want +got:\n%s", what, err, diff)
	}
}

func TestDeliveries(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		const lease = time.Minute
		mails := func(after time.Duration, limit int) func() ([]outbox.Mail, error) {
			return func() ([]outbox.Mail, error) { return st.ClaimMails(ctx, t0.Add(after), lease, limit) }
		}
		wantMails(t, "ClaimMails of none", mails(0, 10))
		must(t, st.MailSent(ctx, id.New[id.Message]()), st.MailFailed(ctx, id.New[id.Message](), t0, "gone"))
		late, second, first := posted(t, st, t0.Add(time.Microsecond)), posted(t, st, t0), posted(t, st, t0.Add(-time.Hour))
		wantKind(t, "Post of a letter twice", st.Post(ctx, factor.Letter{ID: first.ID, Kind: "mail", Sealed: []byte("x")}, t0), fault.Conflict)

		wantMails(t, "ClaimMails of one", mails(0, 1), first)
		wantMails(t, "ClaimMails", mails(0, 10), second)
		wantMails(t, "ClaimMails of what is leased", mails(lease-time.Microsecond, 10), late)
		must(t, st.MailSent(ctx, late.ID))
		must(t, st.MailFailed(ctx, second.ID, t0.Add(time.Hour), "421 try later\x00\xff"))
		wantMails(t, "ClaimMails after the lease", mails(lease, 10), first)
		must(t, st.MailSent(ctx, first.ID))
		wantMails(t, "ClaimMails before the next try", mails(time.Hour-time.Microsecond, 10))
		second.Attempts = 1
		wantMails(t, "ClaimMails at the next try", mails(time.Hour, 10), second)
		var lastError string
		must(t, db.raw(t).QueryRowContext(ctx, `SELECT last_error FROM delivery`).Scan(&lastError))
		if lastError != "421 try later" {
			t.Errorf("last_error = %q, want what is text of it", lastError)
		}
	})
}

// Nodes that claim at once share the messages: nobody gets one twice, and none is left.
func TestDeliveryRace(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		nodes := []*store.Store{db.open(t), db.open(t)}
		for round := range rounds() {
			const each = 30
			for range each {
				posted(t, nodes[0], t0)
			}
			got := map[id.Message]int{}
			for _, mine := range race(racers, func(i int) (mine []outbox.Mail) {
				for range each {
					mails, err := nodes[i%2].ClaimMails(ctx, t0, time.Hour, 4)
					if err != nil || len(mails) > 4 {
						t.Errorf("ClaimMails = %d, %v, want at most 4", len(mails), err)
					}
					mine = append(mine, mails...)
				}
				return mine
			}) {
				for _, m := range mine {
					got[m.ID]++
				}
			}
			if len(got) != each {
				t.Errorf("round %d: %d messages claimed, want %d", round, len(got), each)
			}
			for message, n := range got {
				if n != 1 {
					t.Errorf("%s was claimed %d times", message, n)
				}
			}
		}
	})
}
