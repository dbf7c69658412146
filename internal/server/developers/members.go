package developers

import (
	"net/http"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/team"
)

// membersPage is GET /developers/{team}/members: who is in the team, who is asked in, its name, and the way out.
type membersPage struct {
	page.Room
	Team    string
	Owner   bool // may change all this
	Search  page.Search
	People  []colleague
	Pager   page.Pager
	Invite  []page.Field
	Invited []invited
	To      string // where invitations are sent to
	Rename  string // where the team's name is sent to
	Name    []page.Field
	Leave   page.Ask
	Last    bool // the one who looks is the last owner, who stays
	Few     bool // so few that nobody searches
	Closed  bool // whoever has no account makes none here
}

// colleague is one line of the members.
type colleague struct {
	Name, Email, Role, Does string
	You, Disabled           bool
	Field                   page.Field // role-<user>
	URL                     string     // where it is sent to; empty: the role cannot be changed here
	Remove                  *page.Ask
}

// invited is one line of the invitations.
type invited struct {
	Email, Role, By, Ends string
	Over                  bool
	Again                 page.Act
	Revoke                page.Ask
}

// done are the sentences for what the request before did. They name nobody: the address may be a link that somebody made up.
func membersDone(what string) *page.Alert {
	texts := map[string][2]string{
		"role":    {"The role is changed.", "It holds from the next request on."},
		"removed": {"They are out of the team.", "What they made stays with it."},
		"renamed": {"The team has its new name.", ""},
		"invited": {"The invitation is on its way.", "Its link works once, for seven days, and for that address alone."},
		"again":   {"The invitation is on its way again.", "The link before it does not work any more."},
		"revoked": {"The invitation is taken back.", "Its link does not work any more."},
	}
	text, known := texts[what]
	if !known {
		return nil
	}
	return &page.Alert{Tone: "good", Title: text[0], Text: text[1]}
}

// showMembers is GET /developers/{team}/members.
func (p *rooms) showMembers(w http.ResponseWriter, r *http.Request, d *desk) error {
	return p.members(w, r, d, http.StatusOK, nil)
}

// members shows the page, with what is wrong with a form of it.
func (p *rooms) members(w http.ResponseWriter, r *http.Request, d *desk, status int, wrong page.Errs) error {
	people, err := p.Manage.People(r.Context(), d.Actor, d.Team.ID)
	if err != nil {
		return err
	}
	view := membersPage{
		Room: p.room(r, d, "members", "Members"), Team: d.Team.Name, Owner: d.Role == audit.RoleOwner, To: d.path("invitations"), Rename: d.path("name"),
		Closed: p.Manage.SignupMode != "open" && p.Manage.SignupMode != "invite",
	}
	view.Done = membersDone(r.URL.Query().Get("done"))
	names := map[string]string{}
	mine := false
	for i := range people {
		names[string(people[i].User)] = called(&people[i])
		mine = mine || people[i].User == d.User.ID
	}
	p.colleagues(r, d, &view, people)
	view.Last = mine && lastOwner(people, d.User.ID)
	if mine && !view.Last {
		view.Leave = page.Ask{
			ID: "leave", Text: "Leave the team", Warn: "You see nothing of " + d.Team.Name + " any more: its apps, keys and usage. What you made stays with the team, and your keys in it go on working. To come back, an owner has to invite you.",
			Act: page.Act{URL: d.path("leave"), Text: "Leave " + d.Team.Name, Danger: true},
		}
	}
	if view.Owner {
		if view.Invited, err = p.invited(r, d, names); err != nil {
			return err
		}
		view.Invite = []page.Field{
			{ID: "email", Label: "Mail address", Type: "email", Value: r.PostForm.Get("email"), Mode: "email", Complete: "off", Max: 254, Error: wrong["email"]},
			roleField("role", "Role", audit.Role(r.PostForm.Get("role")), wrong["role"]),
		}
		name := d.Team.Name
		if wrong["name"] != "" {
			name = r.PostForm.Get("name")
		}
		view.Name = []page.Field{{ID: "name", Label: "Name", Value: name, Max: 100, Complete: "off", Error: wrong["name"]}}
	}
	return p.set.Render(w, r, status, "members", view)
}

// colleagues puts a page of the members on the page: those of a team are few enough to be searched and sorted here.
func (p *rooms) colleagues(r *http.Request, d *desk, view *membersPage, people []team.Colleague) {
	l := page.NewList(d.path("members"), r.URL.Query(), "Members by name or mail address")
	role := l.Narrow("role", "Role", "", "Any role", "owner", "Owners", "developer", "Developers", "billing", "Billing")
	by := l.Narrow("by", "Order", "", "By name", "mail", "By mail address", "role", "By role")
	found := slices.DeleteFunc(slices.Clone(people), func(c team.Colleague) bool {
		return !l.Search.Holds(c.Name+" "+c.Email) || role != "" && role != string(c.Role)
	})
	key := func(c *team.Colleague) string {
		text := called(c) + "\x00" + c.Email
		switch by {
		case "mail":
			text = c.Email
		case "role":
			text = string(c.Role) + "\x00" + text
		}
		return strings.ToLower(text)
	}
	slices.SortStableFunc(found, func(a, b team.Colleague) int { return strings.Compare(key(&a), key(&b)) })
	found, pages := page.Cut(l, found, perPage)
	for i := range found {
		view.People = append(view.People, p.colleague(d, &found[i], view.Owner))
	}
	view.Search, view.Pager, view.Few = l.Search, l.Pager(pages), len(people) < 8
}

// called is how a member is named in a sentence.
func called(c *team.Colleague) string {
	if c.Name != "" {
		return c.Name
	}
	return c.Email
}

func lastOwner(people []team.Colleague, user id.User) bool {
	me, owners := false, 0
	for _, c := range people {
		if c.Role == audit.RoleOwner {
			owners++
			me = me || c.User == user
		}
	}
	return me && owners == 1
}

// colleague is a line of the members.
func (p *rooms) colleague(d *desk, c *team.Colleague, owner bool) colleague {
	made := colleague{Name: called(c), Email: c.Email, Role: string(c.Role), Does: roleDoes(c.Role), You: c.User == d.User.ID, Disabled: c.Disabled}
	if !owner || made.You {
		return made
	}
	made.Field = roleField("role-"+string(c.User), "Role of "+made.Name, c.Role, "")
	made.URL = d.path("members", string(c.User), "role")
	made.Remove = &page.Ask{
		ID: "remove-" + string(c.User), Text: "Remove",
		Warn: made.Name + " sees nothing of " + d.Team.Name + " any more, and invitations they sent are taken back. Keys they made go on working: rotate those they may have copied.",
		Act:  page.Act{URL: d.path("members", string(c.User), "remove"), Text: "Remove " + made.Name, Danger: true},
	}
	return made
}

// roleDoes is what a role opens, in a few words.
func roleDoes(role audit.Role) string {
	return map[audit.Role]string{
		audit.RoleOwner: "everything, people too", audit.RoleDeveloper: "apps, keys and usage", audit.RoleBilling: "plans and usage",
	}[role]
}

// roleField is a choice of a role.
func roleField(name, label string, now audit.Role, wrong string) page.Field {
	if !now.Valid() {
		now = audit.RoleDeveloper
	}
	f := page.Field{ID: name, Label: label, Type: "select", Error: wrong}
	for _, role := range []audit.Role{audit.RoleOwner, audit.RoleDeveloper, audit.RoleBilling} {
		f.Options = append(f.Options, page.Option{Value: string(role), Text: page.Upper(string(role)) + ": " + roleDoes(role), Chosen: role == now})
	}
	return f
}

// member is the member that a path names; whoever is not in the team is not there.
func (p *rooms) member(r *http.Request, d *desk) (*team.Colleague, error) {
	people, err := p.Manage.People(r.Context(), d.Actor, d.Team.ID)
	if err != nil {
		return nil, err
	}
	for i := range people {
		if string(people[i].User) == r.PathValue("user") {
			return &people[i], nil
		}
	}
	return nil, fault.Missing("member", r.PathValue("user"))
}

// setRole is POST /developers/{team}/members/{user}/role.
func (p *rooms) setRole(w http.ResponseWriter, r *http.Request, d *desk) error {
	c, err := p.member(r, d)
	if err != nil {
		return err
	}
	role := r.PostForm.Get("role-" + string(c.User))
	if _, err := p.Manage.SetMember(r.Context(), d.Actor, d.Team.ID, lanyard.Member{UserID: string(c.User), Role: role}); err != nil {
		return err
	}
	return page.Redirect(w, r, d.path("members")+"?done=role")
}

// removeMember is POST /developers/{team}/members/{user}/remove.
func (p *rooms) removeMember(w http.ResponseWriter, r *http.Request, d *desk) error {
	c, err := p.member(r, d)
	if err != nil {
		return err
	}
	if _, err := p.Manage.RemoveMember(r.Context(), d.Actor, d.Team.ID, string(c.User)); err != nil {
		return err
	}
	return page.Redirect(w, r, d.path("members")+"?done=removed")
}

// leave is POST /developers/{team}/leave.
func (p *rooms) leave(w http.ResponseWriter, r *http.Request, d *desk) error {
	if _, err := p.Manage.LeaveTeam(r.Context(), d.Actor, d.Team.ID); err != nil {
		return err
	}
	return page.Redirect(w, r, "/developers")
}

// rename is POST /developers/{team}/name.
func (p *rooms) rename(w http.ResponseWriter, r *http.Request, d *desk) error {
	name := strings.TrimSpace(r.PostForm.Get("name"))
	_, err := p.Manage.UpdateTeam(r.Context(), d.Actor, d.Team.ID, lanyard.TeamPatch{Name: &name})
	if err == nil {
		return page.Redirect(w, r, d.path("members")+"?done=renamed")
	}
	wrong, err := page.Beside(err, map[string]string{"name": "name"})
	if err != nil {
		return err
	}
	return p.members(w, r, d, http.StatusBadRequest, wrong)
}
