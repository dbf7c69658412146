package manage

import (
	"context"
	"net/netip"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// The acts of people without a login: signing up, a new password, links. Their audit lines name the user that comes out.

// NewAccount is what somebody types who wants an account, and where.
type NewAccount struct {
	Email    string
	Name     string
	Password string
	Browser  []byte // digest of the browser's cookie (browser.Visit)
	From     netip.Addr
	Onward   Onward
}

func (in NewAccount) check() error {
	if err := user.CheckEmail(in.Email); err != nil {
		return err
	}
	return checkUserName(in.Name)
}

// by is a user as the actor of what they do by a link of theirs.
func by(u id.User) audit.Actor { return audit.Actor{Label: string(u), User: u} }

// mayRegister refuses accounts that nobody asked for (SECURITY-CASES 94).
func (s *Service) mayRegister(modes ...string) error {
	for _, mode := range modes {
		if s.SignupMode == mode {
			return nil
		}
	}
	if s.SignupMode == "invite" {
		return fault.New(fault.InsufficientScope, "an account needs an invitation here: ask whoever runs this server for one")
	}
	return fault.New(fault.InsufficientScope, "accounts are not made here: ask whoever runs this server for one")
}

// SignUp begins an account: it waits under a link that is sent to the address. Whether somebody has the address already
// comes out in the mail alone; answer and work are the same.
func (s *Service) SignUp(ctx context.Context, in NewAccount) error {
	if err := s.mayRegister("open"); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	send, err := s.mayMail(in.From, in.Email)
	if err != nil {
		return err
	}
	newID, err := id.NewFrom[id.User](s.random())
	if err != nil {
		return err
	}
	password, err := s.newPassword(ctx, &user.User{ID: newID, Email: in.Email, Name: in.Name}, in.Password)
	if err != nil {
		return err
	}
	there, err := s.UserStore.UserByEmail(ctx, in.Email)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	l, text, err := s.newLink(factor.SignUp, factor.LinkLife)
	if err != nil {
		return err
	}
	l.Email, l.Browser = in.Email, in.Browser
	if l.Data, err = (waiting{User: newID, Name: in.Name, Hash: password.Hash, Pepper: password.Pepper, Onward: in.Onward}).encode(); err != nil || !send {
		return err
	}
	if there != nil {
		letter, err := s.letterTo(there, "account_exists", s.PublicURL+"/login", nil)
		if err != nil || letter == nil {
			return err
		}
		return s.LinkStore.Post(ctx, *letter, s.now())
	}
	return s.keepLink(ctx, "verify", l, text, in.Name, nil)
}

// UseSignUp makes the account that waits under a link, in the browser that asked for it.
func (s *Service) UseSignUp(ctx context.Context, text string, browser []byte) (Used, error) {
	if err := s.mayRegister("open"); err != nil {
		return Used{}, err
	}
	l, err := s.working(ctx, text, browser, factor.SignUp)
	if err != nil {
		return Used{}, err
	}
	w, err := waitingIn(l)
	if err != nil {
		return Used{}, err
	}
	now := s.now()
	u := &user.User{ID: w.User, Email: l.Email, EmailKey: user.EmailKey(l.Email), Name: w.Name, CreatedAt: now, VerifiedAt: now}
	password := &factor.NewPassword{Password: factor.Password{User: u.ID, Hash: w.Hash, Pepper: w.Pepper, ChangedAt: now}, Link: l.ID}
	if err := s.keepUser(ctx, by(u.ID), u, password); err != nil {
		return Used{}, err
	}
	return Used{User: u, SameBrowser: true, Onward: w.Onward}, nil
}

// Invite sends somebody a link that opens the sign-up form for their address. It needs lanyard.users.write for the whole
// server.
func (s *Service) Invite(ctx context.Context, actor audit.Actor, email string) error {
	if err := s.mayOnServer(actor, usersWrite); err != nil {
		return err
	}
	if s.SignupMode != "invite" && s.SignupMode != "open" {
		return fault.New(fault.Conflict, "this server takes no sign-ups: set LANYARD_SIGNUP=invite, or make the account with a password")
	}
	if err := user.CheckEmail(email); err != nil {
		return err
	}
	if _, err := s.UserStore.UserByEmail(ctx, email); err == nil {
		return &fault.Error{Kind: fault.Conflict, Field: "email", Detail: "somebody has this mail address already"}
	} else if !fault.Is(err, fault.NotFound) {
		return err
	}
	l, text, err := s.newLink(factor.Invite, factor.InviteLife)
	if err != nil {
		return err
	}
	l.Email = email
	by := ""
	if actor.User != "" {
		inviter, err := s.UserStore.User(ctx, actor.User)
		if err != nil {
			return err
		}
		by = inviter.Name
	}
	return s.keepLink(ctx, "invite", l, text, "", said(details{"by": by}))
}

// UseInvite makes an account for the address that was invited: having opened the mail shows that it is theirs. in's own
// address does not count.
func (s *Service) UseInvite(ctx context.Context, text string, in NewAccount) (Used, error) {
	if err := s.mayRegister("invite", "open"); err != nil {
		return Used{}, err
	}
	l, err := s.working(ctx, text, in.Browser, factor.Invite)
	if err != nil {
		return Used{}, err
	}
	in.Email = l.Email
	u, err := s.register(ctx, l, in, false)
	return Used{User: u, SameBrowser: true}, err
}

// register makes an account by a link. Everything that can be refused is looked at before, or else the link works on.
func (s *Service) register(ctx context.Context, l *factor.Link, in NewAccount, admin bool) (*user.User, error) {
	u, password, err := s.newAccount(ctx, in, admin)
	if err != nil {
		return nil, err
	}
	if err := s.keepUser(ctx, by(u.ID), u, &factor.NewPassword{Password: *password, Link: l.ID}); err != nil {
		return nil, err
	}
	return u, nil
}

// newAccount is an account that is to be kept, of somebody who showed that the address is theirs.
func (s *Service) newAccount(ctx context.Context, in NewAccount, admin bool) (*user.User, *factor.Password, error) {
	if err := in.check(); err != nil {
		return nil, nil, err
	}
	newID, err := id.NewFrom[id.User](s.random())
	if err != nil {
		return nil, nil, err
	}
	now := s.now()
	u := &user.User{ID: newID, Email: in.Email, EmailKey: user.EmailKey(in.Email), Name: in.Name, Admin: admin, CreatedAt: now, VerifiedAt: now}
	password, err := s.newPassword(ctx, u, in.Password)
	return u, password, err
}

// NewSetupLink makes the link of a first start: whoever opens it becomes the first admin. ok is false when there is one.
func (s *Service) NewSetupLink(ctx context.Context) (text secret.Secret, ok bool, err error) {
	if exists, err := s.adminExists(ctx); err != nil || exists {
		return secret.Secret{}, false, err
	}
	l, text, err := s.newLink(factor.Setup, factor.SetupLife)
	if err != nil {
		return secret.Secret{}, false, err
	}
	return text, true, s.LinkStore.CreateLink(ctx, l, nil)
}

// UseSetup makes the first admin. Once there is one it is refused, whatever links are about.
func (s *Service) UseSetup(ctx context.Context, text string, in NewAccount) (*user.User, error) {
	l, err := s.working(ctx, text, in.Browser, factor.Setup)
	if err != nil {
		return nil, err
	}
	if exists, err := s.adminExists(ctx); err != nil {
		return nil, err
	} else if exists {
		return nil, fault.New(fault.Conflict, "this server has an admin already: log in, or ask them; `lanyard admin login-link` is the way back in")
	}
	return s.register(ctx, l, in, true)
}

// adminExists looks for an admin among all users, the newest first.
func (s *Service) adminExists(ctx context.Context) (bool, error) {
	filter := user.Filter{Limit: maxLimit}
	for {
		users, err := s.UserStore.Users(ctx, filter)
		if err != nil {
			return false, err
		}
		for _, u := range users {
			if u.Admin {
				return true, nil
			}
		}
		if len(users) < filter.Limit {
			return false, nil
		}
		last := users[len(users)-1]
		filter.Before, filter.BeforeID = last.CreatedAt, string(last.ID)
	}
}
