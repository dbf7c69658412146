package developers_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// TestBilling: a plan is chosen, at once or for later, and taken back; the open bill and the invoices stand below it, each to print.
func TestBilling(t *testing.T) {
	d := newDesk(t)
	if p := d.sound(d.browser.Get(d.path("/billing"))); !strings.Contains(p.Text(), "No invoice yet") {
		t.Errorf("the empty page says %.400s", p.Text())
	}
	declared := lanyard.Catalog{APIs: map[string]lanyard.API{"maps": {
		Title: "Maps", Takes: "key", Meters: map[string]lanyard.Meter{"tiles": {Text: "tiles", Event: "com.acme.tiles"}},
		Plans: map[string]lanyard.Plan{
			"free": {Default: true, Quota: "1000/month", Limits: []string{"60/minute"}},
			"pro":  {Currency: "USD", Fee: "10", SpendLimit: "50", Prices: []lanyard.Price{{Meter: "tiles", PerUnit: "0.5"}}},
		},
	}}}
	if _, err := d.node.Manage.ApplyCatalog(t.Context(), operator, declared, false); err != nil {
		t.Fatal(err)
	}
	free := d.sound(d.browser.Get(d.path("/billing")))
	for _, want := range []string{"Maps", "1,000 of 1,000 units left until", "Pro: 10.00 USD a month and by use", "60/minute"} {
		if !strings.Contains(free.Text(), want) {
			t.Errorf("with the default plan the page lacks %q: %.900s", want, free.Text())
		}
	}
	later := d.sound(d.browser.Press(free, "change-maps", map[string]string{"plan-maps": "pro", "when-maps": "period_end"}))
	if !strings.Contains(later.Text(), "The plan changes when the period ends.") || !strings.Contains(later.Text(), "Changes to Pro on 1 ") {
		t.Errorf("a plan for later leads to %s %.600s", later.URL, later.Text())
	}
	kept := d.sound(d.browser.Press(later, "keep-maps", nil))
	if !strings.Contains(kept.Text(), "The plan stays as it is.") || strings.Contains(kept.Text(), "Changes to") {
		t.Errorf("keeping the plan leads to %s %.600s", kept.URL, kept.Text())
	}
	now := d.sound(d.browser.Press(kept, "change-maps", map[string]string{"plan-maps": "pro"}))
	if !strings.Contains(now.Text(), "Open bill, ") || !strings.Contains(now.Text(), "Total") || !strings.Contains(now.Text(), "Fee") {
		t.Errorf("another plan at once leads to %s %.600s", now.URL, now.Text())
	}
	if !strings.Contains(now.Text(), "spend limit is 50.00 USD") {
		t.Errorf("the spend limit is not told of: %.900s", now.Text())
	}
	for _, no := range []string{"much", "5, 0", "-1"} {
		p := d.sound(d.browser.Press(now, "alerts-maps", map[string]string{"amounts-maps": no}))
		if p.Status != http.StatusBadRequest || !strings.Contains(p.Body, `id="amounts-maps-error"`) || !strings.Contains(p.Body, `value="`+no+`"`) {
			t.Errorf("amounts of %q = %d %.600s", no, p.Status, p.Text())
		}
	}
	told := d.sound(d.browser.Press(now, "alerts-maps", map[string]string{"amounts-maps": "20, 12.5"}))
	if !strings.Contains(told.Text(), "Saved.") || !strings.Contains(told.Body, `value="12.5, 20"`) {
		t.Errorf("amounts to be told of lead to %s %.600s", told.URL, told.Text())
	}

	at := time.Now()
	event := billing.MeterEvent{Source: "test", ID: "1", Team: id.Team(d.team.ID), API: "maps", Meter: "tiles", At: at, Units: 8}
	if _, err := d.node.Store.RecordEvents(t.Context(), []billing.MeterEvent{event}, at); err != nil {
		t.Fatal(err)
	}
	if _, err := d.node.Store.DraftInvoices(t.Context(), at.AddDate(0, 1, 5), 24*time.Hour, 10); err != nil {
		t.Fatal(err)
	}
	listed, err := d.node.Admin.Invoices(t.Context(), lanyard.InvoiceQuery{TeamID: d.team.ID})
	at = time.Time{}
	first := lanyard.Invoice{}
	for _, i := range listed.Items { // of this period, and of the next where that ends by then
		if at.IsZero() || i.Start.Before(at) {
			at, first = i.Start, i
		}
	}
	if err != nil || first.ID == "" {
		t.Fatalf("the team has %+v, %v, want a draft", listed.Items, err)
	}
	here := d.path("/billing/" + first.ID)
	if p := d.sound(d.browser.Get(d.path("/billing"))); !strings.Contains(p.Body, here) {
		t.Errorf("the list does not lead to %s: %.600s", here, p.Text())
	}
	draft := d.sound(d.browser.Get(here))
	for _, want := range []string{"Draft", "Tiles: 8 at 0.50 USD", "4.00 USD", "Total", "This is a draft", "Pro, version 1"} {
		if !strings.Contains(draft.Text(), want) {
			t.Errorf("the draft lacks %q: %.800s", want, draft.Text())
		}
	}
	if _, err := d.node.Admin.FinalizeInvoice(t.Context(), first.ID); err != nil {
		t.Fatal(err)
	}
	if final := d.sound(d.browser.Get(here)); !strings.Contains(final.Text(), "Invoice 1") || !strings.Contains(final.Text(), "never changes") {
		t.Errorf("the final invoice says %.800s", final.Text())
	}
	if p := d.browser.Get(d.path("/billing/invoice_0000000000000000")); p.Status != http.StatusNotFound {
		t.Errorf("an invoice of nothing = %d, want 404", p.Status)
	}
	if p := d.sound(d.browser.Get(d.path("/usage"))); !strings.Contains(p.Text(), "Bill so far") {
		t.Errorf("the usage page lacks the bill: %.900s", p.Text())
	}
}
