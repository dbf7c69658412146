// Package login serves the pages on somebody's way into an app: who they are, what the app may do for them, and out again.
//
// This file holds what each page shows. A view is filled in by its handler and read by the template of its name; it decides nothing,
// and whatever stands in it may come from a stranger. Forms post to the path of their page and need no JavaScript.
package login

import (
	"strings"

	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// asker is the app that asks, as it was registered.
type asker struct {
	Name   string
	Host   string // of its home page or redirect URI, where people can know it by; empty: it has none
	By     string // who registered it, as words that follow its name: "by Sunny"
	Logo   string // a path of this server that serves a copy; every other address shows the initial: nothing is loaded from elsewhere
	Home   string // addresses; those that are not of the web become no links
	Policy string
	Terms  string
}

// way is what every form carries on, hidden.
type way struct {
	Request string // field request: the authorization request under way; empty: none
	Next    string // field next: the checked local path to go to where there is no request; empty: the default
}

// errs says what is wrong with a field, by its id.
type errs map[string]string

// loginPage is GET and POST /login: fields login and password, button sign-in.
type loginPage struct {
	page.Frame
	way
	Client *asker // who asks; nil: a login to the server's own pages
	Login  string // as it was typed, or the hint of the request
	Failed bool   // name or password did not match; the page does not say which, and looks the same for a name nobody has
	Wait   string // how long to wait after too many attempts, "30 seconds"; empty: not at all
	Again  bool   // signed in already, but the app wants it done again
	Meant  string // that the app means a certain account; empty: any will do
	Signup bool   // accounts may be made here
	Others []page.Act
}

// Fields are the page's fields.
func (p loginPage) Fields() []page.Field {
	return []page.Field{
		{ID: "login", Label: "Mail address", Value: p.Login, Complete: "username", Mode: "email", Max: 254, Focus: p.Login == ""},
		{ID: "password", Label: "Password", Type: "password", Complete: "current-password", Max: 1024, Focus: p.Login != ""},
	}
}

// Alert is the one alert of the page, or nil.
func (p loginPage) Alert() *page.Alert {
	switch {
	case p.Wait != "":
		return &page.Alert{ID: "alert", Tone: "bad", Title: "Too many attempts.", Text: "Try again in " + p.Wait + "."}
	case p.Failed:
		return &page.Alert{ID: "alert", Tone: "bad", Title: "That did not match.", Text: "The mail address or the password is wrong. Check both, or choose a new password."}
	}
	return nil
}

// signupPage is GET and POST /signup: fields name, email, password, button sign-up.
type signupPage struct {
	page.Frame
	way
	Client      *asker
	Token       secret.Secret // field token: the invitation, which is for Email; zero: nobody was invited
	Name, Email string        // as they were typed
	Errors      errs
}

// Fields are the page's fields.
func (p signupPage) Fields() []page.Field {
	name := page.Field{ID: "name", Label: "Your name", Value: p.Name, Complete: "name", Max: 100, Optional: true, Error: p.Errors["name"], Focus: len(p.Errors) == 0}
	if !p.Token.IsZero() {
		return []page.Field{name, newPassword(p.Errors)}
	}
	return []page.Field{
		name,
		mailField(p.Email, p.Errors, "A link is sent there to confirm it."),
		newPassword(p.Errors),
	}
}

// mailField asks for a mail address under the id email.
func mailField(value string, errors errs, hint string) page.Field {
	return page.Field{ID: "email", Label: "Mail address", Type: "email", Value: value, Hint: hint, Complete: "email", Mode: "email", Max: 254, Error: errors["email"]}
}

// newPassword asks for one under the id password.
func newPassword(errors errs) page.Field {
	return page.Field{
		ID: "password", Label: "New password", Type: "password", Complete: "new-password", Max: 1024, Min: 8, Error: errors["password"],
		Hint: "8 characters or more. A few unrelated words are good; spaces are welcome.",
	}
}

// forgotPage is GET and POST /forgot: field email, button send-link. Its answer is checkMailPage whether or not there is such a user.
type forgotPage struct {
	page.Frame
	way
	Email  string
	Errors errs
}

// Fields are the page's fields.
func (p forgotPage) Fields() []page.Field {
	field := mailField(p.Email, p.Errors, "")
	field.Complete, field.Focus = "username", true
	return []page.Field{field}
}

// checkMailPage follows whatever sends a link. It says "if", so that nobody learns who has an account.
type checkMailPage struct {
	page.Frame
	way
	Email string // as it was typed
	Lasts string // how long the link works: "15 minutes"
	Back  string // path to begin again at
}

// linkConfirmPage is the GET of a link from a mail: a button, whose POST consumes it (mail scanners follow links, and send no forms).
type linkConfirmPage struct {
	page.Frame
	Action string // path to post to
	Token  secret.Secret
	Text   string // what the button does, in a sentence
	Button string // a verb and its object: "Confirm this address"
}

// resetPage is a link from a mail for a new password: GET shows the field password, POST consumes the link. Button set-password.
type resetPage struct {
	page.Frame
	Action string // path to post to
	Token  secret.Secret
	Email  string // whose password it is
	Errors errs
}

// Fields are the page's fields.
func (p resetPage) Fields() []page.Field {
	field := newPassword(p.Errors)
	field.Focus = true
	return []page.Field{field}
}

// allowance is what a consent lets an app do, on consentPage and deviceApprovePage.
type allowance struct {
	Client  asker
	Account string // mail address of who is signed in
	API     string // the API's title: "Mail"; empty: only who the user is
	Boxes   []page.Box
	MayNot  []string // texts of the API's other scopes
	Lasts   string   // how long one access token lasts: "15 minutes"
	Renews  bool     // it is renewed until it is taken back
	Expires string   // when the app's access ends at the latest: "1 year"; empty: not told

	Document string // digest of the app's document that is shown, in the field document: an answer is to that one alone
	Changed  bool   // it is another than the one allowed before, or than the one shown a moment ago
}

// ask is a scope as consent shows it.
type ask struct {
	Name, Text string
	Required   bool     // the app does not work without it: fixed
	Writes     bool     // changes something: starts unticked
	Held       bool     // allowed before: starts ticked
	Refused    bool     // left unticked before: starts unticked
	With       []string // texts of what it includes and no box is shown for
	Needs      []string // texts of what it includes and has a box: unticking that unticks it
}

// box is the box of the scope.
func (a ask) box() page.Box {
	made := page.ScopeBox(a.Name, a.Text)
	made.Fixed = a.Required
	made.Ticked = a.Required || a.Held || !a.Writes && !a.Refused
	var notes []string
	switch {
	case a.Required:
		notes = append(notes, "needed")
	case a.Writes:
		notes = append(notes, "changes things for you")
	}
	if len(a.With) > 0 {
		notes = append(notes, "comes with "+quoted(a.With))
	}
	if len(a.Needs) > 0 && !a.Required {
		notes = append(notes, "only together with "+quoted(a.Needs))
	}
	made.Note = strings.Join(notes, "; ")
	return made
}

// consentPage is GET and POST /consent: boxes scope-<name> (field scope), buttons approve and deny (field decision).
type consentPage struct {
	page.Frame
	way
	allowance
	Goes string // host the browser goes to next
	For  string // the user who is asked, in the field account
}

// devicePage is GET and POST /device: field user_code, button go-on.
type devicePage struct {
	page.Frame
	Code  string // as it was typed
	Error string // what is wrong with it; the same for one that never was and one that ended
}

// Fields are the page's fields.
func (p devicePage) Fields() []page.Field {
	return []page.Field{{
		ID: "user_code", Label: "Code", Value: p.Code, Error: p.Error, Hint: "It stands on the screen of your device, like WDJB-MJHT.", Complete: "off", Mode: "text", Max: 20, Focus: true, Code: true,
	}}
}

// deviceApprovePage follows a code that was found: boxes, and buttons approve and deny as on consentPage; it posts to /device/approve.
type deviceApprovePage struct {
	page.Frame
	way
	allowance
	Code string // to compare with the device's: "WDJB-MJHT"
}

// donePage ends a way with nothing left to do here: a device approved or denied, an address confirmed.
type donePage struct {
	page.Frame
	Tone string // "good", "bad" or "" for neither
	Text string
	Pass *page.Pass // the badge that was handed out; nil: none
	Next page.Link  // its zero value: none
}

// logoutPage is GET and POST /logout: button confirm-logout.
type logoutPage struct {
	page.Frame
	Account string        // mail address of who is signed in; empty: nobody
	Client  *asker        // who asks for the logout; nil: the user
	Hidden  []page.Hidden // what the form carries on
}

// signedOutPage follows a logout. The frame's Frames hold the front-channel logout addresses of the apps that were signed in to, with
// iss and sid (OpenID Connect Front-Channel Logout section 2); they load hidden.
type signedOutPage struct {
	page.Frame
	Next page.Link // back to the app that asked; its zero value: none
}

// setupPage is GET and POST of the setup link: the first admin. Fields name, email, password, button create-admin.
type setupPage struct {
	page.Frame
	Action      string // path to post to
	Token       secret.Secret
	Name, Email string
	Errors      errs
}

// Steps say what follows.
func (setupPage) Steps() page.Steps { return page.SetupSteps(0) }

// Fields are the page's fields.
func (p setupPage) Fields() []page.Field {
	return []page.Field{
		{ID: "name", Label: "Your name", Value: p.Name, Complete: "name", Max: 100, Optional: true, Error: p.Errors["name"], Focus: len(p.Errors) == 0},
		mailField(p.Email, p.Errors, "You sign in with it."),
		newPassword(p.Errors),
	}
}
