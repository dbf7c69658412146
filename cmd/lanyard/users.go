package main

import (
	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard"
)

func (p *program) users() *cobra.Command {
	return parent(&cobra.Command{
		Use:   "users",
		Short: "People who have an account",
		Long:  "A user is a person with an account, named by id or mail address. It needs lanyard.users.read, to change one lanyard.users.write, for the whole server.",
	}, p.usersList(), p.usersShow(), p.usersUpdate())
}

func (p *program) usersList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List users, newest first",
		Example: "  lanyard users list",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.client()
			if err != nil {
				return err
			}
			users, rows := []lanyard.User{}, [][]string{}
			for u, err := range c.AllUsers(cmd.Context(), lanyard.UserQuery{ListQuery: biggest()}) {
				if err != nil {
					return err
				}
				users, rows = append(users, u), append(rows, []string{u.ID, u.Email, u.Name, onOff(u.Disabled), limitsText(u.Limits), when(u.CreatedAt)})
			}
			if p.asJSON() {
				return p.json(users)
			}
			return p.table([]string{"ID", "EMAIL", "NAME", "STATE", "LIMITS", "MADE"}, rows)
		},
	}
}

func (p *program) usersShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show USER",
		Short:   "Show a user",
		Example: "  lanyard users show ada@example.com",
		Args:    takes("USER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.client()
			if err != nil {
				return err
			}
			u, err := findUser(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			return p.showUser(u)
		},
	}
}

func (p *program) showUser(u lanyard.User) error {
	if p.asJSON() {
		return p.json(u)
	}
	admin := ""
	if u.Admin {
		admin = "yes"
	}
	return p.fields("id", u.ID, "email", u.Email, "name", u.Name, "state", onOff(u.Disabled), "admin", admin, "limits", limitsText(u.Limits), "made", when(u.CreatedAt))
}

func (p *program) usersUpdate() *cobra.Command {
	var name string
	var disable, enable bool
	var limit limitFlags
	cmd := &cobra.Command{
		Use:   "update USER",
		Short: "Change a user's name or limits, or switch the account off and on",
		Long: `Change what is named and leave the rest. A user's limits count all calls on their behalf
together, through whatever app and on all APIs. They hold within a second, beside those of
apps, teams, plans and APIs.

` + limitsHelp,
		Example: `  lanyard users update ada@example.com --limit 60/minute --limit 1000/day
  lanyard users update ada@example.com --no-limits`,
		Args: takes("USER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if disable && enable {
				return usage("--disable and --enable contradict each other; keep one of them")
			}
			patch := lanyard.UserPatch{Name: given(cmd, "name", name)}
			if disable || enable {
				patch.Disabled = &disable
			}
			if patch == (lanyard.UserPatch{}) && !limit.given(cmd) {
				return usage("nothing to change was named; see `%s --help`", cmd.CommandPath())
			}
			if err := limit.check(); err != nil {
				return err
			}
			c, err := p.client()
			if err != nil {
				return err
			}
			u, err := findUser(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			if patch.Limits, err = limit.patch(cmd, u.Limits); err != nil {
				return err
			}
			if u, err = c.UpdateUser(cmd.Context(), u.ID, patch); err != nil {
				return err
			}
			return p.showUser(u)
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "their name")
	cmd.Flags().BoolVar(&disable, "disable", false, "refuse them and their tokens until --enable")
	cmd.Flags().BoolVar(&enable, "enable", false, "let them in again")
	limit.flags(cmd, "all calls on their behalf together")
	return cmd
}
