package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// keepOutOfGit adds a file to the .gitignore beside it if it lies in a git work tree that does not ignore it yet. A file that
// git tracks already is refused: ignoring does not help it.
func keepOutOfGit(file string) error {
	dir, name := filepath.Split(file)
	dir = filepath.Clean(dir)
	inside, err := inWorkTree(dir)
	if err != nil || !inside {
		return err
	}
	path := filepath.Join(dir, ".gitignore")
	text, err := os.ReadFile(path) // #nosec G304 -- in the working directory
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read .gitignore: %w", err)
	}
	ignored := slices.ContainsFunc(strings.Split(string(text), "\n"), func(line string) bool {
		line = strings.TrimSpace(line)
		return line == name || line == "/"+name
	})
	if git, err := exec.LookPath("git"); err == nil {
		if exec.Command(git, "-C", dir, "--literal-pathspecs", "ls-files", "--error-unmatch", "--", name).Run() == nil { //nolint:gosec,noctx // git, on names of our own; it ends
			return fault.New(fault.Conflict, "git tracks %s, so a secret in it would be committed; run `git rm --cached %s` and commit that first", name, name)
		}
		ignored = exec.Command(git, "-C", dir, "check-ignore", "--quiet", "--", name).Run() == nil //nolint:gosec,noctx // as above
	}
	if ignored {
		return nil
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		text = append(text, '\n')
	}
	text = append(text, "/"+escapePattern(name)+"\n"...)
	if err := os.WriteFile(path, text, 0o644); err != nil { // #nosec G306 G703 -- .gitignore is for everybody, in the working directory
		return fmt.Errorf("add %s to .gitignore: %w", name, err)
	}
	return nil
}

// escapePattern writes a file's name so that .gitignore takes it for nothing else.
func escapePattern(name string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, " ", `\ `).Replace(name)
}

// inWorkTree looks for .git, a directory or (in a worktree or submodule) a file, in dir and above it.
func inWorkTree(dir string) (bool, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return false, fmt.Errorf("find the working directory: %w", err)
	}
	for {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return true, nil
		}
		above := filepath.Dir(dir)
		if above == dir {
			return false, nil
		}
		dir = above
	}
}
