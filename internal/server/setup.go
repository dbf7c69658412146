package server

import (
	"context"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
)

// FirstAdmin sees to it that somebody can become the first admin. With LANYARD_ADMIN_EMAIL and LANYARD_ADMIN_PASSWORD it makes
// that account, otherwise it returns the address of a link that does it once; "" where there is an admin already.
func (c *Core) FirstAdmin(ctx context.Context) (link string, err error) {
	text, ok, err := c.Manage.NewSetupLink(ctx)
	if err != nil || !ok {
		return "", err
	}
	if c.Settings.AdminEmail == "" {
		return c.Manage.LinkAddress(text), nil
	}
	_, err = c.Manage.CreateUser(ctx, audit.Command("serve"), lanyard.UserInput{Email: c.Settings.AdminEmail, Password: c.Settings.AdminPassword.Reveal(), Admin: true})
	if fault.Is(err, fault.Conflict) {
		return "", fault.New(fault.Conflict, "LANYARD_ADMIN_EMAIL names somebody who has an account and is no admin; make them one with `lanyard admin create`, or name another address")
	}
	return "", err
}
