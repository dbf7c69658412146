package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// report writes what was found, in the form that was asked for.
func (j *scanJob) report() error {
	write := map[string]func(io.Writer, *scanResult) error{"json": writeScanJSON, "sarif": writeSARIF, "junit": writeJUnit}[j.flags.format]
	switch {
	case write == nil && j.flags.to == "":
		j.text(j.p.out)
		return nil
	case write == nil:
		write = func(w io.Writer, _ *scanResult) error {
			to := &printer{w: w}
			j.text(to)
			return to.err
		}
	case j.flags.to == "":
		return write(j.p.out, &j.result)
	}
	file := wholeFile{path: j.flags.to, mode: 0o644, replace: true}
	if err := file.write(func(w io.Writer) error { return write(w, &j.result) }); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	j.text(j.p.out)
	return nil
}

// text writes it for people.
func (j *scanJob) text(out *printer) {
	r := &j.result
	for i := range r.found {
		if e := &r.found[i]; e.suppressed == "" && (e.open() || !j.flags.quiet) {
			j.describe(out, e)
		}
	}
	for _, u := range r.unread {
		out.linef("%s: could not be read: %s", cell(u.path), cell(sentence(u.err)))
	}
	for i, u := range r.odd {
		if i == maxShown {
			out.linef("%s more were not opened or not read to the end.", thousands(int64(len(r.odd)-i)))
			break
		}
		out.linef("%s: %s", cell(u.path), cell(sentence(u.err)))
	}
	open := len(r.open())
	if j.flags.quiet && open+len(r.unread)+len(r.odd) == 0 {
		return
	}
	out.linef("%s", r.summary(open))
	for _, line := range r.advice(open) {
		out.linef("%s", line)
	}
}

// describe writes one finding: where, what, who brought it in, whether it works, and what belongs in its place.
func (j *scanJob) describe(out *printer, e *exposed) {
	place := fmt.Sprintf("%s:%d:%d", e.path, e.line, e.column)
	what := e.what
	if e.mode == string(secret.Test) {
		what += " (test)"
	}
	out.linef("%s  %s", j.p.paint(red, cell(place)), cell(strings.TrimSpace(what+"  "+e.hint)))
	if e.encoding != "" && e.encoding != "plain" {
		out.linef("    written as %s", e.encoding)
	}
	if e.commit != "" {
		text := "came in with commit " + e.commit[:min(12, len(e.commit))]
		if e.author != "" {
			text += " by " + e.author
		}
		if !e.at.IsZero() {
			text += " on " + e.at.UTC().Format(time.DateOnly)
		}
		out.linef("    %s", cell(text))
	}
	switch {
	case e.reported && e.state == "":
		out.linef("    reported: the server has ended it, if it is one of its own")
	case e.reported && e.state == "live":
		out.linef("    reported, and it works still: the server's policy gives its owners time")
	case e.reported:
		out.linef("    reported; %s", stateWords[e.state])
	case e.state != "":
		out.linef("    %s", stateWords[e.state])
	}
	if e.harmless() {
		out.linef("    it may be seen, so it fails nothing")
		return
	}
	for _, line := range e.remedy() {
		out.linef("    %s", line)
	}
	if e.kind == secret.Key && j.result.place != placeStaged && e.state != "dead" && !e.reported {
		out.linef("    a new secret: lanyard keys rotate %s", e.id)
	}
}

var stateWords = map[string]string{
	"live":    "IT WORKS",
	"dead":    "it works no more",
	"unknown": "the server does not say whether it works: it is not within your reach, or not the server's",
}

// summary is one line on the whole.
func (r *scanResult) summary(open int) string {
	text := "No credential was found"
	if open > 0 {
		text = count(int64(open), "credential") + " found"
		if others := r.others(); others > 0 {
			text += fmt.Sprintf(" (%s by gitleaks)", thousands(int64(others)))
		}
	}
	files := map[scanPlace]string{placeStaged: "staged file", placeHistory: "object", placePush: "object", placeReceive: "object"}[r.place]
	if files == "" {
		files = "file"
	}
	text += " in " + count(int64(r.totals.Files), files) + ", " + size(r.totals.Bytes)
	if r.took > time.Second {
		text += ", in " + r.took.Round(100*time.Millisecond).String()
	}
	var heads []string
	for _, prefix := range r.prefixes {
		heads = append(heads, prefix+"_…")
	}
	text += "; looked for " + strings.Join(heads, ", ")
	if r.gitleaks {
		text += " and by the rules of gitleaks"
	}
	passed := map[string]int{}
	for i := range r.found {
		passed[r.found[i].suppressed]++
	}
	var over []string
	if n := passed[suppressedInline]; n > 0 {
		over = append(over, count(int64(n), "mark"))
	}
	if n := passed[suppressedBaseline]; n > 0 {
		over = append(over, thousands(int64(n))+" by the baseline")
	}
	if len(over) > 0 {
		text += "; passed over: " + strings.Join(over, ", ")
	}
	return text + "."
}

func (r *scanResult) others() (n int) {
	for i := range r.found {
		if r.found[i].kind == "" {
			n++
		}
	}
	return n
}

// advice says what to do now.
func (r *scanResult) advice(open int) []string {
	if open == 0 {
		return nil
	}
	const mark = "A line that is meant to hold one, an example that never worked, says lanyard:allow."
	switch r.place {
	case placeStaged:
		return []string{"", "The commit is refused, and nothing of it left this machine. Change the lines above, `git add` the files, and commit again.", mark}
	case placePush, placeReceive:
		return []string{"", "The push is refused: commits keep what they hold, so taking the line out is not enough. Take the credentials out of the commits (`git rebase -i`), or end them: `lanyard scan --history --revoke`.", mark}
	case placeHistory:
		return []string{"", "What was pushed once is known to others: end it (`lanyard scan --history --revoke`, or the new secret above), then `--write-baseline`. Rewriting history helps only where nobody has a copy."}
	case placeTree, placeStdin:
	}
	if allReported(r.open()) {
		return nil
	}
	return []string{"", "If others could see them, end them: the same command with --revoke, or the new secret above where there has to be time to change.", mark}
}

func allReported(open []*exposed) bool {
	for _, e := range open {
		if !e.reported {
			return false
		}
	}
	return true
}
