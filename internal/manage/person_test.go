package manage

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/session"
)

const goodPassword = "correct horse battery staple"

// mail is a letter before it was sealed.
type mail struct {
	kind, to, name, link string
	data                 map[string]string
}

// letter keeps what was to be sent. Sealing is package notify's.
func (w *world) letter(kind, to, name, link string, data map[string]string) (*factor.Letter, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mails = append(w.mails, mail{kind, to, name, link, data})
	return &factor.Letter{ID: id.New[id.Message](), Kind: "mail", Sealed: []byte(kind)}, nil
}

// lastMail is the newest, which must be of a kind.
func (w *world) lastMail(kind string) mail {
	w.t.Helper()
	if len(w.mails) == 0 || w.mails[len(w.mails)-1].kind != kind {
		w.t.Fatalf("the mails are %+v, want the last to be %s", w.mails, kind)
	}
	return w.mails[len(w.mails)-1]
}

// ticket is what a mail's link opens with.
func (w *world) ticket(m mail) string {
	w.t.Helper()
	text, ok := strings.CutPrefix(m.link, "https://lanyard.example/link?t=")
	if !ok {
		w.t.Fatalf("the mail %s leads to %s", m.kind, m.link)
	}
	return text
}

// hash stands for factor.Hasher, whose own tests are about argon2id.
func (w *world) hash(_ context.Context, user id.User, password string) (factor.Password, error) {
	return factor.Password{User: user, Hash: "plain:" + string(user) + ":" + password, Pepper: 1}, nil
}

func (w *world) prove(ctx context.Context, user id.User, password string) (bool, error) {
	kept, err := w.store.Password(ctx, user)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil && kept.Hash == "plain:"+string(user)+":"+password, err
}

// knows reports whether a password is the user's.
func (w *world) knows(user id.User, password string) bool {
	w.t.Helper()
	ok, err := w.prove(w.t.Context(), user, password)
	if err != nil {
		w.t.Fatal(err)
	}
	return ok
}

// personal gives a side's owner a personal token, a grant and a session.
func (w *world) personal(s *side) {
	w.t.Helper()
	owner := userActor(s.owner, s.team, everyScope()...)
	made, err := w.svc.CreateToken(w.t.Context(), owner, lanyard.PersonalTokenInput{Name: "script"})
	if err != nil {
		w.t.Fatalf("CreateToken: %v", err)
	}
	s.token = made.ID
	s.session = string(w.login(s.owner))
	now := w.clock.now()
	allowed, err := w.store.Allow(w.t.Context(), &grant.Grant{
		ID: id.New[id.Grant](), User: id.User(s.owner), App: id.App(s.app), Team: id.Team(s.team), Scopes: []string{"messages.read"}, CreatedAt: now, UpdatedAt: now,
	}, audit.Command("test").New(now, "grant.allow", s.app, id.Team(s.team), nil))
	if err != nil {
		w.t.Fatalf("Allow: %v", err)
	}
	s.grant = string(allowed.ID)
}

// login begins a session of a user.
func (w *world) login(user string) id.Session {
	w.t.Helper()
	now := w.clock.now()
	s := &session.Session{
		ID: id.New[id.Session](), User: id.User(user), Digest: bytes.Repeat([]byte{1}, 32), Pepper: 1, AuthAt: now, ACR: "1", CreatedAt: now, SeenAt: now,
		ExpiresAt: now.Add(session.Life),
	}
	if err := w.store.BeginSession(w.t.Context(), s, "", nil, nil); err != nil {
		w.t.Fatalf("BeginSession: %v", err)
	}
	return s.ID
}

type letterOf = factor.Letter

var errMail = errors.New("no mail today")
