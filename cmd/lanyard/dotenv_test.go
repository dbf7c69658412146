package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/dotenv"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

func never(string) bool  { return false }
func always(string) bool { return true }

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestPrepareSavingRefuses(t *testing.T) {
	for name, test := range map[string]struct{ env, variable, want string }{
		"no name":         {"", "", "no name for a variable"},
		"an odd name":     {"", "A B", "no name for a variable"},
		"a digit first":   {"", "1A", "no name for a variable"},
		"a credential":    {"", credential + "=", "no name for a variable"},
		"taken":           {"A=1\n", "A", "stands in "},
		"taken, empty":    {"A=\n", "A", "stands in "},
		"taken, exported": {"export A=1\n", "A", "stands in "},
		"unreadable":      {"A='\n", "B", "cannot be read, so nothing is added to it: line 1"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, ".env"), test.env)
			_, err := prepareSaving(filepath.Join(dir, ".env"), test.variable, never)
			if err == nil || !strings.Contains(sentence(err), test.want) || strings.Contains(err.Error(), "BBBB") {
				t.Errorf("prepareSaving(%q) = %v, want an error with %q", test.variable, err, test.want)
			}
			if got := read(t, filepath.Join(dir, ".env")); got != test.env {
				t.Errorf(".env = %q, want it as it was: %q", got, test.env)
			}
		})
	}
}

func TestSave(t *testing.T) {
	for name, test := range map[string]struct{ before, want string }{
		"empty":          {"", "KEY=v1\n"},
		"comments":       {"# mine\nA=1 # one\n\n", "# mine\nA=1 # one\n\nKEY=v1\n"},
		"no line end":    {"A=1", "A=1\nKEY=v1\n"},
		"replaced":       {"A=1\nKEY=old # note\nB=2\n", "A=1\nKEY='v1' # note\nB=2\n"},
		"exported":       {"export KEY=old\n", "export KEY=v1\n"},
		"twice":          {"KEY=old\nA=1\nKEY=older\n", "KEY=v1\nA=1\n"},
		"longer name":    {"MY_KEY=1\nKEY2=2\n", "MY_KEY=1\nKEY2=2\nKEY=v1\n"},
		"in a comment":   {"# KEY=old\n", "# KEY=old\nKEY=v1\n"},
		"quoted, spaces": {"A=\"b c\"\n", "A=\"b c\"\nKEY=v1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, ".env")
			if test.before != "" {
				write(t, path, test.before)
			}
			s, err := prepareSaving(filepath.Join(dir, ".env"), "KEY", always)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.write(t.Context(), secret.Of("v1")); err != nil {
				t.Fatalf("write = %v", err)
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := read(t, path); got != test.want || info.Mode().Perm() != 0o600 {
				t.Errorf(".env = %q with mode %o, want %q with 600", got, info.Mode().Perm(), test.want)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
				t.Errorf("left in the directory: %v, %v, want .env alone", left, err)
			}
		})
	}
}

func TestSaveFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "real"), "A=1\n")
	if err := os.Symlink("real", filepath.Join(dir, ".env")); err != nil {
		t.Fatal(err)
	}
	s, err := prepareSaving(filepath.Join(dir, ".env"), "KEY", never)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.write(t.Context(), secret.Of("v1")); err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(dir, "real")); got != "A=1\nKEY=v1\n" {
		t.Errorf("the file behind the link = %q, want KEY in it", got)
	}
}

// Of the same credential the value may be replaced, of another only by force.
func TestHandOverPrepare(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, ".env", "KEY="+credential+"\n")
	for _, test := range []struct {
		h     handOver
		keyID string
		want  fault.Kind
	}{
		{handOver{save: "KEY"}, "key_AAAAAAAAAAAAAAAA", ""},
		{handOver{save: "KEY"}, "key_BAAAAAAAAAAAAAAA", fault.Conflict},
		{handOver{save: "KEY"}, "", fault.Conflict},
		{handOver{save: "KEY", force: true}, "", ""},
	} {
		if err := test.h.prepare(test.keyID); fault.KindOf(err) != test.want {
			t.Errorf("prepare(%+v, %q) = %v, want %q", test.h, test.keyID, err, test.want)
		}
	}
}

func TestSaveRefusesDanglingLinks(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("nothing", filepath.Join(dir, ".env")); err != nil {
		t.Fatal(err)
	}
	if _, err := prepareSaving(filepath.Join(dir, ".env"), "KEY", always); !fault.Is(err, fault.Conflict) {
		t.Errorf("prepareSaving behind a link to nothing = %v, want a conflict", err)
	}
}

// What is tracked is not written to, through whichever link.
func TestSaveRefusesTracked(t *testing.T) {
	dir := t.TempDir()
	git(t, dir, "init", "-q")
	write(t, filepath.Join(dir, "config", "prod.env"), "A=1\n")
	git(t, dir, "add", "config")
	if err := os.Symlink("config/prod.env", filepath.Join(dir, ".env")); err != nil {
		t.Fatal(err)
	}
	if _, err := prepareSaving(filepath.Join(dir, ".env"), "KEY", always); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "git tracks prod.env") {
		t.Errorf("prepareSaving behind a link to a tracked file = %v, want a conflict", err)
	}
}

// Many at once lose nothing to one another, and what came between is not overwritten.
func TestSaveAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), ".env")
	write(t, file, "# mine\n")
	const n = 24
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			s, err := prepareSaving(file, "KEY"+strconv.Itoa(i), never)
			if err == nil {
				err = s.write(t.Context(), secret.Of(strconv.Itoa(i)))
			}
			if err != nil {
				t.Errorf("save %d: %v", i, err)
			}
		})
	}
	all.Wait()
	got, err := dotenv.Parse(read(t, file))
	if err != nil || len(got.Entries()) != n {
		t.Fatalf("%d of %d are there: %v", len(got.Entries()), n, err)
	}
	for i := range n {
		if v, _ := got.Lookup("KEY" + strconv.Itoa(i)); v != strconv.Itoa(i) {
			t.Errorf("KEY%d = %q", i, v)
		}
	}

	s, err := prepareSaving(file, "NEW", never)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, "NEW=theirs\n")
	if err := s.write(t.Context(), secret.Of("ours")); !fault.Is(err, fault.Conflict) || read(t, file) != "NEW=theirs\n" {
		t.Errorf("write over what came between = %v, %q, want a conflict and theirs", err, read(t, file))
	}
}
