package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard"
)

func (p *program) teams() *cobra.Command {
	return parent(&cobra.Command{
		Use:   "teams",
		Short: "Who owns apps and is billed",
		Long:  "A team owns apps. A management key belongs to none, so it says with --team for which it makes an app.",
	}, p.teamsCreate(), p.teamsList(), p.teamsShow(), p.teamsUpdate())
}

func (p *program) teamsCreate() *cobra.Command {
	var in lanyard.TeamInput
	cmd := &cobra.Command{
		Use:     "create NAME",
		Short:   "Make a team",
		Example: "  lanyard teams create Sunny",
		Args:    takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.client()
			if err != nil {
				return err
			}
			in.Name = args[0]
			team, err := c.CreateTeam(cmd.Context(), in)
			if err != nil {
				return err
			}
			if p.asJSON() {
				return p.json(team)
			}
			p.out.linef("Created the team %s (%s).", cell(team.Name), team.ID)
			p.out.linef("Next: lanyard apps create NAME --team %s", team.ID)
			return nil
		},
	}
	cmd.Flags().StringVar(&in.OwnerID, "owner", "", "the user who owns it, by id")
	cmd.Flags().StringVar(&in.StripeCustomer, "stripe-customer", "", "which customer it is at Stripe, which is told what it uses: cus_…")
	return cmd
}

func (p *program) teamsList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List teams, newest first",
		Example: "  lanyard teams list",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.client()
			if err != nil {
				return err
			}
			teams, rows := []lanyard.Team{}, [][]string{}
			for t, err := range c.AllTeams(cmd.Context(), lanyard.TeamQuery{ListQuery: biggest()}) {
				if err != nil {
					return err
				}
				teams, rows = append(teams, t), append(rows, []string{t.ID, t.Name, teamState(t), limitsText(t.Limits), when(t.CreatedAt)})
			}
			if p.asJSON() {
				return p.json(teams)
			}
			return p.table([]string{"ID", "NAME", "STATE", "LIMITS", "MADE"}, rows)
		},
	}
}

func teamState(t lanyard.Team) string {
	if t.Suspended {
		return "suspended"
	}
	return "active"
}

// oneTeam is the team of an id or unique name.
func oneTeam(ctx context.Context, c *lanyard.Client, name string) (lanyard.Team, error) {
	team, err := findTeam(ctx, c, name)
	if err != nil {
		return lanyard.Team{}, err
	}
	return c.Team(ctx, team)
}

func (p *program) teamsShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Short:   "Show a team",
		Example: "  lanyard teams show Sunny",
		Args:    takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.client()
			if err != nil {
				return err
			}
			t, err := oneTeam(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			return p.showTeam(t)
		},
	}
}

func (p *program) showTeam(t lanyard.Team) error {
	if p.asJSON() {
		return p.json(t)
	}
	return p.fields("id", t.ID, "name", t.Name, "state", teamState(t), "limits", limitsText(t.Limits), "customer at Stripe", t.StripeCustomer, "made", when(t.CreatedAt))
}

func (p *program) teamsUpdate() *cobra.Command {
	var name, customer string
	var suspend, lift bool
	var limit limitFlags
	cmd := &cobra.Command{
		Use:   "update NAME",
		Short: "Change a team's name, limits or customer at Stripe, or suspend it",
		Long: `Change what is named and leave the rest. A team's limits count the calls of all its apps
together, on all APIs. They hold within a second, beside those of its keys, apps and plans and
of the APIs. Limits, suspensions and customers are set for a team, not by it: they need server
reach. Another customer counts from the next whole hour on; none (--stripe-customer "") too.

` + limitsHelp,
		Example: `  lanyard teams update Sunny --limit 60/minute --limit 1000/day
  lanyard teams update Sunny --no-limits
  lanyard teams update Sunny --stripe-customer cus_NffrFeUfNV2Hib`,
		Args: takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if suspend && lift {
				return usage("--suspend and --lift contradict each other; keep one of them")
			}
			patch := lanyard.TeamPatch{Name: given(cmd, "name", name), StripeCustomer: given(cmd, "stripe-customer", customer)}
			if suspend || lift {
				patch.Suspended = &suspend
			}
			if patch == (lanyard.TeamPatch{}) && !limit.given(cmd) {
				return usage("nothing to change was named; see `%s --help`", cmd.CommandPath())
			}
			if err := limit.check(); err != nil {
				return err
			}
			c, err := p.client()
			if err != nil {
				return err
			}
			t, err := oneTeam(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			if patch.Limits, err = limit.patch(cmd, t.Limits); err != nil {
				return err
			}
			if t, err = c.UpdateTeam(cmd.Context(), t.ID, patch); err != nil {
				return err
			}
			if err := p.showTeam(t); err != nil {
				return err
			}
			if customer != "" && !p.asJSON() {
				p.out.linef("Stripe is told what it uses from the next whole hour on, of the meters that `stripe:` names in lanyard.yaml.")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "its new name")
	cmd.Flags().StringVar(&customer, "stripe-customer", "", "which customer it is at Stripe: cus_…; empty: none")
	cmd.Flags().BoolVar(&suspend, "suspend", false, "refuse all its credentials until --lift")
	cmd.Flags().BoolVar(&lift, "lift", false, "accept its credentials again")
	limit.flags(cmd, "all its apps together")
	return cmd
}
