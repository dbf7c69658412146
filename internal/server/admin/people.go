package admin

import (
	"net/http"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// listPage is a list that is searched and leafed through.
type listPage struct {
	page.Room
	Heading string
	Lead    string
	New     page.Link // to make one; empty: they are made elsewhere
	List    page.Listed
}

// people is GET /admin/people: by part of a mail address or a name, or an id.
func (p *rooms) people(w http.ResponseWriter, r *http.Request, d *desk) (err error) {
	l := page.NewList("/admin/people", r.URL.Query(), "People by mail address or name", "-created", "name", "mail")
	if _, err := id.Parse[id.User](l.Search.Query); err == nil {
		return page.Redirect(w, r, l.Path+"/"+l.Search.Query)
	}
	l.Narrow("state", "State", "", "Any state", "active", "Active", "disabled", "Disabled")
	l.Narrow("role", "Role", "", "Everybody", "admin", "Admins", "person", "No admins")
	view := listPage{Room: p.room(r, d, l.Path, "People"), Heading: "People", New: page.Link{Text: "Add somebody", URL: "/admin/people/new"}}
	if view.Done, err = p.told(r, d); err != nil {
		return err
	}
	found, err := p.Manage.FindPeople(r.Context(), d.Actor, searchOf(l))
	if err != nil {
		return err
	}
	table := page.Table{
		Caption: "People", Heads: []page.Head{l.Head("Person", "name"), l.Head("Mail", "mail"), {Text: "State"}, l.Head("Since", "created")},
		Empty: page.Empty{Title: "Nobody is here yet", Text: "Invite somebody, or make an account for them.", Link: view.New},
	}
	for _, u := range found.Items {
		row := page.Row{URL: "/admin/people/" + u.ID, Cells: []page.Cell{{Text: called(u)}, {Text: u.Email}, stateOf(u), {Text: page.Ago(p.Now(), u.CreatedAt)}}}
		if u.Admin {
			row.Cells[0].Note = "admin"
		}
		table.Rows = append(table.Rows, row)
	}
	view.List = l.Show(table, pagesOf(found))
	return p.set.Render(w, r, http.StatusOK, "list", view)
}

func stateOf(u lanyard.User) page.Cell {
	if u.Disabled {
		return page.Cell{Text: "disabled", Pill: "bad"}
	}
	return page.Cell{Text: "active", Pill: "good"}
}

// newPersonPage is GET /admin/people/new: to invite somebody, or to make their account.
type newPersonPage struct {
	page.Room
	Invites bool // the server takes invitations
	Invited string
	Account lanyard.UserInput
	Errors  page.Errs
}

// Invitation is the field of the invitation: button invite.
func (v newPersonPage) Invitation() []page.Field {
	return []page.Field{{ID: "invited", Label: "Mail address", Type: "email", Mode: "email", Value: v.Invited, Max: 254, Complete: "off", Error: v.Errors["invited"], Hint: "They get a link, choose a name and a password, and are in."}}
}

// Fields are those of the account: button make-person.
func (v newPersonPage) Fields() []page.Field {
	return []page.Field{
		{ID: "email", Label: "Mail address", Type: "email", Mode: "email", Value: v.Account.Email, Max: 254, Complete: "off", Error: v.Errors["email"]},
		{ID: "name", Label: "Name", Value: v.Account.Name, Max: 100, Complete: "off", Optional: true, Error: v.Errors["name"]},
		{ID: "password", Label: "First password", Type: "password", Max: 1024, Complete: "new-password", Optional: true, Error: v.Errors["password"], Hint: "8 characters or more. Empty: they sign in by a link in a mail until they set one."},
	}
}

// Box makes an admin of them.
func (v newPersonPage) Box() page.Box {
	return page.Box{ID: "admin", Name: "admin", Value: "yes", Text: "They are an admin", Note: "every page here is open to them", Ticked: v.Account.Admin}
}

// newPerson is GET /admin/people/new.
func (p *rooms) newPerson(w http.ResponseWriter, r *http.Request, d *desk) error {
	return p.showNewPerson(w, r, d, newPersonPage{})
}

func (p *rooms) showNewPerson(w http.ResponseWriter, r *http.Request, d *desk, view newPersonPage) error {
	status := http.StatusOK
	if view.Errors != nil {
		status = http.StatusBadRequest
	}
	room := p.room(r, d, "/admin/people", "Add somebody")
	room.Done = view.Done
	if text := view.Errors[""]; text != "" {
		room.Done = &page.Alert{ID: "wrong", Tone: "bad", Title: "Nothing was done.", Text: text}
	}
	view.Room, view.Invites = room, p.Settings.Signup == "invite" || p.Settings.Signup == "open"
	return p.set.Render(w, r, status, "person-new", view)
}

// makePerson is POST /admin/people.
func (p *rooms) makePerson(w http.ResponseWriter, r *http.Request, d *desk) error {
	form := r.PostForm
	in := lanyard.UserInput{Email: strings.TrimSpace(form.Get("email")), Name: form.Get("name"), Password: form.Get("password"), Admin: form.Get("admin") == "yes"}
	made, err := p.Manage.CreateUser(r.Context(), d.Actor, in)
	if err != nil {
		errs, err := wrong(err, nil, "email", "name", "password")
		if err != nil {
			return err
		}
		return p.showNewPerson(w, r, d, newPersonPage{Account: in, Errors: errs})
	}
	return page.Redirect(w, r, done("/admin/people/"+made.ID, "user.create", made.ID))
}

// invite is POST /admin/people/invite. Nothing but a letter comes of it, so the page itself says that it is on its way.
func (p *rooms) invite(w http.ResponseWriter, r *http.Request, d *desk) error {
	to := strings.TrimSpace(r.PostForm.Get("invited"))
	if err := p.Manage.Invite(r.Context(), d.Actor, to); err != nil {
		errs, err := wrong(err, map[string]string{"email": "invited"}, "invited")
		if err != nil {
			return err
		}
		return p.showNewPerson(w, r, d, newPersonPage{Invited: to, Errors: errs})
	}
	view := newPersonPage{}
	view.Done = &page.Alert{ID: "told", Tone: "good", Title: "An invitation is on its way.", Text: "The link in it works once, for a few days, and for " + to + " alone."}
	return p.showNewPerson(w, r, d, view)
}
