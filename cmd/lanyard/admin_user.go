package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/server"
)

func (p *program) adminCreate() *cobra.Command {
	var in lanyard.UserInput
	var e entry
	var keep bool
	cmd := &cobra.Command{
		Use:   "create --email EMAIL",
		Short: "Make an admin, on the database itself",
		Long: `Make an account that may do everything, with the password from a prompt, stdin, --from NAME or
--file PATH. Somebody who has an account becomes an admin, with that password, or with --keep-password their own.
It needs the database's settings and master key, and no server.`,
		Example: "  lanyard admin create --email ada@example.com\n  lanyard admin create --email ada@example.com --from ADMIN_PASSWORD\n  lanyard admin create --email ada@example.com --keep-password",
		Args:    noArgument,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if in.Email == "" {
				return usage("--email is missing: the address that the admin logs in with")
			}
			if !keep {
				password, err := p.secret(e, "The admin's password")
				if err != nil {
					return err
				}
				in.Password = password.Reveal()
			}
			return p.onCore(cmd.Context(), func(core *server.Core) error { return p.makeAdmin(cmd.Context(), core, in) })
		},
	}
	cmd.Flags().StringVar(&in.Email, "email", "", "the address that the admin logs in with (needed)")
	cmd.Flags().StringVar(&in.Name, "name", "", "the admin's name")
	cmd.Flags().BoolVar(&keep, "keep-password", false, "for somebody who has an account: ask for no password")
	e.flags(cmd)
	cmd.MarkFlagsMutuallyExclusive("keep-password", "from")
	cmd.MarkFlagsMutuallyExclusive("keep-password", "file")
	return cmd
}

func (p *program) makeAdmin(ctx context.Context, core *server.Core, in lanyard.UserInput) error {
	admin, made, err := core.Manage.MakeAdmin(ctx, audit.Command("admin create"), in)
	switch {
	case err != nil:
		return err
	case p.asJSON():
		return p.json(admin)
	case made:
		p.out.linef("Created the admin %s (%s).", cell(admin.Email), admin.ID)
	case in.Password != "":
		p.out.linef("Made %s (%s) an admin, with the new password.", cell(admin.Email), admin.ID)
	default:
		p.out.linef("Made %s (%s) an admin. The password stays.", cell(admin.Email), admin.ID)
	}
	p.out.linef("Log in at %s/login.", core.Settings.PublicURL)
	return nil
}

func (p *program) adminInvite() *cobra.Command {
	var email string
	cmd := &cobra.Command{
		Use:   "invite --email EMAIL",
		Short: "Invite somebody to make an account",
		Long: `Send somebody a link that opens the sign-up form for their address, for 7 days. It works on the
database itself; the running server sends the mail. LANYARD_SIGNUP has to be invite or open.`,
		Example: "  lanyard admin invite --email ada@example.com",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if email == "" {
				return usage("--email is missing: the address of who is to be invited")
			}
			return p.onCore(cmd.Context(), func(core *server.Core) error {
				if err := core.Manage.Invite(cmd.Context(), audit.Command("admin invite"), email); err != nil {
					return err
				}
				if p.asJSON() {
					return p.json(map[string]string{"invited": email})
				}
				p.out.linef("Invited %s. The server sends the mail; the link in it works once, for 7 days.", cell(email))
				if core.Settings.SMTPURL.IsZero() {
					p.notes.linef("LANYARD_SMTP_URL is not set here: without it the server sends no mail.")
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&email, "email", "", "the address of who is to be invited (needed)")
	return cmd
}

func (p *program) adminLoginLink() *cobra.Command {
	var email string
	cmd := &cobra.Command{
		Use:   "login-link --email EMAIL",
		Short: "Print a link that logs a user in once",
		Long: `Print a link that logs a user in, once and within 15 minutes: the way back in for an admin who lost
the password. It works on the database itself; the link opens at the running server.`,
		Example: "  lanyard admin login-link --email ada@example.com",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if email == "" {
				return usage("--email is missing: the address of who is to be logged in")
			}
			return p.onCore(cmd.Context(), func(core *server.Core) error {
				text, err := core.Manage.NewLoginLink(cmd.Context(), audit.Command("admin login-link"), email)
				if err != nil {
					return err
				}
				address := core.Manage.LinkAddress(text)
				if p.asJSON() {
					return p.json(map[string]string{"link": address})
				}
				p.notes.linef("Whoever opens this within 15 minutes is logged in as %s:", cell(email))
				p.out.linef("%s", address)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&email, "email", "", "the address of who is to be logged in (needed)")
	return cmd
}
