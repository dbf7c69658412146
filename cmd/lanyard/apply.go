package main

import (
	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard"
)

func (p *program) apply() *cobra.Command {
	var file string
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Make the server's catalog what lanyard.yaml says",
		Long: `Make the server's APIs, scopes, operations, plans and brand what a file says. All of it is
applied, or none. Applying the same again changes nothing; APIs the file does not name are left
alone. --dry-run prints the difference and changes nothing.`,
		Example: "  lanyard apply -f lanyard.yaml --dry-run\n  lanyard apply -f lanyard.yaml\n  generate-catalog | lanyard apply -f -",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return usage("--file is missing: `lanyard apply -f lanyard.yaml`")
			}
			text, err := p.readInput(file, maxCatalog)
			if err != nil {
				return err
			}
			catalog, err := parseCatalog(file, text)
			if err != nil {
				return err
			}
			c, err := p.client()
			if err != nil {
				return err
			}
			diff, err := c.ApplyCatalog(cmd.Context(), catalog, dryRun)
			if err != nil {
				return err
			}
			return p.showDiff(diff)
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "the file; - is stdin (needed)")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print the difference, and change nothing")
	return cmd
}

// showDiff prints what changed, or would: a line each, + added, ~ changed, - removed.
func (p *program) showDiff(diff lanyard.CatalogDiff) error {
	if p.asJSON() {
		return p.json(diff)
	}
	for _, c := range diff.Changes {
		switch path := cell(c.Path); c.Action {
		case "add":
			p.out.linef("%s", p.paint(green, "+ "+after(path, cell(c.After))))
		case "remove":
			p.out.linef("%s", p.paint(red, "- "+after(path, cell(c.Before))))
		default:
			p.out.linef("%s", p.paint(yellow, "~ "+path+": "+orNothing(cell(c.Before))+" → "+orNothing(cell(c.After))))
		}
	}
	for _, w := range diff.Warnings {
		p.notes.linef("Warning: %s", cell(w))
	}
	changes := count(int64(len(diff.Changes)), "change")
	switch {
	case len(diff.Changes) == 0:
		p.out.linef("Nothing to change: the server says so already.")
	case diff.DryRun:
		p.out.linef("%s would be made; nothing was changed.", changes)
	default:
		p.out.linef("Made %s.", changes)
	}
	return nil
}

func after(path, value string) string {
	if value == "" {
		return path
	}
	return path + ": " + value
}

func orNothing(value string) string {
	if value == "" {
		return "(nothing)"
	}
	return value
}
