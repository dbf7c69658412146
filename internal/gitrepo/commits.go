package gitrepo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Origin is where a blob came in.
type Origin struct {
	Commit string
	Author string // name and address
	At     time.Time
	Path   string
	Paths  []string // all that it ever had, this one first
}

// Origins returns the first commit of each blob among what the revisions reach, and its paths. It reads all of that history.
func (r *Repo) Origins(ctx context.Context, blobs map[string]bool, revisions ...string) (map[string]Origin, error) {
	found := map[string]Origin{}
	// What only a merge brought in is rare, and looking at merges expensive.
	for _, merges := range []string{"--no-merges", "--diff-merges=separate"} {
		if merges == "--no-merges" || len(found) < len(blobs) {
			if err := r.walkOrigins(ctx, blobs, found, append([]string{merges}, revisions...)); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

const originMark = "lanyard-commit\t"

func (r *Repo) walkOrigins(ctx context.Context, blobs map[string]bool, found map[string]Origin, revisions []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	git, err := r.start(ctx, nil, append([]string{
		"log", "--topo-order", "--reverse", "--root", "--raw", "--no-abbrev", "--no-renames", "--no-notes", "--no-ext-diff", "--no-textconv",
		"--format=" + originMark + "%H%x09%aI%x09%an <%ae>",
	}, revisions...)...)
	if err != nil {
		return err
	}
	var at Origin
	lines := bufio.NewReader(git.out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return git.wait()
		}
		line = strings.TrimSuffix(line, "\n")
		if head, ok := strings.CutPrefix(line, originMark); ok {
			if at, err = parseOrigin(head); err != nil {
				cancel()
				return errors.Join(err, git.wait())
			}
			continue
		}
		about, path, ok := strings.Cut(line, "\t") // ":100644 100644 <old> <new> M\tpath"
		words := strings.Fields(about)
		if !ok || len(words) < 5 || !blobs[words[3]] {
			continue
		}
		origin, seen := found[words[3]]
		if !seen {
			origin = at
			origin.Path = unquoted(path)
		}
		if !slices.Contains(origin.Paths, unquoted(path)) {
			origin.Paths = append(origin.Paths, unquoted(path))
		}
		found[words[3]] = origin
	}
}

func parseOrigin(head string) (Origin, error) {
	parts := strings.SplitN(head, "\t", 3)
	if len(parts) != 3 {
		return Origin{}, fmt.Errorf("git log: %q is nothing that was expected", head)
	}
	at, err := time.Parse(time.RFC3339, parts[1])
	if err != nil {
		at = time.Time{} // a commit may say anything of its date
	}
	return Origin{Commit: parts[0], Author: parts[2], At: at}, nil
}

// unquoted undoes git's quotes, which are C's.
func unquoted(path string) string {
	if !strings.HasPrefix(path, `"`) {
		return path
	}
	if text, err := strconv.Unquote(path); err == nil {
		return text
	}
	return path
}

// Range checks what a person gave as revisions, such as `main..`, `HEAD~3` or `v1.0...v1.1`, and returns it in git's words.
func (r *Repo) Range(ctx context.Context, text string) ([]string, error) {
	said, err := r.output(ctx, "rev-parse", "--revs-only", "--end-of-options", text)
	if err != nil {
		return nil, err
	}
	var revisions []string
	for _, word := range strings.Fields(string(said)) {
		if word != "--end-of-options" { // some versions repeat it
			revisions = append(revisions, word)
		}
	}
	if len(revisions) == 0 {
		return nil, fmt.Errorf("%q names no commits of this repository", text)
	}
	return revisions, nil
}
