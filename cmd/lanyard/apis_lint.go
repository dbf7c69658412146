package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/server"
)

// apiFinding is a finding of lint as -o json prints it.
type apiFinding struct {
	API string `json:"api"`
	server.Finding
}

func (p *program) apisLint() *cobra.Command {
	var file string
	var except []string
	cmd := &cobra.Command{
		Use:   "lint [NAME…]",
		Short: "Say which operations take the wrong credential, and why",
		Long: `Look over APIs for what their author may not have meant: those of the server, all or the ones
named, or those of a file, for which no server is asked. A finding is a sentence that says what
is there, what comes of it and what to do instead; behind it stands its rule:

` + lintRules() + `
What a path is about is guessed from words that hardly ever mean anything else (me, inbox,
users/{id}; weather, status), and from scopes whose text says "your". --except leaves out rules
that are broken on purpose. Exit status 0 when nothing is found, 1 when something is.`,
		Example: "  lanyard apis lint\n  lanyard apis lint weather\n  lanyard apis lint -f lanyard.yaml --except upstream-without-tls -o json",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, rule := range except {
				if !slices.ContainsFunc(server.LintRules(), func(known [2]string) bool { return known[0] == rule }) {
					return usage("--except: there is no rule %.40q; see `lanyard apis lint --help`", rule)
				}
			}
			declared, err := p.declared(cmd.Context(), file, args)
			if err != nil {
				return err
			}
			found, err := server.Lint(declared)
			if err != nil {
				return err
			}
			return p.showLint(found, except)
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "a lanyard.yaml instead of the server; - is stdin")
	cmd.Flags().StringSliceVar(&except, "except", nil, "rules to leave out")
	return cmd
}

// lintRules lists the rules for people.
func lintRules() string {
	var b strings.Builder
	for _, rule := range server.LintRules() {
		fmt.Fprintf(&b, "  %-21s %s\n", rule[0], rule[1])
	}
	return b.String()
}

// declared are the named APIs, or all, of a file or of the server.
func (p *program) declared(ctx context.Context, file string, names []string) (lanyard.Catalog, error) {
	if file != "" {
		text, err := p.readInput(file, maxCatalog)
		if err != nil {
			return lanyard.Catalog{}, err
		}
		c, err := parseCatalog(file, text)
		if err != nil {
			return lanyard.Catalog{}, err
		}
		for _, name := range names {
			if _, there := c.APIs[name]; !there {
				return lanyard.Catalog{}, usage("%s declares no API %.80q", file, name)
			}
		}
		if len(names) > 0 {
			maps.DeleteFunc(c.APIs, func(name string, _ lanyard.API) bool { return !slices.Contains(names, name) })
		}
		return lanyard.Catalog{APIs: c.APIs}, nil
	}
	c, err := p.client()
	if err != nil {
		return lanyard.Catalog{}, err
	}
	all := lanyard.Catalog{APIs: map[string]lanyard.API{}}
	for _, name := range names {
		if all.APIs[name], err = c.API(ctx, name); err != nil {
			return lanyard.Catalog{}, err
		}
	}
	if len(names) > 0 {
		return all, nil
	}
	for a, err := range c.AllAPIs(ctx, biggest()) {
		if err != nil {
			return lanyard.Catalog{}, err
		}
		all.APIs[a.Name] = a
	}
	return all, nil
}

// showLint prints findings by API, without those of some rules. Any that is left is a no.
func (p *program) showLint(found map[string][]server.Finding, except []string) error {
	shown := []apiFinding{}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		for _, f := range found[name] {
			if !slices.Contains(except, f.Rule) {
				shown = append(shown, apiFinding{name, f})
			}
		}
	}
	switch {
	case p.asJSON():
		if err := p.json(shown); err != nil {
			return err
		}
	case len(shown) == 0:
		p.out.linef("Nothing found in %s.", count(int64(len(found)), "API"))
	default:
		for _, f := range shown {
			p.out.linef("%s: %s [%s]", p.paint(yellow, f.API), cell(f.Text), f.Rule)
		}
		p.out.linef("%s in %s.", count(int64(len(shown)), "finding"), count(int64(len(found)), "API"))
	}
	if len(shown) > 0 {
		return errNo
	}
	return nil
}
