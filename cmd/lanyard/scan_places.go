package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/lanyard-auth/lanyard/internal/gitrepo"
	"github.com/lanyard-auth/lanyard/internal/scan"
)

// tree looks through a folder or a file.
func (j *scanJob) tree(ctx context.Context, root string) error {
	info, err := os.Stat(root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return usage("%s: there is no such file or folder", cell(root))
	case err != nil:
		return usage("%s cannot be looked at: %s", cell(root), errors.Unwrap(err))
	case !info.IsDir():
		return j.file(ctx, root)
	}
	ignored, err := j.treeIgnores(ctx, root)
	if err != nil {
		return err
	}
	j.scanner.Ignored = ignored
	whole := func(name string) string { return path.Join(filepath.ToSlash(root), name) }
	to := j.receiver(func(e *exposed) { e.path = whole(e.path) })
	to.Trouble = func(name string, err error) { j.result.trouble(whole(name), err) }
	to.Progress = func(sofar scan.Totals) {
		j.notice.say(func() string { return fmt.Sprintf("%s, %s", count(int64(sofar.Files), "file"), size(sofar.Bytes)) })
	}
	totals, err := j.scanner.Walk(ctx, os.DirFS(root), to)
	j.result.add(totals)
	return err
}

func (j *scanJob) file(ctx context.Context, name string) error {
	f, err := os.Open(name) // #nosec G304 -- what the user named
	if err != nil {
		return usage("%s cannot be read: %s", cell(name), errors.Unwrap(err))
	}
	defer f.Close() //nolint:errcheck // nothing was written
	totals, err := j.scanner.Read(ctx, filepath.ToSlash(name), f, j.receiver(nil))
	j.result.add(totals)
	return err
}

// treeIgnores says what to pass over below root: what .lanyardignore names, from its own folder on, and with --gitignore what git
// ignores.
func (j *scanJob) treeIgnores(ctx context.Context, root string) (func(string, bool) bool, error) {
	from := j.ignored.from(root)
	var tracked map[string]bool
	if j.flags.gitignore {
		files, err := j.repo.Files(ctx, root)
		if err != nil {
			return nil, err
		}
		tracked = map[string]bool{}
		for _, file := range files {
			for ; file != "." && !tracked[file]; file = path.Dir(file) { // and the folders above it
				tracked[file] = true
			}
		}
	}
	if from == nil && tracked == nil {
		return nil, nil //nolint:nilnil // nothing is passed over
	}
	return func(name string, _ bool) bool {
		return tracked != nil && !tracked[name] || from != nil && from(name)
	}, nil
}

func (j *scanJob) staged(ctx context.Context) error {
	objects, err := j.repo.Staged(ctx)
	if err != nil {
		return err
	}
	return j.objects(ctx, objects)
}

func (j *scanJob) history(ctx context.Context) error {
	revisions := []string{"--all"}
	if j.flags.revisions != "" {
		var err error
		if revisions, err = j.repo.Range(ctx, j.flags.revisions); err != nil {
			return usage("--range: %s", err)
		}
	}
	return j.reachable(ctx, revisions)
}

// pushed is a line of what git tells a pre-push hook.
var pushed = regexp.MustCompile(`^.+ ([0-9a-f]{40,64}) \S+ ([0-9a-f]{40,64})$`)

// push looks through what a push would bring to a remote that it does not have.
func (j *scanJob) push(ctx context.Context, args []string) error {
	var revisions []string
	if err := j.lines("--pre-push", pushed, func(part []string) { revisions = append(revisions, part[1]) }); err != nil {
		return err
	}
	if revisions = slices.DeleteFunc(revisions, isNone); len(revisions) == 0 {
		return nil
	}
	remotes, err := j.repo.Remotes(ctx)
	if err != nil {
		return err
	}
	if len(args) > 0 && slices.Contains(remotes, args[0]) { // else it is an address, and nobody here knows what it has
		revisions = append(revisions, "--not", "--remotes="+args[0])
	}
	return j.reachable(ctx, revisions)
}

// receive is a line of what git tells a pre-receive hook.
var receive = regexp.MustCompile(`^([0-9a-f]{40,64}) ([0-9a-f]{40,64}) \S+$`)

// received looks through what a push brings to this repository.
func (j *scanJob) received(ctx context.Context) error {
	var revisions []string
	if err := j.lines("--pre-receive", receive, func(part []string) { revisions = append(revisions, part[2]) }); err != nil {
		return err
	}
	if revisions = slices.DeleteFunc(revisions, isNone); len(revisions) == 0 {
		return nil
	}
	return j.reachable(ctx, append(revisions, "--not", "--all"))
}

// isNone says whether git names no object: a branch is deleted.
func isNone(id string) bool { return strings.Trim(id, "0") == "" }

// lines reads what git tells a hook on stdin.
func (j *scanJob) lines(flag string, shape *regexp.Regexp, take func([]string)) error {
	if isTerminal(j.p.stdin) {
		return usage("%s is for git, which tells a hook on stdin what is pushed: `lanyard scan install %[1]s` sets it up", flag)
	}
	lines := bufio.NewScanner(j.p.stdin)
	for lines.Scan() {
		part := shape.FindStringSubmatch(lines.Text())
		if part == nil {
			return usage("%s: a line on stdin is none that git tells a hook", flag)
		}
		take(part)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read stdin: %w", err)
	}
	return nil
}

// reachable looks through commits, and finds out who brought in what was found.
func (j *scanJob) reachable(ctx context.Context, revisions []string) error {
	j.revisions = revisions
	j.notice.say(func() string { return "listing what is in the history" })
	objects, err := j.repo.Reachable(ctx, revisions...)
	if err != nil {
		return err
	}
	if err := j.objects(ctx, objects); err != nil {
		return err
	}
	blobs := map[string]bool{}
	for i := range j.result.found {
		if e := &j.result.found[i]; e.commit == "" {
			blobs[e.blob] = true
		}
	}
	if len(blobs) == 0 {
		return nil
	}
	origins, err := j.repo.Origins(ctx, blobs, revisions...)
	if err != nil {
		return err
	}
	from := j.ignored.from("")
	kept := j.result.found[:0]
	for _, e := range j.result.found {
		origin := origins[e.blob]
		if e.commit == "" {
			e.cameIn(origin)
		}
		// One content may stand at many paths: it is passed over where each of them is.
		if from == nil || len(origin.Paths) == 0 || slices.ContainsFunc(origin.Paths, func(path string) bool { return !from(path) }) {
			kept = append(kept, e)
		}
	}
	j.result.found = kept
	return nil
}

// objects looks through objects of git.
func (j *scanJob) objects(ctx context.Context, objects []gitrepo.Object) error {
	from := j.ignored.from("")
	var all int64
	for _, o := range objects {
		all += o.Size
	}
	var mu sync.Mutex // for the result and what was read
	read := 0
	return j.repo.Read(ctx, objects, workers(), func(o gitrepo.Object, r io.Reader) error {
		name := o.Path
		switch o.Kind {
		case gitrepo.Commit:
			name = "message of commit " + o.ID[:12]
		case gitrepo.Tag:
			name = "tag " + o.Path
		case gitrepo.Blob:
			if j.flags.staged && from != nil && from(name) { // else what is found is asked for all its paths
				return nil
			}
		}
		var own scanJob
		own.flags, own.result.place = j.flags, j.result.place
		totals, err := j.scanner.Read(ctx, name, r, own.receiver(func(e *exposed) {
			e.blob = o.ID
			if o.Kind == gitrepo.Commit {
				e.commit, e.path = o.ID, name
			}
		}))
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		j.result.add(totals)
		j.result.found = append(j.result.found, own.result.found...)
		j.result.unread = append(j.result.unread, own.result.unread...)
		j.result.odd = append(j.result.odd, own.result.odd...)
		read++
		j.notice.say(func() string {
			text := fmt.Sprintf("%s of %s objects, %s", thousands(int64(read)), thousands(int64(len(objects))), size(j.result.totals.Bytes))
			if all > 0 {
				text += " of " + size(all)
			}
			return text
		})
		return nil
	})
}
