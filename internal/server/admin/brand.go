package admin

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// brandPage is GET and POST /admin/settings/brand: fields of the brand, buttons preview-brand and save-brand. Once it is previewed, the whole
// page wears it.
type brandPage struct {
	page.Room
	Brand   lanyard.Brand
	Preview bool
	Errors  page.Errs
}

// Fields are the brand's.
func (v brandPage) Fields() []page.Field {
	b := v.Brand
	made := []page.Field{
		{ID: "name", Label: "Name", Value: b.Name, Max: 60, Complete: "organization", Hint: "At the top of every page, and in every mail."},
		{ID: "color", Label: "Colour", Value: b.Color, Max: 7, Complete: "off", Hint: "Like #0b7a5c. What is tinted is made from it, dark or light enough to be read."},
		{ID: "logo", Label: "Logo", Value: b.Logo, Max: 500, Complete: "off", Hint: "A path on this server, like /assets/logo.svg: nothing is loaded from elsewhere. Empty: the first letter of the name."},
		{ID: "support", Label: "Support", Value: b.Support, Max: 200, Complete: "off", Hint: "A mail address or a web address, in the foot of every page."},
		{ID: "terms", Label: "Terms", Type: "url", Value: b.Terms, Max: 500, Complete: "off"},
		{ID: "privacy", Label: "Privacy", Type: "url", Value: b.Privacy, Max: 500, Complete: "off"},
		{ID: "key_prefix", Label: "Keys begin with", Value: b.KeyPrefix, Max: 20, Complete: "off", Hint: "Like acme: finders of a lost key see whose it is. Keys from before keep theirs."},
	}
	for i := range made {
		made[i].Optional, made[i].Error = made[i].ID != "name", v.Errors[made[i].ID]
	}
	return made
}

// Passes are a card and a badge to look at.
func (v brandPage) Passes() []page.Pass {
	return []page.Pass{
		{Kind: "ID card · API key", Name: "WeatherDashboard", ID: "key_8fK2mQz7Lr0Xc41Z", Mode: "live", Facts: []page.Fact{{Term: "Who is it?", Text: "the app, for a team"}, {Term: "From", Text: "anywhere"}}, Stolen: "works until you rotate it, from anywhere.", Bad: true},
		{Badge: true, Kind: "Visitor badge · access token", Name: "Ada, through PostPal", Mode: "live", Facts: []page.Fact{{Term: "Who is it?", Text: "Ada, a user"}}, May: []string{"read your profile"}, MayNot: []string{"post for you"}, Stolen: "works 13 more minutes.", Ring: page.NewRing("12:40", "12 minutes 40 seconds left", 0.84)},
	}
}

// editBrand is GET /admin/settings/brand.
func (p *rooms) editBrand(w http.ResponseWriter, r *http.Request, d *desk) error {
	found, err := p.Manage.Catalog(r.Context(), d.Actor)
	if err != nil {
		return err
	}
	view := brandPage{Room: p.room(r, d, "/admin/settings", "Brand")}
	if found.Brand != nil {
		view.Brand = *found.Brand
	}
	return p.set.Render(w, r, http.StatusOK, "brand", view)
}

// saveBrand is POST /admin/settings/brand: with act=save it is saved, else it is only tried on.
func (p *rooms) saveBrand(w http.ResponseWriter, r *http.Request, d *desk) error {
	view := brandPage{Room: p.room(r, d, "/admin/settings", "Brand"), Brand: brandIn(r.PostForm), Preview: true}
	save := r.PostForm.Get("act") == "save"
	_, err := p.Manage.SetBrand(r.Context(), d.Actor, view.Brand, !save)
	if err != nil {
		if view.Errors, err = wrong(err, nil, "name", "color", "logo", "support", "terms", "privacy", "key_prefix"); err != nil {
			return err
		}
		if text := view.Errors[""]; text != "" {
			view.Done = &page.Alert{ID: "wrong", Tone: "bad", Title: "Nothing was changed.", Text: text}
		}
		view.Preview = false
		return p.set.Render(w, r, http.StatusBadRequest, "brand", view)
	}
	if save {
		return page.Redirect(w, r, done("/admin/settings", "catalog.apply", "catalog"))
	}
	view.Wear(view.Brand)
	return p.set.Render(w, r, http.StatusOK, "brand", view)
}

func brandIn(form url.Values) lanyard.Brand {
	get := func(name string) string { return strings.TrimSpace(form.Get(name)) }
	return lanyard.Brand{Name: get("name"), Color: get("color"), Logo: get("logo"), Support: get("support"), Terms: get("terms"), Privacy: get("privacy"), KeyPrefix: get("key_prefix")}
}
