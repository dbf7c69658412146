package manage

import (
	"context"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// MakeAdmin makes an admin of whoever has the address: a new account, or the one there is, which keeps its password unless one
// is given, and then is signed out everywhere. made says which. It needs what CreateUser needs for an admin. Without a password
// there has to be an account. Somebody who is an admin already, or whose account is disabled, is fault.Conflict.
func (s *Service) MakeAdmin(ctx context.Context, actor audit.Actor, in lanyard.UserInput) (admin lanyard.User, made bool, err error) {
	in.Admin = true
	for _, need := range []string{usersWrite, adminScope} {
		if err := s.mayOnServer(actor, need); err != nil {
			return lanyard.User{}, false, err
		}
	}
	u, err := s.UserStore.UserByEmail(ctx, in.Email)
	switch {
	case fault.Is(err, fault.NotFound) && in.Password != "":
		admin, err = s.CreateUser(ctx, actor, in)
		return admin, err == nil, err
	case err != nil:
		return lanyard.User{}, false, err
	}
	admin, err = s.promote(ctx, actor, u, in)
	return admin, false, err
}

// promote makes an admin of a user. The password is judged first, and set last: a refusal changes nothing.
func (s *Service) promote(ctx context.Context, actor audit.Actor, u *user.User, in lanyard.UserInput) (lanyard.User, error) {
	switch {
	case u.Admin:
		return lanyard.User{}, fault.New(fault.Conflict, "%s is an admin already; `lanyard admin login-link` is the way back in", u.Email)
	case !u.DisabledAt.IsZero():
		return lanyard.User{}, fault.New(fault.Conflict, "the account of %s is disabled: enable it first", u.Email)
	}
	var password *factor.Password
	if in.Password != "" {
		var err error
		if password, err = s.newPassword(ctx, u, in.Password); err != nil {
			return lanyard.User{}, err
		}
	}
	patch := lanyard.UserPatch{Admin: &in.Admin}
	if in.Name != "" {
		patch.Name = &in.Name
	}
	admin, err := s.UpdateUser(ctx, actor, string(u.ID), patch)
	if err != nil || password == nil {
		return admin, err
	}
	return admin, s.setPassword(ctx, actor, u, factor.NewPassword{Password: *password})
}
