package developers

import (
	"net/http"
	"slices"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/policy"
)

// newClientPage is GET and POST /developers/{team}/clients/new: fields name, kind, redirect_uris, scope, button make-client.
type newClientPage struct {
	page.Room
	To     string
	Name   page.Field
	Kinds  []kindChoice
	Wrong  string // what is wrong with the kind
	URIs   page.Field
	Scopes []clientGroup
	Errors page.Errs
}

// kindChoice is a kind that can be chosen.
type kindChoice struct {
	clientKind
	Chosen bool
}

// clientGroup is the boxes of one API.
type clientGroup struct {
	API   string
	Boxes []page.Box
}

// showNewClient is GET /developers/{team}/clients/new.
func (p *rooms) showNewClient(w http.ResponseWriter, r *http.Request, d *desk) error {
	return p.newClient(w, r, d, http.StatusOK, nil)
}

func (p *rooms) newClient(w http.ResponseWriter, r *http.Request, d *desk, status int, wrong page.Errs) error {
	groups, err := p.clientScopes(r, d, r.PostForm["scope"])
	if err != nil {
		return err
	}
	view := newClientPage{
		Room: p.room(r, d, "clients", "Make a client"), To: d.path("clients", "new"), Scopes: groups, Errors: wrong, Wrong: wrong["kind"],
		Name: page.Field{ID: "name", Label: "Name", Value: r.PostForm.Get("name"), Max: 100, Complete: "off", Error: wrong["name"], Hint: "People read it when it asks them for a badge."},
		URIs: redirectField(r.PostForm.Get("redirect_uris"), wrong["redirect_uris"]),
	}
	for _, k := range clientKinds() {
		view.Kinds = append(view.Kinds, kindChoice{k, k.ID == r.PostForm.Get("kind")})
	}
	return p.set.Render(w, r, status, "new-client", view)
}

func redirectField(value, wrong string) page.Field {
	return page.Field{
		ID: "redirect_uris", Label: "Redirect URIs", Type: "textarea", Value: value, Optional: true, Code: true, Error: wrong,
		Hint: "Where people come back to, one a line, to the letter: https://app.example/callback. On your own machine http://127.0.0.1/callback works with every port.",
	}
}

// makeClient is POST /developers/{team}/clients/new.
func (p *rooms) makeClient(w http.ResponseWriter, r *http.Request, d *desk) error {
	uris := addressLines(r.PostForm.Get("redirect_uris"))
	at := slices.IndexFunc(clientKinds(), func(k clientKind) bool { return k.ID == r.PostForm.Get("kind") })
	switch {
	case at < 0:
		return p.newClient(w, r, d, http.StatusBadRequest, page.Errs{"kind": "Choose what you build."})
	case clientKinds()[at].Returns && len(uris) == 0:
		return p.newClient(w, r, d, http.StatusBadRequest, page.Errs{"redirect_uris": "Say where people come back to after they signed in."})
	}
	kind := clientKinds()[at]
	if !kind.Returns {
		uris = nil
	}
	made, err := p.Manage.CreateApp(r.Context(), d.Actor, lanyard.AppInput{
		Name: r.PostForm.Get("name"), TeamID: d.Team.ID, Type: string(kind.Type),
		OAuthSettings: lanyard.OAuthSettings{RedirectURIs: uris, GrantTypes: kind.Grants, Scopes: r.PostForm["scope"]},
	})
	if err != nil {
		status := http.StatusBadRequest
		if fault.Is(err, fault.NotGrantable) {
			status = http.StatusForbidden
		}
		wrong, err := page.Beside(err, map[string]string{"name": "name", "redirect_uris": "redirect_uris", "scopes": "scope"})
		if err != nil {
			return err
		}
		return p.newClient(w, r, d, status, wrong)
	}
	return page.Redirect(w, r, d.path("clients", made.ID)+"?done=made")
}

// clientScopes are the scopes that somebody at the desk may let an app ask for, by API; manage decides.
func (p *rooms) clientScopes(r *http.Request, d *desk, ticked []string) ([]clientGroup, error) {
	catalog, err := p.Verifier.Catalog(r.Context())
	if err != nil {
		return nil, err
	}
	rights := policy.Rights{Person: true, Admin: d.User.Admin, Owner: d.Role == audit.RoleOwner}
	var all []clientGroup
	for _, api := range catalog.All() {
		if api.Policy == catalog.Management() || api.Policy.Takes == policy.TakesKey {
			continue
		}
		group := clientGroup{API: api.Spec.Title}
		if group.API == "" {
			group.API = api.Policy.Name
		}
		for _, s := range api.Policy.Scopes.All() {
			if !api.Policy.Scopes.CoversFor([]string{s.Name}, s.Name, rights) {
				continue
			}
			box := page.ScopeBox(s.Name, s.Text)
			box.Note, box.Ticked = s.Name, slices.Contains(ticked, s.Name)
			group.Boxes = append(group.Boxes, box)
		}
		if len(group.Boxes) > 0 {
			all = append(all, group)
		}
	}
	return all, nil
}
