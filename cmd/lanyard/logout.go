package main

import (
	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

func (p *program) logout() *cobra.Command {
	var forget bool
	cmd := &cobra.Command{
		Use:   "logout",
		Short: "End what login began, here and at the server",
		Long: `End the login at the server of --url or LANYARD_URL, or else at the one signed in to last: the
server takes its badge back, and the file here forgets it.`,
		Example: "  lanyard logout\n  lanyard logout --url https://auth.example.com --forget",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, err := p.loginFile()
			if err != nil {
				return err
			}
			kept, err := file.read()
			if err != nil {
				return err
			}
			server, err := p.serverURL(kept.Current)
			if err != nil {
				return err
			}
			if _, there := kept.Servers[server]; !there {
				p.out.linef("You are not signed in to %s.", server)
				return nil
			}
			// Within the file's lock: a command that renews the login at this moment must not bring it back.
			err = file.change(cmd.Context(), func(all *logins) error {
				if entry, there := all.Servers[server]; there && !forget {
					if err := p.revoke(cmd.Context(), server, entry); err != nil {
						return fault.New(fault.Unavailable, "%s; the login is still kept: try again, or give it up here alone with --forget", sentence(err))
					}
				}
				delete(all.Servers, server)
				if all.Current == server {
					all.Current = ""
				}
				return nil
			})
			if err != nil {
				return err
			}
			p.out.linef("Signed out of %s.", server)
			if forget {
				p.notes.linef("The server was not told: end the login there, at %s/account/apps.", server)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&forget, "forget", false, "do not tell the server, which may be gone")
	return cmd
}
