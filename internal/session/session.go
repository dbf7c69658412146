// Package session is the noun Session: a browser in which somebody is logged in. The cookie and the pages belong to the
// surfaces, how somebody proves who they are to package factor.
package session

import (
	"context"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// Lifetimes (DESIGN section 8).
const (
	Life      = 14 * 24 * time.Hour
	AdminIdle = 12 * time.Hour
)

// Session is one login in one browser. Its secret stands in the browser's cookie; here is its digest alone.
type Session struct {
	ID        id.Session
	Alias     id.Session // as which apps know it: the id of the first, where its user logged in again over it
	User      id.User
	Digest    []byte
	Pepper    int
	AuthAt    time.Time // when the user last proved who they are
	ACR       string
	AMR       []string // RFC 8176
	Network   string   // the neighbourhood of the address it was begun from
	Agent     string   // a short name of the browser
	CreatedAt time.Time
	SeenAt    time.Time // within five minutes
	ExpiresAt time.Time
}

// Live reports whether the session still counts. Admins are logged out after half a day without a sign of life.
func (s *Session) Live(now time.Time, admin bool) bool {
	return now.Before(s.ExpiresAt) && (!admin || now.Sub(s.SeenAt) < AdminIdle)
}

// Ended is a session that came to its end, with the apps that it signed in to.
type Ended struct {
	Session id.Session
	Alias   id.Session
	User    id.User
	Apps    []id.App
}

// Store keeps sessions. They are the user's own: no reach applies, methods take the user.
type Store interface {
	// BeginSession makes a session and settles its Alias. In the same step it ends the one that the browser had before (replaced,
	// may be ""), and binds the authorization requests that this browser brought (from) to its new cookie (to). To the apps of
	// that session it goes on if it was the same user's; else they are left a notice that it ended.
	BeginSession(ctx context.Context, s *Session, replaced id.Session, from, to []byte) error
	// Session reads a session whatever became of its user; fault.NotFound if it ended.
	Session(ctx context.Context, session id.Session) (*Session, error)
	// TouchSession notes a sign of life, at most every five minutes. Housekeeping.
	TouchSession(ctx context.Context, session id.Session, now time.Time) error
	// Sessions lists a user's sessions, newest first.
	Sessions(ctx context.Context, user id.User, now time.Time) ([]*Session, error)
	// EndSessions ends one session of the user, or with which "" all but except, and tells which ended, with their apps. In the
	// same step each of these apps is left a notice (outbox.Logout).
	EndSessions(ctx context.Context, user id.User, which, except id.Session, ev audit.Event) ([]Ended, error)
	// TrimSessions forgets sessions that expired.
	TrimSessions(ctx context.Context, now time.Time) error
}
