package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A value among the arguments is refused and not repeated.
func TestEnvAddRefusesArguments(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, line := range []string{"env add KEY=hunter2", "env add KEY hunter2", "env add hunter2=x hunter2", "env add KEY = hunter2", "env add KEY=" + credential} {
		got := command(t, nil, "", strings.Fields(line)...)
		if got.code != exitUsage || strings.Contains(got.stderr, "hunter2") || strings.Contains(got.stderr, credential[:30]) || !strings.Contains(got.stderr, "--from NAME") {
			t.Errorf("lanyard %s = %d, %q, want what to do instead", line, got.code, got.stderr)
		}
	}
	if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestEnvAddRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, ".env", "KEY=old\n")
	for _, test := range []struct{ line, stdin, want string }{
		{"env add KEY", "new\n", "KEY stands in .env already"},
		{"env add OTHER", "new'\"\n", "OTHER cannot be put into .env: the value mixes quotes"},
		{"env add OTHER", "a\r\nb", "carriage return"},
		{"env add OTHER --env-file none/.env", "new", "no such file"},
	} {
		got := command(t, nil, test.stdin, strings.Fields(test.line)...)
		if got.code == exitDone || !strings.Contains(got.stderr, test.want) || strings.Contains(got.stderr, "new") {
			t.Errorf("lanyard %s = %d, %q, want %q", test.line, got.code, got.stderr, test.want)
		}
	}
	if got := read(t, ".env"); got != "KEY=old\n" {
		t.Errorf(".env = %q, want it as it was", got)
	}
}

func TestEnvAdd(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	git(t, dir, "init", "-q")
	write(t, ".env", "# mine\nA=1 # one\n")
	write(t, "pem", "-----BEGIN\nx y\n-----END\n")
	env := map[string]string{"SOURCE": "it's"}
	for _, test := range []struct{ line, stdin string }{
		{"env add B", "hunter2\n"},
		{"env add C --from SOURCE", ""},
		{"env add D --file pem", ""},
		{"env add B --force", "hunter3\n"},
		{"env add E --env-file .env.local", "5"},
		{"-o json env add F", "6"},
	} {
		got := command(t, env, test.stdin, strings.Fields(test.line)...)
		if got.code != exitDone || strings.Contains(got.stdout+got.stderr, "hunter") {
			t.Errorf("lanyard %s = %d, %q, %q", test.line, got.code, got.stdout, got.stderr)
		}
	}
	if got, want := read(t, ".env"), "# mine\nA=1 # one\nB=hunter3\nC=\"it's\"\nD='-----BEGIN\nx y\n-----END'\nF=6\n"; got != want {
		t.Errorf(".env = %q, want %q", got, want)
	}
	if got, want := read(t, ".gitignore"), "/.env\n/.env.local\n"; got != want {
		t.Errorf(".gitignore = %q, want %q", got, want)
	}
	for _, name := range []string{".env", ".env.local"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v, want mode 600", name, info, err)
		}
	}
}

// A secret under a name that browsers get to see is put away as told, and said to be wrong.
func TestEnvAddForBrowsers(t *testing.T) {
	t.Chdir(t.TempDir())
	got := command(t, nil, credential, "env", "add", "NEXT_PUBLIC_KEY")
	if got.code != exitDone || !strings.Contains(got.stderr, "NEXT_PUBLIC_") {
		t.Errorf("env add NEXT_PUBLIC_KEY = %d, %q, want a warning", got.code, got.stderr)
	}
}
