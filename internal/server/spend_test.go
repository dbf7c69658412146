package server_test

import (
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/outbox"
	"github.com/lanyard-auth/lanyard/internal/pgtest"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// TestSpendLimitOnNodes: three nodes admit what a spend limit of 300.00 allows and not one call more, and the owner is told once that it is
// reached, by mail and by webhook.
func TestSpendLimitOnNodes(t *testing.T) {
	o := servertest.Options{DatabaseURL: pgtest.Start(t), Master: servertest.Master(t), Settings: loopback}
	h := &herd{}
	for range 3 {
		o.Dir = t.TempDir()
		h.nodes = append(h.nodes, servertest.Start(t, o))
	}
	n := h.nodes[0]
	shop := n.Open(t)
	open := servertest.Catalog().APIs["weather"]
	open.Scopes, open.Operations = nil, nil
	open.Plans = map[string]lanyard.Plan{"paid": {Default: true, Currency: "USD", SpendLimit: "300", Prices: []lanyard.Price{{Meter: "requests", PerUnit: "1"}}}}
	if _, err := n.Admin.ApplyCatalog(t.Context(), lanyard.Catalog{APIs: map[string]lanyard.API{"open": open}}, false); err != nil {
		t.Fatal(err)
	}
	owner, err := n.Admin.CreateUser(t.Context(), lanyard.UserInput{Email: "owner@example.com", Name: "Owner"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Admin.PutMember(t.Context(), shop.Team.ID, owner.ID, lanyard.MemberInput{Role: "owner"}); err != nil {
		t.Fatal(err)
	}
	r := newReceiver(t, 204)
	hook, err := n.Admin.CreateWebhook(t.Context(), lanyard.WebhookInput{TeamID: shop.Team.ID, URL: r.URL, Events: []string{string(outbox.SpendReached)}})
	if err != nil {
		t.Fatal(err)
	}
	made, err := n.Admin.CreateKey(t.Context(), shop.App.ID, lanyard.KeyInput{Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	h.key = made.Secret
	for _, node := range h.nodes {
		if err := node.Tail.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	spend := func() {
		var all sync.WaitGroup
		for i := range 24 {
			all.Go(func() {
				for h.ask(h.nodes[i%3]) {
				}
			})
		}
		all.Wait()
	}
	until(t, "99 hundredths are spent, once nodes gave back what others wanted", func() bool {
		spend()
		return h.admitted.Load() >= 297
	})
	spend()
	if got := h.admitted.Load(); got > 300 {
		t.Errorf("of a limit of 300.00 at 1.00 a call %d calls passed", got)
	}
	bills, err := n.Admin.PreviewInvoices(t.Context(), lanyard.InvoicePreview{TeamID: shop.Team.ID, API: "open"})
	if err != nil || len(bills.Items) != 1 || bills.Items[0].Used["requests"] != h.admitted.Load() || bills.Items[0].SpendLimit != "300.00" {
		t.Errorf("the open bill says %+v, %v", bills, err)
	}
	now := time.Now()
	for _, node := range h.nodes {
		if _, err := node.Store.DraftInvoices(t.Context(), now, time.Hour, 10); err != nil {
			t.Fatal(err)
		}
		if _, err := node.Store.TellSpending(t.Context(), now, 10); err != nil {
			t.Fatal(err)
		}
		if _, err := node.Manage.WriteMails(t.Context()); err != nil {
			t.Fatal(err)
		}
		deliver(t, node)
	}
	if got := r.messages(); len(got) != 1 || got[0].signature != got[0].signed(t, hook.Secret) {
		t.Errorf("the webhook was told %+v, want once, signed", got)
	}
	mails := 0
	for _, node := range h.nodes {
		for _, m := range node.Mails.List() {
			if m.To == owner.Email {
				mails++
			}
		}
	}
	if mails != 1 {
		t.Errorf("the owner got %d mails, want 1", mails)
	}
}
