package main

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard"
)

func (p *program) stripe() *cobra.Command {
	return parent(&cobra.Command{
		Use:   "stripe",
		Short: "What Stripe is told of what was counted",
		Long: "With LANYARD_STRIPE_KEY the server tells Stripe, hour by hour, what each team used that is a customer there: as meter events, each under one\n" +
			"identifier. Which customer a team is, `lanyard teams update` says, and under which names the meters go, `stripe:` of an API in lanyard.yaml.",
	}, p.stripeStatus(), p.stripeEvents(), p.stripeRetry(), p.stripeDismiss())
}

func (p *program) stripeStatus() *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "Say how far Stripe was told",
		Example: "  lanyard stripe status",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.client()
			if err != nil {
				return err
			}
			s, err := c.Stripe(cmd.Context())
			if err != nil {
				return err
			}
			if p.asJSON() {
				return p.json(s)
			}
			if !s.On {
				p.out.linef("The server has no LANYARD_STRIPE_KEY: nothing is sent.")
			}
			if s.Behind == nil {
				p.out.linef("Stripe was told all that it is to know by now.")
			} else {
				p.out.linef("%s and %s wait, of the hour %s and later.", count(s.Hours, "hour"), count(s.Waiting, "event"), when(*s.Behind))
			}
			if s.LastError != "" {
				p.out.linef("The last try: %s", cell(s.LastError))
			}
			for _, line := range []struct {
				n    int64
				what string
			}{
				{s.Failed, "refused: set right what is wrong, then `lanyard stripe retry`"},
				{s.Unsure, "may have arrived: look at Stripe whether it did, then retry or dismiss each"},
				{s.TooLate, "too late for Stripe: bill them otherwise, then dismiss each"},
			} {
				if line.n > 0 {
					p.out.linef("%s %s.", count(line.n, "event"), line.what)
				}
			}
			return nil
		},
	}
}

func (p *program) stripeEvents() *cobra.Command {
	var team string
	var q lanyard.StripeQuery
	cmd := &cobra.Command{
		Use:     "events",
		Short:   "List what Stripe was told, newest first",
		Example: "  lanyard stripe events --state failed\n  lanyard stripe events --team Sunny",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.client()
			if err != nil {
				return err
			}
			if team != "" {
				if q.TeamID, err = findTeam(cmd.Context(), c, team); err != nil {
					return err
				}
			}
			q.ListQuery = biggest()
			events, rows := []lanyard.StripeEvent{}, [][]string{}
			for e, err := range c.AllStripeEvents(cmd.Context(), q) {
				if err != nil {
					return err
				}
				events = append(events, e)
				rows = append(rows, []string{e.Hour.UTC().Format(time.RFC3339), e.Customer, e.EventName, strconv.FormatInt(e.Units, 10), e.State, e.Identifier, e.Error})
			}
			if p.asJSON() {
				return p.json(events)
			}
			return p.table([]string{"HOUR", "CUSTOMER", "EVENT", "UNITS", "STATE", "IDENTIFIER", "ERROR"}, rows)
		},
	}
	cmd.Flags().StringVar(&team, "team", "", "only of this team, by id or name")
	cmd.Flags().StringVar(&q.State, "state", "", "only waiting, sent, failed, unsure, too_late or dismissed ones")
	return cmd
}

func (p *program) stripeRetry() *cobra.Command {
	return &cobra.Command{
		Use:   "retry [IDENTIFIER]",
		Short: "Send again what Stripe refused",
		Long: "Without an identifier, every event that failed. They go to the customers and under the names that are set now. An unsure event has to be\n" +
			"named: look at Stripe first that it is not there, since it would count twice.",
		Example: "  lanyard stripe retry",
		Args:    takesUpTo(0, "IDENTIFIER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.client()
			if err != nil {
				return err
			}
			done := lanyard.StripeRetried{}
			if len(args) == 1 {
				if _, err := c.RetryStripeEvent(cmd.Context(), args[0]); err != nil {
					return err
				}
				done.Retried = 1
			}
			for len(args) == 0 {
				some, err := c.RetryStripeEvents(cmd.Context())
				if err != nil {
					return err
				}
				if some.Retried == 0 {
					break
				}
				done.Retried += some.Retried
			}
			if p.asJSON() {
				return p.json(done)
			}
			p.out.linef("%s to be sent within a minute.", count(int64(done.Retried), "event"))
			return nil
		},
	}
}

func (p *program) stripeDismiss() *cobra.Command {
	return &cobra.Command{
		Use:     "dismiss IDENTIFIER",
		Short:   "Settle an event without sending it",
		Long:    "For an event that failed, is unsure or too late, once it is set right at Stripe by hand, or given up.",
		Example: "  lanyard stripe dismiss lanyard-0f5c2d4e8b7a69130f5c2d4e8b7a69130f5c2d4e",
		Args:    takes("IDENTIFIER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.client()
			if err != nil {
				return err
			}
			e, err := c.DismissStripeEvent(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if p.asJSON() {
				return p.json(e)
			}
			p.out.linef("Dismissed: %s of %s are not sent.", count(e.Units, "unit"), cell(e.EventName))
			return nil
		},
	}
}
