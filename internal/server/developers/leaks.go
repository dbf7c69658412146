package developers

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/leak"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
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
	Outcome                 page.Cell
	Did                     string // what the report led to
	Stolen                  string // what a thief could do; empty: the key is gone
	Since                   string // whether it was used since
	Act                     page.Link
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
	made := foundKey{Name: l.Name, Hint: l.KeyID, Place: l.Place, When: page.Ago(p.Now(), l.FoundAt)}
	if l.Version > 1 {
		made.Hint += ", secret " + strconv.Itoa(l.Version)
	}
	switch leak.Outcome(l.Outcome) {
	case leak.Revoked:
		made.Outcome, made.Did = page.Cell{Text: "ended", Pill: "good"}, "The report ended it at once. Whatever needs it wants a new key."
	case leak.Told:
		made.Outcome, made.Did = page.Cell{Text: "works on", Pill: "warn"}, "It may be seen, so it works on. If it was not meant to be there, rotate or revoke it."
	case leak.DeadByNow:
		made.Outcome, made.Did = page.Cell{Text: "was dead", Pill: "good"}, "It did not work any more when it was found."
	}
	k, err := p.Manage.Key(r.Context(), d.Actor, l.KeyID)
	switch {
	case fault.Is(err, fault.NotFound): // deleted since
		made.Since = "The key was deleted."
		return made, nil
	case err != nil:
		return foundKey{}, err
	}
	names, err := p.appNames(r, d, []lanyard.Key{k})
	if err != nil {
		return foundKey{}, err
	}
	if name := names[k.AppID]; name != "" {
		made.Name = name + " · " + made.Name
	}
	made.Stolen, made.Act = k.IfStolen, page.Link{Text: "See the key", URL: d.path("keys", k.ID)}
	switch {
	case k.LastUsed == nil:
		made.Since = "No use of it is counted."
	case k.LastUsed.At.After(l.FoundAt):
		made.Since = "It was used since then: " + lastUse(&k, p.Now()) + "."
	default:
		made.Since = "It was not used since then; the last time " + lastUse(&k, p.Now()) + "."
	}
	return made, nil
}
