package login

import (
	"net/http"
	"net/url"

	"github.com/lanyard-auth/lanyard/internal/browser"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// showInvitation is GET /invitation?t=: who invites into what, and the one thing to do next. It consumes nothing: mail programs
// open links.
func (p *rooms) showInvitation(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	text := r.URL.Query().Get("t")
	i, err := p.Accounts.InvitationState(r.Context(), text)
	if err != nil {
		return err
	}
	return p.set.Render(w, r, http.StatusOK, "invitation", p.invitation(r, visit, i, secret.Of(text)))
}

func (p *rooms) invitation(r *http.Request, visit *browser.Visit, i manage.InvitationView, token secret.Secret) invitationPage {
	view := invitationPage{
		Frame: p.frame(r, visit, "Join "+i.Team), Token: token, Team: i.Team, Role: string(i.Role), Email: i.Email, By: i.By, Name: r.PostForm.Get("name"),
		Next: "/login?next=" + url.QueryEscape("/invitation?t="+token.Reveal()),
	}
	switch {
	case visit.SignedIn() && user.EmailKey(visit.User.Email) == user.EmailKey(i.Email):
		view.Does = joins
	case visit.SignedIn():
		view.Does, view.Account = mismatch, visit.User.Email
	case i.HasUser:
		view.Does = signsIn
	case i.MakesUser:
		view.Does = registers
	default:
		view.Does = closed
	}
	return view
}

// useInvitation is POST /invitation: who is signed in joins; who has no account makes one and joins. What the button did was
// decided by the page, and is decided anew by whoever acts.
func (p *rooms) useInvitation(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	text := r.PostForm.Get("token")
	if visit.SignedIn() {
		joined, err := p.Accounts.AcceptInvitation(r.Context(), manage.Self(visit.User), text)
		if err != nil {
			return err
		}
		return page.Redirect(w, r, "/developers/"+joined.ID)
	}
	i, err := p.Accounts.InvitationState(r.Context(), text)
	if err != nil {
		return err
	}
	used, joined, err := p.Accounts.UseInvitation(r.Context(), text, manage.NewAccount{
		Name: r.PostForm.Get("name"), Password: r.PostForm.Get("password"), Browser: visit.Browser, From: p.Kit.Client(r),
	})
	if err != nil {
		failed, err := fieldErrors(err, "name", "password")
		if err != nil {
			return err
		}
		view := p.invitation(r, visit, i, secret.Of(text))
		view.Errors = failed
		return p.set.Render(w, r, http.StatusBadRequest, "invitation", view)
	}
	if err := p.Browser.Begin(w, r, visit, used.User, browser.ACRPassword, "pwd"); err != nil {
		return err
	}
	return page.Redirect(w, r, "/developers/"+joined.ID)
}

// What an invitation's page offers.
const (
	joins     = "join"     // who is invited is signed in
	signsIn   = "sign-in"  // who is invited has an account
	registers = "sign-up"  // nobody has, and one may be made
	mismatch  = "mismatch" // somebody else is signed in
	closed    = "closed"   // nobody has, and none is made here
)

// invitationPage is GET and POST /invitation: button join, fields name and password with button sign-up, or the link sign-in.
type invitationPage struct {
	page.Frame
	Does    string        // one of the above
	Token   secret.Secret // field token
	Team    string        // its name
	Role    string
	Email   string // whom it is for
	By      string // who invites; empty: nobody who is called anything
	Account string // who else is signed in
	Next    string // where to sign in and come back
	Name    string // as it was typed
	Errors  errs
}

// As is the role with its article, and May what it opens.
func (p invitationPage) As() string {
	if p.Role == "owner" {
		return "an owner"
	}
	return map[string]string{"developer": "a developer", "billing": "who looks after the bill"}[p.Role]
}

// May is what the role lets do.
func (p invitationPage) May() []string {
	switch p.Role {
	case "owner":
		return []string{"everything in the team: apps, keys, bills", "invite people and remove them"}
	case "billing":
		return []string{"choose plans and see what is used"}
	}
	return []string{"make apps and their keys", "see what they use"}
}

// MayNot is what it does not.
func (p invitationPage) MayNot() []string {
	switch p.Role {
	case "owner":
		return nil
	case "billing":
		return []string{"make or see apps and keys", "invite or remove people"}
	}
	return []string{"change plans", "invite or remove people"}
}

// Fields are the page's fields.
func (p invitationPage) Fields() []page.Field {
	return []page.Field{
		{ID: "name", Label: "Your name", Value: p.Name, Complete: "name", Max: 100, Optional: true, Error: p.Errors["name"], Focus: len(p.Errors) == 0},
		newPassword(p.Errors),
	}
}
