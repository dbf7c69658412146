package manage

import (
	"context"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// CreateUser makes a verified account, with a password if one is given. It needs lanyard.users.write for the whole server, and for an admin lanyard.admin:
// nobody hands on what they do not hold.
func (s *Service) CreateUser(ctx context.Context, actor audit.Actor, in lanyard.UserInput) (lanyard.User, error) {
	if err := s.mayOnServer(actor, usersWrite); err != nil {
		return lanyard.User{}, err
	}
	if in.Admin {
		if err := s.mayOnServer(actor, adminScope); err != nil {
			return lanyard.User{}, err
		}
	}
	if err := user.CheckEmail(in.Email); err != nil {
		return lanyard.User{}, err
	}
	if err := checkUserName(in.Name); err != nil {
		return lanyard.User{}, err
	}
	newID, err := id.NewFrom[id.User](s.random())
	if err != nil {
		return lanyard.User{}, err
	}
	now := s.now()
	u := &user.User{ID: newID, Email: in.Email, EmailKey: user.EmailKey(in.Email), Name: in.Name, Admin: in.Admin, CreatedAt: now, VerifiedAt: now}
	var password *factor.NewPassword
	if in.Password != "" {
		made, err := s.newPassword(ctx, u, in.Password)
		if err != nil {
			return lanyard.User{}, err
		}
		password = &factor.NewPassword{Password: *made}
	}
	if err := s.keepUser(ctx, actor, u, password); err != nil {
		return lanyard.User{}, err
	}
	return wireUser(u), nil
}

// keepUser makes an account, with a password, and by a link, if there is one.
func (s *Service) keepUser(ctx context.Context, actor audit.Actor, u *user.User, password *factor.NewPassword) error {
	ev := actor.New(u.CreatedAt, "user.create", string(u.ID), "", said(details{"email": u.Email, "admin": boolText(u.Admin)}))
	if password == nil {
		_, err := s.UserStore.CreateUser(ctx, u, ev)
		return err
	}
	password.Event = actor.New(u.CreatedAt, "user.set_password", string(u.ID), "", nil)
	_, err := s.Accounts.Register(ctx, u, *password, ev)
	return unlessDead(password.Link, err)
}

// newPassword judges a password and makes what is kept of it.
func (s *Service) newPassword(ctx context.Context, u *user.User, password string) (*factor.Password, error) {
	if err := s.CheckPassword(password, u.Email, u.Name); err != nil {
		return nil, err
	}
	made, err := s.Hash(ctx, u.ID, password)
	if err != nil {
		return nil, err
	}
	made.User, made.ChangedAt = u.ID, s.now()
	return &made, nil
}

func checkUserName(name string) error {
	if name == "" {
		return nil
	}
	return fault.CheckName("name", name, 100)
}

// existingUser reads the id of somebody who is to be given a place in a team.
func (s *Service) existingUser(ctx context.Context, userID string) (id.User, error) {
	parsed, err := parseID[id.User]("user", userID)
	if err != nil {
		return "", err
	}
	_, err = s.UserStore.User(ctx, parsed)
	return parsed, err
}

// User shows a user. It needs lanyard.users.read for the whole server.
func (s *Service) User(ctx context.Context, actor audit.Actor, userID string) (lanyard.User, error) {
	if err := s.mayOnServer(actor, usersRead); err != nil {
		return lanyard.User{}, err
	}
	parsed, err := parseID[id.User]("user", userID)
	if err != nil {
		return lanyard.User{}, err
	}
	u, err := s.UserStore.User(ctx, parsed)
	if err != nil {
		return lanyard.User{}, err
	}
	return wireUser(u), nil
}

// Users lists the users, newest first; email narrows the list unless "". It needs lanyard.users.read for the whole server.
func (s *Service) Users(ctx context.Context, actor audit.Actor, email string, list List) (lanyard.Page[lanyard.User], error) {
	if err := s.mayOnServer(actor, usersRead); err != nil {
		return lanyard.Page[lanyard.User]{}, err
	}
	if err := checkText("email", email, maxFilter); err != nil {
		return lanyard.Page[lanyard.User]{}, err
	}
	return readPage(s, list, lister[*user.User, lanyard.User]{
		name: "users", filters: []string{email},
		fetch: func(before time.Time, beforeID string, limit int) ([]*user.User, error) {
			return s.UserStore.Users(ctx, user.Filter{Email: email, Before: before, BeforeID: beforeID, Limit: limit})
		},
		place: func(u *user.User) (time.Time, string) { return u.CreatedAt, string(u.ID) },
		wire:  wireUser,
	})
}

// UpdateUser changes what the patch names. It needs lanyard.users.write for the whole server, and lanyard.admin where the
// user is an admin or becomes one.
func (s *Service) UpdateUser(ctx context.Context, actor audit.Actor, userID string, patch lanyard.UserPatch) (lanyard.User, error) {
	if err := s.mayOnServer(actor, usersWrite); err != nil {
		return lanyard.User{}, err
	}
	parsed, err := parseID[id.User]("user", userID)
	if err != nil {
		return lanyard.User{}, err
	}
	now := s.now()
	d := details{}
	if patch.RevokeTokens {
		d["revoke_tokens"] = boolText(true)
	}
	if patch.Name != nil {
		d["name"] = *patch.Name
	}
	if patch.Disabled != nil {
		d["disabled"] = boolText(*patch.Disabled)
	}
	if patch.Admin != nil {
		d["admin"] = boolText(*patch.Admin)
	}
	if patch.Limits != nil {
		d["limits"] = LimitsText(*patch.Limits)
	}
	updated, _, err := s.UserStore.UpdateUser(ctx, parsed, actor.New(now, "user.update", userID, "", said(d)), func(u *user.User) error {
		if err := s.withholdsUser(actor, u, patch); err != nil {
			return err
		}
		if patch.Limits != nil { // the step writes the event after it
			d["limits_before"] = LimitsText(wireLimits(u.Limits))
		}
		return patchUser(u, patch, now)
	})
	if err != nil {
		return lanyard.User{}, err
	}
	return wireUser(updated), nil
}

// withholdsUser says why the actor may not change the user so, or nil: admins are changed, and made, by admins.
func (s *Service) withholdsUser(actor audit.Actor, u *user.User, patch lanyard.UserPatch) error {
	if u.Admin || patch.Admin != nil && *patch.Admin {
		return s.mayOnServer(actor, adminScope)
	}
	return nil
}

func patchUser(u *user.User, patch lanyard.UserPatch, now time.Time) error {
	if patch.Name != nil {
		if err := checkUserName(*patch.Name); err != nil {
			return err
		}
		u.Name = *patch.Name
	}
	if patch.Admin != nil {
		u.Admin = *patch.Admin
	}
	if patch.Limits != nil {
		limits, err := limitsFrom(*patch.Limits)
		if err != nil {
			return err
		}
		u.Limits = limits
	}
	if patch.RevokeTokens {
		u.Epoch++
	}
	if patch.Disabled != nil {
		switch {
		case !*patch.Disabled:
			u.DisabledAt = time.Time{}
		case u.DisabledAt.IsZero():
			u.DisabledAt = now
		}
	}
	return nil
}
