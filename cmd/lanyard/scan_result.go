package main

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/gitrepo"
	"github.com/lanyard-auth/lanyard/internal/scan"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// exposed is a credential where it does not belong: one of ours, or what gitleaks says.
type exposed struct {
	rule       string // lanyard-api-key; gitleaks' RuleID
	what       string // "API key"
	hint       string // what may be shown of it; "" of others' credentials
	id         string // key_…; "" of what has none
	mode       string
	kind       secret.Kind   // "" of others' credentials
	credential secret.Secret // of ours
	digest     string        // by which a baseline knows it

	path         string
	line, column int
	encoding     scan.Encoding
	variable     string // what it is assigned to

	blob           string // where git holds it
	commit, author string // that brought it in, as far as git was asked
	at             time.Time

	suppressed string // why nobody has to look: "" or inline, baseline
	state      string // live, dead, unknown; "" while nobody asked
	reported   bool   // to the server
}

// The reasons to pass a finding over.
const (
	suppressedInline   = "inline"
	suppressedBaseline = "baseline"
)

// kindWords are what people call the kinds, and what rules are called.
func kindWords(kind secret.Kind) (what, rule string) {
	switch kind {
	case secret.Key:
		return "API key", "lanyard-api-key"
	case secret.Publishable:
		return "publishable key", "lanyard-publishable-key"
	case secret.Client:
		return "client secret", "lanyard-client-secret"
	case secret.Personal:
		return "personal token", "lanyard-personal-token"
	case secret.Refresh:
		return "refresh token", "lanyard-refresh-token"
	case secret.Code:
		return "authorization code", "lanyard-authorization-code"
	case secret.Access:
		return "access token", "lanyard-access-token"
	}
	return "credential", "lanyard-credential"
}

func exposedBy(f scan.Finding, strict bool) exposed {
	e := exposed{
		hint: f.Hint(), mode: string(f.Mode), kind: f.Kind, credential: f.Credential, digest: f.Digest(),
		path: f.Path, line: f.Line, column: f.Column, encoding: f.Encoding, variable: f.Variable,
	}
	e.what, e.rule = kindWords(f.Kind)
	switch f.Kind {
	case secret.Key, secret.Publishable, secret.Client, secret.Personal:
		e.id = "key_" + f.ID
	case secret.Refresh, secret.Code, secret.Access: // they end by themselves, and nobody asks after one
	}
	switch {
	case strict:
	case f.Allowed:
		e.suppressed = suppressedInline
	case f.Known:
		e.suppressed = suppressedBaseline
	}
	return e
}

// harmless says whether it may be seen: what is published by intent.
func (e *exposed) harmless() bool { return e.kind == secret.Publishable }

// open says whether somebody has to look.
func (e *exposed) open() bool { return e.suppressed == "" && !e.harmless() }

func (e *exposed) cameIn(o gitrepo.Origin) {
	if o.Commit == "" {
		return
	}
	e.commit, e.author, e.at = o.Commit, o.Author, o.At
	// Within an archive the path goes on after the file's own.
	_, inner, packed := strings.Cut(e.path, "!")
	if e.path = o.Path; packed {
		e.path += "!" + inner
	}
}

// unread is what could not be read.
type unread struct {
	path string
	err  error
}

// scanResult is what a scan brought.
type scanResult struct {
	place    scanPlace
	prefixes []string
	found    []exposed
	unread   []unread // not at all, or not to the end
	odd      []unread // archives that are broken or too large: their bytes were searched as they are
	totals   scan.Totals
	took     time.Duration
	gitleaks bool // ran
}

func (r *scanResult) add(t scan.Totals) {
	r.totals.Files += t.Files
	r.totals.Bytes += t.Bytes
}

// trouble sorts what the scanner could not do: a file that cannot be read may hold anything, and in a hook so may an archive that
// cannot be opened.
func (r *scanResult) trouble(path string, err error) {
	var file *fs.PathError
	if errors.As(err, &file) || errors.Is(err, gitrepo.ErrMissing) || errors.Is(err, fs.ErrPermission) || r.place == placeStaged || r.place == placePush || r.place == placeReceive {
		r.unread = append(r.unread, unread{path, err})
		return
	}
	r.odd = append(r.odd, unread{path, err})
}

// tidy puts everything in order, and takes credentials out of the names of files and people: those are shown.
func (r *scanResult) tidy() {
	for i := range r.found {
		r.found[i].path, r.found[i].author = secret.Redact(r.found[i].path), secret.Redact(r.found[i].author)
	}
	for _, list := range [][]unread{r.unread, r.odd} {
		for i := range list {
			list[i].path = secret.Redact(list[i].path)
		}
	}
	slices.SortStableFunc(r.found, func(a, b exposed) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column), cmp.Compare(a.commit, b.commit), cmp.Compare(a.rule, b.rule))
	})
	for _, list := range [][]unread{r.unread, r.odd} {
		slices.SortFunc(list, func(a, b unread) int { return cmp.Compare(a.path, b.path) })
	}
}

// open are the findings that somebody has to look at.
func (r *scanResult) open() []*exposed {
	var open []*exposed
	for i := range r.found {
		if r.found[i].open() {
			open = append(open, &r.found[i])
		}
	}
	return open
}

func (r *scanResult) unreadPaths() []string {
	var paths []string
	for _, u := range r.unread {
		paths = append(paths, cell(u.path))
	}
	return paths
}

func sentenceCase(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

func (e *exposed) level() string {
	if e.harmless() {
		return "note"
	}
	return "error"
}

// inWords is a finding in a sentence, without its place.
func (e *exposed) inWords() string {
	text := sentenceCase(e.what)
	if e.mode == string(secret.Test) {
		text += " (test)"
	}
	if e.hint != "" {
		text += " " + e.hint
	}
	switch e.state {
	case "live":
		text += ", which works"
	case "dead":
		text += ", which works no more"
	}
	if remedy := e.remedy(); len(remedy) > 0 && !e.harmless() {
		text += "; " + strings.Join(remedy, "; ")
	}
	return text + "."
}
