package manage

import (
	"context"
	"encoding/json"
	"net/netip"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// Forgotten is what somebody types who wants a new password, and where.
type Forgotten struct {
	Email   string
	Browser []byte // digest of the browser's cookie (browser.Visit)
	From    netip.Addr
	Onward  Onward
}

// RequestReset sends a link for a new password to an address that somebody has. For any other address the same is done,
// down to a link that nobody knows, and no mail is sent.
func (s *Service) RequestReset(ctx context.Context, in Forgotten) error {
	if err := user.CheckEmail(in.Email); err != nil {
		return err
	}
	send, err := s.mayMail(in.From, in.Email)
	if err != nil || !send {
		return err
	}
	u, err := s.UserStore.UserByEmail(ctx, in.Email)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	l, text, err := s.newLink(factor.Reset, factor.LinkLife)
	if err != nil {
		return err
	}
	l.Email, l.Browser = in.Email, in.Browser
	if l.Data, err = json.Marshal(in.Onward); err != nil {
		return err
	}
	if u != nil && u.DisabledAt.IsZero() {
		l.User, l.Email = u.ID, u.Email
		return s.keepLink(ctx, "reset", l, text, u.Name, nil)
	}
	if s.Letters != nil { // sealed for the time it takes, and dropped
		if _, err := s.Letters("reset", l.Email, "", s.LinkAddress(text), nil); err != nil {
			return err
		}
	}
	return s.LinkStore.CreateLink(ctx, l, nil)
}

// UseReset sets a new password by a link. Every session of the user ends; what they allowed apps goes on. A link from
// before the last change of the password is dead.
func (s *Service) UseReset(ctx context.Context, text, password string, browser []byte) (Used, error) {
	l, u, err := s.userOf(ctx, text, browser, factor.Reset)
	if err != nil {
		return Used{}, err
	}
	before, err := s.Passwords.Password(ctx, u.ID)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return Used{}, err
	}
	if err == nil && before.ChangedAt.After(l.CreatedAt) {
		return Used{}, deadLink()
	}
	made, err := s.newPassword(ctx, u, password)
	if err != nil {
		return Used{}, err
	}
	if err := s.setPassword(ctx, by(u.ID), u, factor.NewPassword{Password: *made, Link: l.ID}); err != nil {
		return Used{}, err
	}
	if u.VerifiedAt.IsZero() {
		u.VerifiedAt = made.ChangedAt
	}
	to, err := onward(l, browser)
	return Used{User: u, SameBrowser: here(l, browser), Onward: to}, err
}

// when is a time as a mail says it.
func when(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }

// userOf reads a working link and the user it is for, who must be in use.
func (s *Service) userOf(ctx context.Context, text string, browser []byte, purpose factor.Purpose) (*factor.Link, *user.User, error) {
	l, err := s.working(ctx, text, browser, purpose)
	if err != nil {
		return nil, nil, err
	}
	if l.User == "" {
		return nil, nil, deadLink()
	}
	u, err := s.UserStore.User(ctx, l.User)
	if err != nil {
		return nil, nil, err
	}
	if !u.DisabledAt.IsZero() {
		return nil, nil, deadLink()
	}
	return l, u, nil
}

// setPassword keeps a new password, ends the user's sessions but one, and says so in a mail.
func (s *Service) setPassword(ctx context.Context, actor audit.Actor, u *user.User, p factor.NewPassword) error {
	now := p.ChangedAt
	p.Event = actor.New(now, "user.set_password", string(u.ID), "", said(details{"link": string(p.Link)}))
	p.Ended = actor.New(now, "session.end", string(u.ID), "", said(details{"user": string(u.ID), "except": string(p.Keep)}))
	var err error
	if p.Letter, err = s.letterTo(u, "password_changed", s.PublicURL+"/forgot", map[string]string{"when": when(now)}); err != nil {
		return err
	}
	_, err = s.Passwords.SetPassword(ctx, p)
	return unlessDead(p.Link, err)
}

// NewLoginLink makes a link that logs a user in, to be shown on the console of whoever runs the server: the way back in. It
// works once, in any browser. It needs lanyard.admin.
func (s *Service) NewLoginLink(ctx context.Context, actor audit.Actor, email string) (secret.Secret, error) {
	if err := s.mayOnServer(actor, adminScope); err != nil {
		return secret.Secret{}, err
	}
	u, err := s.UserStore.UserByEmail(ctx, email)
	if err != nil {
		return secret.Secret{}, err
	}
	if !u.DisabledAt.IsZero() {
		return secret.Secret{}, fault.New(fault.Conflict, "the account of %s is disabled: enable it first", u.Email)
	}
	l, text, err := s.newLink(factor.Login, factor.LinkLife)
	if err != nil {
		return secret.Secret{}, err
	}
	l.User, l.Email = u.ID, u.Email
	return text, s.LinkStore.CreateLink(ctx, l, nil)
}

// UseLogin lets the user of a login link in.
func (s *Service) UseLogin(ctx context.Context, text string, browser []byte) (Used, error) {
	l, u, err := s.userOf(ctx, text, browser, factor.Login)
	if err != nil {
		return Used{}, err
	}
	now := s.now()
	u, err = s.Accounts.UseLink(ctx, l.ID, by(u.ID).New(now, "user.login_by_link", string(u.ID), "", nil), func(u *user.User) error {
		if !u.DisabledAt.IsZero() {
			return deadLink()
		}
		if u.VerifiedAt.IsZero() {
			u.VerifiedAt = now
		}
		return nil
	})
	if err != nil {
		return Used{}, unlessDead(l.ID, err)
	}
	return Used{User: u, SameBrowser: true}, nil
}

// PasswordChange is what somebody types who wants another password.
type PasswordChange struct {
	Old, New string
	Keep     id.Session // goes on; every other session ends
}

// ChangePassword puts a new password in the place of the old one, which has to be shown; who has none sends "". Ten wrong
// ones are heard in ten minutes.
func (s *Service) ChangePassword(ctx context.Context, actor audit.Actor, in PasswordChange) error {
	if err := mayInPerson(actor); err != nil {
		return err
	}
	u, err := s.UserStore.User(ctx, actor.User)
	if err != nil {
		return err
	}
	if err := s.proveOld(ctx, u, in.Old); err != nil {
		return err
	}
	made, err := s.newPassword(ctx, u, in.New)
	if err != nil {
		return err
	}
	return s.setPassword(ctx, actor, u, factor.NewPassword{Password: *made, Keep: in.Keep})
}

func (s *Service) proveOld(ctx context.Context, u *user.User, old string) error {
	if _, err := s.Passwords.Password(ctx, u.ID); fault.Is(err, fault.NotFound) && old == "" {
		return nil
	} else if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	now := s.now()
	tries := []ratelimit.Request{{Limit: ratelimit.Limit{Name: "old_password", N: triesPerUser, Window: 10 * time.Minute}, Subject: string(u.ID), Cost: 1}}
	if !s.Tries.Spend(now, tries, nil).Allowed {
		return fault.New(fault.TooMany, "too many wrong passwords; try again in a few minutes")
	}
	right, err := s.Prove(ctx, u.ID, old)
	if err != nil {
		return err
	}
	if !right {
		return fault.Field("old_password", "is not your password")
	}
	s.Tries.Release(now, tries)
	return nil
}

// Rename changes the name of the person logged in.
func (s *Service) Rename(ctx context.Context, actor audit.Actor, name string) error {
	if err := mayInPerson(actor); err != nil {
		return err
	}
	if err := checkUserName(name); err != nil {
		return err
	}
	ev := actor.New(s.now(), "user.update", string(actor.User), "", said(details{"name": name}))
	_, _, err := s.UserStore.UpdateUser(ctx, actor.User, ev, func(u *user.User) error {
		u.Name = name
		return nil
	})
	return err
}

// MySessions lists where the person logged in is logged in.
func (s *Service) MySessions(ctx context.Context, actor audit.Actor) ([]lanyard.Session, error) {
	if err := mayInPerson(actor); err != nil {
		return nil, err
	}
	return s.sessionsOf(ctx, actor.User)
}

// EndMySession logs the person out of one browser.
func (s *Service) EndMySession(ctx context.Context, actor audit.Actor, sessionID string) (lanyard.Ended, error) {
	if err := mayInPerson(actor); err != nil {
		return lanyard.Ended{}, err
	}
	return s.endSession(ctx, actor, actor.User, sessionID)
}

// EndMySessions logs the person out everywhere but in one session; except "" is everywhere.
func (s *Service) EndMySessions(ctx context.Context, actor audit.Actor, except id.Session) (lanyard.Ended, error) {
	if err := mayInPerson(actor); err != nil {
		return lanyard.Ended{}, err
	}
	return s.endSessions(ctx, actor, actor.User, "", except)
}
