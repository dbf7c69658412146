package developers

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/leak"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// leaksPage is GET /developers/{team}/leaks: keys that were found where they do not belong.
type leaksPage struct {
	page.Room
	Found []foundKey
	Pager page.Pager
	None  page.Empty
}

// foundKey is one of them: what was found where, what was done, what a thief could do with it and did.
type foundKey struct {
	Name, Hint, Place, When string
	By                      string // who found it; empty: somebody
	Outcome                 page.Cell
	Did                     string // what the report led to
	Stolen                  string // what a thief could do; empty: the key is gone
	Since                   string // whether it was used since
	Uses                    page.Table
	Act                     page.Link
	Asks                    []page.Ask
}

// showLeaks is GET /developers/{team}/leaks.
func (p *rooms) showLeaks(w http.ResponseWriter, r *http.Request, d *desk) error {
	query := r.URL.Query()
	found, err := p.Manage.Leaks(r.Context(), d.Actor, d.Team.ID, manage.List{Limit: 20, Cursor: query.Get("cursor")})
	if err != nil {
		return err
	}
	view := leaksPage{
		Room: p.room(r, d, "leaks", "Leaks"),
		None: page.Empty{
			Title: "No key was found in the open", Text: "When somebody reports one of your keys, it stands here with where it was. Whoever finds one can end it, without an account:",
			Command: "curl --data-binary @found.txt -H Content-Type:text/plain " + p.Manage.PublicURL + "/v1/leaks/report",
		},
	}
	for i := range found.Items {
		one, err := p.foundKey(r, d, &found.Items[i])
		if err != nil {
			return err
		}
		view.Found = append(view.Found, one)
	}
	if query.Get("cursor") != "" {
		view.Pager.First = d.path("leaks")
	}
	if found.NextCursor != "" {
		view.Pager.Next = d.path("leaks") + "?" + url.Values{"cursor": {found.NextCursor}}.Encode()
	}
	return p.set.Render(w, r, http.StatusOK, "leaks", view)
}

// foundKey puts a leak into words.
func (p *rooms) foundKey(r *http.Request, d *desk, l *lanyard.Leak) (foundKey, error) {
	made := foundKey{Name: l.Name, Hint: l.KeyID, Place: l.Place, When: page.Ago(p.Now(), l.FoundAt), By: finderOf(l.Source)}
	if l.Version > 1 {
		made.Hint += ", secret " + strconv.Itoa(l.Version)
	}
	k, err := p.Manage.Key(r.Context(), d.Actor, l.KeyID)
	gone := fault.Is(err, fault.NotFound)
	if err != nil && !gone {
		return foundKey{}, err
	}
	ended := gone || secretEnded(&k, l.Version, p.Now())
	made.Outcome, made.Did = outcomeOf(l, ended, p.Now())
	if gone { // deleted since
		made.Since = "The key was deleted."
		return made, nil
	}
	names, err := p.appNames(r, d, []lanyard.Key{k})
	if err != nil {
		return foundKey{}, err
	}
	if name := names[k.AppID]; name != "" {
		made.Name = name + " · " + made.Name
	}
	made.Stolen, made.Act = k.IfStolen, page.Link{Text: "See the key", URL: d.path("keys", k.ID)}
	if k.Kind == string(secret.Client) {
		made.Act = page.Link{Text: "See the client", URL: d.path("clients", k.AppID)}
	} else if !ended && leak.Outcome(l.Outcome) != leak.Revoked {
		made.Asks = p.leakActs(&k, l, d.path("keys", k.ID))
	}
	if made.Uses, err = p.usesSince(r, d, l); err != nil {
		return foundKey{}, err
	}
	switch {
	case len(made.Uses.Rows) > 0:
		made.Since = "Since then there were calls with it."
		if len(k.Versions) > 1 {
			made.Since = "Since then there were calls with the key; those of all its secrets are counted together."
		}
		if k.LastUsed != nil && k.LastUsed.At.After(l.FoundAt) {
			made.Since += " The last that was let in: " + lastUse(&k, p.Now()) + "."
		}
	case k.LastUsed == nil:
		made.Since = "No use of it is counted."
	case k.LastUsed.At.After(l.FoundAt):
		made.Since = "It was used since then: " + lastUse(&k, p.Now()) + "."
	default:
		made.Since = "It was not used since then; the last time " + lastUse(&k, p.Now()) + "."
	}
	return made, nil
}

// finderOf is who found something, by the source of its report.
func finderOf(source string) string {
	switch leak.Source(source).Way() {
	case leak.GitHub:
		return "GitHub"
	case leak.GitLab, leak.SelfManaged:
		return "GitLab"
	case leak.Public:
	}
	return ""
}

// outcomeOf says what the report led to.
func outcomeOf(l *lanyard.Leak, ended bool, now time.Time) (page.Cell, string) {
	switch outcome := leak.Outcome(l.Outcome); {
	case outcome == leak.Revoked && l.DueAt != nil:
		return page.Cell{Text: "ended", Pill: "good"}, "It was ended " + page.Ago(now, *l.DueAt) + ", when the time that you were told of had come."
	case outcome == leak.Revoked:
		return page.Cell{Text: "ended", Pill: "good"}, "The report ended it at once. Whatever needs it wants a new key."
	case outcome == leak.Mended || outcome == leak.Waiting && ended:
		return page.Cell{Text: "ended", Pill: "good"}, "It had ended before its time came."
	case outcome == leak.Waiting && l.DueAt != nil:
		return page.Cell{Text: "ends " + page.Ahead(now, *l.DueAt), Pill: "bad"}, "It works until " + moment(*l.DueAt) + ", also for whoever found it; then it ends. Rotate it, put the new secret in place and end this one, the sooner the better."
	case outcome == leak.Told && ended:
		return page.Cell{Text: "ended", Pill: "good"}, "It worked on when it was found, and has ended since."
	case outcome == leak.Told && l.Kind != string(secret.Publishable):
		return page.Cell{Text: "works on", Pill: "bad"}, "It works on, also for whoever found it. Rotate or revoke it."
	case outcome == leak.Told:
		return page.Cell{Text: "works on", Pill: "warn"}, "It may be seen, so it works on. If it was not meant to be there, rotate or revoke it."
	}
	return page.Cell{Text: "was dead", Pill: "good"}, "It did not work any more when it was found."
}

// secretEnded reports whether one secret of a key works no more and never will.
func secretEnded(k *lanyard.Key, version int, now time.Time) bool {
	if k.RevokedAt != nil || k.ExpiresAt != nil && !k.ExpiresAt.After(now) {
		return true
	}
	for _, v := range k.Versions {
		if v.Version == version {
			return v.RevokedAt != nil || v.OverlapUntil != nil && !v.OverlapUntil.After(now)
		}
	}
	return true
}

// leakActs are what the team can do now about a secret that works on.
func (p *rooms) leakActs(k *lanyard.Key, l *lanyard.Leak, here string) []page.Ask {
	revoke := page.Ask{
		ID: "revoke-" + l.ID, Text: "Revoke now", Warn: "Every call with it is refused from then on, everywhere, within a second. There is no way back: whoever uses it needs another key.",
		Act: page.Act{URL: here + "/revoke", Text: "Revoke the key", Danger: true, Hidden: []page.Hidden{{Name: "reason", Value: "found in the open"}}},
	}
	if k.Version != l.Version { // it was rotated away, and has its overlap
		revoke.Text, revoke.Act.Text = "End it now", "End the old secret"
		revoke.Warn = "Every call with the old secret is refused from then on. The new one goes on working."
		revoke.Act.Hidden = append(revoke.Act.Hidden, page.Hidden{Name: "version", Value: strconv.Itoa(l.Version)})
		return []page.Ask{revoke}
	}
	if k.DisabledAt != nil {
		return []page.Ask{revoke}
	}
	overlap, works := 24*time.Hour, "a day"
	if l.DueAt != nil {
		overlap, works = max(l.DueAt.Sub(p.Now()).Truncate(time.Second), 0), "until then"
	}
	return []page.Ask{{
		ID: "rotate-" + l.ID, Text: "Rotate", Warn: "You get a new secret under the same id. The one that was found works on " + works + ", so that you can replace it without an outage; end it here as soon as nothing uses it.",
		Act: page.Act{URL: here + "/rotate", Text: "Make a new secret", Hidden: []page.Hidden{{Name: "once", Value: p.Browser.Mark()}, {Name: "overlap", Value: strconv.FormatInt(int64(overlap/time.Second), 10)}}},
	}, revoke}
}

// minutesBack is how far back uses are counted by the minute; before that by the hour.
const minutesBack = 7 * 24 * time.Hour

// mostUses is how many lines of uses are shown of one leak.
const mostUses = 8

// usesSince lists what was called with a key since it was found, and what came of it, the most calls first.
func (p *rooms) usesSince(r *http.Request, d *desk, l *lanyard.Leak) (page.Table, error) {
	made := page.Table{Caption: "Calls since it was found", Heads: []page.Head{{Text: "Operation"}, {Text: "Outcome"}, {Text: "Calls", Number: true}}}
	now, grain := p.Now(), usage.Minute
	if !l.FoundAt.Before(now) {
		return made, nil
	}
	if now.Sub(l.FoundAt) > minutesBack {
		grain = usage.Hour
	}
	rows, err := p.Manage.RankUsage(r.Context(), d.Actor, manage.UsageQuery{
		From: l.FoundAt, To: now, Granularity: string(grain), GroupBy: []string{"api", "operation", "outcome"}, Filter: map[string][]string{"key": {l.KeyID}},
	}, manage.Ranking{Limit: mostUses})
	if err != nil {
		return made, err
	}
	for _, row := range rows {
		what := strings.TrimSpace(row.API + " " + row.Operation)
		if what == "" {
			what = "nothing that is known"
		}
		outcome := page.Cell{Text: "let in", Pill: "warn"}
		if row.Outcome != usage.Accepted {
			outcome = page.Cell{Text: "refused", Pill: "good", Note: strings.ReplaceAll(row.Outcome, "_", " ")}
		}
		made.Rows = append(made.Rows, page.Row{Cells: []page.Cell{{Text: what}, outcome, {Text: page.Count(row.Count)}}})
	}
	return made, nil
}
