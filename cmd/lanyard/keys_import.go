package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard"
)

const (
	maxImport   = 64 << 20 // bytes of a file
	importBatch = 1000     // keys in one call, at most
	importBytes = 900_000  // of JSON in one call: a body has at most a MiB
)

// keyImport is what the flags of `keys import` say.
type keyImport struct {
	format string
	hashed bool
	dryRun bool
}

func (p *program) keysImport() *cobra.Command {
	var in keyImport
	cmd := &cobra.Command{
		Use:   "import APP [FILE]",
		Short: "Take keys over from another system",
		Long: `Take keys over, so that their holders need no new ones. FILE (or stdin) is

  JSON   a list of {"name", "secret", "scopes", "mode", "expires_at", "metadata"}, or {"keys": [...]}
  CSV    with a head line naming some of: name, secret, hash, scopes, mode, expires_at
         (scopes separated by blanks)

A "hash" is the SHA-256 of the whole key, in hexadecimal or base64 (in JSON also
{"algorithm": "sha256", "value": "..."}); with --hash the column "secret" holds such digests.
Every key is taken or refused on its own. Exit 1 when any was refused.`,
		Example: `  lanyard keys import WeatherDashboard old-keys.csv --dry-run
  lanyard keys import WeatherDashboard old-keys.json
  export-from-elsewhere | lanyard keys import WeatherDashboard --format csv --hash`,
		Args: takesUpTo(1, "APP", "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := "-"
			if len(args) == 2 {
				name = args[1]
			}
			text, err := p.readInput(name, maxImport)
			if err != nil {
				return err
			}
			keys, err := parseImport(in.format, name, text, in.hashed)
			if err != nil {
				return err
			}
			return p.importKeys(cmd, args[0], keys, in.dryRun)
		},
	}
	cmd.Flags().StringVar(&in.format, "format", "", "json or csv (default: by the file's name, else by its first character)")
	cmd.Flags().BoolVar(&in.hashed, "hash", false, "the secrets in it are SHA-256 digests")
	cmd.Flags().BoolVar(&in.dryRun, "dry-run", false, "say what would happen, and change nothing")
	return cmd
}

// readInput reads a file, or stdin for "-", up to a size.
func (p *program) readInput(name string, most int64) ([]byte, error) {
	from, shown := p.stdin, "stdin"
	if name != "-" {
		file, err := os.Open(name) // #nosec G304 -- the person's own file
		if err != nil {
			return nil, usage("%s", err)
		}
		defer file.Close() //nolint:errcheck // nothing was written
		from, shown = file, name
	}
	text, err := io.ReadAll(io.LimitReader(from, most+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", shown, err)
	}
	if int64(len(text)) > most {
		return nil, usage("%s is larger than %d MB: divide it", shown, most>>20)
	}
	return text, nil
}

func (p *program) importKeys(cmd *cobra.Command, appName string, keys []lanyard.ImportKey, dryRun bool) error {
	c, err := p.client()
	if err != nil {
		return err
	}
	app, err := findApp(cmd.Context(), c, appName)
	if err != nil {
		return err
	}
	all := lanyard.Imported{DryRun: dryRun, Items: []lanyard.ImportedItem{}}
	for start, end := 0, 0; start < len(keys); start = end {
		end = start + batch(keys[start:])
		part, err := c.ImportKeys(cmd.Context(), lanyard.ImportInput{AppID: app.ID, Keys: keys[start:end], DryRun: dryRun})
		if err != nil {
			p.progress("")
			if start > 0 {
				p.notes.linef("The first %s went through; importing them again is refused key by key and does no harm.", count(int64(start), "key"))
			}
			return err
		}
		for i := range part.Items {
			part.Items[i].Index += start
		}
		all.Created, all.Refused, all.Items = all.Created+part.Created, all.Refused+part.Refused, append(all.Items, part.Items...)
		p.progress(fmt.Sprintf("%s of %s keys", thousands(int64(end)), thousands(int64(len(keys)))))
	}
	p.progress("")
	if err := p.showImport(all); err != nil {
		return err
	}
	if all.Refused > 0 {
		return errNo
	}
	return nil
}

// batch is how many of the keys fit into one call; at least one.
func batch(keys []lanyard.ImportKey) int {
	size := 0
	for i := range keys {
		text, err := json.Marshal(keys[i]) // #nosec G117 -- only measured
		if size += len(text) + 1; i > 0 && (err != nil || size > importBytes || i == importBatch) {
			return i
		}
	}
	return len(keys)
}

func (p *program) showImport(all lanyard.Imported) error {
	if p.asJSON() {
		return p.json(all)
	}
	const most = 50 // lines; -o json has them all
	var rows [][]string
	for _, item := range all.Items {
		if item.Detail != "" && len(rows) < most {
			rows = append(rows, []string{fmt.Sprint(item.Index + 1), item.Name, item.Code, item.Detail})
		}
	}
	if len(rows) > 0 {
		if err := p.table([]string{"KEY", "NAME", "CODE", "WHY"}, rows); err != nil {
			return err
		}
	}
	verb := "imported"
	if all.DryRun {
		verb = "would be imported"
	}
	p.out.linef("%s %s, %s refused.", count(int64(all.Created), "key"), verb, thousands(int64(all.Refused)))
	return nil
}

// progress shows how far long work has come, on a line of its own that the next one replaces; "" removes it.
func (p *program) progress(text string) {
	if !isTerminal(p.stderr) {
		return
	}
	p.notes.text("\r\x1b[K" + strings.TrimSpace(text))
}
