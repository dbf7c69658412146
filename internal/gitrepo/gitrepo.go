// Package gitrepo reads a git repository through the git program: what is staged, what a history or a push holds, who
// committed something first, which files git does not ignore. It changes nothing, and never asks a remote.
package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// Errors of Open.
var (
	ErrNoGit        = errors.New("the program git is not installed, or not on the PATH")
	ErrNoRepository = errors.New("there is no git repository")
)

// Repo is a repository, with or without a work tree.
type Repo struct {
	Top  string // of the work tree; "" without one
	Dir  string // where git is run: Top, else the repository itself
	Git  string // the repository itself: .git
	path string // of the program
}

// Open finds the repository that dir lies in. In a hook git says which one by its environment, and that is taken.
func Open(ctx context.Context, dir string) (*Repo, error) {
	path, err := exec.LookPath("git")
	if err != nil {
		return nil, ErrNoGit
	}
	r := &Repo{Dir: dir, path: path}
	said, err := r.output(ctx, "rev-parse", "--absolute-git-dir", "--is-inside-work-tree")
	if err != nil {
		var ended *exec.ExitError
		if errors.As(err, &ended) && bytes.Contains(ended.Stderr, []byte("not a git repository")) {
			return nil, ErrNoRepository
		}
		return nil, err // owned by somebody else, say: git knows what to do
	}
	git, inside, _ := strings.Cut(string(said), "\n")
	if r.Git = git; strings.TrimSpace(inside) != "true" {
		r.Dir = git
		return r, nil
	}
	top, err := r.output(ctx, "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, err
	}
	r.Top = strings.TrimSuffix(string(top), "\n")
	r.Dir = r.Top
	return r, nil
}

// command is a run of git that is not ours to configure by what lies around: no pager, no colours. Objects are read as they are, not as
// refs/replace says, and none is fetched (versions before 2.44 are kept from it by knowing no protocol).
func (r *Repo) command(ctx context.Context, args ...string) *exec.Cmd {
	settings := []string{"-c", "core.quotePath=false", "-c", "color.ui=false", "-c", "log.showSignature=false", "--no-pager"}
	cmd := exec.CommandContext(ctx, r.path, append(settings, args...)...) // #nosec G204 -- git; what comes from outside stands behind --end-of-options
	cmd.Dir = r.Dir
	cmd.Env = append(os.Environ(), "GIT_NO_REPLACE_OBJECTS=1", "GIT_NO_LAZY_FETCH=1", "GIT_ALLOW_PROTOCOL=none", "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C")
	return cmd
}

// output runs git and returns what it printed.
func (r *Repo) output(ctx context.Context, args ...string) ([]byte, error) {
	out, err := r.command(ctx, args...).Output()
	return out, explained(ctx, args[0], err)
}

// explained puts what git said into an error.
func explained(ctx context.Context, what string, err error) error {
	var ended *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &ended):
		said := strings.TrimPrefix(strings.TrimSpace(string(ended.Stderr)), "fatal: ")
		first, _, _ := strings.Cut(said, "\n")
		return fmt.Errorf("git %s: %s: %w", what, first, err)
	}
	return fmt.Errorf("git %s: %w", what, err)
}

// File returns a file of the index, nil if there is none.
func (r *Repo) File(ctx context.Context, path string) ([]byte, error) {
	listed, err := r.output(ctx, "ls-files", "-z", "--cached", "--", ":(top,literal)"+path)
	if err != nil || len(listed) == 0 {
		return nil, err
	}
	return r.output(ctx, "cat-file", "blob", ":"+path)
}

// Remotes returns the names of the other repositories that this one knows.
func (r *Repo) Remotes(ctx context.Context) ([]string, error) {
	said, err := r.output(ctx, "remote")
	return strings.Fields(string(said)), err
}

// Hooks returns the folder that git runs hooks from.
func (r *Repo) Hooks(ctx context.Context) (string, error) {
	said, err := r.output(ctx, "rev-parse", "--path-format=absolute", "--git-path", "hooks")
	return strings.TrimSuffix(string(said), "\n"), err
}

// Files lists the files below dir, which lies in the work tree, that git tracks or would: all but the ignored. Their paths are
// relative to dir.
func (r *Repo) Files(ctx context.Context, dir string) ([]string, error) {
	there := *r
	there.Dir = dir
	said, err := there.output(ctx, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
	if err != nil {
		return nil, err
	}
	return fields(said), nil
}

// fields takes apart what git prints with -z.
func fields(text []byte) []string {
	if len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
}

// running is a git process that is read from.
type running struct {
	cmd    *exec.Cmd
	out    io.ReadCloser
	stderr bytes.Buffer
	name   string
	ctx    context.Context // of this one run
}

// start runs git; its output is read from out. wait must be called.
func (r *Repo) start(ctx context.Context, stdin io.Reader, args ...string) (*running, error) {
	p := &running{cmd: r.command(ctx, args...), name: args[0], ctx: ctx}
	p.cmd.Stdin = stdin
	p.cmd.Stderr = &p.stderr
	var err error
	if p.out, err = p.cmd.StdoutPipe(); err != nil {
		return nil, fmt.Errorf("run git %s: %w", args[0], err)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("run git %s: %w", args[0], err)
	}
	return p, nil
}

// wait returns why git failed.
func (p *running) wait() error {
	err := p.cmd.Wait()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		ended.Stderr = p.stderr.Bytes()
	}
	return explained(p.ctx, p.name, err)
}
