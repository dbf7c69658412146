package main

import (
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard"
)

func (p *program) apps() *cobra.Command {
	return parent(&cobra.Command{
		Use:   "apps",
		Short: "The software that calls your APIs",
		Long:  "An app is software that calls APIs. It belongs to a team, holds API keys, and as an OAuth client gets tokens for users.",
	}, p.appsCreate(), p.appsList(), p.appsShow(), p.appsUpdate(), p.appsDelete(), p.appsSecrets())
}

func (p *program) appsCreate() *cobra.Command {
	var in lanyard.AppInput
	var team string
	var public bool
	var oauth oauthFlags
	cmd := &cobra.Command{
		Use:     "create NAME",
		Short:   "Make an app",
		Long:    "Make an app in the team named, or else in the team of the credential that asks.",
		Example: "  lanyard apps create WeatherDashboard --team Sunny\n  lanyard apps create PostPal --team Sunny --redirect-uri https://postpal.example/done --scope messages.read",
		Args:    takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.client()
			if err != nil {
				return err
			}
			in.Name = args[0]
			if in.OAuthSettings, err = oauth.settings(cmd); err != nil {
				return err
			}
			if team != "" {
				if in.TeamID, err = findTeam(cmd.Context(), c, team); err != nil {
					return err
				}
			}
			if public {
				in.Type = "public"
			}
			app, err := c.CreateApp(cmd.Context(), in)
			if team == "" && faultOf(err, "team_id") {
				return usage("--team is missing: your credential belongs to no team, so say whose app it is; `lanyard teams list` shows which there are, `lanyard teams create NAME` makes one")
			}
			if err != nil {
				return err
			}
			if p.asJSON() {
				return p.json(app)
			}
			p.out.linef("Created the app %s (%s).", cell(app.Name), app.ID)
			if len(app.GrantTypes) > 0 && app.Type != "public" {
				p.out.linef("Next: lanyard apps secrets create %s --save CLIENT_SECRET", app.ID)
				return nil
			}
			p.out.linef("Next: lanyard keys create %s --name production --scope SCOPE --save API_KEY", app.ID)
			return nil
		},
	}
	cmd.Flags().StringVar(&team, "team", "", "the team that owns it, by id or name")
	cmd.Flags().StringVar(&in.Description, "description", "", "what it is")
	cmd.Flags().StringVar(&in.HomepageURL, "homepage", "", "where to read about it")
	cmd.Flags().BoolVar(&public, "public", false, "it runs where anyone can look inside, and keeps no secret")
	cmd.Flags().StringToStringVar((*map[string]string)(&in.Metadata), "metadata", nil, "NAME=VALUE that verify returns")
	oauth.flags(cmd)
	return cmd
}

func (p *program) appsList() *cobra.Command {
	var team string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List apps, newest first",
		Example: "  lanyard apps list\n  lanyard apps list --team Sunny -o json",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.client()
			if err != nil {
				return err
			}
			q := lanyard.AppQuery{ListQuery: biggest()}
			if team != "" {
				if q.TeamID, err = findTeam(cmd.Context(), c, team); err != nil {
					return err
				}
			}
			apps, rows := []lanyard.App{}, [][]string{}
			for app, err := range c.AllApps(cmd.Context(), q) {
				if err != nil {
					return err
				}
				apps, rows = append(apps, app), append(rows, []string{app.ID, app.Name, app.TeamID, app.Type, onOff(app.Disabled), when(app.CreatedAt)})
			}
			if p.asJSON() {
				return p.json(apps)
			}
			return p.table([]string{"ID", "NAME", "TEAM", "TYPE", "STATE", "MADE"}, rows)
		},
	}
	cmd.Flags().StringVar(&team, "team", "", "only of this team, by id or name")
	return cmd
}

func onOff(disabled bool) string {
	if disabled {
		return "disabled"
	}
	return "active"
}

func (p *program) appsShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Short:   "Show an app",
		Example: "  lanyard apps show WeatherDashboard",
		Args:    takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.client()
			if err != nil {
				return err
			}
			app, err := findApp(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			return p.showApp(app)
		},
	}
}

func (p *program) showApp(app lanyard.App) error {
	if p.asJSON() {
		return p.json(app)
	}
	return p.fields(slices.Concat([]string{
		"id", app.ID, "client id", clientID(app), "name", app.Name, "team", app.TeamID, "type", app.Type, "state", onOff(app.Disabled), "description", app.Description,
		"homepage", app.HomepageURL, "limits", limitsText(app.Limits), "made", when(app.CreatedAt),
	}, oauthPairs(app), metadataPairs(app.Metadata))...)
}

// clientID is the app's name on the wire where it is not its id.
func clientID(app lanyard.App) string {
	if app.ClientID == app.ID {
		return ""
	}
	return app.ClientID
}

func (p *program) appsUpdate() *cobra.Command {
	var name, description, homepage string
	var disable, enable bool
	var oauth oauthFlags
	var limit limitFlags
	cmd := &cobra.Command{
		Use:     "update NAME",
		Short:   "Change an app, or switch it off and on",
		Long:    "Change what is named and leave the rest. Keys of a disabled app are refused until it is enabled again.\n\n" + limitsHelp,
		Example: "  lanyard apps update WeatherDashboard --name 'Weather wall'\n  lanyard apps update WeatherDashboard --disable\n  lanyard apps update WeatherDashboard --limit 600/minute",
		Args:    takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if disable && enable {
				return usage("--disable and --enable contradict each other; keep one of them")
			}
			patch := lanyard.AppPatch{Name: given(cmd, "name", name), Description: given(cmd, "description", description), HomepageURL: given(cmd, "homepage", homepage)}
			if disable || enable {
				patch.Disabled = &disable
			}
			var err error
			if patch.OAuthPatch, err = oauth.patch(cmd); err != nil {
				return err
			}
			if err := limit.check(); err != nil {
				return err
			}
			if patch == (lanyard.AppPatch{}) && !limit.given(cmd) {
				return usage("nothing to change was named; see `%s --help`", cmd.CommandPath())
			}
			c, err := p.client()
			if err != nil {
				return err
			}
			app, err := findApp(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			if patch.Limits, err = limit.patch(cmd, app.Limits); err != nil {
				return err
			}
			if app, err = c.UpdateApp(cmd.Context(), app.ID, patch); err != nil {
				return err
			}
			return p.showApp(app)
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "its new name")
	cmd.Flags().StringVar(&description, "description", "", "what it is")
	cmd.Flags().StringVar(&homepage, "homepage", "", "where to read about it")
	cmd.Flags().BoolVar(&disable, "disable", false, "refuse its credentials until --enable")
	cmd.Flags().BoolVar(&enable, "enable", false, "accept its credentials again")
	limit.flags(cmd, "all its credentials together")
	oauth.flags(cmd)
	return cmd
}

// given is a flag's value if the flag was set.
func given[T any](cmd *cobra.Command, flag string, value T) *T {
	if !cmd.Flags().Changed(flag) {
		return nil
	}
	return &value
}

func (p *program) appsDelete() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:     "delete NAME",
		Short:   "Remove an app and stop all its keys",
		Long:    "Remove an app. All its keys stop at once, for good; its usage stays on the books.",
		Example: "  lanyard apps delete WeatherDashboard --yes",
		Args:    takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.client()
			if err != nil {
				return err
			}
			app, err := findApp(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			if !yes {
				if err := p.confirm("The app " + cell(app.Name) + " and all its keys will stop for good."); err != nil {
					return err
				}
			}
			if err := c.DeleteApp(cmd.Context(), app.ID); err != nil {
				return err
			}
			if p.asJSON() {
				return p.json(map[string]string{"id": app.ID})
			}
			p.out.linef("Deleted the app %s (%s). Its keys no longer work.", cell(app.Name), app.ID)
			return nil
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// faultOf reports whether the server found fault with that input.
func faultOf(err error, field string) bool {
	var problem *lanyard.ProblemError
	return errors.As(err, &problem) && slices.ContainsFunc(problem.Errors, func(f lanyard.ProblemField) bool { return f.Field == field })
}
