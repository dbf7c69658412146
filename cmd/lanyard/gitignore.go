package main

import (
	"context"
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
// git tracks already is refused: ignoring does not help it. Commands at the same time take turns, and only ever add.
func keepOutOfGit(file string) (err error) {
	dir, name := filepath.Split(file)
	dir = filepath.Clean(dir)
	inside, err := inWorkTree(dir)
	if err != nil || !inside {
		return err
	}
	path := filepath.Join(dir, ".gitignore")
	unlock, err := waitForLock(context.Background(), path, func() (func() error, error) { return lockBeside(path) })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	git, missing := exec.LookPath("git")
	if missing == nil && exec.Command(git, "-C", dir, "--literal-pathspecs", "ls-files", "--error-unmatch", "--", name).Run() == nil { //nolint:gosec,noctx // git, on names of our own; it ends
		return fault.New(fault.Conflict, "git tracks %s, so a secret in it would be committed; run `git rm --cached %s` and commit that first", name, name)
	}
	text, err := os.ReadFile(path) // #nosec G304 -- in the working directory
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read .gitignore: %w", err)
	}
	ignored := func() bool {
		if missing == nil {
			return exec.Command(git, "-C", dir, "check-ignore", "--quiet", "--", name).Run() == nil //nolint:gosec,noctx // as above
		}
		return slices.ContainsFunc(strings.Split(string(text), "\n"), func(line string) bool {
			line = strings.TrimSpace(line)
			return line == name || line == "/"+name
		})
	}
	if ignored() {
		return nil
	}
	line := "/" + escapePattern(name) + "\n"
	if len(text) > 0 && text[len(text)-1] != '\n' {
		line = "\n" + line
	}
	if err := appendTo(path, line); err != nil {
		return fmt.Errorf("add %s to .gitignore: %w", name, err)
	}
	if missing == nil && !ignored() {
		return fault.New(fault.Conflict, "git does not ignore %s though .gitignore names it: look at what takes it back there, such as a line with \"!\"", name)
	}
	return nil
}

// appendTo adds a line to a file, and never takes one away.
func appendTo(path, line string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644) // #nosec G302 G304 -- .gitignore is for everybody, in the working directory
	if err != nil {
		return err
	}
	_, err = f.WriteString(line)
	return errors.Join(err, f.Sync(), f.Close())
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
