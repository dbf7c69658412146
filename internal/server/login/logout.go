package login

import (
	"net/http"
	"net/url"

	"github.com/lanyard-auth/lanyard/internal/browser"
	"github.com/lanyard-auth/lanyard/internal/page"
)

func escapeQuery(text string) string { return url.QueryEscape(text) }

// showLogout is GET /logout: a question. Leaving by a link that somebody else put on a page would be an attack.
func (p *rooms) showLogout(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	next := r.URL.Query().Get("next")
	to, asks := p.Next(visit, next)
	if !visit.SignedIn() {
		return p.signedOut(w, r, visit, to, nil)
	}
	view := logoutPage{Frame: p.frame(r, visit, "Sign out"), Account: visit.User.Email}
	if next != "" {
		view.Hidden = []page.Hidden{{Name: "after", Value: next}}
	}
	if to != "" {
		view.FormAction = []string{to}
	}
	if asks != "" {
		a, err := p.Verifier.Client(r.Context(), string(asks))
		if err != nil {
			return err
		}
		if view.Client, err = p.asker(r, under{app: a}); err != nil {
			return err
		}
	}
	return p.set.Render(w, r, http.StatusOK, "logout", view)
}

// logout is POST /logout: the session ends here and at every app that wants to know.
func (p *rooms) logout(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	to, _ := p.Next(visit, r.PostForm.Get("after"))
	var frames []string
	if visit.SignedIn() {
		var err error
		if frames, err = p.Logout(r, visit); err != nil {
			return err
		}
		visit.Session, visit.User = nil, nil
	}
	p.Browser.Forget(w)
	return p.signedOut(w, r, visit, to, frames)
}

// signedOut shows that it is done. With nobody else to tell in this browser it goes straight back to the app that asked.
func (p *rooms) signedOut(w http.ResponseWriter, r *http.Request, visit *browser.Visit, to string, frames []string) error {
	if to != "" && len(frames) == 0 {
		http.Redirect(w, r, to, http.StatusSeeOther)
		return nil
	}
	view := signedOutPage{Frame: p.frame(r, visit, "You are signed out")}
	view.Frames = frames
	if to != "" {
		view.Next = page.Link{Text: "Go back to the app", URL: to}
	}
	return p.set.Render(w, r, http.StatusOK, "signed-out", view)
}
