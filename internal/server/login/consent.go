package login

import (
	"net/http"
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
	q, err := p.question(r, visit, u.app, u.request.Ask.Issue)
	if err != nil {
		return err
	}
	return p.askConsent(w, r, visit, u, q, http.StatusOK)
}

func (p *rooms) askConsent(w http.ResponseWriter, r *http.Request, visit *browser.Visit, u under, q *question, status int) error {
	allows, err := p.allowance(r, visit, q)
	if err != nil {
		return err
	}
	allows.Changed = allows.Changed || status == http.StatusConflict
	return p.set.Render(w, r, status, "consent", consentPage{
		Frame: p.frameUnder(r, visit, u, "Allow "+u.app.Name+"?"), way: u.way(r), allowance: allows, Goes: hostOf(u.request.Ask.RedirectURI), For: string(visit.User.ID),
	})
}

// held is what the user said to the app before, or nil.
func (p *rooms) held(r *http.Request, visit *browser.Visit, a *app.App) (*grant.Grant, error) {
	g, err := p.Grants.LiveGrant(r.Context(), visit.User.ID, a.ID)
	if fault.Is(err, fault.NotFound) {
		return nil, nil //nolint:nilnil // nothing was said
	}
	return g, err
}

// consent is POST /consent. Only what was asked can be ticked; what is needed is taken as ticked; with nothing ticked the
// answer is no. An answer to a page that showed another document of the app is none: the present one is shown.
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
		q, err := p.question(r, visit, u.app, u.request.Ask.Issue)
		if err != nil {
			return err
		}
		if r.PostForm.Get("document") != u.app.Document {
			return p.askConsent(w, r, visit, u, q, http.StatusConflict)
		}
		if yes, _ := q.answer(r.PostForm["scope"]); len(yes) > 0 {
			progress = grant.Progress{Allowed: yes, Document: u.app.Document, AllowedBy: visit.User.ID, AllowedAt: p.Now().UTC().Truncate(time.Microsecond)}
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

// appOf reads an app by its id.
func (p *rooms) appOf(r *http.Request, appID id.App) (*app.App, error) {
	a, err := p.Verifier.Client(r.Context(), string(appID))
	if err == nil && a == nil {
		err = fault.New(fault.NotFound, "the app that asked is no longer in force")
	}
	return a, err
}
