package manage

import (
	"slices"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/quota"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

func TestSpendAlertsRefused(t *testing.T) {
	w := newWorld(t)
	for field, amounts := range map[string][]string{
		"amounts[0]": {"five"}, "amounts[1]": {"5", "0"}, "amounts[2]": {"1", "2", "-3"}, "amounts": slices.Repeat([]string{"1"}, 11),
	} {
		before := w.trace()
		_, err := w.svc.SetSpendAlerts(t.Context(), w.admin, w.a.team, "mail", lanyard.SpendAlerts{Amounts: amounts})
		wantFault(t, "SetSpendAlerts", err, fault.Invalid, field)
		if w.trace() != before {
			t.Errorf("amounts of %q were refused and changed something", amounts)
		}
	}
	_, err := w.svc.SetSpendAlerts(t.Context(), w.admin, w.a.team, "nothing", lanyard.SpendAlerts{})
	wantFault(t, "SetSpendAlerts on an API that is not there", err, fault.NotFound, "")
	_, err = w.svc.SpendAlerts(t.Context(), w.admin, w.a.team, "nothing")
	wantFault(t, "SpendAlerts on an API that is not there", err, fault.NotFound, "")
}

func TestSpendAlerts(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct{ set, want []string }{{[]string{"20", "12.50", "20.0"}, []string{"12.5", "20"}}, {nil, []string{}}} {
		if got, err := w.svc.SetSpendAlerts(t.Context(), w.admin, w.a.team, "mail", lanyard.SpendAlerts{Amounts: tc.set}); err != nil || !slices.Equal(got.Amounts, tc.want) {
			t.Errorf("SetSpendAlerts(%q) = %q, %v, want %q", tc.set, got.Amounts, err, tc.want)
		}
		if got, err := w.svc.SpendAlerts(t.Context(), w.admin, w.a.team, "mail"); err != nil || !slices.Equal(got.Amounts, tc.want) {
			t.Errorf("SpendAlerts = %q, %v, want %q", got.Amounts, err, tc.want)
		}
	}
	if ev := w.lastEvent(); ev.Action != "subscription.alerts" || ev.Details["amounts"] != "none" || ev.Details["api"] != "mail" {
		t.Errorf("the log says %+v", ev)
	}
}

// Owners get a mail about their team's quota, a person about that of their own tokens, each once.
func TestAlertMails(t *testing.T) {
	w := newWorld(t)
	now := w.svc.now()
	use := func(subject quota.Subject) {
		t.Helper()
		if _, err := w.store.LeaseQuota(t.Context(), quota.Lease{
			Node: "node_1", Subject: subject, Start: usage.Day.Start(now), End: usage.Day.Next(now), Limit: 10, Need: 9, Now: now,
		}); err != nil {
			t.Fatal(err)
		}
	}
	use(quota.OnAPI(w.a.team, "weather", "live"))
	if n, err := w.svc.WriteMails(t.Context()); err != nil || n != 1 {
		t.Fatalf("WriteMails = %d, %v, want 1", n, err)
	}
	m := w.lastMail("quota_reached")
	if m.to != w.a.email || m.link != "https://lanyard.example/developers/"+w.a.team+"/usage" || m.data["percent"] != "80" || m.data["limit"] != "10" || m.data["api"] == "" || m.data["team"] == "" {
		t.Errorf("the mail is %+v", m)
	}
	mails := len(w.mails)
	use(quota.OnAPI(w.b.owner, "weather", "live"))
	use(quota.OnAPI(string(id.New[id.Team]()), "weather", "live")) // that is gone
	if n, err := w.svc.WriteMails(t.Context()); err != nil || n != 2 || len(w.mails) != mails+1 {
		t.Errorf("WriteMails = %d with %d mails more, %v, want 2 with one", n, len(w.mails)-mails, err)
	}
	if m := w.lastMail("quota_reached"); m.to != w.b.email || m.link != "https://lanyard.example/account/tokens" {
		t.Errorf("the mail about a person's tokens is %+v", m)
	}
	use(quota.Subject(w.a.key))
	if n, err := w.svc.WriteMails(t.Context()); err != nil || n != 1 {
		t.Errorf("WriteMails = %d, %v, want 1", n, err)
	}
	if m := w.lastMail("quota_reached"); m.to != w.a.email || m.data["key"] == "" || m.data["api"] != "" {
		t.Errorf("the mail about a key is %+v", m)
	}
	if n, err := w.svc.WriteMails(t.Context()); err != nil || n != 0 {
		t.Errorf("WriteMails again = %d, %v, want 0", n, err)
	}
}
