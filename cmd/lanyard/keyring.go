package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/server"
)

func (p *program) keyring() *cobra.Command {
	return parent(&cobra.Command{
		Use:   "keyring",
		Short: "The server's own keys",
		Long: `The server's own keys: what they are for, never what they are. They stand in the database, wrapped
under the master key.

  pepper     digests of API keys, client secrets, personal tokens, passwords and codes
  sealing    opaque access tokens
  refresh    refresh tokens
  at_rest    secrets that are kept sealed, such as those of second factors
  sign_…     signatures of tokens: sign_es256, sign_rs256, sign_ps256, sign_eddsa; of what doors tell upstreams: sign_assertion`,
	}, p.keyringList(), p.keyringRotate(), p.keyringRevoke())
}

func (p *program) keyringList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the keys by purpose and version",
		Example: "  lanyard keyring list",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.onCore(cmd.Context(), func(core *server.Core) error {
				keys := core.Ring.List()
				if p.asJSON() {
					return p.json(keys)
				}
				var rows [][]string
				for _, k := range keys {
					rows = append(rows, []string{string(k.Purpose), strconv.Itoa(k.Version), string(k.State), when(k.CreatedAt), k.KeyID})
				}
				return p.table([]string{"PURPOSE", "VERSION", "STATE", "MADE", "KEY ID"}, rows)
			})
		},
	}
}

func (p *program) keyringRotate() *cobra.Command {
	return &cobra.Command{
		Use:   "rotate PURPOSE",
		Short: "Make a new key for a purpose",
		Long: `Make a new key for a purpose. What the older ones made stays good: they are kept until "lanyard
keyring revoke" takes them. Running servers learn of the new key within a second.

A key that signs is published for a day before anything is signed with it, and stays published for
25 hours after its successor took over. The server does this by itself every 90 days.`,
		Example: "  lanyard keyring rotate pepper\n  lanyard keyring rotate sign_es256",
		Args:    takes("PURPOSE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.onCore(cmd.Context(), func(core *server.Core) error {
				made, err := core.Ring.AddVersion(cmd.Context(), keyring.Purpose(args[0]), p.now())
				if err != nil {
					return err
				}
				if p.asJSON() {
					return p.json(made)
				}
				begins := "in use from now on"
				if made.KeyID != "" && made.Version > 1 {
					begins = "published as " + made.KeyID + "; it signs from " + when(made.CreatedAt.Add(keyring.PublishAhead)) + " on"
				}
				p.out.linef("Version %d for %s is made and %s.", made.Version, made.Purpose, begins)
				return nil
			})
		},
	}
}

func (p *program) keyringRevoke() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "revoke PURPOSE VERSION",
		Short: "Remove a key, and with it all that it made",
		Long: `Remove a key for good, and with it all that it made. A backup from before still holds it.

A key that signs goes at once, for it may have been stolen; if it was the newest of its algorithm
another is made in its place. Of the other purposes only a version that is no longer current goes:
run "lanyard keyring rotate PURPOSE" first.`,
		Example: "  lanyard keyring revoke sign_es256 1\n  lanyard keyring revoke pepper 1 --yes",
		Args:    takes("PURPOSE", "VERSION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			purpose := keyring.Purpose(args[0])
			version, err := strconv.Atoi(args[1])
			if err != nil || version < 1 {
				return usage("VERSION is a whole number from 1, as `lanyard keyring list` shows it, not %.20q", args[1])
			}
			return p.onCore(cmd.Context(), func(core *server.Core) error {
				if !yes {
					if err := p.confirm("Without version " + args[1] + " for " + cell(args[0]) + " " + purpose.Loss() + ". This is for good."); err != nil {
						return err
					}
				}
				if err := core.Ring.Drop(cmd.Context(), purpose, version, p.now()); err != nil {
					return err
				}
				if p.asJSON() {
					return p.json(core.Ring.List())
				}
				p.out.linef("Revoked version %d for %s. Running servers drop it within a second.", version, purpose)
				if purpose.Algorithm() != "" {
					p.out.linef("Whoever keeps a copy of the key set goes on believing it until the copy is replaced.")
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}
