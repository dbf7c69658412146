package account

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/user"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// openIDText is what one of OpenID Connect's scopes lets an app do, or "".
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

// reach is what scopes let do, in words.
type reach struct {
	apis        []string // titles
	may, mayNot []string
	life        time.Duration // the longest that a token under them lives; 0: they are for no API
	alone       time.Duration // of tokens that others check by their signature alone; 0: there are none
}

const (
	jwtLife    = 15 * time.Minute // DESIGN section 8
	opaqueLife = time.Hour
	maxNots    = 6 // what may NOT be done, before it is summed up
)

// reachOf reads scopes by the catalog as it is now. One that no API declares any more lets do nothing and is left out.
func reachOf(scopes []string, view *verify.CatalogView) reach {
	var out reach
	var apis []*catalog.Compiled
	for _, name := range scopes {
		if text := openIDText(name); text != "" {
			out.may = append(out.may, text)
		}
		api := view.ByScope(name)
		if api == nil {
			continue
		}
		out.may = append(out.may, api.Policy.Scopes.Get(name).Text)
		if !slices.Contains(apis, api) {
			apis = append(apis, api)
		}
	}
	for _, api := range apis {
		out.apis = append(out.apis, titleOf(api))
		for _, s := range api.Policy.Scopes.All() {
			if !api.Policy.Scopes.Covers(scopes, s.Name, true) {
				out.mayNot = append(out.mayNot, s.Text)
			}
		}
		life, jwt := tokenLife(api.Spec)
		out.life = max(out.life, life)
		if jwt {
			out.alone = max(out.alone, life)
		}
	}
	if more := len(out.mayNot) - maxNots; more > 1 {
		out.mayNot = append(out.mayNot[:maxNots:maxNots], fmt.Sprintf("do %d other things", more))
	}
	return out
}

func titleOf(api *catalog.Compiled) string {
	if api.Spec.Title != "" {
		return api.Spec.Title
	}
	return api.Policy.Name
}

// tokenLife is how long an API's access tokens live, and whether others can check them by themselves.
func tokenLife(api lanyard.API) (life time.Duration, jwt bool) {
	life, jwt = jwtLife, true
	if api.Token == nil {
		return life, jwt
	}
	if api.Token.Format == "opaque" {
		life, jwt = opaqueLife, false
	}
	if d, err := time.ParseDuration(api.Token.Lifetime); err == nil && d > 0 {
		life = d
	}
	return life, jwt
}

// badge shows what a user allowed an app.
func badge(a *manage.Allowed, view *verify.CatalogView, u *user.User, now time.Time) page.Pass {
	can := reachOf(a.Grant.Scopes, view)
	who := page.Person{Name: u.Name, Email: u.Email}.Called()
	made := page.Pass{
		Kind: strings.Join(append([]string{"Visitor badge"}, can.apis...), " · "), Name: a.App.Name, May: can.may, MayNot: can.mayNot,
		Facts: []page.Fact{{Term: "Who is it?", Text: who + ", through " + a.App.Name}},
	}
	if host := hostOf(a.App); host != "" {
		made.Facts = append(made.Facts, page.Fact{Term: "From", Text: host})
	}
	last := "never"
	if a.Grant.LastUsedAt != nil {
		last = page.Ago(now, *a.Grant.LastUsedAt)
	}
	since := a.Grant.CreatedAt
	made.Facts = append(made.Facts, page.Fact{Term: "Since", Text: since.Format("2 January 2006") + ", " + page.Ago(now, since)}, page.Fact{Term: "Last used", Text: last})
	life := can.life
	if life == 0 {
		life = opaqueLife // it opens the user's own data alone
	}
	worth := advice.IfStolen(advice.Card{Kind: advice.AccessToken, Now: now, Expires: now.Add(life), JWT: can.alone > 0})
	made.Stolen, made.Bad = strings.TrimPrefix(worth.Text, "If stolen: "), worth.Bad
	if a.Grant.LastUsedAt != nil {
		if left := a.Grant.LastUsedAt.Add(life).Sub(now); left > 0 {
			made.Ring = ring(left, life)
		}
	}
	return badgeOf(a.Grant.ID, made)
}

// ring is what is left of the token issued last.
func ring(left, life time.Duration) page.Ring {
	seconds := int64(left.Round(time.Second) / time.Second)
	text := fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
	if seconds >= 100*60 {
		text = fmt.Sprintf("%d h", seconds/3600)
	}
	return page.NewRing(text, page.CountOf(seconds/60, "minute")+" "+page.CountOf(seconds%60, "second")+" left of its token", float64(left)/float64(life))
}

// hostOf is where an app is at home: the address it is known by, its home page, or where logins lead.
func hostOf(a lanyard.App) string {
	for _, address := range append([]string{a.ClientID, a.HomepageURL}, a.RedirectURIs...) {
		u, err := url.Parse(address)
		if err == nil && u.Host != "" {
			return u.Host
		}
	}
	return ""
}
