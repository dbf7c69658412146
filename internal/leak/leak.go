// Package leak is the noun Leak: a credential that somebody found where it does not belong, and what was done about it. Whoever holds
// a secret may report it; a report says nothing to who sends it.
package leak

import (
	"context"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// Outcome is what was done about a leak.
type Outcome string

// The outcomes.
const (
	Revoked   Outcome = "revoked"  // it was ended, by the report or when its time came
	Waiting   Outcome = "waiting"  // its owners were told until when it works; then it ends
	Mended    Outcome = "mended"   // it waited, and had ended by itself or by its owners before its time came
	Told      Outcome = "notified" // its owners were told, and it works on
	DeadByNow Outcome = "dead"     // it did not work any more when it was found
)

// Leak is one secret that was found: a version of a key, or a personal token.
type Leak struct {
	ID      id.Leak
	Key     id.Key
	Version int     // of a key; 0 for a personal token
	Team    id.Team // whose key it is; "" for a personal token
	User    id.User // whose personal token it is
	Kind    secret.Kind
	Name    string
	Place   string // where it was found, as the reporter says
	Source  Source
	Outcome Outcome
	FoundAt time.Time
	DueAt   time.Time // when it ends, or was to end, under RevokeAfter; zero: at once, or never
}

// Source says by which way a report came, and behind a stroke what its sender calls the kind of place: "github/commit".
type Source string

// The ways.
const (
	Public      Source = "report"              // POST /v1/leaks/report: anybody
	GitHub      Source = "github"              // signed by GitHub
	GitLab      Source = "gitlab"              // signed by GitLab.com
	SelfManaged Source = "gitlab_self_managed" // a GitLab with the token of this server
)

// maxDetail is how long the sender's word for a kind of place may be.
const maxDetail = 40

// In is a way with the sender's word for the kind of place. A word that is none is left out.
func (s Source) In(word string) Source {
	if word = strings.ToLower(word); word == "" || len(word) > maxDetail || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return s
	}
	return s + "/" + Source(word)
}

// Way is a source without the word.
func (s Source) Way() Source {
	way, _, _ := strings.Cut(string(s), "/")
	return Source(way)
}

// maxPlace is how much of a place is kept, in characters.
const maxPlace = 300

// CleanPlace is what may be kept and shown of where a reporter says that a secret was found: one line, without user name, query and
// fragment of an address, and without any credential. It is never made a link.
func CleanPlace(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if unicode.Is(unicode.C, r) || r == '\u2028' || r == '\u2029' || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if u, err := url.Parse(text); err == nil && u.Host != "" {
		u.User, u.RawQuery, u.Fragment, u.RawFragment, u.ForceQuery = nil, "", "", "", false
		text = u.String()
	}
	if text = secret.Redact(text); len([]rune(text)) > maxPlace {
		text = string([]rune(text)[:maxPlace]) + "…"
	}
	return text
}

// Store keeps leaks.
type Store interface {
	// LeakOfKey writes a leak of a key down with what follows from it by the report's rule, all or nothing: the key ends if the rule says
	// so, the mails are queued, and the events are written, Revoked only if the key was. A secret that was reported before changes
	// nothing, unless the rule has become stricter than what was done then: false.
	LeakOfKey(ctx context.Context, l *Leak, report Report) (bool, id.Revision, error)
	// LeakOfToken is LeakOfKey for a personal token.
	LeakOfToken(ctx context.Context, l *Leak, report Report) (bool, id.Revision, error)
	// DueLeaks lists the leaks whose time has come, the one that waited longest first.
	DueLeaks(ctx context.Context, now time.Time, limit int) ([]*Leak, error)
	// EndLeak ends what a leak that is due is about, if it still works, and writes the event if it did. The leak waits no more. Of
	// several who call it one does it, and the others get false.
	EndLeak(ctx context.Context, l *Leak, now time.Time, reason string, revoked audit.Event) (bool, id.Revision, error)
	// Leaks lists the leaks of keys within reach, newest first.
	Leaks(ctx context.Context, reach audit.Reach, f Filter) ([]*Leak, error)
	// LeaksOfUser lists the leaks of a user's personal tokens, newest first.
	LeaksOfUser(ctx context.Context, user id.User, limit int) ([]*Leak, error)
	// KnownIDs says which ids are those of keys or personal tokens that are or were here. It is for many at once.
	KnownIDs(ctx context.Context, ids []id.Key) (map[id.Key]bool, error)
}

// Report is what comes with a leak.
type Report struct {
	Rule    Rule
	Reason  string      // of the revocation
	Mails   []Mail      // to whom it concerns
	Leaked  audit.Event // that it was found
	Revoked audit.Event // that it was ended
}

// Mail is a sealed letter.
type Mail struct {
	ID     id.Message
	Sealed []byte
}

// Filter narrows a list of leaks; what is empty narrows nothing.
type Filter struct {
	Team     id.Team
	Before   time.Time
	BeforeID string
	Limit    int
}
