package main

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/joho/godotenv"

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
		"no name":            {"", "", "no name for a variable"},
		"an odd name":        {"", "A B", "no name for a variable"},
		"a digit first":      {"", "1A", "no name for a variable"},
		"a credential":       {"", credential + "=", "no name for a variable"},
		"taken":              {"A=1\n", "A", "A stands in .env already"},
		"taken, empty":       {"A=\n", "A", "A stands in .env already"},
		"taken, exported":    {"export A=1\n", "A", "A stands in .env already"},
		"unreadable":         {"A='\n", "B", ".env cannot be read"},
		"inside a long text": {"B=\"one\nA=two\nthree\"\n", "A", "put it there by hand"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, ".env"), test.env)
			_, err := prepareSaving(dir, test.variable, never)
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
		"replaced":       {"A=1\nKEY=old # note\nB=2\n", "A=1\nKEY=v1\nB=2\n"},
		"exported":       {"export KEY=old\n", "KEY=v1\n"},
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
			s, err := prepareSaving(dir, "KEY", always)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.write(secret.Of("v1")); err != nil {
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
	s, err := prepareSaving(dir, "KEY", never)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.write(secret.Of("v1")); err != nil {
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

// Whatever stands in .env, either nothing is written, or everything else reads as before.
func FuzzSave(f *testing.F) {
	f.Add("A=1\n# c\nKEY=x\n")
	f.Add("A=\"b\nKEY=c\n\"\nexport KEY: y")
	f.Add("KEY='\n'")
	f.Fuzz(func(t *testing.T, before string) {
		want, err := godotenv.Unmarshal(before)
		if err != nil {
			return
		}
		s := &saving{name: "KEY", before: before}
		text, err := s.after(credential)
		if err != nil {
			return
		}
		got, err := godotenv.Unmarshal(text)
		want["KEY"] = credential
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("after(%q) = %q, which reads %v, %v, want %v", before, text, got, err, want)
		}
	})
}
