package login

import (
	"net/http"

	"github.com/lanyard-auth/lanyard/internal/browser"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// errClosed answers who comes to a page that this server does not have (SECURITY-CASES 94).
func errClosed() error {
	return fault.New(fault.NotFound, "accounts are not made here by oneself; ask whoever runs this server for one")
}

func (p *rooms) showSignup(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	if p.Signup != "open" {
		return errClosed()
	}
	u, err := p.under(r, visit, r.URL.Query().Get("request"))
	if err != nil {
		return err
	}
	client, err := p.asker(r, u)
	if err != nil {
		return err
	}
	return p.set.Render(w, r, http.StatusOK, "signup", signupPage{Frame: p.frame(r, visit, "Make an account"), way: u.way(r), Client: client})
}

// signup is POST /signup. Whether the address is taken is told to its owner alone, by mail.
func (p *rooms) signup(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	if p.Signup != "open" {
		return errClosed()
	}
	u, err := p.under(r, visit, r.PostForm.Get("request"))
	if err != nil {
		return err
	}
	client, err := p.asker(r, u)
	if err != nil {
		return err
	}
	view := signupPage{Frame: p.frame(r, visit, "Make an account"), way: u.way(r), Client: client, Name: r.PostForm.Get("name"), Email: r.PostForm.Get("email")}
	err = p.Accounts.SignUp(r.Context(), manage.NewAccount{Email: view.Email, Name: view.Name, Password: r.PostForm.Get("password"), Browser: visit.Browser, From: p.Kit.Client(r), Onward: view.onward()})
	if err != nil {
		if view.Errors, err = fieldErrors(err, "name", "email", "password"); err != nil {
			return err
		}
		return p.set.Render(w, r, http.StatusBadRequest, "signup", view)
	}
	return p.set.Render(w, r, http.StatusOK, "check-mail", p.checkMail(r, visit, view.way, checkMailPage{Email: view.Email, Back: "/signup"}))
}

// checkMail completes the page that follows whatever sends a link.
func (p *rooms) checkMail(r *http.Request, visit *browser.Visit, carried way, view checkMailPage) checkMailPage {
	view.Frame, view.way, view.Lasts = p.frame(r, visit, "Look into your mail"), carried, "15 minutes"
	return view
}

// onward is what a link goes on to that is asked for on the way.
func (w way) onward() manage.Onward { return manage.Onward{Request: w.Request, Next: w.Next} }

// onward is what a link's page leads to: the request on whose way it was asked for, while that is under way in this browser.
func (p *rooms) onward(r *http.Request, visit *browser.Visit, to manage.Onward) (under, way, error) {
	u, err := p.under(r, visit, to.Request)
	switch {
	case fault.Is(err, fault.NotFound):
		return under{}, way{Next: "/account"}, nil
	case err != nil:
		return under{}, way{}, err
	case u.request != nil:
		return u, way{Request: to.Request}, nil
	}
	return u, way{Next: browser.Local(to.Next, "/account")}, nil
}

func (p *rooms) showForgot(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	u, err := p.under(r, visit, r.URL.Query().Get("request"))
	if err != nil {
		return err
	}
	return p.set.Render(w, r, http.StatusOK, "forgot", forgotPage{Frame: p.frame(r, visit, "Choose a new password"), way: u.way(r)})
}

// forgot is POST /forgot. The answer is the same for an address that nobody has.
func (p *rooms) forgot(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	u, err := p.under(r, visit, r.PostForm.Get("request"))
	if err != nil {
		return err
	}
	view := forgotPage{Frame: p.frame(r, visit, "Choose a new password"), way: u.way(r), Email: r.PostForm.Get("email")}
	err = p.Accounts.RequestReset(r.Context(), manage.Forgotten{Email: view.Email, Browser: visit.Browser, From: p.Kit.Client(r), Onward: view.onward()})
	if err != nil {
		if view.Errors, err = fieldErrors(err, "email"); err != nil {
			return err
		}
		return p.set.Render(w, r, http.StatusBadRequest, "forgot", view)
	}
	return p.set.Render(w, r, http.StatusOK, "check-mail", p.checkMail(r, visit, view.way, checkMailPage{Email: view.Email, Back: "/forgot"}))
}

// showLink is GET /link?t=: what the link does, and a button. Opening it consumes nothing: mail programs open links.
func (p *rooms) showLink(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	text := r.URL.Query().Get("t")
	l, err := p.Accounts.LinkState(r.Context(), text, visit.Browser)
	if err != nil {
		return err
	}
	return p.linkPage(w, r, visit, http.StatusOK, l, secret.Of(text), nil)
}

func (p *rooms) linkPage(w http.ResponseWriter, r *http.Request, visit *browser.Visit, status int, l manage.LinkView, token secret.Secret, failed errs) error {
	u, _, err := p.onward(r, visit, l.Onward)
	if err != nil {
		return err
	}
	switch l.Purpose {
	case factor.Reset:
		return p.set.Render(w, r, status, "reset", resetPage{Frame: p.frameUnder(r, visit, u, "Choose a new password"), Action: "/link", Token: token, Email: l.Email, Errors: failed})
	case factor.Setup:
		return p.set.Render(w, r, status, "setup", setupPage{
			Frame: p.frame(r, visit, "Set up this server"), Action: "/setup", Token: token, Name: r.PostForm.Get("name"), Email: r.PostForm.Get("email"), Errors: failed,
		})
	case factor.Invite:
		return p.set.Render(w, r, status, "signup", signupPage{
			Frame: p.frame(r, visit, "Make an account"), Token: token, Name: r.PostForm.Get("name"), Email: l.Email, Errors: failed,
		})
	case factor.SignUp:
		return p.set.Render(w, r, status, "link-confirm", linkConfirmPage{
			Frame: p.frameUnder(r, visit, u, "Confirm your address"), Action: "/link", Token: token, Text: "This makes your account for " + l.Email + " and signs you in.", Button: "Confirm this address",
		})
	case factor.Login:
	}
	return p.set.Render(w, r, status, "link-confirm", linkConfirmPage{
		Frame: p.frame(r, visit, "Sign in"), Action: "/link", Token: token, Text: "This signs you in as " + l.Email + ".", Button: "Sign in as " + l.Email,
	})
}

// useLink is POST /link: the button was pressed. A link continues a login only in the browser that began it; elsewhere its
// part is done, and the person signs in there.
func (p *rooms) useLink(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	text := r.PostForm.Get("token")
	l, err := p.Accounts.LinkState(r.Context(), text, visit.Browser)
	if err != nil {
		return err
	}
	var used manage.Used
	acr, amr := browser.ACRLink, "otp"
	switch l.Purpose {
	case factor.Invite:
		acr, amr = browser.ACRPassword, "pwd"
		used, err = p.Accounts.UseInvite(r.Context(), text, manage.NewAccount{
			Name: r.PostForm.Get("name"), Password: r.PostForm.Get("password"), Browser: visit.Browser, From: p.Kit.Client(r),
		})
	case factor.SignUp:
		used, err = p.Accounts.UseSignUp(r.Context(), text, visit.Browser)
	case factor.Reset:
		used, err = p.Accounts.UseReset(r.Context(), text, r.PostForm.Get("password"), visit.Browser)
	case factor.Login:
		used, err = p.Accounts.UseLogin(r.Context(), text, visit.Browser)
	default:
		return fault.New(fault.Invalid, "this link is for another page")
	}
	if err != nil {
		failed, err := fieldErrors(err, "name", "password")
		if err != nil {
			return err
		}
		return p.linkPage(w, r, visit, http.StatusBadRequest, l, secret.Of(text), failed)
	}
	if !used.SameBrowser {
		done := donePage{Frame: p.frame(r, visit, "Done"), Tone: "good", Text: "That worked. Go back to the browser where you began, or sign in here.", Next: page.Link{Text: "Sign in here", URL: "/login"}}
		return p.set.Render(w, r, http.StatusOK, "done", done)
	}
	if err := p.Browser.Begin(w, r, visit, used.User, acr, amr); err != nil {
		return err
	}
	_, to, err := p.onward(r, visit, used.Onward)
	if err != nil {
		return err
	}
	return p.goOn(w, r, to)
}

// showSetup is GET /setup: the setup link from the console, while there is no admin. Without the link it is the way on for who is one.
func (p *rooms) showSetup(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	if !r.URL.Query().Has("t") {
		return page.Redirect(w, r, "/setup/api")
	}
	text := r.URL.Query().Get("t")
	l, err := p.Accounts.LinkState(r.Context(), text, visit.Browser)
	if err != nil {
		return err
	}
	if l.Purpose != factor.Setup {
		return fault.New(fault.Invalid, "this link is for another page")
	}
	return p.linkPage(w, r, visit, http.StatusOK, l, secret.Of(text), nil)
}

// setup is POST /setup: the first admin.
func (p *rooms) setup(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	text := r.PostForm.Get("token")
	admin, err := p.Accounts.UseSetup(r.Context(), text, manage.NewAccount{
		Email: r.PostForm.Get("email"), Name: r.PostForm.Get("name"), Password: r.PostForm.Get("password"), Browser: visit.Browser, From: p.Kit.Client(r),
	})
	if err != nil {
		failed, err := fieldErrors(err, "name", "email", "password")
		if err != nil {
			return err
		}
		return p.linkPage(w, r, visit, http.StatusBadRequest, manage.LinkView{Purpose: factor.Setup}, secret.Of(text), failed)
	}
	if err := p.Browser.Begin(w, r, visit, admin, browser.ACRPassword, "pwd"); err != nil {
		return err
	}
	return p.goOn(w, r, way{Next: "/setup/api"})
}
