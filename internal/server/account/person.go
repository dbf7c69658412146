package account

import (
	"errors"
	"net/http"
	"time"

	"github.com/lanyard-auth/lanyard/internal/browser"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// showPassword is GET /account/password. That it was changed is said only while that is true: the address may be a link that
// somebody made up.
func (p *rooms) showPassword(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	changed, err := p.passwordChanged(r, visit)
	if err != nil {
		return err
	}
	view := p.passwordPage(r, visit, changed)
	if r.URL.Query().Get("done") == "changed" && !changed.IsZero() && p.Now().Sub(changed) < fresh {
		view.Done = &page.Alert{Tone: "good", Title: "Your new password is set.", Text: "Every other browser is signed out. Apps keep their badges."}
	}
	return p.set.Render(w, r, http.StatusOK, "password", view)
}

// passwordChanged is when the user's password was set; zero: there is none.
func (p *rooms) passwordChanged(r *http.Request, visit *browser.Visit) (time.Time, error) {
	kept, err := p.Gate.Passwords.Password(r.Context(), visit.User.ID)
	if fault.Is(err, fault.NotFound) {
		return time.Time{}, nil
	}
	return kept.ChangedAt, err
}

func (p *rooms) passwordPage(r *http.Request, visit *browser.Visit, changed time.Time) passwordPage {
	title := "Change your password"
	if changed.IsZero() {
		title = "Choose a password"
	}
	return passwordPage{room: p.room(r, visit, "/account/password", title), First: changed.IsZero()}
}

// setPassword is POST /account/password. Tries are counted: who found a browser open must not guess at the old one.
func (p *rooms) setPassword(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	err := p.Gate.Try("password", p.Kit.Client(r), string(visit.User.ID))
	if err == nil {
		err = p.Accounts.ChangePassword(r.Context(), manage.Self(visit.User), manage.PasswordChange{
			Old: r.PostForm.Get("current_password"), New: r.PostForm.Get("password"), Keep: visit.Session.ID,
		})
	}
	if err == nil {
		return page.Redirect(w, r, "/account/password?done=changed")
	}
	changed, failed := p.passwordChanged(r, visit)
	if failed != nil {
		return errors.Join(err, failed)
	}
	view, status := p.passwordPage(r, visit, changed), http.StatusBadRequest
	var many *fault.Error
	if errors.As(err, &many) && many.Kind == fault.TooMany {
		field := "current_password"
		if view.First {
			field = "password"
		}
		view.Errors, status = page.Errs{field: page.Upper(many.Detail) + "."}, http.StatusTooManyRequests
		w.Header().Set("Retry-After", web.RetryAfter(err))
	} else if view.Errors, err = page.Beside(err, map[string]string{"old_password": "current_password", "password": "password"}); err != nil {
		return err
	}
	return p.set.Render(w, r, status, "password", view)
}

// showProfile is GET /account/profile.
func (p *rooms) showProfile(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	view := profilePage{room: p.room(r, visit, "/account/profile", "Profile"), Name: visit.User.Name, Email: visit.User.Email}
	if r.URL.Query().Get("done") == "saved" {
		view.Done = &page.Alert{Tone: "good", Title: "Saved.", Text: "Apps that may see your name get it with their next token."}
	}
	return p.set.Render(w, r, http.StatusOK, "profile", view)
}

// saveProfile is POST /account/profile.
func (p *rooms) saveProfile(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	name := r.PostForm.Get("name")
	err := p.Accounts.Rename(r.Context(), manage.Self(visit.User), name)
	if err == nil {
		return page.Redirect(w, r, "/account/profile?done=saved")
	}
	view := profilePage{room: p.room(r, visit, "/account/profile", "Profile"), Name: name, Email: visit.User.Email}
	if view.Errors, err = page.Beside(err, map[string]string{"name": "name"}); err != nil {
		return err
	}
	return p.set.Render(w, r, http.StatusBadRequest, "profile", view)
}
