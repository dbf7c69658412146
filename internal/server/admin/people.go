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
	Search  page.Search
	Table   page.Table
	Pager   page.Pager
}

// list shows a list. next is the cursor of what follows. Where a search finds nothing that is said, and where there is nothing at all,
// what the table's own Empty says.
func (p *rooms) list(w http.ResponseWriter, r *http.Request, view listPage, next string) error {
	view.Pager = page.NewPager(view.Search.URL, r.URL.Query(), next)
	if view.Search.Narrowed() {
		view.Table.Empty = page.Empty{Title: "Nothing is like that", Text: "Search for less, or for something else.", Link: page.Link{Text: "Show all", URL: view.Search.URL}}
	}
	return p.set.Render(w, r, http.StatusOK, "list", view)
}

// people is GET /admin/people: by mail address, or an id.
func (p *rooms) people(w http.ResponseWriter, r *http.Request, d *desk) (err error) {
	typed := strings.TrimSpace(r.URL.Query().Get("q"))
	if _, err := id.Parse[id.User](typed); err == nil {
		return page.Redirect(w, r, "/admin/people/"+typed)
	}
	view := listPage{
		Room: p.room(r, d, "/admin/people", "People"), Heading: "People", New: page.Link{Text: "Add somebody", URL: "/admin/people/new"},
		Search: page.Search{URL: "/admin/people", Label: "Somebody by their whole mail address", Query: typed},
		Table: page.Table{
			Caption: "People", Heads: []page.Head{{Text: "Person"}, {Text: "Mail"}, {Text: "State"}, {Text: "Since"}},
			Empty: page.Empty{Title: "Nobody is here yet", Text: "Invite somebody, or make an account for them.", Link: page.Link{Text: "Add somebody", URL: "/admin/people/new"}},
		},
	}
	if view.Done, err = p.told(r, d); err != nil {
		return err
	}
	found, err := p.Manage.Users(r.Context(), d.Actor, typed, at(r))
	if err != nil {
		return err
	}
	for _, u := range found.Items {
		row := page.Row{URL: "/admin/people/" + u.ID, Cells: []page.Cell{{Text: called(u)}, {Text: u.Email}, stateOf(u), {Text: page.Ago(p.Now(), u.CreatedAt)}}}
		if u.Admin {
			row.Cells[0].Note = "admin"
		}
		view.Table.Rows = append(view.Table.Rows, row)
	}
	return p.list(w, r, view, found.NextCursor)
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
