package server

import (
	"context"
	"fmt"
	"time"

	"github.com/lanyard-auth/lanyard/internal/outbound"
	"github.com/lanyard-auth/lanyard/internal/stripe"
)

const (
	exportEvery = time.Minute
	longBehind  = 3 * time.Hour // which the doctor speaks of
)

// newStripe is who tells Stripe what was counted; nil: the settings name no key.
func (s *Server) newStripe() (*stripe.Exporter, error) {
	if s.Settings.StripeKey.IsZero() {
		return nil, nil
	}
	allow := s.Settings.OutboundAllow
	if here := s.Settings.StripeHost(); here != "" {
		allow = append(allow[:len(allow):len(allow)], here)
	}
	client, err := outbound.New(outbound.Options{Allow: allow, CAFile: s.Settings.OutboundCAFile, Timeout: stripe.Timeout})
	if err != nil {
		return nil, err
	}
	send := &stripe.Client{URL: s.Settings.StripeURL, Key: s.Settings.StripeKey, Tell: client.TellForm, Now: s.opts.Now}
	return &stripe.Exporter{Queue: s.Store, Send: send.Send, Deployment: s.SystemTeam, Now: s.opts.Now, Log: s.log}, nil
}

// exportStripe tells Stripe what was counted, one round at a time.
func (s *Server) exportStripe(ctx context.Context) error {
	s.exporting.Lock()
	defer s.exporting.Unlock()
	// A restoration can have put another deployment in the place of the one that this node began with.
	var err error
	if s.stripe.Deployment, _, err = s.Store.SystemTeam(ctx, s.opts.Now()); err != nil {
		return err
	}
	return s.stripe.Once(ctx)
}

// StripeTrouble says what is wrong with the export to Stripe, and whether somebody has to do something about it; "": nothing is.
func (c *Core) StripeTrouble(ctx context.Context) (text string, urgent bool, err error) {
	now := c.opts.Now()
	p, err := c.Store.Progress(ctx, now)
	if err != nil {
		return "", false, err
	}
	if n := p.Counts[stripe.Failed] + p.Counts[stripe.Unsure] + p.Counts[stripe.TooLate]; n > 0 {
		return fmt.Sprintf("%d events were refused, %d may have arrived and %d are too late: see `lanyard stripe events`, then retry or dismiss them",
			p.Counts[stripe.Failed], p.Counts[stripe.Unsure], p.Counts[stripe.TooLate]), true, nil
	}
	if !p.Oldest.IsZero() && now.Sub(p.Oldest.Add(time.Hour)) > longBehind {
		text = "what was counted at " + p.Oldest.Format(time.RFC3339) + " still waits to be sent"
		if p.LastError != "" {
			text += ": " + p.LastError
		}
	}
	return text, false, nil
}
