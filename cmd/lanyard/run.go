package main

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard/internal/dotenv"
	"github.com/lanyard-auth/lanyard/internal/fault"
)

// runAsk is what the flags of `run` say.
type runAsk struct {
	file  string
	named bool // the file was: it has to be there
	only  []string
	mask  bool
}

func (p *program) run() *cobra.Command {
	var w runAsk
	cmd := &cobra.Command{
		Use:   "run [flags] -- COMMAND [ARGUMENT…]",
		Short: "Start a program with the secrets of .env and of references",
		Long: `Start a program with the variables of .env. What stands in the environment already goes before them.
A value that begins with lanyard:// is a reference: it holds no secret, so that it may be committed,
and is resolved when the program starts.

  lanyard://keys/APP?scope=forecast.read     a key made for this run and revoked when it ends; also
      &mode=test&expires=1h&ip=10.0.0.0/8    mode, expires (8h, for the case that nobody revokes it), ip
  lanyard://token?app=APP&scope=S&from=NAME  an access token by client credentials, with the client
      &resource=URI                          secret that the variable NAME holds; good for minutes
  lanyard://login                            the access token of "lanyard login"
  lanyard://file/run/secrets/db              what is in /run/secrets/db; lanyard://file/./db is relative
  lanyard://credential/NAME                  $CREDENTIALS_DIRECTORY/NAME (systemd), or the file that
                                             NAME_FILE names

If one cannot be resolved nothing is started, and what was made is revoked. Names in .env that
begin with LANYARD_ are for Lanyard itself and not passed on, unless --only names them; nor is the
client secret that a token is got with.

With --mask these secrets are replaced by [redacted] in what the program writes, also in base64, in
URLs and in JSON: what references stand for, and of .env what is named like a secret (KEY, TOKEN,
PASSWORD…), is a credential, or is the password in a URL. Its output is then no terminal. What it
writes in other ways, in pieces or to files is not masked.

Stdin, signals and the exit status are the program's own: 128 and the signal's number where one
ended it, 127 if there is no such program, 126 if it cannot be executed. Where Lanyard fails before
that, it says so on stderr, with 2 or 3.`,
		Example: `  lanyard run -- npm start
  lanyard run --env-file .env.test --mask -- go test ./...
  WEATHER_API_KEY='lanyard://keys/WeatherDashboard?scope=forecast.read&mode=test' lanyard run -- ./report`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("there is no program to start: `%s`", cmd.UseLine())
			}
			return nil
		},
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			w.named = cmd.Flags().Changed("env-file")
			return p.runProgram(cmd.Context(), &w, args)
		},
	}
	cmd.Flags().SetInterspersed(false) // what follows the program is its own
	envFileFlag(cmd, &w.file)
	cmd.Flags().StringSliceVar(&w.only, "only", nil, "pass on only this variable of the file; may be repeated")
	cmd.Flags().BoolVar(&w.mask, "mask", false, "replace secrets in the program's output by [redacted]")
	return cmd
}

// exitStatus is that of a program that was run, or what a shell gives for one that could not be. The text may be empty.
type exitStatus struct {
	code int
	text string
}

func (e *exitStatus) Error() string { return e.text }

// What a shell gives, and every program that starts others.
const (
	exitNotExecutable = 126
	exitNotFound      = 127
	exitSignalled     = 128
)

func (p *program) runProgram(ctx context.Context, w *runAsk, args []string) (err error) {
	file, err := w.read()
	if err != nil {
		return err
	}
	env, err := w.choose(file, os.Environ())
	if err != nil {
		return err
	}
	path, err := findProgram(args[0])
	if err != nil { // before anything is made for it
		return err
	}
	// From here to the end no signal ends this process: somebody has to revoke what was made.
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, caught()...)
	defer signal.Stop(signals)

	r := &resolver{program: p, file: file.Values(), command: path}
	defer r.revoke(context.WithoutCancel(ctx))
	secrets, err := r.all(ctx, env)
	if err != nil {
		return err
	}
	if w.mask {
		for name, value := range env { // wherever they come from: in CI there is no file
			secrets = append(secrets, secretValues(name, value)...)
		}
	}
	c := child{path: path, args: args, env: env, signals: signals}
	return c.run(ctx, p, w.mask, secrets)
}

// read returns the file's variables.
func (w *runAsk) read() (*dotenv.File, error) {
	text, err := os.ReadFile(w.file)
	if err != nil && (w.named || !errors.Is(err, fs.ErrNotExist)) {
		return nil, fault.New(fault.Invalid, "%s cannot be read: %s", w.file, cause(err))
	}
	file, err := dotenv.Parse(string(text))
	if err != nil {
		return nil, fault.New(fault.Invalid, "%s cannot be read: %s", w.file, sentence(err))
	}
	return file, nil
}

// choose returns the program's environment: all of the present one, and what it lacks from the file.
func (w *runAsk) choose(file *dotenv.File, present []string) (map[string]string, error) {
	env := map[string]string{}
	for _, pair := range present {
		if name, value, ok := strings.Cut(pair, "="); ok {
			env[name] = value
		}
	}
	values := file.Values()
	for _, name := range w.only {
		_, here := env[name]
		if _, there := values[name]; !here && !there {
			return nil, usage("--only %.60q is set neither in %s nor in the environment", name, w.file)
		}
	}
	var chosen []string
	for name := range values {
		if _, set := env[name]; !set && (len(w.only) == 0 && !strings.HasPrefix(name, "LANYARD_") || slices.Contains(w.only, name)) {
			chosen = append(chosen, name)
		}
	}
	for _, name := range chosen {
		env[name] = values[name]
	}
	for _, name := range chosen { // a client secret that a token is got with is not for the program
		if from := secretOf(values[name]); slices.Contains(chosen, from) && !slices.Contains(w.only, from) {
			delete(env, from)
		}
	}
	return env, nil
}

// findProgram finds a program as a shell does.
func findProgram(name string) (string, error) {
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path, nil
	case errors.Is(err, fs.ErrPermission):
		return "", &exitStatus{exitNotExecutable, cell(name) + " cannot be executed: " + cause(errors.Unwrap(err))}
	case errors.Is(err, exec.ErrDot):
		return "", &exitStatus{exitNotFound, "there is no program " + cell(name) + " in PATH; the one here is ./" + cell(name)}
	}
	return "", &exitStatus{exitNotFound, "there is no program " + cell(name)}
}

// child is the program that is run.
type child struct {
	path    string
	args    []string
	env     map[string]string
	signals <-chan os.Signal
}

// drain is how long output is waited for that processes write which the program left behind.
const drain = 10 * time.Second

func (c *child) run(ctx context.Context, p *program, masked bool, secrets []string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), c.path, c.args[1:]...) // #nosec G204 -- it is what was asked for
	cmd.Args[0] = c.args[0]
	for _, name := range slices.Sorted(maps.Keys(c.env)) {
		cmd.Env = append(cmd.Env, name+"="+c.env[name])
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.stdin, p.out.w, p.stderr
	cmd.WaitDelay = drain
	var out, errs *masker
	if masked {
		var forms []string
		for _, s := range secrets {
			forms = append(forms, writtenForms(s)...)
		}
		out, errs = newMasker(p.out.w, forms), newMasker(p.stderr, forms)
		cmd.Stdout, cmd.Stderr = out, errs
	}
	if err := cmd.Start(); err != nil {
		return &exitStatus{exitNotExecutable, cell(c.args[0]) + " cannot be executed: " + cause(err)}
	}
	over := make(chan struct{})
	forwarded := make(chan struct{})
	go func() {
		defer close(forwarded)
		c.forward(cmd.Process, over)
	}()
	err := cmd.Wait()
	close(over)
	<-forwarded
	if masked {
		err = errors.Join(err, out.Close(), errs.Close())
	}
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended):
		return &exitStatus{code: statusOf(ended.ProcessState)}
	case errors.Is(err, exec.ErrWaitDelay):
		return nil
	}
	return err
}

// forward passes signals on until the program is over.
func (c *child) forward(process *os.Process, over <-chan struct{}) {
	for {
		select {
		case <-over:
			return
		case s := <-c.signals:
			if passes(s) {
				_ = process.Signal(s) // it may have ended meanwhile
			}
		}
	}
}
