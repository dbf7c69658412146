package storetest

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/fault"
)

func subscribeTo(w *world, plan string, at, now time.Time) error {
	ev := event("subscribe")
	ev.At = now
	return second(w.Subscribe(ctx, w.ours, "weather", billing.Change{Plan: plan, At: at}, ev))
}

// A change that was billed up to stays, even if somebody whose clock is behind takes it back.
func TestInvoiceOfAChangeTakenBackTooLate(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		priceAPI(t, w, onDay(1), "free")
		must(t, subscribeTo(w, "pro", onDay(1), onDay(1)))
		must(t, subscribeTo(w, "max", onDay(15), onDay(10)))
		called(t, w, onDay(14, 23, 59), 10)
		housekeep(t, w.Store, onDay(15))
		must(t, subscribeTo(w, "pro", onDay(14), onDay(15).Add(-time.Second)))
		called(t, w, onDay(20), 10)
		housekeep(t, w.Store, onDay(31))
		housekeep(t, w.Store, onDay(33))
		// Of the fee 14/30 and 16/30; one unit and two are included.
		wantBills(t, "at the end", w, "1 pro v1 11-01..11-15 13.67 USD", "2 pro v1 11-15..12-01 13.33 USD")
	})
}

// What bills were written for is left out even where a row of the past is gone.
func TestInvoiceOfARowThatIsGone(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		priceAPI(t, w, onDay(1), "free")
		must(t, subscribeTo(w, "pro", onDay(1), onDay(1)), subscribeTo(w, "max", onDay(15), onDay(10)))
		housekeep(t, w.Store, onDay(15))
		must(t, second(db.raw(t).ExecContext(ctx, `DELETE FROM subscription WHERE plan = 'max'`)))
		called(t, w, onDay(20), 12)
		housekeep(t, w.Store, onDay(31))
		wantBills(t, "at the end", w, "1 pro v1 11-01..11-15 4.67 USD", "draft pro v1 11-15..12-01 15.33 USD")
	})
}

// A bill that cannot be computed is shown as such, does not become final, and holds nobody else's up.
func TestInvoiceTooLarge(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		priceAPI(t, w, onDay(1), "free")
		subscribeAt(t, w, w.ours, "pro", onDay(1))
		subscribeAt(t, w, w.theirs, "pro", onDay(1))
		for i := range 12 {
			must(t, second(w.RecordEvents(ctx, []billing.MeterEvent{stored(w, "a", string(rune('a'+i)), onDay(2), 1_000_000_000_000_000)}, onDay(2))))
		}
		must(t, second(w.DraftInvoices(ctx, onDay(31), grace, 100)))
		looked, err := w.FinalizeDue(ctx, onDay(32), 100, why)
		if looked != 2 || !errors.Is(err, billing.ErrTooLarge) {
			t.Errorf("FinalizeDue = %d, %v, want both looked at and the fault of one", looked, err)
		}
		if looked, err = w.FinalizeDue(ctx, onDay(32), 100, why); looked != 0 || err != nil {
			t.Errorf("FinalizeDue again = %d, %v, want it put off", looked, err)
		}
		all, err := w.Invoices(ctx, audit.ServerReach(), billing.InvoiceFilter{Limit: 9})
		if err != nil || len(all) != 2 {
			t.Fatalf("Invoices = %d, %v, want both", len(all), err)
		}
		for _, i := range all {
			if ours := i.Team == w.ours; ours == i.Final() || ours != (i.Problem != nil) {
				t.Errorf("the invoice of ours (%t) is final: %t, has the problem %v", ours, i.Final(), i.Problem)
			}
			if i.Team == w.ours {
				wantKind(t, "making it final by hand", second(w.FinalizeInvoice(ctx, audit.ServerReach(), i.ID, onDay(32), why)), fault.Conflict)
			}
		}
	})
}

// A restoration counts no event again that was counted and forgotten since, and bills what it adds.
func TestInvoicesAfterARestoration(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		priceAPI(t, w, onDay(1), "free")
		subscribeAt(t, w, w.ours, "pro", onDay(1))
		must(t, second(w.RecordEvents(ctx, []billing.MeterEvent{stored(w, "a", "1", onDay(2), 4)}, onDay(2))))
		var early, late bytes.Buffer
		must(t, second(w.Backup(ctx, &early, onDay(3))))
		called(t, w, onDay(4), 12)
		must(t, second(w.Backup(ctx, &late, onDay(5))))
		must(t, second(w.Restore(ctx, bytes.NewReader(early.Bytes()), onDay(6), event("restore")))) // the calls stay
		housekeep(t, w.Store, onDay(31))
		housekeep(t, w.Store, onDay(32))
		want := "1 pro v1 11-01..12-01 22.00 USD"
		wantBills(t, "at the end", w, want)
		must(t, w.TrimEvents(ctx, onDay(40).Add(-billing.EventMemory+48*time.Hour)), second(w.Restore(ctx, bytes.NewReader(late.Bytes()), onDay(41), event("restore"))))
		housekeep(t, w.Store, onDay(42))
		housekeep(t, w.Store, onDay(44))
		wantBills(t, "after the restoration", w, want)

		// Another database, which counted a call of its own, takes the events over, and bills the calls that a later backup adds.
		other := sqlite(t).open(t)
		own := use(w, onDay(4), "")
		own.Outcome = "rate_limited"
		absorb(t, other, own)
		elsewhere := &world{Store: other, ours: w.ours}
		must(t, second(other.Restore(ctx, bytes.NewReader(early.Bytes()), onDay(6), event("restore"))))
		housekeep(t, other, onDay(31))
		housekeep(t, other, onDay(32))
		wantBills(t, "elsewhere", elsewhere, "1 pro v1 11-01..12-01 12.00 USD")
		must(t, second(other.Restore(ctx, bytes.NewReader(late.Bytes()), onDay(33), event("restore"))))
		housekeep(t, other, onDay(33))
		wantBills(t, "elsewhere, with the calls of a later backup", elsewhere, "1 pro v1 11-01..12-01 12.00 USD", "draft pro v1 11-01..12-01 adjustment 1 10.00 USD")
	})
}

// Each change at once is a bill with a share of the fee and of what is included, so there are few of them a day.
func TestPlanChangesAreBounded(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		priceAPI(t, w, onDay(1), "free")
		plans := []string{"pro", "max"}
		for i := range 5 {
			subscribeAt(t, w, w.ours, plans[i%2], onDay(2, i))
		}
		wantKind(t, "a sixth change within a day", subscribeTo(w, "max", onDay(2, 6), onDay(2, 6)), fault.Conflict)
		must(t, subscribeTo(w, "max", onDay(31), onDay(2, 6)))
		must(t, subscribeTo(w, "free", onDay(3, 1), onDay(3, 1)))
	})
}
