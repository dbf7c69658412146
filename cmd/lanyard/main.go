// Command lanyard is all of Lanyard in one program: the server, the demo, and every command that talks to a server or works
// on its database.
//
// A file is a subcommand, and root.go lists them. No command has rules of its own: those on a server go through
// lanyard.Client, those on the database through manage.Service. What is shared stands in program.go (surroundings),
// failure.go (errors and exit codes), output.go (printing), entry.go (secrets coming in), issued.go (secrets going out) and
// resolve.go (names).
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // so a second signal ends the process at once
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	os.Exit(report(err, os.Stderr))
}

// run does one command. A command whose answer is no has printed it and returns errNo; every other error is for report.
func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) error {
	p := newProgram(getenv, stdin, stdout, stderr)
	if err := refuseSecrets(args); err != nil {
		return err
	}
	root := p.root() //nolint:contextcheck // commands take it from cobra
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if p.out.err != nil { // what was to be read did not arrive
		return errors.Join(p.out.err, err)
	}
	return err
}
