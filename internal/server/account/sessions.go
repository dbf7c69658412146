package account

import (
	"net/http"

	"github.com/lanyard-auth/lanyard/internal/browser"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// showSessions is GET /account/sessions.
func (p *rooms) showSessions(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	found, err := p.Accounts.MySessions(r.Context(), manage.Self(visit.User))
	if err != nil {
		return err
	}
	view := sessionsPage{room: p.room(r, visit, "/account/sessions", "Sessions")}
	now := p.Now()
	for _, s := range found {
		view.Sessions = append(view.Sessions, sessionRow{
			ID: s.ID, Browser: s.Agent, From: s.Network, Since: page.Ago(now, s.CreatedAt), Last: page.Ago(now, s.SeenAt), This: s.ID == string(visit.Session.ID),
		})
	}
	if r.URL.Query().Get("done") == "ended" {
		view.Done = &page.Alert{Tone: "good", Title: "That browser is signed out.", Text: "The apps it was signed in to are told. They keep their badges."}
	}
	return p.set.Render(w, r, http.StatusOK, "sessions", view)
}

// endSession is POST /account/sessions/{id}/end.
func (p *rooms) endSession(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	if _, err := p.Accounts.EndMySession(r.Context(), manage.Self(visit.User), r.PathValue("id")); err != nil {
		return err
	}
	if r.PathValue("id") == string(visit.Session.ID) {
		return p.leave(w, r)
	}
	return page.Redirect(w, r, "/account/sessions?done=ended")
}

// endSessions is POST /account/sessions/end-all: everywhere, here too.
func (p *rooms) endSessions(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	if _, err := p.Accounts.EndMySessions(r.Context(), manage.Self(visit.User), ""); err != nil {
		return err
	}
	return p.leave(w, r)
}

// leave goes to the page that says that nobody is signed in any more.
func (p *rooms) leave(w http.ResponseWriter, r *http.Request) error {
	p.Browser.Forget(w)
	return page.Redirect(w, r, "/logout")
}
