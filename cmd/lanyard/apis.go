package main

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
)

func (p *program) apis() *cobra.Command {
	return parent(&cobra.Command{
		Use:   "apis",
		Short: "The APIs that Lanyard stands in front of",
		Long:  "An API has a name, scopes, operations and plans. lanyard.yaml declares them all at once; these commands do one.",
	}, p.apisCreate(), p.apisImport(), p.apisList(), p.apisShow(), p.apisLint())
}

func (p *program) apisCreate() *cobra.Command {
	var in lanyard.API
	cmd := &cobra.Command{
		Use:   "create NAME --takes key|token|either|both",
		Short: "Declare an API with one operation for everything",
		Long: `Declare an API that takes the kind of credential named, with the operation ANY /{path...}, which
matches every request. Refine it with "lanyard apis show NAME > lanyard.yaml" and
"lanyard apply -f lanyard.yaml".`,
		Example: "  lanyard apis create weather --takes key --upstream http://localhost:9001",
		Args:    takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if in.Takes == "" {
				return usage("--takes is missing: key (an ID card), token (a visitor badge), either or both; `lanyard which` helps to choose")
			}
			c, err := p.client()
			if err != nil {
				return err
			}
			in.Operations = map[string]lanyard.Operation{"ANY /{path...}": {}}
			return p.declare(cmd, c, args[0], in, false, false)
		},
	}
	cmd.Flags().StringVar(&in.Takes, "takes", "", "key, token, either or both (needed)")
	cmd.Flags().StringVar(&in.Upstream, "upstream", "", "where it really is, such as http://localhost:9001")
	cmd.Flags().StringVar(&in.Title, "title", "", "how people call it")
	return cmd
}

// declare puts an API in place; one that is there already is replaced only if asked.
func (p *program) declare(cmd *cobra.Command, c *lanyard.Client, name string, api lanyard.API, replace, dryRun bool) error {
	if !replace {
		_, err := c.API(cmd.Context(), name)
		var problem *lanyard.ProblemError
		switch {
		case err == nil:
			return fault.New(fault.Conflict, "there is an API %q already; change it in lanyard.yaml and run `lanyard apply -f lanyard.yaml`", name)
		case !errors.As(err, &problem) || problem.Code != string(fault.NotFound):
			return err
		}
	}
	diff, err := c.PutAPI(cmd.Context(), name, api, dryRun)
	if err != nil {
		return err
	}
	return p.showDiff(diff)
}

func (p *program) apisList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the APIs",
		Example: "  lanyard apis list",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.client()
			if err != nil {
				return err
			}
			apis, rows := []lanyard.API{}, [][]string{}
			for a, err := range c.AllAPIs(cmd.Context(), biggest()) {
				if err != nil {
					return err
				}
				apis, rows = append(apis, a), append(rows, []string{
					a.Name, a.Takes, thousands(int64(len(a.Operations))), strings.Join(slices.Sorted(maps.Keys(a.Scopes)), " "), a.Metering, a.Upstream,
				})
			}
			if p.asJSON() {
				return p.json(apis)
			}
			return p.table([]string{"NAME", "TAKES", "OPERATIONS", "SCOPES", "METERING", "UPSTREAM"}, rows)
		},
	}
}

func (p *program) apisShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Short:   "Show an API as lanyard.yaml has it",
		Example: "  lanyard apis show weather\n  lanyard apis show weather -o json",
		Args:    takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.client()
			if err != nil {
				return err
			}
			api, err := c.API(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return p.printCatalog(api.Name, api)
		},
	}
}

// printCatalog prints one API so that `lanyard apply` reads it.
func (p *program) printCatalog(name string, api lanyard.API) error {
	if p.asJSON() {
		api.Name = name
		return p.json(api)
	}
	enc := yaml.NewEncoder(p.out)
	enc.SetIndent(2)
	if err := enc.Encode(lanyard.Catalog{APIs: map[string]lanyard.API{name: api}}); err != nil {
		return err
	}
	return enc.Close()
}
