package main

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// repository is the git work tree in which a directory lies. The nil one has nothing.
type repository struct {
	ctx context.Context //nolint:containedctx // it lives as long as one command
	dir string
	git string
}

func openRepository(ctx context.Context, dir string) (*repository, error) {
	inside, err := inWorkTree(dir)
	if err != nil || !inside {
		return nil, err
	}
	git, err := exec.LookPath("git")
	if err != nil {
		return nil, fault.New(fault.Conflict, "this is a git repository, and there is no git to ask about it: install it")
	}
	return &repository{ctx, dir, git}, nil
}

// ask runs git and says whether it answered yes.
func (r *repository) ask(args ...string) (out []byte, yes bool) {
	if r == nil {
		return nil, false
	}
	out, err := exec.CommandContext(r.ctx, r.git, append([]string{"-C", r.dir}, args...)...).Output() // #nosec G204 -- git, on names that were listed
	return out, err == nil
}

// tracked lists the files that are in the index, below the directory.
func (r *repository) tracked() []string {
	out, _ := r.ask("ls-files", "-z")
	var names []string
	for name := range bytes.SplitSeq(out, []byte{0}) {
		if len(name) > 0 {
			names = append(names, filepath.FromSlash(string(name)))
		}
	}
	return names
}

func (r *repository) ignores(name string) bool {
	_, yes := r.ask("check-ignore", "--quiet", "--", name)
	return yes
}

// maxVersions is how many committed versions of one file are looked at.
const maxVersions = 500

// versions calls seen with each committed version of a file, the newest first, until it returns false.
func (r *repository) versions(name string, seen func(commit, text string) bool) {
	out, _ := r.ask("--literal-pathspecs", "log", "--all", "--format=%H", "-n", itoa(maxVersions), "--", name)
	for commit := range strings.FieldsSeq(string(out)) {
		text, _ := r.ask("show", commit+":./"+filepath.ToSlash(name)) // nothing where that commit removes it
		if !seen(commit[:min(len(commit), 12)], string(text)) {
			return
		}
	}
}

// checkGit asks whether git has a file, had it once, or would take it.
func (c *envChecker) checkGit(f envLook) {
	if c.repo == nil {
		return
	}
	if f.tracked {
		if f.holdsSecrets() {
			c.add(fail(f.name, "git tracks it, so its secrets are in every clone: run `git rm --cached "+cell(f.name)+"`, ignore it, commit that, and replace the secrets"))
		} else {
			c.add(fine(f.name, "git tracks it, and it holds nothing that looks secret"))
		}
		return
	}
	if !c.repo.ignores(f.name) {
		c.add(fail(f.name, "git does not ignore it, so `git add .` would commit it: add /"+filepath.ToSlash(cell(f.name))+" to .gitignore"))
	}
	first, leaked := "", ""
	var name string
	c.repo.versions(f.name, func(commit, text string) bool {
		if first == "" {
			first = commit
		}
		for value, names := range c.values {
			if strings.Contains(text, value) {
				leaked, name = commit, names[0]
				return false
			}
		}
		return true
	})
	switch {
	case leaked != "":
		c.add(fail(f.name, "git's history has the present value of "+name+", in "+leaked+": replace it where it was issued (`lanyard keys rotate` for a key of ours); taking it out of the history does not reach the clones"))
	case first != "":
		c.add(warn(f.name, "it was committed once, last in "+first+", with other values than today's: make sure that those were replaced"))
	}
}
