package server_test

import (
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// A server that starts after a period has ended writes what is due, by itself.
func TestServerWritesInvoices(t *testing.T) {
	spring := time.Date(2026, 4, 20, 12, 0, 0, 0, time.UTC)
	o := servertest.Options{Dir: t.TempDir(), Now: func() time.Time { return spring }}
	n := servertest.Start(t, o)
	if _, err := n.Admin.ApplyCatalog(t.Context(), lanyard.Catalog{APIs: map[string]lanyard.API{"storage": {
		Takes: "key", Meters: map[string]lanyard.Meter{"gigabytes": {Text: "gigabytes", Event: "com.acme.storage"}},
		Plans: map[string]lanyard.Plan{"paid": {Default: true, Currency: "USD", Prices: []lanyard.Price{{Meter: "gigabytes", PerUnit: "0.5"}}}},
	}}}, false); err != nil {
		t.Fatal(err)
	}
	team, err := n.Admin.CreateTeam(t.Context(), lanyard.TeamInput{Name: "Sunny"})
	if err != nil {
		t.Fatal(err)
	}
	event := lanyard.CloudEvent{SpecVersion: "1.0", ID: "1", Source: "test", Type: "com.acme.storage", Subject: team.ID}
	for _, want := range []lanyard.EventsCounted{{Counted: 1}, {Repeated: 1}} {
		if got, err := n.Admin.RecordEvents(t.Context(), []lanyard.CloudEvent{event}); err != nil || got != want {
			t.Fatalf("RecordEvents = %+v, %v, want %+v", got, err, want)
		}
	}
	n.Stop()

	o.Now = func() time.Time { return spring.AddDate(0, 0, 15) }
	o.Settings = func(s *config.Settings) { s.InvoiceGrace = 0 }
	later := servertest.Start(t, o)
	filter := billing.InvoiceFilter{Team: id.Team(team.ID), State: billing.Final, Limit: 5}
	var bills []*billing.Invoice
	until(t, "an invoice is written", func() bool {
		if bills, err = later.Store.Invoices(t.Context(), audit.ServerReach(), filter); err != nil {
			t.Fatal(err)
		}
		return len(bills) > 0
	})
	first := bills[len(bills)-1]
	if first.Number != 1 || first.Used["gigabytes"] != 1 || first.Statement.Currency.Format(first.Statement.Total) != "0.50 USD" {
		t.Errorf("the invoice is number %d of %v: %v", first.Number, first.Used, first.Statement)
	}
}
