package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// gitleaksFinding is what of its JSON is read. It is asked to leave secrets out.
type gitleaksFinding struct {
	RuleID, Description, File, Commit, Author, Email, Date string
	StartLine, StartColumn                                 int
}

// addGitleaks runs gitleaks over the same place, if it is there and wanted, and adds what it finds that is not ours.
func (j *scanJob) addGitleaks(ctx context.Context, args []string) error {
	if j.flags.gitleaks == "off" {
		return nil
	}
	demanded := j.flags.gitleaks == "on"
	program, err := exec.LookPath("gitleaks")
	if err != nil {
		if demanded {
			return fault.New(fault.Unavailable, "gitleaks is not installed, or not on the PATH: install it, or leave --gitleaks=on out")
		}
		return nil
	}
	if j.flags.place() == placeStdin {
		if demanded {
			return usage("gitleaks is not asked about stdin: leave --gitleaks=on out")
		}
		return nil
	}
	for _, run := range j.gitleaksRuns(args) {
		j.notice.say(func() string { return "asking gitleaks" })
		found, err := j.runGitleaks(ctx, program, run)
		j.notice.clear()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && demanded {
			return err
		}
		if err != nil {
			j.p.notes.linef("lanyard: %s; its findings are missing here", sentence(err))
			return nil
		}
		j.merge(found)
	}
	j.result.gitleaks = true
	return nil
}

// gitleaksRuns are the arguments that make gitleaks look where we looked.
func (j *scanJob) gitleaksRuns(args []string) [][]string {
	switch j.flags.place() {
	case placeTree:
		if len(args) == 0 {
			args = []string{"."}
		}
		var runs [][]string
		for _, path := range args {
			runs = append(runs, []string{"dir", path})
		}
		return runs
	case placeStaged:
		return [][]string{{"git", "--pre-commit", "--staged", j.repo.Dir}}
	case placeHistory, placePush, placeReceive:
		if len(j.revisions) == 0 {
			return nil
		}
		return [][]string{{"git", "--log-opts=" + strings.Join(j.revisions, " "), j.repo.Dir}}
	case placeStdin:
	}
	return nil
}

func (j *scanJob) runGitleaks(ctx context.Context, program string, args []string) ([]gitleaksFinding, error) {
	args = append(args[:len(args):len(args)], "--report-format=json", "--report-path=-", "--redact", "--no-banner", "--log-level=error", "--exit-code=0")
	cmd := exec.CommandContext(ctx, program, args...) // #nosec G204 -- a program of the user's own, over places that the user named
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		line, _, _ := strings.Cut(strings.TrimSpace(complaint.String()), "\n")
		return nil, fault.New(fault.Unavailable, "gitleaks failed (%s): %s; version 8.19 or later is needed", err, cell(secret.Redact(line)))
	}
	var found []gitleaksFinding
	if len(bytes.TrimSpace(out)) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(out, &found); err != nil {
		return nil, errors.New("gitleaks answers in a form that is not known: version 8.19 or later is needed")
	}
	return found, nil
}

// merge adds what gitleaks found where nothing of ours was found.
func (j *scanJob) merge(found []gitleaksFinding) {
	type place struct {
		path   string
		line   int
		commit string
	}
	taken := map[place]bool{}
	for i := range j.result.found {
		e := &j.result.found[i]
		taken[place{e.path, e.line, ""}], taken[place{e.path, e.line, e.commit}] = true, true
	}
	from := j.ignored.from("")
	for _, g := range found {
		e := exposed{rule: "gitleaks-" + g.RuleID, what: g.Description, path: path.Clean(filepath.ToSlash(g.File)), line: g.StartLine, column: g.StartColumn, commit: g.Commit}
		if e.what == "" {
			e.what = g.RuleID
		}
		if e.what = secret.Redact(e.what); taken[place{e.path, e.line, e.commit}] || from != nil && from(e.path) {
			continue
		}
		if g.Author != "" {
			e.author = g.Author + " <" + g.Email + ">"
		}
		if at, err := time.Parse(time.RFC3339, g.Date); err == nil {
			e.at = at
		}
		j.result.found = append(j.result.found, e)
	}
}
