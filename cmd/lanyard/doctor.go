package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard/internal/config"
)

// finding is one line of the doctor, and of `env check`.
type finding struct {
	State string `json:"state"` // ok, warn, fail
	About string `json:"about"`
	Text  string `json:"text"`
}

// The states of findings. A warning is something to look at; a failure keeps Lanyard from working as it should.
const (
	stateOK   = "ok"
	stateWarn = "warn"
	stateFail = "fail"
)

func fine(about, text string) finding { return finding{stateOK, about, text} }
func warn(about, text string) finding { return finding{stateWarn, about, text} }
func fail(about, text string) finding { return finding{stateFail, about, text} }

func (p *program) doctor() *cobra.Command {
	var quiet bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look over configuration, database, keys, clock and server",
		Long: `Looks over configuration, files, database, migrations, master key, spool and clock of the server on
this machine, the health of the one that runs, and the keys that LANYARD_TOKEN may read, of which
it says what the portal says. Each line is ok, warn or fail, and says what
to do. Opening the database brings its schema up to date, as serve does. Exit 1 when anything
failed.`,
		Example: "  lanyard doctor\n  lanyard doctor --quiet || alert",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			found := p.examine(cmd.Context())
			if err := p.showFindings(found, quiet); err != nil {
				return err
			}
			return verdict(found)
		},
	}
	cmd.Flags().BoolVar(&quiet, "quiet", false, "print nothing but what is not ok")
	return cmd
}

// verdict is no if anything failed.
func verdict(found []finding) error {
	for _, f := range found {
		if f.State == stateFail {
			return errNo
		}
	}
	return nil
}

// examine does every check. Without a configuration there is nothing more to look at.
func (p *program) examine(ctx context.Context) []finding {
	settings, err := p.settings()
	if err != nil {
		return []finding{fail("configuration", sentence(err))}
	}
	found := []finding{p.checkSettings(settings)}
	for _, text := range settings.Warnings() {
		found = append(found, warn("configuration", text))
	}
	found = append(found, checkFiles(settings)...)
	found = append(found, p.checkDatabase(ctx, settings)...)
	if !settings.RedisURL.IsZero() {
		found = append(found, checkRedis(ctx, settings))
	}
	found = append(found, checkSpool(settings))
	return append(found, p.checkServer(ctx, settings)...)
}

func (p *program) checkSettings(s config.Settings) finding {
	const about = "configuration"
	_, err := p.logger(s)
	switch {
	case err != nil:
		return fail(about, sentence(err))
	case strings.HasPrefix(s.PublicURL, "http://") && !strings.HasPrefix(s.Listen, "127.") && !strings.HasPrefix(s.Listen, "localhost:") && !strings.HasPrefix(s.Listen, "[::1]"):
		return warn(about, "LANYARD_LISTEN "+s.Listen+" is open to other machines while LANYARD_PUBLIC_URL is http://localhost: set LANYARD_PUBLIC_URL to the https address that people use")
	case s.Postgres() && s.Durability == config.Disk:
		return warn(about, "with LANYARD_DURABILITY=disk, losing this machine's disk loses uses that were not yet counted; database is the default with PostgreSQL")
	}
	return fine(about, "readable; public URL "+s.PublicURL)
}

func (p *program) showFindings(found []finding, quiet bool) error {
	shown := []finding{}
	for _, f := range found {
		if !quiet || f.State != stateOK {
			shown = append(shown, f)
		}
	}
	if p.asJSON() {
		return p.json(shown)
	}
	colours := map[string]string{stateOK: green, stateWarn: yellow, stateFail: red}
	for _, f := range shown {
		p.out.linef("%s %s: %s", p.paint(colours[f.State], f.State+strings.Repeat(" ", len(stateWarn)-len(f.State))), f.About, cell(f.Text))
	}
	return nil
}
