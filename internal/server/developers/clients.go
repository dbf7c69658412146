package developers

import (
	"net/http"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// clientsPage is GET /developers/{team}/clients: the team's apps, as OAuth sees them.
type clientsPage struct {
	page.Room
	New    string
	Search page.Search
	Table  page.Table
	Pager  page.Pager
}

// showClients is GET /developers/{team}/clients.
func (p *rooms) showClients(w http.ResponseWriter, r *http.Request, d *desk) error {
	query := r.URL.Query()
	found, err := p.Manage.Apps(r.Context(), d.Actor, d.Team.ID, query.Get("q"), manage.List{Limit: 50, Cursor: query.Get("cursor")})
	if err != nil {
		return err
	}
	here := d.path("clients")
	view := clientsPage{
		Room: p.room(r, d, "clients", "OAuth clients"), New: d.path("clients", "new"),
		Search: page.Search{URL: here, Label: "Name of the app", Query: query.Get("q")}, Pager: page.NewPager(here, query, found.NextCursor),
		Table: page.Table{
			Caption: "The team’s apps as OAuth clients", Heads: []page.Head{{Text: "App"}, {Text: "What it is"}, {Text: "Returns to"}, {Text: "Made"}},
			Empty: page.Empty{
				Title: "No client yet", Text: "A client asks people for a visitor badge: what it may do for them, shown to them in words, taken back whenever they like.",
				Link: page.Link{Text: "Make a client", URL: d.path("clients", "new")},
			},
		},
	}
	if view.Search.Narrowed() {
		view.Table.Empty = page.Empty{Title: "No app of this name", Text: "The whole name counts, with its capitals.", Link: page.Link{Text: "Show all", URL: here}}
	}
	for i := range found.Items {
		a := &found.Items[i]
		returns := "nowhere"
		if len(a.RedirectURIs) > 0 {
			returns = a.RedirectURIs[0]
			if n := len(a.RedirectURIs) - 1; n > 0 {
				returns += " and " + page.Count(int64(n)) + " more"
			}
		}
		what := page.Cell{Text: clientKindOf(a).Name}
		if a.Disabled {
			what = page.Cell{Text: "disabled", Pill: "bad"}
		}
		view.Table.Rows = append(view.Table.Rows, page.Row{URL: d.path("clients", a.ID), Cells: []page.Cell{
			{Text: a.Name, Note: a.ClientID}, what, {Text: returns}, {Text: page.Ago(p.Now(), a.CreatedAt)},
		}})
	}
	if query.Get("done") == "deleted" {
		view.Done = &page.Alert{Tone: "good", Title: "The app is deleted.", Text: "Its keys, secrets and badges do not work any more."}
	}
	return p.set.Render(w, r, http.StatusOK, "clients", view)
}

// clientKind is what somebody builds, from which follow type, grant types and proof.
type clientKind struct {
	ID, Name, Text string
	Type           app.Type
	Grants         []string
	Returns        bool // it has redirect URIs
}

// clientKinds are what can be made here.
func clientKinds() []clientKind {
	return []clientKind{
		{"web", "A website with a server", "People sign in; the server keeps a secret and gets the badge.", app.Confidential, []string{app.AuthorizationCode, app.RefreshToken}, true},
		{"app", "An app in a browser or on a phone", "People sign in; nothing in it stays secret, so PKCE proves it.", app.Public, []string{app.AuthorizationCode, app.RefreshToken}, true},
		{"device", "A device without a browser", "A television or a command line shows a code that people type elsewhere.", app.Public, []string{app.DeviceCode, app.RefreshToken}, false},
		{"machine", "A machine on its own", "Nobody signs in: it acts for itself, by a secret.", app.Confidential, []string{app.ClientCredentials}, false},
	}
}

// clientKindOf says what an app is, by what it may use.
func clientKindOf(a *lanyard.App) clientKind {
	uses := func(grant string) bool { return slices.Contains(a.GrantTypes, grant) }
	all := clientKinds()
	switch {
	case a.Origin != "":
		return clientKind{Name: "registered itself"}
	case uses(app.AuthorizationCode) && a.Type == string(app.Public):
		return all[1]
	case uses(app.AuthorizationCode):
		return all[0]
	case uses(app.DeviceCode):
		return all[2]
	case uses(app.ClientCredentials):
		return all[3]
	case len(a.GrantTypes) > 0:
		return clientKind{Name: "A client"}
	}
	return clientKind{Name: "API keys only"}
}

// grantWords are the grant types in words.
func grantWords(grants []string) []string {
	words := map[string]string{
		app.AuthorizationCode: "People sign in and say yes (code with PKCE)", app.RefreshToken: "It gets new badges without asking again (refresh)",
		app.DeviceCode: "People type a code that it shows (device)", app.ClientCredentials: "It acts for itself (client credentials)",
		app.TokenExchange: "It swaps one badge for a narrower one (token exchange)", app.JWTBearer: "It shows a signed statement (JWT bearer)",
	}
	var out []string
	for _, grant := range grants {
		if text := words[grant]; text != "" {
			out = append(out, text)
		} else {
			out = append(out, grant)
		}
	}
	return out
}

// addressLines reads what was typed: addresses, one a line.
func addressLines(text string) []string { return strings.Fields(text) }
