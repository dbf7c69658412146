package main

import (
	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard/internal/server"
)

func (p *program) apisImport() *cobra.Command {
	var name string
	var show, replace, dryRun bool
	cmd := &cobra.Command{
		Use:   "import OPENAPI --name NAME",
		Short: "Declare an API from its OpenAPI document",
		Long: `Declare an API from an OpenAPI 3.0 or 3.1 document, in YAML or JSON; - is stdin.

  paths             become operations, named by method and path: GET /pets/{id}
  security          which kinds each takes: alternatives make "either", a key and a token
                    together "both"; of alternatives with different scopes all are asked
  securitySchemes   apiKey and Basic are keys, OAuth, OpenID Connect and Bearer JWT are tokens,
                    a Bearer that says no more is either; their scopes become scopes, and the
                    ones that changes ask for are marked as writing
  servers           the first one, if it is a whole address, becomes the upstream

What could not be taken over as it stands is said on stderr: a sentence each, with its place and
what was done instead. What cannot be expressed is left out, and so refused; with it whatever
would match the same requests and ask less. No operation is open in Lanyard: one for which the
document asks nothing takes any key or token. Nothing is fetched, references to other documents
are not followed. Descriptions, parameters, bodies, responses and schemas are not read.

--print writes lanyard.yaml and asks no server. "lanyard apis lint" looks over the result.`,
		Example: "  lanyard apis import openapi.yaml --name weather --print > lanyard.yaml\n  lanyard apis import openapi.json --name weather --dry-run",
		Args:    takes("OPENAPI"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if name == "" {
				return usage("--name is missing: what is the API called? Lower-case letters, digits and hyphens, such as weather")
			}
			text, err := p.readInput(args[0], maxCatalog)
			if err != nil {
				return err
			}
			api, report, err := server.ReadOpenAPI(text)
			if len(report) > 0 {
				p.notes.linef("Not taken over as it stands:")
			}
			for _, sentence := range report {
				p.notes.linef("- %s", cell(sentence))
			}
			if err != nil {
				return err
			}
			if show {
				return p.printCatalog(name, api)
			}
			c, err := p.client()
			if err != nil {
				return err
			}
			return p.declare(cmd, c, name, api, replace || dryRun, dryRun)
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "the API's name (needed)")
	cmd.Flags().BoolVar(&show, "print", false, "print it as lanyard.yaml, and ask no server")
	cmd.Flags().BoolVar(&replace, "replace", false, "replace the API of that name")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print the difference, and change nothing")
	return cmd
}
