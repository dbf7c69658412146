package account

import (
	"net/http"
	"strconv"
	"time"

	"github.com/lanyard-auth/lanyard/internal/browser"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
)

const newest = 3 // badges on the overview

// overview is GET /account.
func (p *rooms) overview(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	ctx, actor, now := r.Context(), manage.Self(visit.User), p.Now()
	allowed, err := p.Accounts.MyGrants(ctx, actor)
	if err != nil {
		return err
	}
	catalog, err := p.Verifier.Catalog(ctx)
	if err != nil {
		return err
	}
	var badges []page.Pass
	var used []time.Time
	for i := range allowed {
		shown := badge(&allowed[i], catalog, visit.User, now)
		shown.Act = nil
		badges = append(badges, shown)
		last := time.Time{}
		if at := allowed[i].Grant.LastUsedAt; at != nil {
			last = *at
		}
		used = append(used, last)
	}
	view := overviewPage{room: p.room(r, visit, "/account", "Your account"), Apps: lastUsed(badges, used, newest), AppCount: len(allowed)}
	tokens, err := p.Accounts.Tokens(ctx, actor, "", manage.List{Limit: mostTokens})
	if err != nil {
		return err
	}
	working, first := 0, time.Time{}
	for _, t := range tokens.Items {
		if t.Status != "valid" {
			continue
		}
		working++
		if first.IsZero() || t.ExpiresAt.Before(first) {
			first = t.ExpiresAt
		}
	}
	text := "none"
	if working > 0 {
		text = strconv.Itoa(working) + ", the next ends " + page.Ahead(now, first)
	}
	sessions, err := p.Accounts.MySessions(ctx, actor)
	if err != nil {
		return err
	}
	view.Rows = []summary{
		{"Personal tokens", text, "/account/tokens"},
		{"Sessions", "signed in in " + page.CountOf(int64(len(sessions)), "browser") + ", this one included", "/account/sessions"},
		{"Password", "change it here", "/account/password"},
		{"Profile", visit.User.Email, "/account/profile"},
	}
	return p.set.Render(w, r, http.StatusOK, "overview", view)
}
