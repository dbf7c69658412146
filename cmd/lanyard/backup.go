package main

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/server"
)

func (p *program) backup() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write everything into one file, while the server runs",
		Long: `Write everything the database holds into one file, as of one moment, while servers go on working.
The file appears when it is whole. It never contains the master key: keep that elsewhere, for
the backup is worth nothing without it. Uses of the last second may still wait in the spool.
"-" writes to stdout.`,
		Example: "  lanyard backup lanyard-2026-11-30.backup\n  lanyard backup - | ssh safe 'cat > lanyard.backup'",
		Args:    takes("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.onCore(cmd.Context(), func(core *server.Core) error {
				var sum server.BackupSummary
				fill := func(to io.Writer) (err error) {
					sum, err = core.Backup(cmd.Context(), to)
					return err
				}
				if args[0] == "-" {
					return fill(p.out)
				}
				err := wholeFile{path: args[0], mode: 0o600, replace: force}.write(fill)
				if errors.Is(err, fs.ErrExist) {
					return fault.New(fault.Conflict, "%s exists already: name another file, or replace it with --force", args[0])
				}
				if err != nil {
					return err
				}
				return p.showBackup(args[0], sum)
			})
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace a file that stands there")
	return cmd
}

func (p *program) showBackup(file string, sum server.BackupSummary) error {
	if p.asJSON() {
		return p.json(map[string]any{"file": file, "revision": sum.Revision.String(), "rows": sum.Rows, "sha256": sum.SHA256, "created_at": sum.CreatedAt})
	}
	p.out.linef("Wrote %s to %s, as of revision %s.", count(rowsOf(sum.Rows), "row"), file, sum.Revision)
	p.out.linef("The master key is not in it: keep a copy of that elsewhere.")
	return nil
}

func rowsOf(tables map[string]int64) int64 {
	var n int64
	for _, table := range slices.Sorted(maps.Keys(tables)) {
		n += tables[table]
	}
	return n
}
