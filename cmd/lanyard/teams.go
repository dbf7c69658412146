package main

import (
	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard"
)

func (p *program) teams() *cobra.Command {
	return parent(&cobra.Command{
		Use:   "teams",
		Short: "Who owns apps and is billed",
		Long:  "A team owns apps. A management key belongs to none, so it says with --team for which it makes an app.",
	}, p.teamsCreate(), p.teamsList(), p.teamsUpdate())
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

func (p *program) teamsUpdate() *cobra.Command {
	var name, customer string
	cmd := &cobra.Command{
		Use:     "update TEAM",
		Short:   "Change a team's name or its customer at Stripe",
		Long:    "Changes what is given and leaves the rest. Another customer counts from the next whole hour on; none (--stripe-customer \"\") too.",
		Example: "  lanyard teams update Sunny --stripe-customer cus_NffrFeUfNV2Hib\n  lanyard teams update Sunny --name \"Sunny Inc.\"",
		Args:    takes("TEAM"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var patch lanyard.TeamPatch
			if cmd.Flags().Changed("name") {
				patch.Name = &name
			}
			if cmd.Flags().Changed("stripe-customer") {
				patch.StripeCustomer = &customer
			}
			if patch.Name == nil && patch.StripeCustomer == nil {
				return usage("nothing is to change: give --name or --stripe-customer")
			}
			c, err := p.client()
			if err != nil {
				return err
			}
			teamID, err := findTeam(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			team, err := c.UpdateTeam(cmd.Context(), teamID, patch)
			if err != nil {
				return err
			}
			if p.asJSON() {
				return p.json(team)
			}
			p.out.linef("Changed the team %s (%s).", cell(team.Name), team.ID)
			if patch.StripeCustomer != nil && customer != "" {
				p.out.linef("Stripe is told what it uses from the next whole hour on, of the meters that `stripe:` names in lanyard.yaml.")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "its new name")
	cmd.Flags().StringVar(&customer, "stripe-customer", "", "which customer it is at Stripe: cus_…; empty: none")
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
				state := "active"
				if t.Suspended {
					state = "suspended"
				}
				teams, rows = append(teams, t), append(rows, []string{t.ID, t.Name, state, when(t.CreatedAt)})
			}
			if p.asJSON() {
				return p.json(teams)
			}
			return p.table([]string{"ID", "NAME", "STATE", "MADE"}, rows)
		},
	}
}
