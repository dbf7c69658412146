package login

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/browser"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// showConsent is GET /consent: who asks, what it will be able to do and what NOT, how long, and where it goes from here.
func (p *rooms) showConsent(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	u, err := p.under(r, visit, r.URL.Query().Get("request"))
	if err != nil {
		return err
	}
	if u.request == nil || !visit.SignedIn() {
		return p.goOn(w, r, u.way(r))
	}
	g, err := p.held(r, visit, u.app)
	if err != nil {
		return err
	}
	allows, err := p.allowance(r, visit, u.app, u.request.Ask.Issue, g)
	if err != nil {
		return err
	}
	view := consentPage{
		Frame: p.frameUnder(r, visit, u, "Allow "+u.app.Name+"?"), way: u.way(r), allowance: allows, Goes: hostOf(u.request.Ask.RedirectURI),
		Changed: g != nil && g.Document != u.app.Document, For: string(visit.User.ID),
	}
	return p.set.Render(w, r, http.StatusOK, "consent", view)
}

// held is what the user allowed the app before, or nil.
func (p *rooms) held(r *http.Request, visit *browser.Visit, a *app.App) (*grant.Grant, error) {
	g, err := p.Grants.LiveGrant(r.Context(), visit.User.ID, a.ID)
	if fault.Is(err, fault.NotFound) {
		return nil, nil //nolint:nilnil // nothing was allowed
	}
	return g, err
}

// texts of what OpenID Connect's scopes tell an app.
func openIDText(scope string) string {
	switch scope {
	case "openid":
		return "know that it is you"
	case "profile":
		return "see your name"
	case "email":
		return "see your mail address"
	}
	return ""
}

// allowance puts what is asked into words.
func (p *rooms) allowance(r *http.Request, visit *browser.Visit, a *app.App, issue grant.Issue, before *grant.Grant) (allowance, error) {
	made := allowance{Client: p.askerOf(r.Context(), a), Account: visit.User.Email, Renews: a.MayUse(app.RefreshToken)}
	view, err := p.Verifier.Catalog(r.Context())
	if err != nil {
		return made, err
	}
	asked, err := p.Verifier.Grantable(r.Context(), visit.User.ID, a, issue.Scopes)
	if err != nil {
		return made, err
	}
	for _, scope := range asked {
		if text := openIDText(scope); text != "" {
			made.Boxes = append(made.Boxes, ask{
				Name: scope, Text: text, Required: scope == "openid" || slices.Contains(a.OAuth.RequiredScopes, scope), Held: before != nil && slices.Contains(before.Scopes, scope),
			}.box())
		}
	}
	life := time.Hour
	if api := view.ByIdentifier(issue.Audience); api != nil && issue.API != "" {
		made.API = api.Policy.Name
		if api.Spec.Title != "" {
			made.API = api.Spec.Title
		}
		if api.Spec.Token == nil || api.Spec.Token.Format != "opaque" {
			life = 15 * time.Minute
		}
		if api.Spec.Token != nil {
			if d, err := time.ParseDuration(api.Spec.Token.Lifetime); err == nil && d > 0 {
				life = d
			}
		}
		for _, s := range api.Policy.Scopes.All() {
			if !slices.Contains(asked, s.Name) {
				made.MayNot = append(made.MayNot, s.Text)
				continue
			}
			made.Boxes = append(made.Boxes, ask{
				Name: s.Name, Text: s.Text, Writes: s.Writes, Required: slices.Contains(a.OAuth.RequiredScopes, s.Name), Held: before != nil && slices.Contains(before.Scopes, s.Name),
			}.box())
		}
	}
	made.Lasts = span(life)
	if made.Renews {
		made.Expires = "a year"
	}
	return made, nil
}

// span is a duration in words.
func span(d time.Duration) string {
	for _, unit := range []struct {
		of   time.Duration
		word string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if d >= unit.of && d%unit.of == 0 {
			n := int(d / unit.of)
			if n == 1 {
				return "1 " + unit.word
			}
			return strconv.Itoa(n) + " " + unit.word + "s"
		}
	}
	return d.String()
}

// consent is POST /consent. Only what was asked can be ticked; what is needed is taken as ticked; with nothing ticked the
// answer is no.
func (p *rooms) consent(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	u, err := p.under(r, visit, r.PostForm.Get("request"))
	if err != nil {
		return err
	}
	if u.request == nil {
		return errOver()
	}
	if !visit.SignedIn() {
		return p.goOn(w, r, u.way(r))
	}
	if shown := r.PostForm.Get("account"); shown != "" && shown != string(visit.User.ID) {
		return p.goOn(w, r, u.way(r)) // somebody else logged in meanwhile: they are asked themselves
	}
	progress := grant.Progress{Denied: true}
	if r.PostForm.Get("decision") == "approve" {
		if ticked := p.ticked(r.PostForm["scope"], u.request.Ask.Scopes, u.app); len(ticked) > 0 {
			progress = grant.Progress{Allowed: ticked, AllowedBy: visit.User.ID, AllowedAt: p.Now().UTC().Truncate(time.Microsecond)}
		}
	}
	if err := p.Requests.AdvanceRequest(r.Context(), u.request.ID, visit.Browser, progress, p.Now()); err != nil {
		if fault.Is(err, fault.NotFound) {
			return errOver()
		}
		return err
	}
	return p.goOn(w, r, u.way(r))
}

// ticked are the scopes that were asked and are allowed now, in the order asked. What the app is of no use without, and
// what no box is shown for, goes along with any other.
func (p *rooms) ticked(boxes, asked []string, a *app.App) []string {
	var out []string
	chosen := false
	for _, scope := range asked {
		box := slices.Contains(boxes, scope)
		chosen = chosen || box
		switch {
		case box, scope == "openid", slices.Contains(a.OAuth.RequiredScopes, scope), scope == "offline_access", scope == "address", scope == "phone":
			out = append(out, scope)
		}
	}
	needed := slices.ContainsFunc(asked, func(scope string) bool { return scope == "openid" || slices.Contains(a.OAuth.RequiredScopes, scope) })
	if !chosen && !needed {
		return nil
	}
	return out
}

// appOf reads an app by its id.
func (p *rooms) appOf(r *http.Request, appID id.App) (*app.App, error) {
	a, err := p.Verifier.Client(r.Context(), string(appID))
	if err == nil && a == nil {
		err = fault.New(fault.NotFound, "the app that asked is no longer in force")
	}
	return a, err
}
