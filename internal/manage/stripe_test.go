package manage

import (
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/stripe"
)

// tell gives a side another event that Stripe refused.
func (w *world) tell(s *side) {
	w.t.Helper()
	ctx, customer := w.t.Context(), "cus_"+id.Chars(id.Team(s.team))
	if _, err := w.svc.UpdateTeam(ctx, w.admin, s.team, lanyard.TeamPatch{StripeCustomer: &customer}); err != nil {
		w.t.Fatal(err)
	}
	at := begin.AddDate(10, 0, 0) // an hour after that, whatever the clock says by now
	event := billing.MeterEvent{Source: "stripe", ID: id.Chars(id.New[id.Event]()), Team: id.Team(s.team), API: "news", Meter: "storage", At: at, Units: 4}
	if _, err := w.store.RecordEvents(ctx, []billing.MeterEvent{event}, begin); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.store.LookAtHours(ctx, at.AddDate(0, 0, 1), "", 100); err != nil {
		w.t.Fatal(err)
	}
	claimed, err := w.store.ClaimEvents(ctx, at.AddDate(0, 0, 1), time.Minute, 100)
	if err != nil || len(claimed) == 0 {
		w.t.Fatalf("ClaimEvents = %v, %v, want one", claimed, err)
	}
	for _, e := range claimed {
		if e.Team == id.Team(s.team) {
			s.told = e.Identifier
		}
		if err := w.store.EventTried(ctx, e, stripe.Outcome{At: at, State: stripe.Failed, Error: "400: No such customer"}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// Only the operator says which customer a team is, and only a customer's id is one.
func TestStripeCustomer(t *testing.T) {
	w := newWorld(t)
	for _, wrong := range []string{"cus_", "cust_1", "cus_1 2", "cus_1'--", "CUS_1", " cus_1", "sk_live_123", "cus_" + strings.Repeat("x", 251)} {
		if _, err := w.svc.UpdateTeam(t.Context(), w.admin, w.a.team, lanyard.TeamPatch{StripeCustomer: &wrong}); !fault.Is(err, fault.Invalid) {
			t.Errorf("UpdateTeam with the customer %.20q = %v, want invalid_request", wrong, err)
		}
		if _, err := w.svc.CreateTeam(t.Context(), w.admin, lanyard.TeamInput{Name: "x", StripeCustomer: wrong}); !fault.Is(err, fault.Invalid) {
			t.Errorf("CreateTeam with the customer %.20q = %v, want invalid_request", wrong, err)
		}
	}
	right, none := "cus_NffrFeUfNV2Hib", ""
	for _, set := range []*string{&right, &none} {
		owner := userActor(w.a.owner, w.a.team, everyScope()...)
		if _, err := w.svc.UpdateTeam(t.Context(), owner, w.a.team, lanyard.TeamPatch{StripeCustomer: set}); !fault.Is(err, fault.InsufficientScope) {
			t.Errorf("UpdateTeam of the customer by the team's owner = %v, want insufficient_scope", err)
		}
	}
	made, err := w.svc.CreateTeam(t.Context(), w.admin, lanyard.TeamInput{Name: "x", StripeCustomer: right})
	if err != nil || made.StripeCustomer != right {
		t.Errorf("CreateTeam = %+v, %v, want the customer", made, err)
	}
	changed, err := w.svc.UpdateTeam(t.Context(), w.admin, made.ID, lanyard.TeamPatch{StripeCustomer: &none})
	if err != nil || changed.StripeCustomer != "" {
		t.Errorf("UpdateTeam = %+v, %v, want no customer", changed, err)
	}
	if ev := w.lastEvent(); ev.Action != "team.update" || ev.Details["stripe_customer"] != "none" {
		t.Errorf("the last audit line is %+v, want that it has no customer any more", ev)
	}
}

func TestStripeEvents(t *testing.T) {
	w := newWorld(t)
	if _, err := w.svc.StripeEvents(t.Context(), w.admin, StripeFilter{State: "lost"}, List{}); !fault.Is(err, fault.Invalid) {
		t.Errorf("StripeEvents in a state that is none = %v, want invalid_request", err)
	}
	page, err := w.svc.StripeEvents(t.Context(), w.admin, StripeFilter{State: "failed"}, List{Limit: 1})
	if err != nil || len(page.Items) != 1 || page.NextCursor == "" {
		t.Fatalf("StripeEvents = %+v, %v, want one and a cursor", page, err)
	}
	if page, err = w.svc.StripeEvents(t.Context(), w.admin, StripeFilter{State: "failed"}, List{Limit: 1, Cursor: page.NextCursor}); err != nil || len(page.Items) != 1 || page.NextCursor != "" {
		t.Fatalf("StripeEvents = %+v, %v, want the other and no cursor", page, err)
	}
	if e, err := w.svc.DismissStripeEvent(t.Context(), w.admin, w.a.told); err != nil || e.State != "dismissed" || e.Error != "400: No such customer" {
		t.Errorf("DismissStripeEvent = %+v, %v, want it dismissed", e, err)
	}
	if ev := w.lastEvent(); ev.Action != "stripe_event.dismiss" || ev.Target != w.a.told || ev.Team != "" || ev.Details["team"] != w.a.team || ev.Details["state"] != "failed" {
		t.Errorf("the last audit line is %+v, want what was dismissed, in no team's log", ev)
	}
	if _, err := w.svc.RetryStripeEvent(t.Context(), w.admin, w.a.told); !fault.Is(err, fault.Conflict) {
		t.Errorf("RetryStripeEvent of a dismissed one = %v, want conflict", err)
	}
	if n, err := w.svc.RetryStripeEvents(t.Context(), w.admin); err != nil || n.Retried != 1 {
		t.Errorf("RetryStripeEvents = %+v, %v, want the one that failed", n, err)
	}
	status, err := w.svc.Stripe(t.Context(), w.admin)
	if err != nil || status.On || status.Waiting != 1 || status.Dismissed != 1 || status.Failed != 0 || status.Behind == nil {
		t.Errorf("Stripe = %+v, %v, want one that waits and one dismissed", status, err)
	}
}
