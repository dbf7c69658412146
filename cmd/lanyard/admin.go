package main

import (
	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/server"
)

func (p *program) admin() *cobra.Command {
	return parent(&cobra.Command{
		Use:   "admin",
		Short: "The way in: works on the database, server running or not",
	}, p.adminCreate(), p.adminInvite(), p.adminLoginLink(), parent(&cobra.Command{
		Use:   "key",
		Short: "Management keys",
	}, p.adminKeyCreate()))
}

func (p *program) adminKeyCreate() *cobra.Command {
	var name string
	var scopes []string
	var h handOver
	cmd := &cobra.Command{
		Use:   "create --scope SCOPE…",
		Short: "Make a management key, on the database itself",
		Long: `Make a key that manages this server, under the built-in team and app "system". It needs the
database's settings and master key, and no server. Scopes begin "lanyard."; lanyard.admin
includes all. Its secret is shown once, or goes into .env with --save.`,
		Example: "  lanyard admin key create --scope lanyard.admin --save LANYARD_TOKEN\n  lanyard admin key create --name 'weather API' --scope lanyard.verify",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(scopes) == 0 {
				return usage("--scope is missing: lanyard.admin may do everything, lanyard.verify is what an API needs to ask for decisions")
			}
			if err := h.prepare(""); err != nil {
				return err
			}
			return p.onCore(cmd.Context(), func(core *server.Core) error {
				made, err := core.Manage.CreateSystemKey(cmd.Context(), audit.Command("admin key create"), name, scopes)
				if err != nil {
					return err
				}
				return p.give(cmd.Context(), &h, issued{
					title: "Created the management key " + cell(made.Name) + " (" + made.ID + ").", id: made.ID, secret: lanyard.NewSecret(made.Secret),
					ifStolen: made.IfStolen, answer: made, public: withoutSecret(made),
				})
			})
		},
	}
	cmd.Flags().StringVar(&name, "name", "admin", "what you call it")
	cmd.Flags().StringSliceVar(&scopes, "scope", nil, "what it may do; may be repeated (needed)")
	h.flags(cmd)
	return cmd
}
