package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/server"
)

const defaultURL = "http://localhost:8420"

// program is what every subcommand shares: its surroundings, and the flags that stand for all.
type program struct {
	getenv func(string) string
	stdin  io.Reader
	stderr io.Writer
	out    *printer // the answer
	notes  *printer // what accompanies it: stderr
	now    func() time.Time
	colour bool // on the answer
	shown  bool // the answer goes to a person's terminal

	transport http.RoundTripper // of calls to servers; nil: the real one

	url    string // --url
	format string // --output
}

func newProgram(getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) *program {
	shown := isTerminal(stdout)
	return &program{
		getenv: getenv, stdin: stdin, stderr: stderr, out: &printer{w: stdout}, notes: &printer{w: stderr}, now: time.Now, //nolint:forbidigo // the real clock
		colour: shown && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb", shown: shown,
	}
}

// isTerminal reports whether a stream of this process is a terminal.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) // #nosec G115 -- a file descriptor is small
}

// environ looks settings up in the environment and, below it, in .env.
func (p *program) environ() (func(string) string, error) {
	return config.Source{Getenv: p.getenv}.Environ()
}

// client returns a client for the server of --url or LANYARD_URL with the token of LANYARD_TOKEN, LANYARD_TOKEN_FILE or .env,
// else with what `lanyard login` stored for that server.
func (p *program) client() (*lanyard.Client, error) {
	getenv, err := p.environ()
	if err != nil {
		return nil, err
	}
	token, err := config.Secret(getenv, "LANYARD_TOKEN")
	if err != nil {
		return nil, err
	}
	if token.IsZero() {
		return p.loginClient()
	}
	address := cmp.Or(p.url, getenv("LANYARD_URL"), defaultURL)
	client, err := lanyard.NewClient(address, token.Reveal())
	if err != nil {
		return nil, fault.New(fault.Invalid, "%s", err)
	}
	client.UserAgent = "lanyard-cli"
	return client, nil
}

// settings are those of a server on this machine.
func (p *program) settings() (config.Settings, error) {
	return config.Load(config.Source{Getenv: p.getenv})
}

// core opens the database of the settings, for commands that need no server. Close it.
func (p *program) core(ctx context.Context) (*server.Core, error) {
	settings, err := p.settings()
	if err != nil {
		return nil, err
	}
	core, err := server.Open(ctx, settings, server.Options{Now: p.now})
	if err != nil {
		return nil, err
	}
	if core.NewMaster {
		p.notes.linef("This is a new database, in %s. Keep a copy of %s elsewhere: without it the database opens nothing.", settings.DataDir, settings.MasterKeyFile())
	}
	return core, nil
}

// onCore does one thing on the database and closes it.
func (p *program) onCore(ctx context.Context, do func(*server.Core) error) error {
	core, err := p.core(ctx)
	if err != nil {
		return err
	}
	err = do(core)
	if closing := core.Close(); err == nil && closing != nil {
		err = fmt.Errorf("close the database: %w", closing)
	}
	return err
}
