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
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/lanyard-auth/lanyard/internal/scan"
)

// baselineAt is the findings that are known, and the file they stand in.
type baselineAt struct {
	scan.Baseline
	path string
}

// readKnown reads what is to be passed over: .lanyardignore and the baseline at top. What is staged is judged by what is staged; what
// comes to a server by what lies in its repository's own folder, since a push could bring its own excuse.
func (j *scanJob) readKnown(ctx context.Context, top string) error {
	if j.known.path = filepath.Join(top, baselineFile); j.flags.strict {
		return nil
	}
	read := func(name string) ([]byte, error) {
		text, err := os.ReadFile(filepath.Join(top, name)) // #nosec G304 -- of the tree that is looked at
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return text, err
	}
	switch j.flags.place() {
	case placeStaged:
		read = func(name string) ([]byte, error) { return j.repo.File(ctx, name) }
	case placeReceive:
		top = j.repo.Git
	case placeTree, placeHistory, placePush, placeStdin:
	}
	j.known.path = filepath.Join(top, baselineFile)
	text, err := read(ignoreFile)
	if err != nil {
		return fmt.Errorf("read %s: %w", ignoreFile, err)
	}
	if j.ignored, err = readIgnoreList(top, string(text)); err != nil {
		return err
	}
	if j.flags.baseline != "" {
		j.known.path = j.flags.baseline
		text, err = os.ReadFile(j.flags.baseline)
		if errors.Is(err, fs.ErrNotExist) && j.flags.writeBaseline {
			text, err = nil, nil
		}
	} else {
		text, err = read(baselineFile)
	}
	if err != nil {
		return usage("the baseline cannot be read: %s", errors.Unwrap(err))
	}
	if j.known.Baseline, err = scan.ReadBaseline(bytes.NewReader(text)); err != nil {
		return usage("%s: %s", cell(j.known.path), err)
	}
	j.scanner.Baseline = j.known.Baseline
	return nil
}

// writeBaseline makes all that was found known.
func (j *scanJob) writeBaseline() error {
	before := j.known.Len()
	others := 0
	for _, e := range j.result.found {
		switch {
		case e.kind == "":
			others++
		case e.suppressed != suppressedInline:
			j.known.AddDigest(e.digest)
		}
	}
	file := wholeFile{path: j.known.path, mode: 0o644, replace: true}
	if err := file.write(func(w io.Writer) error { _, err := j.known.WriteTo(w); return err }); err != nil {
		return fmt.Errorf("write the baseline: %w", err)
	}
	j.p.out.linef("%s in %s, %d of them new. They are reported no more; a credential that others saw still has to be ended.",
		count(int64(j.known.Len()), "known credential"), cell(j.known.path), j.known.Len()-before)
	if others > 0 {
		j.p.out.linef("%s of gitleaks is not among them: gitleaks has its own .gitleaksignore.", count(int64(others), "finding"))
	}
	if len(j.result.unread) > 0 {
		j.p.notes.linef("%s could not be read.", some(j.result.unreadPaths()))
	}
	return nil
}

// ignoredPaths is .lanyardignore: one pattern a line, read as .gitignore's are, as far as they go. Nothing is taken back with "!".
type ignoredPaths struct {
	top      string // where it stands
	patterns []string
}

func readIgnoreList(top, text string) (ignoredPaths, error) {
	list := ignoredPaths{top: top}
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		pattern := strings.TrimSuffix(line, "/")
		if rooted, ok := strings.CutPrefix(pattern, "/"); ok {
			pattern = rooted
		} else if !strings.Contains(pattern, "/") {
			pattern = "**/" + pattern
		}
		switch {
		case strings.HasPrefix(line, "!"):
			return list, usage("%s: line %d begins with \"!\", which takes nothing back here: write narrower patterns", ignoreFile, n+1)
		case strings.Trim(line, "/") == "" || !doublestar.ValidatePattern(pattern):
			return list, usage("%s: line %d is no pattern: write a path, testdata/ or **/*.golden", ignoreFile, n+1)
		}
		list.patterns = append(list.patterns, pattern)
		if line[len(line)-1] == '/' {
			list.patterns[len(list.patterns)-1] += "/**"
		}
	}
	return list, nil
}

// from says of paths below root, "" for the top itself, whether they are named, or a folder above them is; nil: none is.
func (l ignoredPaths) from(root string) func(string) bool {
	if len(l.patterns) == 0 {
		return nil
	}
	before := ""
	if root != "" {
		top, err := filepath.EvalSymlinks(l.top)
		at, wrong := filepath.EvalSymlinks(root)
		if err == nil && wrong == nil {
			top, err = filepath.Abs(top)
			at, wrong = filepath.Abs(at)
		}
		if relative, odd := filepath.Rel(top, at); err == nil && wrong == nil && odd == nil && filepath.IsLocal(relative) && relative != "." {
			before = filepath.ToSlash(relative) + "/"
		}
	}
	return func(name string) bool {
		name = before + name
		for {
			for _, pattern := range l.patterns {
				if doublestar.MatchUnvalidated(pattern, name) {
					return true
				}
			}
			slash := strings.LastIndexByte(name, '/')
			if slash < 0 {
				return false
			}
			name = name[:slash]
		}
	}
}
