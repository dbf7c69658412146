package manage

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

func storageEvent(name, subject string) lanyard.CloudEvent {
	return lanyard.CloudEvent{SpecVersion: "1.0", ID: name, Source: "https://store.acme.example/", Type: "com.acme.storage", Subject: subject}
}

// An event that is refused takes the others of its call along, and says where it stands and what is wrong.
func TestRecordEventsRefuses(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct {
		name, field string
		alter       func(*lanyard.CloudEvent)
	}{
		{"another version", "events[1].specversion", func(e *lanyard.CloudEvent) { e.SpecVersion = "0.3" }},
		{"no id", "events[1].id", func(e *lanyard.CloudEvent) { e.ID = "" }},
		{"a long id", "events[1].id", func(e *lanyard.CloudEvent) { e.ID = strings.Repeat("x", 201) }},
		{"no source", "events[1].source", func(e *lanyard.CloudEvent) { e.Source = "" }},
		{"no type", "events[1].type", func(e *lanyard.CloudEvent) { e.Type = "" }},
		{"a type that feeds nothing", "events[1].type", func(e *lanyard.CloudEvent) { e.Type = "com.acme.other" }},
		{"an API without the meter", "events[1].data.api", func(e *lanyard.CloudEvent) { e.Data.API = "mail" }},
		{"units below zero", "events[1].data.units", func(e *lanyard.CloudEvent) { e.Data.Units = new(int64(-1)) }},
		{"too many units", "events[1].data.units", func(e *lanyard.CloudEvent) { e.Data.Units = new(int64(maxEventUnits + 1)) }},
		{"36 days ago", "events[1].time", func(e *lanyard.CloudEvent) { e.Time = begin.AddDate(0, 0, -36) }},
		{"tomorrow", "events[1].time", func(e *lanyard.CloudEvent) { e.Time = begin.AddDate(0, 0, 1) }},
		{"nobody", "events[1].subject", func(e *lanyard.CloudEvent) { e.Subject = "" }},
		{"a team of nothing", "events[1].subject", func(e *lanyard.CloudEvent) { e.Subject = string(id.New[id.Team]()) }},
		{"an app of nothing", "events[1].subject", func(e *lanyard.CloudEvent) { e.Subject = "app_x" }},
		{"a user", "events[1].subject", func(e *lanyard.CloudEvent) { e.Subject = w.a.owner }},
	} {
		good, bad := storageEvent("good", w.a.team), storageEvent("bad", w.a.team)
		tc.alter(&bad)
		_, err := w.svc.RecordEvents(t.Context(), w.admin, []lanyard.CloudEvent{good, bad})
		wantFault(t, tc.name, err, fault.Invalid, tc.field)
	}
	if _, err := w.svc.RecordEvents(t.Context(), w.admin, make([]lanyard.CloudEvent, 1001)); !fault.Is(err, fault.Invalid) {
		t.Errorf("1,001 events = %v, want a refusal", err)
	}
	got, err := w.svc.RecordEvents(t.Context(), w.admin, []lanyard.CloudEvent{storageEvent("good", w.a.team), storageEvent("other", w.a.app), storageEvent("key", w.a.key), storageEvent("good", w.a.team)})
	if want := (lanyard.EventsCounted{Counted: 3, Repeated: 1}); err != nil || got != want {
		t.Errorf("after the refusals = %+v, %v, want %+v: they counted nothing", got, err, want)
	}
}

// Two APIs may count the same event; then it has to say for which it is.
func TestRecordEventsOfTwoAPIs(t *testing.T) {
	w := newWorld(t)
	w.apply(`{"apis": {"extra": {"takes": "key", "meters": {"bytes": {"text": "bytes", "event": "com.acme.storage"}}}}}`)
	_, err := w.svc.RecordEvents(t.Context(), w.admin, []lanyard.CloudEvent{storageEvent("1", w.a.team)})
	wantFault(t, "an event of two APIs", err, fault.Invalid, "events[0].data.api")
	chosen := storageEvent("1", w.a.team)
	chosen.Data.API = "extra"
	if got, err := w.svc.RecordEvents(t.Context(), w.admin, []lanyard.CloudEvent{chosen}); err != nil || got.Counted != 1 {
		t.Errorf("one that says which = %+v, %v, want it counted", got, err)
	}
}

// A preview of a period that has ended is its invoice.
func TestPreviewIsTheInvoice(t *testing.T) {
	w := newWorld(t)
	open, err := w.svc.PreviewInvoices(t.Context(), w.admin, lanyard.InvoicePreview{TeamID: w.a.team})
	if err != nil || len(open) != 1 || open[0].State != "open" || open[0].API != "news" || open[0].Used["storage"] != 4 || open[0].ID != "" {
		t.Fatalf("PreviewInvoices = %+v, %v, want the open bill of news with 4 of storage", open, err)
	}
	if open[0].Forecast != nil {
		t.Errorf("a forecast %+v in the first minute", open[0].Forecast)
	}
	w.clock.advance(31 * 12 * time.Hour / 2)
	half, err := w.svc.PreviewInvoices(t.Context(), w.admin, lanyard.InvoicePreview{TeamID: w.a.team, API: "news"})
	if err != nil || len(half) != 1 || half[0].Forecast == nil || half[0].Forecast.Used["storage"] <= 4 {
		t.Errorf("later in the month = %+v, %v, want a forecast of more than was used", half, err)
	}
	w.clock.advance(60 * 24 * time.Hour)
	var invoice lanyard.Invoice
	page, err := w.svc.Invoices(t.Context(), w.admin, InvoicesFilter{Team: w.a.team, API: "news"}, List{})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range page.Items {
		if i.Start.Equal(open[0].Start) {
			if invoice, err = w.svc.FinalizeInvoice(t.Context(), w.admin, i.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	preview, err := w.svc.PreviewInvoices(t.Context(), w.admin, lanyard.InvoicePreview{TeamID: w.a.team, API: "news", At: begin})
	if err != nil || len(preview) != 1 {
		t.Fatalf("the preview of a closed period = %+v, %v", preview, err)
	}
	want := invoice
	want.ID, want.Number, want.State, want.CreatedAt, want.FinalAt = "", 0, "open", nil, nil
	if diff := cmp.Diff(want, preview[0]); diff != "" || invoice.Number != 1 || invoice.State != "final" {
		t.Errorf("invoice %+v, preview -want +got:\n%s", invoice, diff)
	}
	if ev := w.lastEvent(); ev.Action != "invoice.finalize" || ev.Target != invoice.ID || ev.Details["total"] != invoice.Total+" USD" {
		t.Errorf("audit line = %+v", ev)
	}
	_, err = w.svc.FinalizeInvoice(t.Context(), w.admin, invoice.ID)
	wantFault(t, "FinalizeInvoice again", err, fault.Conflict, "")
	_, err = w.svc.Invoices(t.Context(), w.admin, InvoicesFilter{State: "open"}, List{})
	wantFault(t, "Invoices that are open", err, fault.Invalid, "state")
	if differences, err := w.svc.ReconcileBilling(t.Context(), w.admin, begin.AddDate(0, -1, 0), w.svc.now()); err != nil || len(differences) > 0 {
		t.Errorf("ReconcileBilling = %+v, %v, want no difference", differences, err)
	}
	late := billing.MeterEvent{Source: "late", ID: "1", Team: id.Team(w.a.team), API: "news", Meter: "storage", At: begin, Units: 2}
	if _, err := w.store.RecordEvents(t.Context(), []billing.MeterEvent{late}, w.svc.now()); err != nil {
		t.Fatal(err)
	}
	differences, err := w.svc.ReconcileBilling(t.Context(), w.admin, begin, begin.Add(time.Hour))
	if err != nil || len(differences) != 1 || differences[0].Of != invoice.ID || differences[0].Meter != "storage" || differences[0].Counted != 6 || differences[0].Shown != 4 {
		t.Errorf("ReconcileBilling before the adjustment = %+v, %v, want the 2 that came late", differences, err)
	}
	if _, err := w.store.AdjustInvoices(t.Context(), w.svc.now(), time.Hour, 10); err != nil {
		t.Fatal(err)
	}
	if differences, err := w.svc.ReconcileBilling(t.Context(), w.admin, begin, begin.Add(time.Hour)); err != nil || len(differences) > 0 {
		t.Errorf("ReconcileBilling with a draft of the adjustment = %+v, %v, want no difference", differences, err)
	}
}

func TestSubscribeAtThePeriodsEnd(t *testing.T) {
	w := newWorld(t)
	choose := func(plan, when string) (lanyard.Subscription, error) {
		if _, err := w.svc.Subscribe(t.Context(), w.admin, w.a.team, "news", lanyard.SubscriptionInput{Plan: plan, When: when}); err != nil {
			return lanyard.Subscription{}, err
		}
		return w.svc.Subscription(t.Context(), w.admin, w.a.team, "news")
	}
	got, err := choose("paid", "period_end")
	end := time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)
	want := lanyard.Subscription{TeamID: w.a.team, API: "news", Next: &lanyard.PlanChange{Plan: "paid", At: end}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Subscribe at the end of the period: %v, -want +got:\n%s", err, diff)
	}
	plans, err := w.svc.TeamPlans(t.Context(), w.admin, w.a.team)
	if err != nil || len(plans) != 2 || plans[1].Plan != "free" || plans[1].Next == nil || plans[1].Ends != end || plans[1].Open == nil {
		t.Errorf("TeamPlans = %+v, %v, want free on news until then, with its open bill", plans, err)
	}
	if got, err = choose("free", "period_end"); err != nil || got.Next == nil || got.Next.Plan != "free" {
		t.Errorf("another change in its place = %+v, %v", got, err)
	}
	_, err = choose("paid", "tomorrow")
	wantFault(t, "Subscribe tomorrow", err, fault.Invalid, "when")
	if got, err = choose("paid", ""); err != nil || got.Plan != "paid" || got.Next != nil {
		t.Errorf("at once = %+v, %v, want paid and nothing to come", got, err)
	}
	w.clock.advance(40 * 24 * time.Hour)
	if got, err = choose("free", "period_end"); err != nil || got.Plan != "paid" || !got.Next.At.Equal(end.AddDate(0, 1, 0)) {
		t.Errorf("in August = %+v, %v, want free from September", got, err)
	}
	w.clock.advance(40 * 24 * time.Hour)
	if got, err = w.svc.Subscription(t.Context(), w.admin, w.a.team, "news"); err != nil || got.Plan != "free" || got.Next != nil {
		t.Errorf("in September = %+v, %v, want free", got, err)
	}
}
