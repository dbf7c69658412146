package storetest

import (
	"context"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/outbox"
	"github.com/lanyard-auth/lanyard/internal/store"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// byLinks are the steps that a link begins, each with a link that works.
func byLinks(t *testing.T, w *world) map[string]func(context.Context) error {
	t.Helper()
	link := func(purpose factor.Purpose, u id.User, email string) id.Link {
		l := aLink(purpose, u, email)
		must(t, w.CreateLink(ctx, l, nil))
		return l.ID
	}
	reset, login, invite := link(factor.Reset, w.dev, "dev"), link(factor.Login, w.dev, "dev"), link(factor.Invite, "", "new")
	made := &user.User{ID: id.New[id.User](), Email: "new@example.com", CreatedAt: t0}
	return map[string]func(context.Context) error{
		"SetPassword": func(ctx context.Context) error {
			p := aPassword(w.dev, "new", t0)
			p.Link, p.Letter = reset, aLetter()
			return second(w.SetPassword(ctx, p))
		},
		"Register": func(ctx context.Context) error {
			p := aPassword(made.ID, "first", t0)
			p.Link = invite
			return second(w.Register(ctx, made, p, event("user.create")))
		},
		"UseLink": func(ctx context.Context) error {
			return second(w.UseLink(ctx, login, event("login"), func(u *user.User) error { u.VerifiedAt = t0; return nil }))
		},
	}
}

// What a link begins is done whole or not at all: a fault in the middle leaves the link as good as before, the old password in
// force and the sessions alive, and whoever tries again comes through.
func TestLinkFault(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w, raw := newWorld(t, db.open(t)), db.raw(t)
		must(t, second(w.SetPassword(ctx, aPassword(w.dev, "old", t0))))
		se := signIn(t, w.Store, w.dev)
		join(t, w.Store, se, w.ourApp)
		calls := byLinks(t, w)
		letters := deliveries(t, db)
		untouched := func(what string) {
			t.Helper()
			if p, err := w.Password(ctx, w.dev); err != nil || p.Hash != "old" {
				t.Errorf("Password after %s = %+v, %v, want the old one", what, p, err)
			}
			if err := second(w.Session(ctx, se.ID)); err != nil {
				t.Errorf("Session after %s = %v, want it to go on", what, err)
			}
			if u, err := w.User(ctx, w.dev); err != nil || !u.VerifiedAt.IsZero() {
				t.Errorf("User after %s = %+v, %v, want it not verified", what, u, err)
			}
			wantKind(t, "UserByEmail after "+what, second(w.UserByEmail(ctx, "new@example.com")), fault.NotFound)
			if n := deliveries(t, db) - letters; n != 0 {
				t.Errorf("%d letters after %s", n, what)
			}
		}
		// Which table each of them comes to, apart from those of the log.
		needs := map[string][]string{"SetPassword": {"session", "logout_notice", "password", "delivery"}, "Register": {"password"}, "UseLink": nil}
		for name, call := range calls {
			for _, table := range append(needs[name], "link", "audit_event", "change_entry") {
				must(t, second(raw.ExecContext(ctx, `ALTER TABLE `+table+` RENAME TO away`)))
				if err := call(ctx); err == nil {
					t.Errorf("%s without the table %s succeeded", name, table)
				}
				must(t, second(raw.ExecContext(ctx, `ALTER TABLE away RENAME TO `+table)))
				untouched(name + " without the table " + table)
			}
		}
		over, cancel := context.WithCancel(ctx)
		cancel()
		shut, err := store.Open(ctx, db.url, nil)
		must(t, err)
		must(t, shut.Close())
		for name, call := range calls {
			wantKind(t, name+" of a caller who went", call(over), fault.Unavailable)
			untouched(name + " of a caller who went")
		}
		for name, call := range calls {
			if err := call(ctx); err != nil {
				t.Errorf("%s with everything back = %v", name, err)
			}
			wantKind(t, name+" again", call(ctx), fault.NotFound)
		}
		wantKind(t, "Session after a new password", second(w.Session(ctx, se.ID)), fault.NotFound)
		wantNotices(t, "after a new password", w.Store, outbox.Logout{Session: se.ID, App: w.ourApp, User: w.dev})
		if n := deliveries(t, db) - letters; n != 1 {
			t.Errorf("%d letters, want the one about the password", n)
		}
		if n := len(auditLines(t, w.Store, "session.end")); n != 1 {
			t.Errorf("%d lines about the end of sessions, want 1", n)
		}
	})
}

// A new password is for who is in use, by a link of their own, and leaves the session alone in which it was chosen.
func TestSetPasswordKeeps(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		here, there, others := begin(t, w.Store, w.dev), begin(t, w.Store, w.dev), begin(t, w.Store, w.owner)
		foreign := aLink(factor.Reset, w.owner, "owner")
		must(t, w.CreateLink(ctx, foreign, nil))
		p := aPassword(w.dev, "new", t0)
		p.Link = foreign.ID
		if err := second(w.SetPassword(ctx, p)); err == nil || fault.KindOf(err) != "" {
			t.Errorf("SetPassword by another user's link = %v, want an error without a kind", err)
		}
		p.Link, p.Keep = "", here.ID
		must(t, second(w.SetPassword(ctx, p)), second(w.Session(ctx, here.ID)), second(w.Session(ctx, others.ID)), used(w.Store, foreign.ID, t0))
		wantKind(t, "Session elsewhere after a new password", second(w.Session(ctx, there.ID)), fault.NotFound)
		must(t, third(w.UpdateUser(ctx, w.dev, event("disable"), func(u *user.User) error { u.DisabledAt = t0; return nil })))
		wantKind(t, "SetPassword of a disabled user", second(w.SetPassword(ctx, p)), fault.Unauthenticated)
	})
}
