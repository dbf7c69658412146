package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/server"
)

func (p *program) restore() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup in the place of what the database holds",
		Long: `Put a backup in the place of what the database holds, in one step, also while servers run: they drop
their caches. Revocations made since the backup are applied again, and usage that was counted
stays. The command says what it did and what it cannot undo.

On a new machine, put the master key of that database in place first.`,
		Example: "  lanyard restore lanyard-2026-11-30.backup\n  lanyard restore lanyard.backup --yes -o json",
		Args:    takes("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := os.Open(args[0]) // #nosec G304 -- the person's own file
			if err != nil {
				return usage("%s", err)
			}
			defer file.Close() //nolint:errcheck // nothing was written
			return p.onCore(cmd.Context(), func(core *server.Core) error {
				if !yes {
					if err := p.confirm("What the database holds now is replaced by the backup."); err != nil {
						return err
					}
				}
				report, err := core.Restore(cmd.Context(), file, audit.Command("restore"), filepath.Base(args[0]))
				if err != nil {
					return err
				}
				return p.showRestore(report)
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

func (p *program) showRestore(r server.RestoreReport) error {
	if p.asJSON() {
		return p.json(map[string]any{
			"backup_created_at": r.Backup.CreatedAt, "revision": r.Revision.String(), "rows": r.Rows, "usage_kept": r.UsageKept, "revoked": r.Revoked,
			"gone": r.Gone, "back": r.Back, "reverted": r.Reverted, "rotations_undone": r.Rotations,
		})
	}
	p.out.linef("Restored the backup of %s: %s.", when(r.Backup.CreatedAt), count(rowsOf(r.Rows), "row"))
	p.out.linef("Running servers have dropped their caches, or will within a second.")
	if r.UsageKept {
		p.out.linef("Usage that was counted here stayed; nothing is counted twice.")
	}
	if len(r.Revoked) > 0 {
		p.out.linef("Revoked since the backup, and revoked again: %s.", some(r.Revoked))
	}
	p.out.linef("It cannot undo what clients did with credentials meanwhile, nor what was sent out: mail, webhooks, answers.")
	p.things("Made since the backup, so gone; their credentials are refused:", r.Gone)
	p.things("Taken away since the backup, and back now; take away again what should be:", r.Back)
	p.things("Changed since the backup, and as before again:", r.Reverted)
	if len(r.Rotations) > 0 {
		p.out.linef("Rotated since the backup; holders need the older secret, or rotate again:")
		for _, u := range r.Rotations {
			p.out.linef("  %s: %s refused, %s", u.Key, versions(u.Refused), goodAgain(u.Good))
		}
	}
	return nil
}

func (p *program) things(head string, list []server.RestoredThing) {
	if len(list) == 0 {
		return
	}
	p.out.linef("%s", head)
	for _, t := range list {
		p.out.linef("  %s %s %s", t.Kind, t.ID, cell(t.Name))
	}
}

func versions(numbers []int) string {
	var texts []string
	for _, n := range numbers {
		texts = append(texts, strconv.Itoa(n))
	}
	if len(texts) == 1 {
		return "version " + texts[0]
	}
	return "versions " + strings.Join(texts, ", ")
}

func goodAgain(version int) string {
	if version == 0 {
		return "and none is good: rotate it"
	}
	return fmt.Sprintf("version %d is good again", version)
}
