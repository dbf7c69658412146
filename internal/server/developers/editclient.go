package developers

import (
	"net/http"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// editClientPage is GET and POST /developers/{team}/clients/{app}/edit.
type editClientPage struct {
	page.Room
	Name   string
	To     string
	Back   string
	First  []page.Field // who it is and where people come back to
	Grants []page.Box
	Scopes []clientGroup
	Rest   []page.Field
	DPoP   page.Box
	Errors page.Errs
}

// showEditClient is GET /developers/{team}/clients/{app}/edit.
func (p *rooms) showEditClient(w http.ResponseWriter, r *http.Request, d *desk) error {
	a, err := p.app(r, d, r.PathValue("app"))
	if err != nil {
		return err
	}
	return p.editClient(w, r, d, http.StatusOK, &a, nil)
}

// editClient shows the form as the app is; a is what was typed where something is wrong with it.
func (p *rooms) editClient(w http.ResponseWriter, r *http.Request, d *desk, status int, a *lanyard.App, wrong page.Errs) error {
	groups, err := p.clientScopes(r, d, a.Scopes)
	if err != nil {
		return err
	}
	area := func(name, label, hint string, values []string) page.Field {
		return page.Field{ID: name, Label: label, Type: "textarea", Code: true, Optional: true, Value: strings.Join(values, "\n"), Hint: hint, Error: wrong[name]}
	}
	address := func(name, label, hint, value string) page.Field {
		return page.Field{ID: name, Label: label, Value: value, Mode: "url", Max: 500, Optional: true, Complete: "off", Hint: hint, Error: wrong[name]}
	}
	uris := redirectField(strings.Join(a.RedirectURIs, "\n"), wrong["redirect_uris"])
	view := editClientPage{
		Room: p.room(r, d, "clients", "Change "+a.Name), Name: a.Name, To: d.path("clients", r.PathValue("app"), "edit"), Back: d.path("clients", r.PathValue("app")), Scopes: groups, Errors: wrong,
		First: []page.Field{
			{ID: "name", Label: "Name", Value: a.Name, Max: 100, Complete: "off", Error: wrong["name"]},
			uris,
			area("post_logout_redirect_uris", "After logout", "Where people may be sent when they signed out, one a line.", a.PostLogoutRedirectURIs),
			address("backchannel_logout_uri", "Told of logouts at", "Your server hears there when a session ends.", a.BackchannelLogoutURI),
		},
		Rest: []page.Field{
			address("homepage_url", "Home page", "", a.HomepageURL),
			address("logo_uri", "Logo", "People see a copy of it when the app asks them.", a.LogoURI),
			address("policy_uri", "Privacy policy", "", a.PolicyURI),
			address("tos_uri", "Terms", "", a.TOSURI),
			{ID: "refresh_rotation", Label: "Refresh tokens", Type: "select", Error: wrong["refresh_rotation"], Options: []page.Option{
				{Value: "", Text: "As is usual for its kind", Chosen: a.RefreshRotation == ""},
				{Value: app.RotateAlways, Text: "Exchange at each use", Chosen: a.RefreshRotation == app.RotateAlways},
				{Value: app.RotateNever, Text: "Keep while the app proves itself", Chosen: a.RefreshRotation == app.RotateNever},
			}},
		},
		DPoP: page.Box{ID: "dpop", Name: "dpop", Value: "yes", Text: "Badges work only with a key that the app proves to hold (DPoP)", Ticked: a.DPoPBoundAccessTokens},
	}
	for _, grant := range app.GrantTypes() {
		name := grant[strings.LastIndexByte(grant, ':')+1:]
		view.Grants = append(view.Grants, page.Box{ID: "grant-" + name, Name: "grant", Value: grant, Text: grantWords([]string{grant})[0], Ticked: slices.Contains(a.GrantTypes, grant)})
	}
	return p.set.Render(w, r, status, "edit-client", view)
}

// saveClient is POST /developers/{team}/clients/{app}/edit. Scopes that this person could not tick stay as they are.
func (p *rooms) saveClient(w http.ResponseWriter, r *http.Request, d *desk) error {
	a, err := p.app(r, d, r.PathValue("app"))
	if err != nil {
		return err
	}
	groups, err := p.clientScopes(r, d, nil)
	if err != nil {
		return err
	}
	form := r.PostForm
	scopes := slices.Clone(form["scope"])
	for _, scope := range a.Scopes {
		shown := slices.ContainsFunc(groups, func(g clientGroup) bool {
			return slices.ContainsFunc(g.Boxes, func(b page.Box) bool { return b.Value == scope })
		})
		if !shown {
			scopes = append(scopes, scope)
		}
	}
	typed := a
	typed.Name, typed.HomepageURL = form.Get("name"), form.Get("homepage_url")
	typed.RedirectURIs, typed.PostLogoutRedirectURIs = addressLines(form.Get("redirect_uris")), addressLines(form.Get("post_logout_redirect_uris"))
	typed.GrantTypes, typed.Scopes, typed.RefreshRotation = form["grant"], scopes, form.Get("refresh_rotation")
	typed.BackchannelLogoutURI, typed.LogoURI, typed.PolicyURI, typed.TOSURI = form.Get("backchannel_logout_uri"), form.Get("logo_uri"), form.Get("policy_uri"), form.Get("tos_uri")
	typed.DPoPBoundAccessTokens = form.Get("dpop") == "yes"
	_, err = p.Manage.UpdateApp(r.Context(), d.Actor, a.ID, lanyard.AppPatch{
		Name: changed(a.Name, typed.Name), HomepageURL: &typed.HomepageURL,
		OAuthPatch: lanyard.OAuthPatch{
			RedirectURIs: &typed.RedirectURIs, PostLogoutRedirectURIs: &typed.PostLogoutRedirectURIs, GrantTypes: &typed.GrantTypes, Scopes: &typed.Scopes,
			RefreshRotation: &typed.RefreshRotation, BackchannelLogoutURI: &typed.BackchannelLogoutURI, LogoURI: &typed.LogoURI, PolicyURI: &typed.PolicyURI,
			TOSURI: &typed.TOSURI, DPoPBoundAccessTokens: &typed.DPoPBoundAccessTokens,
		},
	})
	if err == nil {
		return page.Redirect(w, r, d.path("clients", a.ID)+"?done=saved")
	}
	status := http.StatusBadRequest
	if fault.Is(err, fault.NotGrantable) {
		status = http.StatusForbidden
	}
	fields := map[string]string{"scopes": "scope", "required_scopes": "scope", "grant_types": "grant"}
	for _, name := range []string{"name", "homepage_url", "redirect_uris", "post_logout_redirect_uris", "backchannel_logout_uri", "logo_uri", "policy_uri", "tos_uri", "refresh_rotation"} {
		fields[name] = name
	}
	wrong, err := page.Beside(err, fields)
	if err != nil {
		return err
	}
	return p.editClient(w, r, d, status, &typed, wrong)
}

// changed names a setting in a patch only where it is another: who may change a logo need not be able to change the name.
func changed(before, after string) *string {
	if before == after {
		return nil
	}
	return &after
}
