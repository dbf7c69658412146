package developers

import (
	"errors"
	"net/http"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// invited lists the invitations that nobody took. names are those of the team's people, by user.
func (p *rooms) invited(r *http.Request, d *desk, names map[string]string) ([]invited, error) {
	waiting, err := p.Manage.Invitations(r.Context(), d.Actor, d.Team.ID)
	if err != nil {
		return nil, err
	}
	var all []invited
	for _, i := range waiting {
		at := func(act string) string { return d.path("invitations", i.ID, act) }
		one := invited{
			Email: i.Email, Role: i.Role, By: names[i.InvitedBy], Over: !p.Now().Before(i.ExpiresAt),
			Again: page.Act{ID: "again-" + i.ID, URL: at("again"), Text: "Send again"},
			Revoke: page.Ask{
				ID: "revoke-" + i.ID, Text: "Take back", Warn: "The link that " + i.Email + " got does not work any more. You can invite them again.",
				Act: page.Act{URL: at("revoke"), Text: "Take the invitation back", Danger: true},
			},
		}
		if one.Over {
			one.Ends = page.Ago(p.Now(), i.ExpiresAt)
		} else {
			one.Ends = page.Ahead(p.Now(), i.ExpiresAt)
		}
		all = append(all, one)
	}
	return all, nil
}

// invite is POST /developers/{team}/invitations.
func (p *rooms) invite(w http.ResponseWriter, r *http.Request, d *desk) error {
	_, err := p.Manage.InviteToTeam(r.Context(), d.Actor, d.Team.ID, lanyard.InvitationInput{Email: r.PostForm.Get("email"), Role: r.PostForm.Get("role")})
	if err == nil {
		return page.Redirect(w, r, d.path("members")+"?done=invited")
	}
	status := http.StatusBadRequest
	var many *fault.Error
	var wrong page.Errs
	if errors.As(err, &many) && many.Kind == fault.TooMany {
		status, wrong = http.StatusTooManyRequests, page.Errs{"email": page.Upper(many.Detail) + "."}
		w.Header().Set("Retry-After", web.RetryAfter(err))
	} else if wrong, err = page.Beside(err, map[string]string{"email": "email", "role": "role"}); err != nil {
		return err
	}
	return p.members(w, r, d, status, wrong)
}

// inviteAgain is POST /developers/{team}/invitations/{invitation}/again.
func (p *rooms) inviteAgain(w http.ResponseWriter, r *http.Request, d *desk) error {
	if _, err := p.Manage.InviteAgain(r.Context(), d.Actor, d.Team.ID, r.PathValue("invitation")); err != nil {
		return err
	}
	return page.Redirect(w, r, d.path("members")+"?done=again")
}

// revokeInvitation is POST /developers/{team}/invitations/{invitation}/revoke.
func (p *rooms) revokeInvitation(w http.ResponseWriter, r *http.Request, d *desk) error {
	if _, err := p.Manage.RevokeInvitation(r.Context(), d.Actor, d.Team.ID, r.PathValue("invitation")); err != nil {
		return err
	}
	return page.Redirect(w, r, d.path("members")+"?done=revoked")
}
