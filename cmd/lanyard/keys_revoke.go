package main

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard"
)

func (p *program) keysRevoke() *cobra.Command {
	var app string
	var in lanyard.RevokeInput
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "revoke NAME",
		Short: "Take a key back, for good",
		Long: `Take a key back: every door refuses it within a second, and it stays refused. With --version
only that secret of a rotated key goes. With --wait the command ends when every node refuses
it, or says that it did not hear from all of them in time (exit 1).`,
		Example: `  lanyard keys revoke production --reason "found in a public repository" --wait 1s
  lanyard keys revoke production --app WeatherDashboard --version 1`,
		Args: takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			what := "revoked"
			if in.Version > 0 {
				what = "revoked version " + strconv.Itoa(in.Version) + " of"
			}
			return p.act(cmd, args[0], app, what, wait, func(ctx context.Context, c *lanyard.Client, keyID string) (lanyard.Applied, error) {
				return c.RevokeKey(ctx, keyID, in, wait)
			})
		},
	}
	cmd.Flags().StringVar(&in.Reason, "reason", "", "why; kept with the key and in the audit log")
	cmd.Flags().IntVar(&in.Version, "version", 0, "only this secret of a rotated key")
	cmd.Flags().DurationVar(&wait, "wait", 0, "wait up to this long, such as 1s, until every node refuses it")
	appFlag(cmd, &app)
	return cmd
}

func (p *program) keysDisable() *cobra.Command {
	var app string
	cmd := &cobra.Command{
		Use:     "disable NAME",
		Short:   "Switch a key off until it is enabled",
		Example: "  lanyard keys disable production",
		Args:    takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.act(cmd, args[0], app, "disabled", 0, func(ctx context.Context, c *lanyard.Client, keyID string) (lanyard.Applied, error) {
				return c.DisableKey(ctx, keyID)
			})
		},
	}
	appFlag(cmd, &app)
	return cmd
}

func (p *program) keysEnable() *cobra.Command {
	var app string
	cmd := &cobra.Command{
		Use:     "enable NAME",
		Short:   "Switch a disabled key on again",
		Long:    "Switch a disabled key on again. A revoked key stays revoked.",
		Example: "  lanyard keys enable production",
		Args:    takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.act(cmd, args[0], app, "enabled", 0, func(ctx context.Context, c *lanyard.Client, keyID string) (lanyard.Applied, error) {
				return c.EnableKey(ctx, keyID)
			})
		},
	}
	appFlag(cmd, &app)
	return cmd
}

// act does one thing to a key and says how far it has come.
func (p *program) act(cmd *cobra.Command, name, app, done string, wait time.Duration, do func(context.Context, *lanyard.Client, string) (lanyard.Applied, error)) error {
	c, err := p.client()
	if err != nil {
		return err
	}
	k, err := findKey(cmd.Context(), c, name, app)
	if err != nil {
		return err
	}
	applied, err := do(cmd.Context(), c, k.ID)
	if err != nil {
		return err
	}
	late := wait > 0 && !applied.Applied
	if p.asJSON() {
		err = p.json(applied)
	} else {
		p.out.linef("%s the key %s (%s)%s", capital(done), cell(k.Name), k.ID, reached(wait, applied))
	}
	if err == nil && late {
		err = errNo
	}
	return err
}

func reached(wait time.Duration, applied lanyard.Applied) string {
	switch {
	case wait == 0:
		return "."
	case applied.Applied:
		return "; every node knows."
	}
	return "; not every node had said so within " + wait.String() + ". Those that cannot hear of it stop answering within a second."
}

func capital(text string) string { return string(text[0]-'a'+'A') + text[1:] }
