package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/gitrepo"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// hookKinds are git's hooks that a scan belongs into, and what they run.
var hookKinds = []hookKind{
	{"pre-commit", "lanyard scan --quiet --staged", "commit", "looks through what is staged before every commit"},
	{"pre-push", `lanyard scan --quiet --pre-push "$1"`, "push", "looks through what a push brings to the remote"},
	{"pre-receive", "lanyard scan --quiet --pre-receive", "push", "on a server: looks through what is pushed to it, and refuses it"},
}

type hookKind struct{ name, runs, stops, about string }

// names are the hooks that it takes: git asks another one before it commits a merge.
func (k hookKind) names() []string {
	if k.name == "pre-commit" {
		return []string{k.name, "pre-merge-commit"}
	}
	return []string{k.name}
}

// hookOf is the kind that a hook of this name belongs to.
func hookOf(name string) hookKind {
	for _, kind := range hookKinds {
		if slices.Contains(kind.names(), name) {
			return kind
		}
	}
	return hookKind{}
}

// hookMark is on the second line of our hooks.
const hookMark = "# Made by `lanyard scan install`"

func (p *program) scanInstall() *cobra.Command {
	wanted := make([]bool, len(hookKinds))
	var remove, force bool
	var prefixes []string
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Make git refuse commits and pushes that hold a credential",
		Long: `Writes hooks into the git repository here, so that git refuses a commit or a push that holds a
credential. A hook that stands there already is not touched, and the line to add to it is said.
--remove takes ours away again.

Without a hook: .pre-commit-hooks.yaml in Lanyard's repository is for the program pre-commit, and
docs/scan/ has what GitHub Actions and GitLab CI need.`,
		Example: `  lanyard scan install --pre-commit
  lanyard scan install --pre-commit --pre-push --prefix acme
  lanyard scan install --pre-commit --remove`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkPrefixes(prefixes); err != nil {
				return err
			}
			if remove && force {
				return usage("--remove takes a hook away and --force replaces one: keep one of them")
			}
			any := false
			for i, kind := range hookKinds {
				if !wanted[i] {
					continue
				}
				any = true
				for _, name := range kind.names() {
					if err := p.setHook(cmd.Context(), name, prefixes, remove, force); err != nil {
						return err
					}
				}
			}
			if !any {
				return usage("say which hook: --pre-commit, --pre-push or, on a server, --pre-receive")
			}
			return nil
		},
	}
	for i, kind := range hookKinds {
		cmd.Flags().BoolVar(&wanted[i], kind.name, false, kind.about)
	}
	cmd.Flags().BoolVar(&remove, "remove", false, "take our hooks away")
	cmd.Flags().BoolVar(&force, "force", false, "replace a hook of others, keeping it beside as NAME.before")
	cmd.Flags().StringSliceVar(&prefixes, "prefix", nil, "what credentials begin with; may be repeated (default: as lanyard scan finds out)")
	return cmd
}

func checkPrefixes(prefixes []string) error {
	for _, prefix := range prefixes {
		if err := secret.ValidPrefix(prefix); err != nil {
			return usage("--prefix: %s", err)
		}
	}
	return nil
}

// setHook writes a hook or takes it away.
func (p *program) setHook(ctx context.Context, name string, prefixes []string, remove, force bool) error {
	repo, err := gitrepo.Open(ctx, ".")
	if errors.Is(err, gitrepo.ErrNoRepository) {
		return usage("there is no git repository here: go into one, or make one with `git init`")
	}
	if err != nil {
		return fault.New(fault.Unavailable, "%s", err)
	}
	folder, err := repo.Hooks(ctx)
	if err != nil {
		return err
	}
	path := filepath.Join(folder, name)
	present, err := os.ReadFile(path) // #nosec G304 -- git says where it is
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the hook: %w", err)
	}
	there, ours := err == nil, bytes.Contains(present, []byte(hookMark))
	if remove {
		return p.removeHook(path, there, ours)
	}
	if there && !ours {
		if !force {
			return fault.New(fault.Conflict, "%s stands there already and is not ours: add the line `%s || exit 1` to it, or replace it with --force", path, hookLine(name, prefixes))
		}
		if err := os.Rename(path, path+".before"); err != nil {
			return fmt.Errorf("keep the hook of before: %w", err)
		}
		p.notes.linef("The hook of before is kept as %s.", path+".before")
	}
	if err := os.MkdirAll(folder, 0o755); err != nil { // #nosec G301 -- as git makes it
		return fmt.Errorf("make the folder of hooks: %w", err)
	}
	file := wholeFile{path: path, mode: 0o755, replace: true}
	if err := file.write(func(w io.Writer) error { _, err := io.WriteString(w, hookText(name, prefixes)); return err }); err != nil {
		return fmt.Errorf("write the hook: %w", err)
	}
	p.out.linef("%s is set up: git refuses what holds a credential. `lanyard scan install --%s --remove` takes it away.", path, hookOf(name).name)
	return nil
}

func (p *program) removeHook(path string, there, ours bool) error {
	switch {
	case !there:
		p.out.linef("%s is not there: nothing to take away.", path)
		return nil
	case !ours:
		return fault.New(fault.Conflict, "%s is not ours: take it away by hand if nobody needs it", path)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("take the hook away: %w", err)
	}
	p.out.linef("%s is taken away.", path)
	return nil
}

// hookLine is what a hook runs.
func hookLine(name string, prefixes []string) string {
	line := hookOf(name).runs
	for _, prefix := range prefixes {
		line += " --prefix " + prefix
	}
	return line
}

// hookText is a whole hook. Where lanyard is missing it refuses: nobody looked.
func hookText(name string, prefixes []string) string {
	kind := hookOf(name)
	return strings.NewReplacer("{mark}", hookMark, "{name}", kind.name, "{stops}", kind.stops, "{line}", hookLine(name, prefixes)).Replace(`#!/bin/sh
{mark}; "lanyard scan install --{name} --remove" takes it away.
command -v lanyard >/dev/null 2>&1 || {
	echo "The {stops} is refused: lanyard, which looks it through for credentials, is not on the PATH." >&2
	echo "Install it, or take the hook away: rm \"$0\"" >&2
	exit 1
}
exec {line} >&2
`)
}
