package server_test

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/servertest"
	"github.com/lanyard-auth/lanyard/internal/stripe/stripetest"
)

// A server with Stripe's key tells it by itself what was counted, also before it had the key, and its key to nobody.
func TestServerTellsStripe(t *testing.T) {
	noon := time.Date(2026, 4, 20, 12, 0, 0, 0, time.UTC)
	now := noon
	var log bytes.Buffer
	o := servertest.Options{Dir: t.TempDir(), Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(&log, nil))}
	n := servertest.Start(t, o)
	if _, err := n.Admin.ApplyCatalog(t.Context(), lanyard.Catalog{APIs: map[string]lanyard.API{"storage": {
		Takes: "key", Meters: map[string]lanyard.Meter{"gigabytes": {Text: "gigabytes", Event: "com.acme.storage"}}, Stripe: map[string]string{"gigabytes": "acme_storage"},
	}}}, false); err != nil {
		t.Fatal(err)
	}
	var teams []string
	for _, customer := range []string{"cus_here", "cus_gone"} {
		team, err := n.Admin.CreateTeam(t.Context(), lanyard.TeamInput{Name: customer, StripeCustomer: customer})
		if err != nil || team.StripeCustomer != customer {
			t.Fatalf("CreateTeam = %+v, %v, want its customer", team, err)
		}
		teams = append(teams, team.ID)
	}
	if s, err := n.Admin.Stripe(t.Context()); err != nil || s.On {
		t.Errorf("Stripe = %+v, %v, want it off", s, err)
	}
	n.Stop()

	now = noon.Add(90 * time.Minute)
	n = servertest.Start(t, o)
	for _, team := range teams {
		event := lanyard.CloudEvent{SpecVersion: "1.0", ID: team, Source: "test", Type: "com.acme.storage", Subject: team, Data: lanyard.CloudEventData{Units: new(int64(12))}}
		if _, err := n.Admin.RecordEvents(t.Context(), []lanyard.CloudEvent{event}); err != nil {
			t.Fatal(err)
		}
	}
	n.Stop()

	now = noon.Add(3 * time.Hour)
	fake := stripetest.Start(t, o.Now, []string{"cus_here"}, []string{"acme_storage"})
	o.Settings = func(s *config.Settings) { s.StripeKey, s.StripeURL = secret.Of(stripetest.Key), fake.URL }
	n = servertest.Start(t, o)
	var s lanyard.StripeStatus
	until(t, "Stripe was told", func() bool {
		var err error
		if s, err = n.Admin.Stripe(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s.Hours == 0 && s.Waiting == 0
	})
	if fake.Total("cus_here", "acme_storage") != 12 || len(fake.Wrong()) > 0 || !s.On || s.Failed != 1 {
		t.Errorf("Stripe was told %+v, status %+v, want 12 of the customer it knows and one refusal", fake.Events(), s)
	}
	page, err := n.Admin.StripeEvents(t.Context(), lanyard.StripeQuery{State: "failed"})
	if err != nil || len(page.Items) != 1 || page.Items[0].Customer != "cus_gone" || !strings.Contains(page.Items[0].Error, "No such customer") {
		t.Errorf("StripeEvents = %+v, %v, want the one refused and why", page, err)
	}
	if text, urgent, err := n.Server.StripeTrouble(t.Context()); err != nil || !urgent || !strings.Contains(text, "1 events were refused") {
		t.Errorf("StripeTrouble = %q, %v, %v, want that one was refused", text, urgent, err)
	}
	metrics := httptest.NewRecorder()
	n.Server.Metrics().ServeHTTP(metrics, httptest.NewRequest("GET", "/metrics", nil))
	if body := metrics.Body.String(); !strings.Contains(body, "lanyard_stripe_sent_total 1\n") || !strings.Contains(body, "lanyard_stripe_refused_total 1\n") {
		t.Errorf("the metrics hold no counts of Stripe:\n%s", body)
	}
	n.Stop()
	if strings.Contains(log.String(), "NotARealKey") {
		t.Error("the log tells Stripe's key")
	}
}
