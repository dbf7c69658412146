package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// envAdded is the answer of `env add`. The value is not in it.
type envAdded struct {
	Name     string `json:"name"`
	File     string `json:"file"`
	Replaced bool   `json:"replaced"`
}

func (p *program) envAdd() *cobra.Command {
	var e entry
	var file string
	var force bool
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Put a secret into .env without showing it",
		Long: `Put a value into .env under a name. It is asked for and not shown, or comes on stdin, from another
variable (--from) or from a file (--file); never as an argument, and nothing prints it.

The file is written whole or not at all, readable by you alone, and inside a git repository git
ignores it; if git tracks it already, nothing is written. Comments and order stay. The value is
written in a form that shells, Node.js, Docker Compose, Python, Ruby and Go read alike; one that
has no such form is refused.`,
		Example: `  lanyard env add WEATHER_API_KEY
  lanyard env add DATABASE_URL --from OLD_DATABASE_URL --force
  pass show weather | lanyard env add WEATHER_API_KEY
  lanyard env add SIGNING_KEY --file key.pem --env-file .env.local`,
		Args: nameAlone,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := prepareSaving(file, args[0], func(string) bool { return force })
			if err != nil {
				return err
			}
			value, err := p.secret(e, "Value of "+args[0])
			if err != nil {
				return err
			}
			if err := s.write(cmd.Context(), value); err != nil {
				return err
			}
			return p.added(s, value)
		},
	}
	e.flags(cmd)
	envFileFlag(cmd, &file)
	cmd.Flags().BoolVar(&force, "force", false, "replace a value that stands there")
	return cmd
}

// nameAlone refuses a value among the arguments, and does not repeat it.
func nameAlone(cmd *cobra.Command, args []string) error {
	const instead = "the value is asked for, or comes on stdin, with --from NAME or with --file PATH; as an argument it would stand in the process list and in the shell's history. If that was the real one, replace it"
	if len(args) == 0 {
		return takes("NAME")(cmd, args)
	}
	if len(args) == 1 && !strings.Contains(args[0], "=") {
		return nil // prepareSaving says what a name is
	}
	return usage("`%s NAME` takes the name alone: %s", cmd.CommandPath(), instead) // what looks like a name may be the secret
}

func (p *program) added(s *saving, value secret.Secret) error {
	if p.asJSON() {
		return p.json(envAdded{s.name, s.shown, s.exists})
	}
	p.out.linef("%s is in %s, which only you can read.", s.name, cell(s.shown))
	if shown := browserPrefix(s.name); shown != "" && isSecretCredential(value.Reveal()) {
		p.notes.linef("Names that begin with %s are built into what browsers load, and this credential is secret: take a publishable key (`lanyard keys create APP --pub`) or another name.", shown)
	}
	return nil
}
