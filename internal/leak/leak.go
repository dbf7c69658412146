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

// Policy says what follows when a credential of a kind is found.
type Policy string

// The policies.
const (
	Revoke Policy = "revoke" // it ends at once
	Notify Policy = "notify" // its owners are told
)

// PolicyOf is the policy for a kind; "": reports of it are ignored. What is published by intent is not ended for being seen.
func PolicyOf(kind secret.Kind) Policy {
	switch kind {
	case secret.Key, secret.Client, secret.Personal:
		return Revoke
	case secret.Publishable:
		return Notify
	case secret.Refresh, secret.Code, secret.Access: // they end by themselves, within minutes or at their next use
	}
	return ""
}

// Outcome is what was done about a leak.
type Outcome string

// The outcomes.
const (
	Revoked   Outcome = "revoked"  // the report ended it
	Told      Outcome = "notified" // its owners were told, and it works on
	DeadByNow Outcome = "dead"     // it did not work any more
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
	Outcome Outcome
	FoundAt time.Time
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
	// LeakOfKey writes a leak of a key down with what follows from it, all or nothing: the key ends if the policy says so, the mails are
	// queued, and the events are written, Revoked only if the key was. A secret that was reported before changes nothing: false.
	LeakOfKey(ctx context.Context, l *Leak, report Report) (bool, id.Revision, error)
	// LeakOfToken is LeakOfKey for a personal token.
	LeakOfToken(ctx context.Context, l *Leak, report Report) (bool, id.Revision, error)
	// Leaks lists the leaks of keys within reach, newest first.
	Leaks(ctx context.Context, reach audit.Reach, f Filter) ([]*Leak, error)
}

// Report is what comes with a leak.
type Report struct {
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
