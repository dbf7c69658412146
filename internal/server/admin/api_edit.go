package admin

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// editAPI is GET /admin/apis/{name}/edit.
func (p *rooms) editAPI(w http.ResponseWriter, r *http.Request, d *desk) error {
	a, err := p.Manage.API(r.Context(), d.Actor, r.PathValue("name"))
	if err != nil {
		return err
	}
	return p.form(w, r, p.apiForm(r, d, a, nil))
}

// apiForm changes everything of an API but its lists: button save-api.
func (p *rooms) apiForm(r *http.Request, d *desk, a lanyard.API, errs page.Errs) formPage {
	token := lanyard.TokenRules{}
	if a.Token != nil {
		token = *a.Token
	}
	origins := ""
	if a.CORS != nil {
		origins = strings.Join(a.CORS.Origins, "\n")
	}
	inQuery := false
	for _, place := range a.KeyIn {
		inQuery = inQuery || place == "query"
	}
	return formPage{
		Room: p.room(r, d, "/admin/apis", "Edit "+titleOf(a)), Heading: "Edit " + titleOf(a), Back: page.Link{Text: titleOf(a), URL: apiPath(a.Name)},
		Action: apiPath(a.Name) + "/edit", Button: "Save the API", ID: "save-api", Errors: errs,
		Fields: []page.Field{
			{ID: "title", Label: "Title", Value: a.Title, Max: 100, Optional: true, Complete: "off", Hint: "How people call it."},
			{ID: "upstream", Label: "Upstream", Type: "url", Value: a.Upstream, Max: 500, Optional: true, Complete: "off", Hint: "Where it really is. Nobody but you and other admins sees it."},
			takesField("takes", "It takes", a.Takes),
			choice("metering", "Metering", a.Metering, "What is not counted can be neither limited by quota nor billed.", "exact", "Count every call", "none", "Count nothing"),
			{ID: "identifier", Label: "Identifier", Value: a.Identifier, Max: 500, Optional: true, Complete: "off", Hint: "The audience of its tokens. Tokens for the old one are refused once it changes."},
			choice("format", "Its tokens are", token.Format, "A JWT can be checked by its signature alone, so it works until it ends; an opaque one dies at once.", "jwt", "JWTs", "opaque", "Opaque"),
			{ID: "lifetime", Label: "Each is worth", Value: token.Lifetime, Max: 20, Optional: true, Complete: "off", Hint: "Like 15m or 1h; at most 24h."},
			choice("algorithm", "JWTs are signed with", token.Algorithm, "", "", "ES256, as most are", "ES256", "ES256", "RS256", "RS256", "PS256", "PS256", "EdDSA", "EdDSA"),
			{ID: "limits", Label: "Limits on all callers together", Type: "textarea", Value: strings.Join(a.Limits, "\n"), Optional: true, Code: true, Hint: "One a line, like 1000/second. Beyond them everybody is refused, whoever called."},
			{ID: "user_limits", Label: "Limits on each person", Type: "textarea", Value: strings.Join(a.UserLimits, "\n"), Optional: true, Code: true, Hint: "On calls on one person’s behalf, through whatever app: one a line, like 60/minute."},
			{ID: "origins", Label: "Browsers may call from", Type: "textarea", Value: origins, Optional: true, Code: true, Hint: "Web origins, one a line, like https://app.example. Empty: none."},
		},
		Groups: []group{{ID: "key_in", Legend: "Keys", Boxes: []page.Box{{ID: "key_in_query", Name: "query", Value: "yes", Text: "A key may also stand in the address", Note: "addresses end up in logs", Ticked: inQuery}}}},
	}
}

// saveAPI is POST /admin/apis/{name}/edit.
func (p *rooms) saveAPI(w http.ResponseWriter, r *http.Request, d *desk) error {
	form := r.PostForm
	return p.change(w, r, d, func(a *lanyard.API) error { return withForm(a, form) }, func(a lanyard.API, refused error) error {
		errs, err := wrong(refused, nil, "title", "upstream", "takes", "metering", "identifier", "format", "lifetime", "algorithm", "limits", "user_limits", "origins")
		if err != nil {
			return err
		}
		_ = withForm(&a, form) // it has no faults of its own
		return p.form(w, r, p.apiForm(r, d, a, errs))
	})
}

// withForm writes what the form says into the API.
func withForm(a *lanyard.API, form url.Values) error {
	a.Title, a.Upstream, a.Takes, a.Metering, a.Identifier = form.Get("title"), form.Get("upstream"), form.Get("takes"), form.Get("metering"), form.Get("identifier")
	a.Token = &lanyard.TokenRules{Format: form.Get("format"), Lifetime: form.Get("lifetime"), Algorithm: form.Get("algorithm")}
	if a.KeyIn = []string{"header"}; form.Get("query") == "yes" {
		a.KeyIn = append(a.KeyIn, "query")
	}
	a.Limits, a.UserLimits = lines(form.Get("limits")), lines(form.Get("user_limits"))
	if a.CORS = nil; len(lines(form.Get("origins"))) > 0 {
		a.CORS = &lanyard.CORS{Origins: lines(form.Get("origins"))}
	}
	return nil
}
