package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.test"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func TestKeepOutOfGit(t *testing.T) {
	for name, test := range map[string]struct {
		root, below string // .gitignore at the root, and in the directory itself
		want        string // the latter afterwards
	}{
		"nothing yet":        {"", "", "/.env\n"},
		"ignored above":      {".env\n", "", ""},
		"ignored by pattern": {"", "*.env\n", "*.env\n"},
		"no line end":        {"", "bin", "bin\n/.env\n"},
		"taken out again":    {".env\n", "!.env\n", "!.env\n/.env\n"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			git(t, root, "init", "-q")
			dir := filepath.Join(root, "app")
			write(t, filepath.Join(root, ".gitignore"), test.root)
			write(t, filepath.Join(dir, "main.go"), "")
			if test.below != "" {
				write(t, filepath.Join(dir, ".gitignore"), test.below)
			}
			for range 2 { // the second time changes nothing
				if err := keepOutOfGit(filepath.Join(dir, ".env")); err != nil {
					t.Fatalf("keepOutOfGit = %v", err)
				}
			}
			got, err := os.ReadFile(filepath.Join(dir, ".gitignore"))
			if string(got) != test.want || err != nil && test.want != "" {
				t.Errorf(".gitignore = %q, %v, want %q", got, err, test.want)
			}
		})
	}
}

func TestKeepOutOfGitRefusesTracked(t *testing.T) {
	dir := t.TempDir()
	git(t, dir, "init", "-q")
	write(t, filepath.Join(dir, ".env"), "A=1\n")
	git(t, dir, "add", ".env")
	if err := keepOutOfGit(filepath.Join(dir, ".env")); !fault.Is(err, fault.Conflict) {
		t.Errorf("keepOutOfGit of a tracked file = %v, want a conflict", err)
	}
}

func TestKeepOutOfGitElsewhere(t *testing.T) {
	dir := t.TempDir()
	if err := keepOutOfGit(filepath.Join(dir, ".env")); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("outside of git: %v, %v, want nothing made", left, err)
	}
}

// TestKeepOutOfGitAtOnce: many commands at once leave every file ignored, and every line that stood there.
func TestKeepOutOfGitAtOnce(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	gitHere(t, "init", "-q")
	before := strings.Repeat("a line of somebody\n", 2000) + "and the last without an end"
	put(t, map[string]string{".gitignore": before})
	var running sync.WaitGroup
	for i := range 12 {
		running.Go(func() {
			if err := keepOutOfGit(filepath.Join(dir, fmt.Sprintf("f%d.env", i))); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	text, err := os.ReadFile(".gitignore")
	if err != nil || !strings.HasPrefix(string(text), before+"\n") || strings.Count(string(text), "\n/f") != 12 {
		t.Errorf(".gitignore has %d bytes, %v, want what stood there and 12 lines more", len(text), err)
	}
	for i := range 12 {
		gitHere(t, "check-ignore", "--quiet", fmt.Sprintf("f%d.env", i))
	}
}
