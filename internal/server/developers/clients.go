package developers

import (
	"net/http"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// showClients is GET /developers/{team}/clients: the team's apps, as OAuth sees them.
func (p *rooms) showClients(w http.ResponseWriter, r *http.Request, d *desk) error {
	l := page.NewList(d.path("clients"), r.URL.Query(), "Clients by name", "-created", "name")
	l.Narrow("type", "Type", "", "Any type", "confidential", "Keeps a secret", "public", "Keeps no secret")
	l.Narrow("state", "State", "", "Any state", "works", "Works", "disabled", "Disabled")
	found, err := p.Manage.FindApps(r.Context(), d.Actor, searchOf(d, l))
	if err != nil {
		return err
	}
	view := listPage{
		Room: p.room(r, d, "clients", "OAuth clients"), Heading: "OAuth clients", Lead: "Apps that ask people for a visitor badge, or get one for themselves.", New: page.Link{Text: "Make a client", URL: d.path("clients", "new")},
	}
	table := page.Table{
		Caption: "The team’s apps as OAuth clients", Heads: []page.Head{l.Head("App", "name"), {Text: "What it is"}, {Text: "Returns to"}, l.Head("Made", "created")},
		Empty: page.Empty{Title: "No client yet", Text: "A client asks people for a visitor badge: what it may do for them, shown to them in words, taken back whenever they like.", Link: view.New},
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
		table.Rows = append(table.Rows, page.Row{URL: d.path("clients", a.ID), Cells: []page.Cell{
			{Text: a.Name, Note: a.ClientID}, what, {Text: returns}, {Text: page.Ago(p.Now(), a.CreatedAt)},
		}})
	}
	view.List = l.Show(table, pagesOf(found))
	if len(table.Rows) == 0 && !l.Search.Narrowed() {
		view.New = page.Link{} // the empty list offers it
	}
	if r.URL.Query().Get("done") == "deleted" {
		view.Done = &page.Alert{Tone: "good", Title: "The app is deleted.", Text: "Its keys, secrets and badges do not work any more."}
	}
	return p.set.Render(w, r, http.StatusOK, "list", view)
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
