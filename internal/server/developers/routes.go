// Package developers serves /developers: what a team does for itself. Its apps and their keys, OAuth clients, usage, members.
//
// Every page stands under its team, /developers/team_…/, and shows nothing of another one: whatever id an address holds, a thing of
// another team is not there. The acts are package manage's, with the rights of the person who is signed in; a page only leaves out
// what their role does not let them do. One file a page; this one is the list of them.
package developers

import (
	"embed"
	"net/http"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/page"
)

//go:embed templates/*.html
var templates embed.FS

// Register adds every page to mux.
func Register(mux *http.ServeMux, c Config) {
	p := &rooms{Config: c, set: c.Page.Templates(templates, "templates/*.html").Private()}
	for pattern, serve := range map[string]func(http.ResponseWriter, *http.Request, *desk) error{
		"GET /developers":        p.enter,
		"POST /developers":       p.start,
		"GET /developers/{team}": p.overview,
	} {
		mux.Handle(pattern, p.handle(serve))
	}
}

// tabs are the pages of a team, as far as the role opens them.
func tabs(d *desk) []page.Tab {
	if d.Team.ID == "" {
		return nil
	}
	var out []page.Tab
	for _, t := range []struct {
		text, part string
		role       audit.Role
	}{
		{"Overview", "", audit.RoleAny},
	} {
		if d.May(t.role) {
			to := d.path()
			if t.part != "" {
				to = d.path(t.part)
			}
			out = append(out, page.Tab{Text: t.text, URL: to})
		}
	}
	return out
}
