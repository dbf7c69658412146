package manage

import (
	"context"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
)

// billingRows are the rows of what teams have and pay.
func billingRows() map[string]row {
	return map[string]row{
		"Subscriptions": {want: ofBilling, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.Subscriptions(ctx, as, of.team))
		}},
		"Subscription": {want: ofBilling, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.Subscription(ctx, as, of.team, "mail"))
		}},
		"TeamPlans": {want: outcomes{"sooSnooon", "sonSonnno"}, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.TeamPlans(ctx, as, of.team))
		}},
		"Invoices": {want: ofBilling, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.Invoices(ctx, as, InvoicesFilter{Team: of.team}, List{}))
		}},
		"Invoice": {want: ofBilling, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.Invoice(ctx, as, of.invoice))
		}},
		"PreviewInvoices": {want: ofBilling, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.PreviewInvoices(ctx, as, lanyard.InvoicePreview{TeamID: of.team}))
		}},
		"FinalizeInvoice": {want: ofServer, ids: true, renew: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.FinalizeInvoice(ctx, as, of.invoice))
		}},
		"RecordEvents": {want: ofServer, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.RecordEvents(ctx, as, []lanyard.CloudEvent{{SpecVersion: "1.0", ID: "1", Source: "test", Type: "com.acme.storage", Subject: of.team}}))
		}},
		"Stripe": {want: ofServer, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.Stripe(ctx, as))
		}},
		"StripeEvents": {want: ofServer, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.StripeEvents(ctx, as, StripeFilter{Team: of.team}, List{}))
		}},
		"RetryStripeEvents": {want: ofServer, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.RetryStripeEvents(ctx, as))
		}},
		"RetryStripeEvent": {want: ofServer, ids: true, renew: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.RetryStripeEvent(ctx, as, of.told))
		}},
		"DismissStripeEvent": {want: ofServer, ids: true, renew: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.DismissStripeEvent(ctx, as, of.told))
		}},
		"ReconcileBilling": {want: ofServer, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.ReconcileBilling(ctx, as, begin, begin.Add(time.Hour)))
		}},
		"SpendAlerts": {want: ofBilling, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.SpendAlerts(ctx, as, of.team, "mail"))
		}},
		"SetSpendAlerts": {want: ofBilling, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.SetSpendAlerts(ctx, as, of.team, "mail", lanyard.SpendAlerts{Amounts: []string{"5"}}))
		}},
		"Subscribe": {want: ofBilling, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.Subscribe(ctx, as, of.team, "mail", lanyard.SubscriptionInput{Plan: "pro"}))
		}},
	}
}
