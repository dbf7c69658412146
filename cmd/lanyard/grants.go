package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard"
)

func (p *program) grants() *cobra.Command {
	return parent(&cobra.Command{
		Use:   "grants",
		Short: "What users allowed apps",
		Long: `A grant is what one user allowed one app. Access tokens are issued under it and die with it. These
commands need the scopes lanyard.grants.read and lanyard.grants.write, which admins hold. Everybody
sees and takes back what they allowed themselves on the page /account/apps.`,
	}, p.grantsList(), p.grantsRevoke())
}

func (p *program) grantsList() *cobra.Command {
	var q lanyard.GrantQuery
	var app string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List grants, newest first",
		Example: "  lanyard grants list\n  lanyard grants list --app PostPal -o json",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.client()
			if err != nil {
				return err
			}
			q.ListQuery = biggest()
			if app != "" {
				found, err := findApp(cmd.Context(), c, app)
				if err != nil {
					return err
				}
				q.AppID = found.ID
			}
			grants, rows := []lanyard.Grant{}, [][]string{}
			for g, err := range c.AllGrants(cmd.Context(), q) {
				if err != nil {
					return err
				}
				used := "never"
				if g.LastUsedAt != nil {
					used = when(*g.LastUsedAt)
				}
				grants, rows = append(grants, g), append(rows, []string{g.ID, g.UserID, g.AppID, strings.Join(g.Scopes, " "), when(g.CreatedAt), used})
			}
			if p.asJSON() {
				return p.json(grants)
			}
			return p.table([]string{"ID", "USER", "APP", "SCOPES", "SINCE", "LAST USED"}, rows)
		},
	}
	cmd.Flags().StringVar(&q.UserID, "user", "", "only of this user, by id")
	cmd.Flags().StringVar(&app, "app", "", "only to this app, by id or name")
	return cmd
}

func (p *program) grantsRevoke() *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use:     "revoke ID",
		Short:   "Take back what a user allowed an app",
		Long:    "Take back what a user allowed an app, with every token under it. The app may ask again.",
		Example: "  lanyard grants revoke grant_8fK2mQz7Lr0Xc41Z --wait 1s",
		Args:    takes("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.client()
			if err != nil {
				return err
			}
			applied, err := c.RevokeGrant(cmd.Context(), args[0], wait)
			if err != nil {
				return err
			}
			return p.ended("Revoked the grant "+args[0], wait, applied)
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", 0, "wait up to this long, such as 1s, until every node refuses its tokens")
	return cmd
}
