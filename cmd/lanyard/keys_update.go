package main

import (
	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard"
)

func (p *program) keysUpdate() *cobra.Command {
	var app, name, expires, rotateEvery, quotaTyped string
	var scopes, ips, origins, operations, apis []string
	var limit limitFlags
	cmd := &cobra.Command{
		Use:   "update NAME",
		Short: "Change a key's name, scopes or restrictions",
		Long: `Change what is named and leave the rest. A list replaces the one before; --ip "" empties it.
An end can be set or brought forward, never put off.

` + limitsHelp,
		Example: `  lanyard keys update production --scope forecast.read,alerts.read
  lanyard keys update production --app WeatherDashboard --ip 203.0.113.0/24 --expires 30d
  lanyard keys update production --limit 10/second --limit 1000/day`,
		Args: takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			patch := lanyard.KeyPatch{
				Name: given(cmd, "name", name), Scopes: list(cmd, "scope", scopes), IPAllow: list(cmd, "ip", ips), Origins: list(cmd, "origin", origins),
				Operations: list(cmd, "operation", operations), APIs: list(cmd, "api", apis),
			}
			var err error
			if expires != "" {
				if patch.ExpiresAt, err = moment("--expires", expires, p.now()); err != nil {
					return err
				}
			}
			if err := limit.check(); err != nil {
				return err
			}
			if quotaTyped != "" {
				if patch.Quota, err = quota(quotaTyped); err != nil {
					return err
				}
			}
			if rotateEvery != "" {
				days, err := wholeDays("--rotate-every", rotateEvery)
				if err != nil {
					return err
				}
				patch.RotateEveryDays = &days
			}
			if patch == (lanyard.KeyPatch{}) && !limit.given(cmd) {
				return usage("nothing to change was named; see `%s --help`", cmd.CommandPath())
			}
			c, err := p.client()
			if err != nil {
				return err
			}
			k, err := findKey(cmd.Context(), c, args[0], app)
			if err != nil {
				return err
			}
			if patch.Limits, err = limit.patch(cmd, k.Limits); err != nil {
				return err
			}
			if k, err = c.UpdateKey(cmd.Context(), k.ID, patch); err != nil {
				return err
			}
			return p.showKey(k)
		},
	}
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "its new name")
	f.StringSliceVar(&scopes, "scope", nil, "what it may do; may be repeated")
	f.StringSliceVar(&ips, "ip", nil, "only from this address or CIDR block; may be repeated")
	f.StringSliceVar(&origins, "origin", nil, "only from pages of this web origin; may be repeated")
	f.StringArrayVar(&operations, "operation", nil, "only this operation; may be repeated")
	f.StringSliceVar(&apis, "api", nil, "with the scope lanyard.verify: only for this API; may be repeated")
	f.StringVar(&expires, "expires", "", "when it ends: 2026-12-31, 90d, 12h or RFC 3339")
	limit.flags(cmd, "all calls with it together")
	f.StringVar(&quotaTyped, "quota", "", "how much it may use, such as 1000/month or 100/day; none takes its quota away")
	f.StringVar(&rotateEvery, "rotate-every", "", "ask for a rotation this often, such as 90d")
	appFlag(cmd, &app)
	return cmd
}

// list is a flag's list if the flag was set; one empty value is the empty list.
func list(cmd *cobra.Command, flag string, values []string) *[]string {
	if !cmd.Flags().Changed(flag) {
		return nil
	}
	if len(values) == 1 && values[0] == "" {
		values = nil
	}
	return new(append([]string{}, values...))
}
