// Package account serves /account: a person's own things, the badges they handed out first of all.
//
// This file holds what each page shows. A view is filled in by its handler and read by the template of its name; it decides nothing,
// and whatever stands in it may come from a stranger. Forms post to the paths named here and need no JavaScript.
package account

import (
	"strconv"

	"github.com/lanyard-auth/lanyard/internal/page"
)

// room is what every page of the account has.
type room struct{ page.Room }

// tabs are the pages of the account.
func tabs() []page.Tab {
	return []page.Tab{
		{Text: "Overview", URL: "/account"},
		{Text: "Apps", URL: "/account/apps"},
		{Text: "Personal tokens", URL: "/account/tokens"},
		{Text: "Sessions", URL: "/account/sessions"},
		{Text: "Password", URL: "/account/password"},
		{Text: "Profile", URL: "/account/profile"},
	}
}

// NoApps stands where no app has access.
func (room) NoApps() page.Empty {
	return page.Empty{
		Title: "You have handed out no badge yet", Text: "When you let an app act for you, it stands here with what it may and may not do, and you can take it back.",
		Link: page.Link{Text: "See which APIs there are", URL: "/"},
	}
}

// overviewPage is GET /account.
type overviewPage struct {
	room
	Apps     []page.Pass // the badges used last, without buttons
	AppCount int         // of all apps with access
	Rows     []summary
}

// summary is one line of the overview: "Personal tokens", "2, the next ends in 12 days", and where to look.
type summary struct{ Name, Text, URL string }

// appsPage is GET /account/apps: every app with access. A badge is made by badgeOf.
type appsPage struct {
	room
	Badges []page.Pass
	Taken  *taken // the badge just taken back; nil: none
}

// badgeOf makes of a grant's facts the badge that can be taken back: button take-back-<id>, POST /account/apps/<id>/take-back.
func badgeOf(grant string, b page.Pass) page.Pass {
	b.Badge, b.ID = true, grant
	if b.Gone == "" {
		b.Act = &page.Act{ID: "take-back-" + grant, URL: "/account/apps/" + grant + "/take-back", Text: "Take the badge back", Danger: true}
	}
	return b
}

// taken is a badge taken back.
type taken struct {
	App          string
	Milliseconds int64 // from the click until every node had applied it
	Everywhere   bool  // every node has said so; else the rest follow within a second
	Alone        int64 // minutes that who checks signatures alone still accepts the last token; 0: no token was of that sort
}

// Alert says in how many milliseconds it was everywhere.
func (t taken) Alert() page.Alert {
	made := page.Alert{ID: "taken", Tone: "good", Title: "The badge of " + t.App + " is taken back.", Text: "It was dead everywhere in " + page.CountOf(t.Milliseconds, "millisecond") + "."}
	if !t.Everywhere {
		made.Tone, made.Text = "warn", "Not every server has confirmed it yet; they all will within a second."
	}
	if t.Alone > 0 {
		made.Text += " Whoever checks its signature alone accepts it for up to " + page.CountOf(t.Alone, "more minute") + "."
	}
	return made
}

// sessionsPage is GET /account/sessions. Sign out everywhere: button sign-out-everywhere, POST /account/sessions/end-all.
type sessionsPage struct {
	room
	Sessions []sessionRow
}

// sessionRow is one browser somebody is signed in with.
type sessionRow struct {
	ID      string
	Browser string // "Firefox on Linux"
	From    string // the network it was last seen at: "203.0.113.0/24"
	Since   string // "3 days ago"
	Last    string // "2 minutes ago"
	This    bool   // the one that asks
}

// Table lists the sessions, each other one with a button sign-out-<id>: POST /account/sessions/<id>/end.
func (p sessionsPage) Table() page.Table {
	made := page.Table{
		Caption: "Where you are signed in",
		Heads:   []page.Head{{Text: "Browser"}, {Text: "From"}, {Text: "Signed in"}, {Text: "Last used"}},
		Empty:   page.Empty{Title: "You are signed in nowhere", Text: "Not even here: this page was kept from before."},
	}
	for _, s := range p.Sessions {
		row := page.Row{Cells: []page.Cell{{Text: s.Browser}, {Text: s.From, Code: true}, {Text: s.Since}, {Text: s.Last}}}
		if s.This {
			row.Cells[0].Note = "this browser"
		} else {
			row.Act = &page.Act{ID: "sign-out-" + s.ID, URL: "/account/sessions/" + s.ID + "/end", Text: "Sign out"}
		}
		made.Rows = append(made.Rows, row)
	}
	return made
}

// passwordPage is GET and POST /account/password: fields current_password, password, button set-password.
type passwordPage struct {
	room
	First  bool // there is no password yet, so none is asked for
	Errors page.Errs
}

// Fields are the page's fields.
func (p passwordPage) Fields() []page.Field {
	fresh := page.Field{
		ID: "password", Label: "New password", Type: "password", Complete: "new-password", Max: 1024, Min: 8, Error: p.Errors["password"],
		Hint: "8 characters or more. A few unrelated words are good; spaces are welcome.",
	}
	if p.First {
		return []page.Field{fresh}
	}
	return []page.Field{{ID: "current_password", Label: "Current password", Type: "password", Complete: "current-password", Max: 1024, Error: p.Errors["current_password"]}, fresh}
}

// profilePage is GET and POST /account/profile: field name, button save-profile. The address is what the account stands under
// and is not changed here.
type profilePage struct {
	room
	Name, Email string
	Errors      page.Errs
}

// Fields are the page's fields.
func (p profilePage) Fields() []page.Field {
	return []page.Field{{ID: "name", Label: "Name", Value: p.Name, Complete: "name", Max: 100, Optional: true, Error: p.Errors["name"]}}
}

// tokensPage is GET /account/tokens.
type tokensPage struct {
	room
	Tokens []token
}

// token is a personal token as its owner sees it.
type token struct {
	ID, Name string
	May      string // what it may do, in words
	Last     string // "2 hours ago"; "never"
	Ends     string // "in 12 days"; of one that is gone: when
	Soon     bool   // it ends within a week
	Gone     string // "revoked", "expired", "leaked"; empty: it works
	Found    bool   // somebody found it in the open, and it works on
	Leak     string // where and when that was
}

// Table lists the tokens, each that works with a button revoke-<id>: POST /account/tokens/<id>/revoke.
func (p tokensPage) Table() page.Table {
	made := page.Table{
		Caption: "Your personal tokens",
		Heads:   []page.Head{{Text: "Name"}, {Text: "May"}, {Text: "Last used"}, {Text: "Ends"}, {Text: "State"}},
		Empty: page.Empty{
			Title: "No token yet", Text: "A personal token is your own badge for scripts: it does what you tick and ends on a day you choose.",
			Link: page.Link{Text: "Make a token", URL: "/account/tokens/new"},
		},
	}
	for _, t := range p.Tokens {
		state := page.Cell{Text: "works", Pill: "good"}
		row := page.Row{Act: &page.Act{ID: "revoke-" + t.ID, URL: "/account/tokens/" + t.ID + "/revoke", Text: "Revoke", Danger: true}}
		switch {
		case t.Gone == "leaked":
			state, row.Act = page.Cell{Text: t.Gone, Pill: "bad"}, nil
		case t.Gone != "":
			state, row.Act = page.Cell{Text: t.Gone, Pill: "plain"}, nil
		case t.Found:
			state = page.Cell{Text: "found in the open", Pill: "bad"}
		case t.Soon:
			state = page.Cell{Text: "ends soon", Pill: "warn"}
		}
		state.Note = t.Leak
		row.Cells = []page.Cell{{Text: t.Name, Note: t.ID}, {Text: t.May}, {Text: t.Last}, {Text: t.Ends}, state}
		made.Rows = append(made.Rows, row)
	}
	return made
}

// newTokenPage is GET /account/tokens/new and POST /account/tokens: fields name, days, ip_allow, boxes scope-<name> (field scope),
// button make-token.
type newTokenPage struct {
	room
	Name     string
	Boxes    []page.Box // a page.ScopeBox each
	Days     int        // 7, 30, 90 or 365; anything else: 30
	Networks string     // as they were typed, one CIDR a line
	Errors   page.Errs  // also under scope
}

// Fields are the page's fields but the boxes.
func (p newTokenPage) Fields() []page.Field {
	days := page.Field{ID: "days", Label: "Works for", Type: "select", Error: p.Errors["days"], Hint: "The shorter, the less a stolen copy is worth."}
	chosen := false
	for _, n := range []int{7, 30, 90, 365} {
		text := strconv.Itoa(n) + " days"
		if n == 365 {
			text = "a year"
		}
		days.Options = append(days.Options, page.Option{Value: strconv.Itoa(n), Text: text, Chosen: n == p.Days})
		chosen = chosen || n == p.Days
	}
	if !chosen {
		days.Options[1].Chosen = true
	}
	return []page.Field{
		{ID: "name", Label: "Name", Value: p.Name, Hint: "What it is for: backup script on nas.", Max: 100, Complete: "off", Error: p.Errors["name"], Focus: true},
		days,
		{ID: "ip_allow", Label: "Only from these networks", Type: "textarea", Value: p.Networks, Hint: "One a line, like 203.0.113.0/24. Empty: from anywhere.", Optional: true, Code: true, Error: p.Errors["ip_allow"]},
	}
}

// newSecretPage follows the making of a token: it is shown here and never again.
type newSecretPage struct {
	room
	Secret page.Secret
	Pass   page.Pass // the token as a badge
}
