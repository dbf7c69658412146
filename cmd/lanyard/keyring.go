package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard/internal/server"
)

func (p *program) keyring() *cobra.Command {
	return parent(&cobra.Command{
		Use:   "keyring",
		Short: "The server's own keys",
		Long:  "The server's own keys: what they are for, never what they are. They stand in the database, wrapped under the master key.",
	}, p.keyringList())
}

func (p *program) keyringList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the keys by purpose and version",
		Example: "  lanyard keyring list",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.onCore(cmd.Context(), func(core *server.Core) error {
				keys := core.Ring.List()
				if p.asJSON() {
					return p.json(keys)
				}
				var rows [][]string
				for _, k := range keys {
					rows = append(rows, []string{string(k.Purpose), strconv.Itoa(k.Version), string(k.State), when(k.CreatedAt)})
				}
				return p.table([]string{"PURPOSE", "VERSION", "STATE", "MADE"}, rows)
			})
		},
	}
}
