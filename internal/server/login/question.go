package login

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/browser"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/policy"
)

// question is what an app asks of a user, at consent and where a device is let in. It is read anew for the answer: a form says
// what its sender likes, and roles change.
type question struct {
	app    *app.App
	api    *catalog.Compiled // nil: nothing but who the user is
	asked  []string          // what of it the user may grant: no box is shown that would give nothing
	before *grant.Grant      // what they said before; nil: nothing
}

func (p *rooms) question(r *http.Request, visit *browser.Visit, a *app.App, issue grant.Issue) (*question, error) {
	view, err := p.Verifier.Catalog(r.Context())
	if err != nil {
		return nil, err
	}
	q := &question{app: a, api: view.ByName(issue.API)}
	if q.asked, err = p.Verifier.Grantable(r.Context(), visit.User.ID, a, issue.Scopes); err != nil {
		return nil, err
	}
	q.before, err = p.held(r, visit, a)
	return q, err
}

// scopes are those of the API; nil, which gives nothing, without one.
func (q *question) scopes() *policy.Scopes {
	if q.api == nil {
		return nil
	}
	return q.api.Policy.Scopes
}

// fixed reports whether a scope goes with every yes: the app is of no use without it, or without what gives it.
func (q *question) fixed(scope string) bool {
	needed := slices.DeleteFunc(slices.Clone(q.asked), func(s string) bool { return !slices.Contains(q.app.OAuth.RequiredScopes, s) })
	return scope == "openid" || slices.Contains(needed, scope) || q.scopes().Covers(needed, scope, true)
}

// unseen are scopes that no box is shown for: they tell nothing.
func unseen(scope string) bool {
	return scope == "offline_access" || scope == "address" || scope == "phone"
}

// answer is what the ticked boxes say: what is allowed, in the order asked, and what is refused. What would give something that
// was left unticked is refused with it, so that nothing unticked ever counts. Nothing is allowed where nothing was chosen.
func (q *question) answer(boxes []string) (yes, no []string) {
	for _, scope := range q.asked {
		if slices.Contains(boxes, scope) || q.fixed(scope) || unseen(scope) {
			yes = append(yes, scope)
		} else {
			no = append(no, scope)
		}
	}
	yes = grant.Without(yes, q.scopes().Giving(no))
	if !slices.ContainsFunc(yes, func(scope string) bool { return !unseen(scope) }) {
		yes = nil
	}
	return yes, grant.Without(q.asked, yes)
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

// allowance puts a question into words.
func (p *rooms) allowance(r *http.Request, visit *browser.Visit, q *question) (allowance, error) {
	made := allowance{
		Account: visit.User.Email, Renews: q.app.MayUse(app.RefreshToken), Document: q.app.Document, Changed: q.before != nil && q.before.Document != q.app.Document,
	}
	var err error
	if made.Client, err = p.askerOf(r.Context(), q.app); err != nil {
		return made, err
	}
	for _, scope := range q.asked {
		if text := openIDText(scope); text != "" {
			made.Boxes = append(made.Boxes, q.ask(&policy.Scope{Name: scope, Text: text}).box())
		}
	}
	life := time.Hour
	if q.api != nil {
		made.API = q.api.Policy.Name
		if q.api.Spec.Title != "" {
			made.API = q.api.Spec.Title
		}
		life = lifeOf(q.api)
		made.Boxes = append(made.Boxes, q.boxes()...)
		for _, s := range q.scopes().All() {
			if !q.scopes().Covers(q.asked, s.Name, true) {
				made.MayNot = append(made.MayNot, s.Text)
			}
		}
	}
	made.Lasts = span(life)
	if made.Renews {
		made.Expires = "a year"
	}
	return made, nil
}

// boxes are those of the API's scopes. One that gives what starts unticked starts unticked itself: left as they are, the boxes
// say what they show.
func (q *question) boxes() []page.Box {
	var made []page.Box
	var off []string
	for _, s := range q.scopes().All() {
		if slices.Contains(q.asked, s.Name) {
			box := q.ask(s).box()
			made = append(made, box)
			if !box.Ticked {
				off = append(off, s.Name)
			}
		}
	}
	for i := range made {
		made[i].Ticked = made[i].Fixed || made[i].Ticked && !slices.Contains(q.scopes().Giving(off), made[i].Value)
	}
	return made
}

// ask is a scope with what was said to it before, and what goes with it.
func (q *question) ask(s *policy.Scope) ask {
	made := ask{Name: s.Name, Text: s.Text, Writes: s.Writes, Required: q.fixed(s.Name)}
	if q.before != nil {
		made.Held = slices.Contains(q.before.Scopes, s.Name) || q.scopes().Covers(q.before.Scopes, s.Name, true)
		made.Refused = slices.Contains(q.before.Refused, s.Name)
	}
	for _, name := range q.scopes().Included(s.Name) {
		switch text := q.scopes().Get(name).Text; {
		case !slices.Contains(q.asked, name):
			made.With = append(made.With, text)
		case !q.fixed(name):
			made.Needs = append(made.Needs, text)
		}
	}
	return made
}

// lifeOf is how long one access token for an API lasts.
func lifeOf(api *catalog.Compiled) time.Duration {
	life := time.Hour
	if api.Spec.Token == nil || api.Spec.Token.Format != "opaque" {
		life = 15 * time.Minute
	}
	if api.Spec.Token != nil {
		if d, err := time.ParseDuration(api.Spec.Token.Lifetime); err == nil && d > 0 {
			life = d
		}
	}
	return life
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

// quoted lists texts between quotation marks.
func quoted(texts []string) string { return "“" + strings.Join(texts, "”, “") + "”" }
