package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// The groups of --help, in the order of CONTRACT's table.
const (
	groupStart       = "start"
	groupCredentials = "credentials"
	groupHardcode    = "hardcode"
	groupCounting    = "counting"
	groupAdmin       = "admin"
)

// root is the whole command line.
func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "lanyard",
		Short: "Hand out, check, count and take back the credentials of your APIs",
		Long: `Lanyard hands out, checks, counts and takes back the credentials of your HTTP APIs.

An API key is an ID card: it says which app is calling. An access token is a visitor
badge: it says for whom. "lanyard which" helps to choose; "lanyard demo" shows it all.

Commands talk to the server at --url, LANYARD_URL or http://localhost:8420, with the
credential in LANYARD_TOKEN, LANYARD_TOKEN_FILE or .env. A NAME is an id or a unique name.
Secrets come from stdin, a prompt, --from NAME or a file, never from an argument.

Exit status: 0 done, 1 the answer is no, 2 wrong usage, 3 unreachable or failed.`,
		Example: `  lanyard demo
  lanyard serve
  lanyard admin key create --scope lanyard.admin --save LANYARD_TOKEN
  lanyard keys create WeatherDashboard --name production --scope forecast.read --save WEATHER_API_KEY`,
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if p.format != "table" && p.format != "json" {
				return usage("--output must be table or json, not %.20q", p.format)
			}
			return nil
		},
	}
	parent(root)
	root.PersistentFlags().StringVar(&p.url, "url", "", "the server's address (default: LANYARD_URL, else "+defaultURL+")")
	root.PersistentFlags().StringVarP(&p.format, "output", "o", "table", "table or json")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%s; see `%s --help`", strings.TrimSuffix(err.Error(), "."), cmd.CommandPath())
	})
	for _, group := range []struct {
		id, title string
		commands  []*cobra.Command
	}{
		{groupStart, "Start:", []*cobra.Command{p.demo(), p.serve(), p.login(), p.logout(), p.whoami()}},
		{groupCredentials, "Credentials:", []*cobra.Command{p.which(), p.apps(), p.keys(), p.token(), p.tokens(), p.grants(), p.inspect(), p.verify()}},
		{groupHardcode, "Never hardcode:", []*cobra.Command{p.env(), p.run(), p.scan()}},
		{groupCounting, "Counting:", []*cobra.Command{p.usage(), p.invoices(), p.stripe()}},
		{groupAdmin, "Admin:", []*cobra.Command{
			p.admin(), p.apply(), p.apis(), p.teams(), p.users(), p.keyring(), p.masterKey(), p.backup(), p.restore(), p.doctor(), p.version(),
		}},
	} {
		root.AddGroup(&cobra.Group{ID: group.id, Title: group.title})
		for _, cmd := range group.commands {
			cmd.GroupID = group.id
			root.AddCommand(cmd)
		}
	}
	root.SetHelpCommandGroupID(groupStart)
	root.SetCompletionCommandGroupID(groupAdmin)
	return root
}

// parent makes a command that only holds others: alone it shows its help, with a word it does not know it says so.
func parent(cmd *cobra.Command, children ...*cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		text := `"%.40s" is no command of "%s"`
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			text += "; did you mean " + strings.Join(near, " or ") + "?"
		}
		return usage(text+"; see `%[2]s --help`", args[0], cmd.CommandPath())
	}
	cmd.SuggestionsMinimumDistance = 2
	cmd.AddCommand(children...)
	return cmd
}

// takes demands exactly the named arguments.
func takes(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usage("%s is missing: `%s`", names[len(args)], cmd.UseLine())
		case len(args) > len(names):
			return usage("%.40q is one argument too many: `%s`", args[len(names)], cmd.UseLine())
		}
		return nil
	}
}

// takesUpTo demands the first least of the named arguments and allows the rest.
func takesUpTo(least int, names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= least && len(args) <= len(names) {
			return nil
		}
		return takes(names[:min(len(names), max(least, min(len(args), len(names))))]...)(cmd, args)
	}
}
