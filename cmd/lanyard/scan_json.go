package main

import (
	"encoding/json"
	"io"
	"time"
)

// foundJSON is one finding in JSON. No field holds a credential.
type foundJSON struct {
	Rule       string     `json:"rule"`
	What       string     `json:"what"`
	Tool       string     `json:"tool"` // lanyard or gitleaks
	ID         string     `json:"id,omitempty"`
	Mode       string     `json:"mode,omitempty"`
	Hint       string     `json:"hint,omitempty"`
	Path       string     `json:"path"`
	Line       int        `json:"line"`
	Column     int        `json:"column"`
	Encoding   string     `json:"encoding,omitempty"`
	SHA256     string     `json:"sha256,omitempty"`
	Commit     string     `json:"commit,omitempty"`
	Author     string     `json:"author,omitempty"`
	At         *time.Time `json:"committed_at,omitempty"`
	State      string     `json:"state,omitempty"`      // live, dead, unknown
	Suppressed string     `json:"suppressed,omitempty"` // inline, baseline
	Fails      bool       `json:"fails"`
	Reported   bool       `json:"reported,omitempty"`
}

type unreadJSON struct {
	Path  string `json:"path"`
	Error string `json:"error"`
}

// scanJSON is the whole report.
type scanJSON struct {
	Findings  []foundJSON  `json:"findings"`
	Unread    []unreadJSON `json:"unread"`     // may hold anything
	NotOpened []unreadJSON `json:"not_opened"` // archives whose bytes were searched as they are, or not to the end
	Files     int          `json:"files"`
	Bytes     int64        `json:"bytes"`
	Prefixes  []string     `json:"prefixes"`
	Gitleaks  bool         `json:"gitleaks"` // ran
}

func (e *exposed) tool() string {
	if e.kind == "" {
		return "gitleaks"
	}
	return "lanyard"
}

func writeScanJSON(w io.Writer, r *scanResult) error {
	all := scanJSON{
		Findings: []foundJSON{}, Unread: inJSON(r.unread), NotOpened: inJSON(r.odd), Files: r.totals.Files, Bytes: r.totals.Bytes,
		Prefixes: r.prefixes, Gitleaks: r.gitleaks,
	}
	for i := range r.found {
		e := &r.found[i]
		one := foundJSON{
			Rule: e.rule, What: e.what, Tool: e.tool(), ID: e.id, Mode: e.mode, Hint: e.hint, Path: e.path, Line: e.line, Column: e.column,
			Encoding: string(e.encoding), SHA256: e.digest, Commit: e.commit, Author: e.author, State: e.state, Suppressed: e.suppressed,
			Fails: e.open(), Reported: e.reported,
		}
		if !e.at.IsZero() {
			one.At = &e.at
		}
		all.Findings = append(all.Findings, one)
	}
	return indented(w, all)
}

func inJSON(list []unread) []unreadJSON {
	all := []unreadJSON{}
	for _, u := range list {
		all = append(all, unreadJSON{u.path, sentence(u.err)})
	}
	return all
}

func indented(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
