package account

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/browser"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

const (
	mostTokens = 200 // on the page: whoever has more revokes some
	soon       = 7 * 24 * time.Hour
)

// showTokens is GET /account/tokens.
func (p *rooms) showTokens(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	found, err := p.Accounts.Tokens(r.Context(), manage.Self(visit.User), "", manage.List{Limit: mostTokens})
	if err != nil {
		return err
	}
	leaks, err := p.Accounts.MyLeaks(r.Context(), manage.Self(visit.User))
	if err != nil {
		return err
	}
	catalog, err := p.Verifier.Catalog(r.Context())
	if err != nil {
		return err
	}
	view := tokensPage{room: p.room(r, visit, "/account/tokens", "Personal tokens")}
	gone := r.URL.Query().Get("token")
	for i := range found.Items {
		t := &found.Items[i]
		line := tokenOf(t, catalog, p.Now())
		if at := slices.IndexFunc(leaks, func(l lanyard.Leak) bool { return l.KeyID == t.ID }); at >= 0 {
			line.found(&leaks[at], p.Now())
		}
		view.Tokens = append(view.Tokens, line)
		if r.URL.Query().Get("done") == "revoked" && t.ID == gone && t.RevokedAt != nil {
			view.Done = &page.Alert{Tone: "good", Title: "The token " + t.Name + " is revoked.", Text: "No copy of it works any more."}
		}
	}
	return p.set.Render(w, r, http.StatusOK, "tokens", view)
}

// tokenOf is a line of the page.
func tokenOf(t *lanyard.PersonalToken, catalog *verify.CatalogView, now time.Time) token {
	made := token{ID: t.ID, Name: t.Name, May: strings.Join(reachOf(t.Scopes, catalog).may, ", "), Last: "never"}
	if made.May == "" {
		made.May = "say who you are, and nothing else"
	}
	if t.LastUsed != nil {
		made.Last = page.Ago(now, t.LastUsed.At)
	}
	switch {
	case t.RevokedAt != nil:
		made.Gone, made.Ends = "revoked", page.Ago(now, *t.RevokedAt)
		if strings.HasPrefix(t.RevokeReason, "leak") {
			made.Gone = "leaked"
		}
	case t.Status != string(policy.Valid):
		made.Gone, made.Ends = t.Status, page.Ago(now, t.ExpiresAt)
	default:
		made.Ends, made.Soon = page.Ahead(now, t.ExpiresAt), t.ExpiresAt.Sub(now) <= soon
	}
	return made
}

// found says of a line's token where it was found in the open, and until when it works if it has notice.
func (t *token) found(l *lanyard.Leak, now time.Time) {
	t.Leak = "found " + page.Ago(now, l.FoundAt)
	if l.Place != "" {
		t.Leak += ": " + l.Place
	}
	if t.Gone == "" {
		t.Found = true
		if l.DueAt != nil && l.DueAt.After(now) {
			t.Ends, t.Soon = page.Ahead(now, *l.DueAt), true
		}
	}
}

// revokeToken is POST /account/tokens/{id}/revoke.
func (p *rooms) revokeToken(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	rev, err := p.Accounts.RevokeToken(r.Context(), manage.Self(visit.User), r.PathValue("id"), "")
	if err != nil {
		return err
	}
	if p.Accounts.Wait != nil {
		if _, err := p.Accounts.Wait(r.Context(), rev, waitEverywhere); err != nil {
			p.Page.Log.WarnContext(r.Context(), "cannot tell whether every node knows of a revocation", "token", r.PathValue("id"), "error", err)
		}
	}
	return page.Redirect(w, r, "/account/tokens?"+url.Values{"done": {"revoked"}, "token": {r.PathValue("id")}}.Encode())
}

// showNewToken is GET /account/tokens/new.
func (p *rooms) showNewToken(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	return p.newToken(w, r, visit, http.StatusOK, newTokenPage{Days: 30})
}

// newToken shows the form, with a box for each scope that the user may put into a token now.
func (p *rooms) newToken(w http.ResponseWriter, r *http.Request, visit *browser.Visit, status int, view newTokenPage) error {
	boxes, err := p.boxes(r, visit)
	if err != nil {
		return err
	}
	for i := range boxes {
		boxes[i].Ticked = slices.Contains(r.PostForm["scope"], boxes[i].Value)
	}
	view.room, view.Boxes = p.room(r, visit, "/account/tokens", "Make a personal token"), boxes
	return p.set.Render(w, r, status, "new-token", view)
}

// boxes are the scopes that a person may grant as things are; manage.CreateToken decides.
func (p *rooms) boxes(r *http.Request, visit *browser.Visit) ([]page.Box, error) {
	standing, err := p.Browser.Users.UserForDecision(r.Context(), visit.User.ID)
	if err != nil {
		return nil, err
	}
	catalog, err := p.Verifier.Catalog(r.Context())
	if err != nil {
		return nil, err
	}
	actor := manage.Person(visit.User)
	rights := policy.Rights{Person: true, Server: standing.Admin, Admin: standing.Admin, Owner: len(standing.Owns) > 0}
	var out []page.Box
	for _, api := range catalog.All() {
		ours := api.Policy == catalog.Management()
		for _, s := range api.Policy.Scopes.All() {
			if !api.Policy.Scopes.CoversFor([]string{s.Name}, s.Name, rights) || ours && !api.Policy.Scopes.Covers(actor.Scopes, s.Name, standing.Admin) {
				continue
			}
			box := page.ScopeBox(s.Name, s.Text)
			box.Note = titleOf(api)
			out = append(out, box)
		}
	}
	return out, nil
}

// makeToken is POST /account/tokens. Its answer is the one that holds the secret, and it is stored nowhere.
func (p *rooms) makeToken(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	form := r.PostForm
	days, err := strconv.Atoi(form.Get("days"))
	view := newTokenPage{Name: form.Get("name"), Days: days, Networks: form.Get("ip_allow")}
	switch {
	case err != nil || !slices.Contains([]int{7, 30, 90, 365}, days):
		view.Errors = page.Errs{"days": "Choose how long it works."}
	case len(form["scope"]) == 0:
		view.Errors = page.Errs{"scope": "Tick what it may do: without anything it is of no use."}
	}
	if view.Errors != nil {
		return p.newToken(w, r, visit, http.StatusBadRequest, view)
	}
	ends := p.Now().UTC().Truncate(time.Microsecond).Add(time.Duration(days) * 24 * time.Hour)
	made, err := p.Accounts.CreateToken(r.Context(), manage.Person(visit.User), lanyard.PersonalTokenInput{
		Name: view.Name, Scopes: form["scope"], ExpiresAt: &ends, IPAllow: networks(view.Networks),
	})
	if err != nil {
		status := http.StatusBadRequest
		if fault.Is(err, fault.NotGrantable) {
			status = http.StatusForbidden
		}
		if view.Errors, err = page.Beside(err, map[string]string{"name": "name", "expires_at": "days", "ip_allow": "ip_allow", "scopes": "scope"}); err != nil {
			return err
		}
		return p.newToken(w, r, visit, status, view)
	}
	catalog, err := p.Verifier.Catalog(r.Context())
	if err != nil {
		// The secret exists and cannot be shown again: it is shown with fewer words.
		p.Page.Log.WarnContext(r.Context(), "a token is shown without what it may do", "token", made.ID, "error", err)
	}
	return p.showSecret(w, r, visit, &made, catalog)
}

// networks reads what was typed: addresses or blocks, one a line.
func networks(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' || r <= ' ' })
}

func (p *rooms) showSecret(w http.ResponseWriter, r *http.Request, visit *browser.Visit, made *lanyard.NewPersonalToken, catalog *verify.CatalogView) error {
	now := p.Now()
	view := newSecretPage{room: p.room(r, visit, "/account/tokens", "Here is your token")}
	var can reach
	if catalog != nil {
		can = reachOf(made.Scopes, catalog)
	}
	view.Secret = page.Secret{ID: "secret", Label: "Your personal token", Value: secret.Of(made.Secret), Env: variable(made.Scopes, catalog)}
	card := advice.Card{Kind: advice.Personal, Now: now, Expires: made.ExpiresAt, Networks: made.IPAllow}
	worth := advice.IfStolen(card)
	left := made.ExpiresAt.Sub(now)
	view.Pass = page.Pass{
		Badge: true, Kind: "Your own badge · personal token", Name: made.Name, ID: made.ID, May: can.may, MayNot: can.mayNot,
		Facts:  []page.Fact{{Term: "Who is it?", Text: view.User.Called()}, {Term: "Ends", Text: page.Ahead(now, made.ExpiresAt)}},
		Stolen: strings.TrimPrefix(worth.Text, "If stolen: "), Bad: worth.Bad,
		Ring: page.NewRing(strconv.FormatInt(int64(left.Round(time.Hour)/(24*time.Hour)), 10)+" d", page.Roughly(left)+" left", 1),
	}
	if mend := advice.Shorten(card); mend != "" {
		view.Pass.Mend = page.Link{Text: mend, URL: "/account/tokens/new"}
	}
	return p.set.Render(w, r, http.StatusOK, "new-secret", view)
}

// variable is a name for the line in .env: that of the one API the token is for.
func variable(scopes []string, catalog *verify.CatalogView) string {
	name := ""
	for _, scope := range scopes {
		if catalog == nil {
			break
		}
		api := catalog.ByScope(scope)
		if api == nil || name != "" && name != api.Policy.Name {
			name = ""
			break
		}
		name = api.Policy.Name
	}
	if name == "" {
		return "PERSONAL_TOKEN"
	}
	return strings.ToUpper(strings.ReplaceAll(name, "-", "_")) + "_TOKEN"
}
