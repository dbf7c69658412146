package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// maxSecret is more than any credential has, in bytes.
const maxSecret = 16 << 10

// entry is where a secret comes from: never an argument.
type entry struct{ from, file string }

func (e *entry) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&e.from, "from", "", "take the credential from this variable, in the environment or .env")
	cmd.Flags().StringVar(&e.file, "file", "", "take the credential from this file")
}

// noArgument explains itself, because a credential is what people will put there.
func noArgument(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usage("`%s` takes no argument: a credential comes on stdin, at the prompt, with --from NAME or with --file PATH, so that it stands in no process list and no shell history", cmd.CommandPath())
}

// secret reads a secret: the variable or file named, else a prompt without echo, else stdin.
func (p *program) secret(e entry, prompt string) (secret.Secret, error) {
	switch {
	case e.from != "" && e.file != "":
		return secret.Secret{}, usage("--from and --file both say where the credential is; keep one of them")
	case e.from != "":
		return p.named(e.from)
	case e.file != "":
		file, err := os.Open(e.file)
		if err != nil {
			return secret.Secret{}, usage("the credential cannot be read: %s", err)
		}
		defer file.Close() //nolint:errcheck // nothing was written
		return readSecret(file)
	case isTerminal(p.stdin):
		return p.ask(prompt)
	}
	return readSecret(p.stdin)
}

func (p *program) named(name string) (secret.Secret, error) {
	getenv, err := p.environ()
	if err != nil {
		return secret.Secret{}, err
	}
	found, err := config.Secret(getenv, name)
	if err == nil && found.IsZero() {
		return found, usage("%.60s is not set, neither in the environment nor in .env: --from wants the name of a variable, not its value", secret.Redact(name))
	}
	return found, err
}

// ask prompts at the terminal and does not show what is typed.
func (p *program) ask(prompt string) (secret.Secret, error) {
	p.notes.text(prompt + " (not shown): ")
	text, err := term.ReadPassword(int(p.stdin.(*os.File).Fd())) //nolint:forcetypeassert,nolintlint,gosec // isTerminal saw it
	p.notes.text("\n")
	if err != nil {
		return secret.Secret{}, fmt.Errorf("read from the terminal: %w", err)
	}
	return notEmpty(string(text))
}

// readSecret reads one secret and drops the line break that text files end with.
func readSecret(r io.Reader) (secret.Secret, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxSecret+1))
	if err != nil {
		return secret.Secret{}, fmt.Errorf("read the credential: %w", err)
	}
	if len(text) > maxSecret {
		return secret.Secret{}, usage("what came as the credential is longer than %d bytes: is it the right file?", maxSecret)
	}
	return notEmpty(strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"))
}

func notEmpty(text string) (secret.Secret, error) {
	if text == "" {
		return secret.Secret{}, usage("the credential is empty: give it on stdin, with --from NAME or with --file PATH")
	}
	return secret.Of(text), nil
}

// confirm asks a question that only "yes" answers. Without a terminal nobody can be asked, and --yes is needed.
func (p *program) confirm(question string) error {
	if !isTerminal(p.stdin) {
		return usage("%s Say --yes, since there is no terminal to ask at.", question)
	}
	p.notes.text(question + " Type yes to go on: ")
	answer, err := bufio.NewReader(p.stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	if strings.TrimSpace(answer) != "yes" {
		p.notes.linef("Nothing was changed.")
		return errNo
	}
	return nil
}
