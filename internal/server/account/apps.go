package account

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/browser"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// showApps is GET /account/apps: every badge handed out.
func (p *rooms) showApps(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	view := appsPage{room: p.room(r, visit, "/account/apps", "Apps with access")}
	allowed, err := p.Accounts.MyGrants(r.Context(), manage.Self(visit.User))
	if err != nil {
		return err
	}
	catalog, err := p.Verifier.Catalog(r.Context())
	if err != nil {
		return err
	}
	for i := range allowed {
		view.Badges = append(view.Badges, badge(&allowed[i], catalog, visit.User, p.Now()))
	}
	if r.URL.Query().Get("done") == "taken-back" {
		if view.Taken, err = p.taken(r.Context(), r.URL.Query(), visit, catalog); err != nil {
			return err
		}
	}
	return p.set.Render(w, r, http.StatusOK, "apps", view)
}

const (
	waitEverywhere = time.Second
	maxShown       = 10 * time.Second // no act takes longer; a link that says so was made up
	fresh          = 5 * time.Minute  // how long the page says what was done
)

// takeBack is POST /account/apps/{id}/take-back. Once it answers, no node that is alive accepts a token under the grant, or
// the answer says that one has not confirmed it.
func (p *rooms) takeBack(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	began := p.Now()
	rev, err := p.Accounts.RevokeMyGrant(r.Context(), manage.Self(visit.User), r.PathValue("id"))
	if err != nil {
		return err
	}
	everywhere := false
	if p.Accounts.Wait != nil {
		if everywhere, err = p.Accounts.Wait(r.Context(), rev, waitEverywhere); err != nil {
			// It is taken back all the same: what failed is asking the other nodes.
			p.Page.Log.WarnContext(r.Context(), "cannot tell whether every node knows of a revocation", "grant", r.PathValue("id"), "error", err)
		}
	}
	told := url.Values{"done": {"taken-back"}, "app": {r.PathValue("id")}}
	if everywhere {
		told.Set("ms", strconv.FormatInt(max(p.Now().Sub(began).Milliseconds(), 1), 10))
	}
	return page.Redirect(w, r, "/account/apps?"+told.Encode())
}

// taken says of the badge that was just taken back how fast that was. Only the number comes from the address; whatever else
// is said was looked up, and of a grant that is not the user's or not just revoked nothing is said: the address may be a link
// that somebody made up.
func (p *rooms) taken(ctx context.Context, query url.Values, visit *browser.Visit, catalog *verify.CatalogView) (*taken, error) {
	grantID, err := id.Parse[id.Grant](query.Get("app"))
	if err != nil {
		return nil, nil //nolint:nilnil,nilerr // there is nothing to say
	}
	g, err := p.Grants.GrantForDecision(ctx, grantID)
	if fault.Is(err, fault.NotFound) {
		return nil, nil //nolint:nilnil // as above
	}
	if err != nil {
		return nil, err
	}
	now := p.Now()
	if g.User != visit.User.ID || g.RevokedAt.IsZero() || now.Sub(g.RevokedAt) > fresh {
		return nil, nil //nolint:nilnil // as above
	}
	a, err := p.Accounts.AppStore.App(ctx, audit.ServerReach(), g.App)
	if fault.Is(err, fault.NotFound) {
		return nil, nil //nolint:nilnil // as above
	}
	if err != nil {
		return nil, err
	}
	made := &taken{App: a.Name}
	if ms, err := strconv.ParseInt(query.Get("ms"), 10, 64); err == nil && ms >= 1 && ms <= maxShown.Milliseconds() {
		made.Milliseconds, made.Everywhere = ms, true
	}
	if left := alone(g.LastUsedAt, reachOf(g.Scopes, catalog).alone, now); left > 0 {
		made.Alone = int64((left + time.Minute - 1) / time.Minute)
	}
	return made, nil
}

// alone is how long who checks signatures alone still accepts the last token; life is that of such tokens, 0 for none.
func alone(issued time.Time, life time.Duration, now time.Time) time.Duration {
	if issued.IsZero() || life == 0 {
		return 0
	}
	return issued.Add(life).Sub(now)
}

// lastUsed returns the badges used last, at most n.
func lastUsed(badges []page.Pass, used []time.Time, n int) []page.Pass {
	order := make([]int, len(badges))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return used[b].Compare(used[a]) })
	var out []page.Pass
	for _, i := range order[:min(n, len(order))] {
		out = append(out, badges[i])
	}
	return out
}
