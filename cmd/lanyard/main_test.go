package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// result is what a command left behind.
type result struct {
	code           int
	stdout, stderr string
}

// command runs the program in the working directory with an environment of its own. What it writes goes to no terminal.
func command(t *testing.T, env map[string]string, stdin string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	err := run(t.Context(), args, func(name string) string { return env[name] }, strings.NewReader(stdin), &out, &errs)
	code := report(err, &errs)
	return result{code, out.String(), errs.String()}
}

func TestWrongUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, test := range []struct{ line, want string }{
		{"bogus", `"bogus" is no command of "lanyard"`},
		{"kyes", "did you mean keys?"},
		{"keys bogus", `"bogus" is no command of "lanyard keys"`},
		{"keys create", "APP is missing: `lanyard keys create APP"},
		{"keys create a b", `"b" is one argument too many`},
		{"keys list a b", `"b" is one argument too many`},
		{"keys import", "APP is missing"},
		{"keys create a --nmae x", "unknown flag: --nmae; see `lanyard keys create --help`"},
		{"keys create a", "--name is missing"},
		{"keys create a --name n --expires soon", "--expires"},
		{"keys create a --name n --limit 60", "--limit"},
		{"keys update a --limit 60", `--limit: "60" is no limit`},
		{"keys update a --limit 60/minute --no-limits", "contradict each other"},
		{"apps update a --limit 0/minute", "--limit: a limit allows 1 to"},
		{"teams update", "NAME is missing"},
		{"teams update a", "nothing to change was named"},
		{"teams update a --limit 60/fortnight", `--limit: "60/fortnight" is no limit`},
		{"teams update a --suspend --lift", "contradict each other"},
		{"users update a", "nothing to change was named"},
		{"users update a --limit 60/minute,sixty", `--limit: "sixty" is no limit`},
		{"users update a --disable --enable", "contradict each other"},
		{"keys create a --name n --rotate-every 36h", "whole days"},
		{"keys create a --name n --force", "LANYARD_TOKEN"},
		{"keys update a", "nothing to change was named"},
		{"keys rotate a --undo --overlap 1h", "--undo makes no new secret"},
		{"apps update a --disable --enable", "contradict each other"},
		{"apps list", "set LANYARD_TOKEN"},
		{"apps list -o xml", "--output must be table or json"},
		{"usage show --from 2026-02-01 --to 2026-01-01", "--from must lie before --to"},
		{"usage export --format xml", "--format must be csv, jsonl or cloudevents"},
		{"verify", "--api is missing"},
		{"verify --api a lyd_key", "takes no argument"},
		{"inspect --from A --file B", "keep one of them"},
		{"inspect --from NOBODY", "NOBODY is not set"},
		{"inspect --file none", "no such file"},
		{"inspect", "the credential is empty"},
		{"apply", "--file is missing"},
		{"apis create weather", "--takes is missing"},
		{"apis import none.yaml", "--name is missing"},
		{"apis import none.yaml --name weather", "no such file"},
		{"apis lint", "set LANYARD_TOKEN"},
		{"apis lint weather --except heresy", `there is no rule "heresy"`},
		{"apis lint -f none.yaml", "no such file"},
		{"admin key create", "--scope is missing"},
		{"admin create", "--email is missing"},
		{"admin create --email a@b.example hunter2", "takes no argument"},
		{"admin create --email a@b.example", "the credential is empty"},
		{"admin login-link", "--email is missing"},
		{"apps secrets create", "APP is missing"},
		{"apps create a --jwks none.json", "set LANYARD_TOKEN"},
		{"tokens create", "NAME is missing"},
		{"env add", "NAME is missing"},
		{"env add A-B", "is no name for a variable"},
		{"env add A --from B --file C", "keep one of them"},
		{"env add A --from NOBODY", "NOBODY is not set"},
		{"env add A", "the credential is empty"},
		{"tokens create a --expires soon", "--expires"},
		{"tokens revoke", "NAME is missing"},
		{"grants revoke", "ID is missing"},
		{"restore none.backup", "no such file"},
		{"which --leak ends", "go together"},
		{"which --whose x --where server --leak ends", "is no answer to"},
	} {
		got := command(t, nil, "", strings.Fields(test.line)...)
		if got.code != exitUsage || !strings.Contains(got.stderr, test.want) || strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("lanyard %s = %d, %q, want %d and one line with %q", test.line, got.code, got.stderr, exitUsage, test.want)
		}
	}
}

// Every command explains itself, with an example and how many arguments it takes.
func TestHelp(t *testing.T) {
	p := newProgram(func(string) string { return "" }, nil, nil, nil)
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: Short = %q, want a phrase", cmd.CommandPath(), cmd.Short)
		}
		if cmd.RunE == nil || cmd.Args == nil {
			t.Errorf("%s: it does not say what it does or takes", cmd.CommandPath())
		}
		if !cmd.HasSubCommands() && !strings.Contains(cmd.Example, cmd.CommandPath()) {
			t.Errorf("%s: Example = %q, want a line to copy", cmd.CommandPath(), cmd.Example)
		}
		for line := range strings.SplitSeq(cmd.Long+"\n"+cmd.Example, "\n") {
			if len(line) > 160 {
				t.Errorf("%s: a line of its help has %d characters", cmd.CommandPath(), len(line))
			}
		}
		for _, child := range cmd.Commands() {
			walk(child)
		}
	}
	walk(p.root())
	for _, group := range []string{"Start:", "Credentials:", "Never hardcode:", "Counting:", "Admin:"} {
		if got := command(t, nil, "", "--help"); got.code != exitDone || !strings.Contains(got.stdout, group) {
			t.Errorf("lanyard --help = %d, %q, want the group %s", got.code, got.stdout, group)
		}
	}
}

// Every flag of an answer that can fail to be written is an error, not silence.
func TestOutputGone(t *testing.T) {
	var errs bytes.Buffer
	err := run(t.Context(), []string{"which"}, func(string) string { return "" }, strings.NewReader(""), gone{}, &errs)
	if code := report(err, &errs); code != exitFailed {
		t.Errorf("which into a closed pipe = %d, want %d", code, exitFailed)
	}
}

type gone struct{}

func (gone) Write([]byte) (int, error) { return 0, errGone }
