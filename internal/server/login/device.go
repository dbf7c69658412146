package login

import (
	"net/http"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/browser"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// showDevice is GET /device. A code in the address is filled in, not taken: whoever follows a link still compares it with
// the screen (RFC 8628 section 5.4).
func (p *rooms) showDevice(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	code := r.URL.Query().Get("user_code")
	if !visit.SignedIn() {
		next := "/device"
		if canonical, ok := factor.CanonicalUserCode(code); ok {
			next += "?user_code=" + canonical
		}
		return p.toLogin(w, r, next)
	}
	return p.set.Render(w, r, http.StatusOK, "device", devicePage{Frame: p.frame(r, visit, "Let a device in"), Code: code})
}

func (p *rooms) toLogin(w http.ResponseWriter, r *http.Request, next string) error {
	http.Redirect(w, r, "/login?next="+escapeQuery(next), http.StatusSeeOther)
	return nil
}

// device is POST /device: a code was typed.
func (p *rooms) device(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	if !visit.SignedIn() {
		return p.toLogin(w, r, "/device")
	}
	typed := r.PostForm.Get("user_code")
	d, err := p.findDevice(r, visit, typed)
	if fault.Is(err, fault.NotFound) {
		view := devicePage{Frame: p.frame(r, visit, "Let a device in"), Code: typed, Error: "There is no device with this code waiting. Look at its screen again; a code lasts 10 minutes."}
		return p.set.Render(w, r, http.StatusNotFound, "device", view)
	}
	if err != nil {
		return err
	}
	a, err := p.appOf(r, d.App)
	if err != nil {
		return err
	}
	q, err := p.question(r, visit, a, d.Issue)
	if err != nil {
		return err
	}
	return p.askDevice(w, r, visit, q, http.StatusOK)
}

// askDevice shows what a device asks for, beside the code that was typed.
func (p *rooms) askDevice(w http.ResponseWriter, r *http.Request, visit *browser.Visit, q *question, status int) error {
	allows, err := p.allowance(r, visit, q)
	if err != nil {
		return err
	}
	allows.Changed = allows.Changed || status == http.StatusConflict
	canonical, _ := factor.CanonicalUserCode(r.PostForm.Get("user_code"))
	view := deviceApprovePage{Frame: p.frame(r, visit, "Let "+q.app.Name+" in?"), allowance: allows, Code: canonical}
	return p.set.Render(w, r, status, "device-approve", view)
}

// findDevice finds the device that waits with a code and binds it to this browser. Wrong codes are counted: there are not so
// many right ones (RFC 8628 section 5.1). Who has devices to let in types right ones, as many as they like.
func (p *rooms) findDevice(r *http.Request, visit *browser.Visit, typed string) (*grant.Device, error) {
	right, err := p.Gate.Guess("device", p.Kit.Client(r), string(visit.User.ID))
	if err != nil {
		return nil, err
	}
	canonical, ok := factor.CanonicalUserCode(typed)
	if !ok {
		return nil, fault.New(fault.NotFound, "no such code")
	}
	d, err := p.Devices.DeviceByCode(r.Context(), p.Lookups(factor.UserCodeText(canonical)), visit.Browser, p.Now())
	if !fault.Is(err, fault.NotFound) {
		right() // or nobody knows: a database that does not answer tells nothing
	}
	return d, err
}

// answerDevice is POST /device/approve: yes or no, from the browser that saw the code. As at consent, a yes to another document
// of the app is none.
func (p *rooms) answerDevice(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	if !visit.SignedIn() {
		return p.toLogin(w, r, "/device")
	}
	d, err := p.findDevice(r, visit, r.PostForm.Get("user_code"))
	if err != nil {
		return err
	}
	a, err := p.appOf(r, d.App)
	if err != nil {
		return err
	}
	q, err := p.question(r, visit, a, d.Issue)
	if err != nil {
		return err
	}
	approve := r.PostForm.Get("decision") == "approve"
	if approve && r.PostForm.Get("document") != a.Document {
		return p.askDevice(w, r, visit, q, http.StatusConflict)
	}
	yes, no := q.answer(r.PostForm["scope"])
	now := p.Now().UTC().Truncate(time.Microsecond)
	answer := grant.Answer{State: grant.DeviceDenied, User: visit.User.ID, Session: visit.Session.Alias}
	actor := audit.Actor{Label: string(visit.User.ID), User: visit.User.ID}
	action := "device.deny"
	if approve && len(yes) > 0 {
		grantID := id.New[id.Grant]()
		issue := d.Issue
		issue.Scopes, issue.AuthTime, issue.ACR, issue.AMR = yes, visit.Session.AuthAt.Unix(), visit.Session.ACR, visit.Session.AMR
		answer.State, answer.Issue, action = grant.DeviceApproved, issue, "device.approve"
		answer.Grant = &grant.Grant{
			ID: grantID, User: visit.User.ID, App: a.ID, Team: a.Team, Scopes: yes, Refused: no, Unticked: q.scopes().Giving(no), Document: a.Document, CreatedAt: now, UpdatedAt: now,
		}
	}
	won, err := p.Devices.AnswerDevice(r.Context(), d.ID, visit.Browser, answer, now, actor.New(now, action, string(d.ID), a.Team, map[string]string{"app": string(a.ID)}))
	if err != nil {
		return err
	}
	if !won {
		return errOver()
	}
	view := donePage{Frame: p.frame(r, visit, "Your device is let in"), Tone: "good", Text: "Go back to it: " + a.Name + " goes on by itself in a few seconds."}
	if answer.State == grant.DeviceDenied {
		view = donePage{Frame: p.frame(r, visit, "Your device was not let in"), Tone: "bad", Text: "It got nothing. You can close this page."}
	}
	return p.set.Render(w, r, http.StatusOK, "done", view)
}
