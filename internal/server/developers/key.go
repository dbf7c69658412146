package developers

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// keyPage is GET /developers/{team}/keys/{key}.
type keyPage struct {
	page.Room
	Back    page.Link // to the app
	Pass    page.Pass
	Chart   page.Chart
	First   firstCallPart // of a key that was never used
	Acts    []page.Ask
	Undo    *page.Act // of a rotation whose overlap lasts
	Edit    string    // where it is narrowed; empty: it works no more
	Overlap string    // "in 23 hours"; empty: one secret works
	Secrets page.Table
	Limits  page.Table

	Warnings []page.Warning
}

// secretPage follows what made a secret: it is shown here and never again.
type secretPage struct {
	page.Room
	Title  string
	Secret page.Secret
	Pass   page.Pass
	Calls  calls
	Try    string // where the call can be made from the page, with the secret as a field of the form
	First  firstCallPart
	Key    page.Link
	Note   string
}

// showKey is GET /developers/{team}/keys/{key}.
func (p *rooms) showKey(w http.ResponseWriter, r *http.Request, d *desk) error {
	k, err := p.key(r, d, r.PathValue("key"))
	if err != nil {
		return err
	}
	if k.Kind == string(secret.Client) { // it calls no API; it stands with its client
		http.Redirect(w, r, d.path("clients", k.AppID), http.StatusSeeOther)
		return nil
	}
	owner, err := p.app(r, d, k.AppID)
	if err != nil {
		return err
	}
	view, err := p.Verifier.Catalog(r.Context())
	if err != nil {
		return err
	}
	now := p.Now()
	here := d.path("keys", k.ID)
	made := keyPage{Room: p.room(r, d, "keys", k.Name+" · "+owner.Name), Back: page.Link{Text: owner.Name, URL: d.path("apps", owner.ID)}}
	if gone(&k) == "" {
		made.Edit = d.path("keys", k.ID, "edit")
	}
	made.Pass = card(&k, owner.Name, d.Team.Name, view, now, made.Edit)
	if made.First, err = p.firstCall(r, d, &k); err != nil {
		return err
	}
	if made.Chart, err = p.chart(r, d, spans[1], map[string][]string{"key": {k.ID}}); err != nil {
		return err
	}
	if old := overlap(&k); old != nil && old.OverlapUntil.After(now) {
		made.Overlap = page.Ahead(now, *old.OverlapUntil)
		made.Undo = &page.Act{ID: "undo", URL: here + "/undo", Text: "Undo the rotation"}
	}
	if made.Limits, err = p.limitTable(r, d, &k, &owner); err != nil {
		return err
	}
	if made.Warnings, err = p.warningsOfKey(r, d, k.ID, here); err != nil {
		return err
	}
	made.Acts, made.Secrets = p.keyActs(&k, here), secretsTable(&k, now)
	made.Done = doneToKey(&k, r.URL.Query(), now)
	return p.set.Render(w, r, http.StatusOK, "key", made)
}

// keyActs are what can be done to a key as it is.
func (p *rooms) keyActs(k *lanyard.Key, here string) []page.Ask {
	var acts []page.Ask
	switch {
	case k.RevokedAt != nil:
		return nil
	case k.DisabledAt != nil:
		acts = append(acts, page.Ask{ID: "enable", Text: "Enable", Warn: "It works again, at once, with everything it could do before.", Act: page.Act{URL: here + "/enable", Text: "Enable the key"}})
	default:
		acts = append(acts, page.Ask{
			ID: "rotate", Text: "Rotate", Warn: "You get a new secret under the same id. The old one works on for a while, so that you can replace it without an outage.",
			Fields: []page.Field{
				{ID: "overlap", Label: "The old secret works for", Type: "select", Options: []page.Option{
					{Value: "3600", Text: "one hour"}, {Value: "86400", Text: "a day", Chosen: true}, {Value: "604800", Text: "a week"}, {Value: "0", Text: "no longer: it is in the wrong hands"},
				}},
			},
			Act: page.Act{URL: here + "/rotate", Text: "Make a new secret", Hidden: []page.Hidden{{Name: "once", Value: p.Browser.Mark()}}},
		}, page.Ask{ID: "disable", Text: "Disable", Warn: "Every call with it is refused until you enable it again. Nothing else changes.", Act: page.Act{URL: here + "/disable", Text: "Disable the key"}})
	}
	return append(acts, page.Ask{
		ID: "revoke", Text: "Revoke", Warn: "Every call with it is refused from then on, everywhere, within a second. There is no way back: whoever uses it needs another key.",
		Fields: []page.Field{{ID: "reason", Label: "Why", Optional: true, Max: 200, Complete: "off", Hint: "For your team’s log: it was in a screenshot."}},
		Act:    page.Act{URL: here + "/revoke", Text: "Revoke the key", Danger: true},
	})
}

// secretsTable lists the secrets of a key that was rotated.
func secretsTable(k *lanyard.Key, now time.Time) page.Table {
	made := page.Table{Caption: "Secrets of this key", Heads: []page.Head{{Text: "Secret"}, {Text: "Made"}, {Text: "State"}}}
	if len(k.Versions) < 2 {
		return made
	}
	for _, v := range k.Versions {
		cell := page.Cell{Text: "works", Pill: "good"}
		switch {
		case v.RevokedAt != nil || k.RevokedAt != nil:
			cell = page.Cell{Text: "revoked", Pill: "plain"}
		case v.OverlapUntil != nil && !v.OverlapUntil.After(now):
			cell = page.Cell{Text: "rotated", Pill: "plain"}
		case v.OverlapUntil != nil:
			cell = page.Cell{Text: "ends " + page.Ahead(now, *v.OverlapUntil), Pill: "warn"}
		}
		made.Rows = append(made.Rows, page.Row{Cells: []page.Cell{{Text: "Version " + strconv.Itoa(v.Version)}, {Text: page.Ago(now, v.CreatedAt)}, cell}})
	}
	return made
}

// fresh is how long a page says what was done, and maxShown how long an act may have taken that it tells of: an address may be
// a link that somebody made up.
const (
	fresh          = 5 * time.Minute
	maxShown       = 10 * time.Second
	waitEverywhere = time.Second
)

// doneToKey says what was just done to a key. Only the number comes from the address; the rest is as the key is.
func doneToKey(k *lanyard.Key, query url.Values, now time.Time) *page.Alert {
	switch done := query.Get("done"); {
	case done == "revoked" && k.RevokedAt != nil && now.Sub(*k.RevokedAt) < fresh:
		made := &page.Alert{ID: "revoked", Tone: "good", Title: "The key is revoked.", Text: "Every server refuses it within a second."}
		if ms, err := strconv.ParseInt(query.Get("ms"), 10, 64); err == nil && ms >= 1 && ms <= maxShown.Milliseconds() {
			made.Text = "It was dead everywhere in " + page.CountOf(ms, "millisecond") + "."
		}
		return made
	case done == "disabled" && k.DisabledAt != nil:
		return &page.Alert{Tone: "warn", Title: "The key is disabled.", Text: "Every call with it is refused until you enable it."}
	case done == "enabled" && k.DisabledAt == nil && k.RevokedAt == nil:
		return &page.Alert{Tone: "good", Title: "The key works again."}
	case done == "undone" && overlap(k) == nil && k.RevokedAt == nil:
		return &page.Alert{Tone: "good", Title: "The rotation is undone.", Text: "The secret from before is the only one that works."}
	case done == "saved":
		return &page.Alert{Tone: "good", Title: "Saved."}
	}
	return nil
}

// act is a POST that does one thing to a key and goes back to it.
func (p *rooms) act(done string, do func(*http.Request, *desk, string) (id.Revision, error)) func(http.ResponseWriter, *http.Request, *desk) error {
	return func(w http.ResponseWriter, r *http.Request, d *desk) error {
		began := p.Now()
		k, err := p.key(r, d, r.PathValue("key"))
		if err != nil {
			return err
		}
		rev, err := do(r, d, k.ID)
		if err != nil {
			return err
		}
		told := url.Values{"done": {done}}
		if rev > 0 && p.Manage.Wait != nil {
			everywhere, err := p.Manage.Wait(r.Context(), rev, waitEverywhere)
			switch {
			case err != nil: // it is done all the same: what failed is asking the other nodes
				p.Page.Log.WarnContext(r.Context(), "cannot tell whether every node knows of a change", "key", k.ID, "error", err)
			case everywhere:
				told.Set("ms", strconv.FormatInt(max(p.Now().Sub(began).Milliseconds(), 1), 10))
			}
		}
		return page.Redirect(w, r, d.path("keys", k.ID)+"?"+told.Encode())
	}
}

func (p *rooms) revokeKey(r *http.Request, d *desk, keyID string) (id.Revision, error) {
	in := lanyard.RevokeInput{Reason: strings.TrimSpace(r.PostForm.Get("reason"))}
	if text := r.PostForm.Get("version"); text != "" { // one secret of it: the page of leaks says which
		var err error
		if in.Version, err = strconv.Atoi(text); err != nil || in.Version < 1 {
			return 0, fault.Field("version", "is no number of a secret")
		}
	}
	return p.Manage.RevokeKey(r.Context(), d.Actor, keyID, in)
}

func (p *rooms) disableKey(r *http.Request, d *desk, keyID string) (id.Revision, error) {
	return p.Manage.DisableKey(r.Context(), d.Actor, keyID)
}

func (p *rooms) enableKey(r *http.Request, d *desk, keyID string) (id.Revision, error) {
	return p.Manage.EnableKey(r.Context(), d.Actor, keyID)
}

func (p *rooms) undoRotation(r *http.Request, d *desk, keyID string) (id.Revision, error) {
	_, err := p.Manage.UndoRotation(r.Context(), d.Actor, keyID)
	return 0, err
}

// rotateKey is POST /developers/{team}/keys/{key}/rotate. Its answer is the one that holds the new secret.
func (p *rooms) rotateKey(w http.ResponseWriter, r *http.Request, d *desk) error {
	k, err := p.key(r, d, r.PathValue("key"))
	if err != nil {
		return err
	}
	owner, err := p.app(r, d, k.AppID)
	if err != nil {
		return err
	}
	overlap, err := strconv.ParseInt(r.PostForm.Get("overlap"), 10, 64)
	if err != nil {
		return fault.Field("overlap", "choose how long the old secret works")
	}
	if err := p.Browser.Once(r, d.Visit); err != nil {
		return p.sentBefore(w, r, d, err)
	}
	made, err := p.Manage.RotateKey(r.Context(), d.Actor, k.ID, lanyard.RotateInput{OverlapSeconds: &overlap})
	if err != nil {
		return err
	}
	if k, err = p.key(r, d, k.ID); err != nil {
		// The secret exists and cannot be shown again: it is shown with what was known before.
		p.Page.Log.WarnContext(r.Context(), "a new secret is shown without its key", "key", made.ID, "error", err)
	}
	return p.showSecret(w, r, d, &k, owner.Name, secret.Of(made.Secret), "Here is the new secret")
}

// showSecret shows what was made, once.
func (p *rooms) showSecret(w http.ResponseWriter, r *http.Request, d *desk, k *lanyard.Key, appName string, text secret.Secret, title string) error {
	made := secretPage{Room: p.room(r, d, "keys", title), Title: title, Try: d.path("try"), Key: page.Link{Text: "See the key", URL: d.path("keys", k.ID)}}
	made.Secret = page.Secret{ID: "secret", Label: "Your API key", Value: text}
	if v := overlap(k); v != nil {
		made.Note = "The old secret works on and ends " + page.Ahead(p.Now(), *v.OverlapUntil) + ". Until then you can undo this."
	}
	view, err := p.Verifier.Catalog(r.Context())
	if err != nil {
		p.Page.Log.WarnContext(r.Context(), "a key is shown without what it may do", "key", k.ID, "error", err)
	} else {
		made.Secret.Env = variable(k, view)
		made.Pass = card(k, appName, d.Team.Name, view, p.Now(), d.path("keys", k.ID, "edit"))
		made.Calls = firstCall(k, view, made.Secret.Env)
	}
	if made.First, err = p.firstCall(r, d, k); err != nil {
		p.Page.Log.WarnContext(r.Context(), "a key is shown without its calls", "key", k.ID, "error", err)
	}
	return p.set.Render(w, r, http.StatusOK, "secret", made)
}

// showKeys is GET /developers/{team}/keys.
func (p *rooms) showKeys(w http.ResponseWriter, r *http.Request, d *desk) error {
	query := r.URL.Query()
	l := page.NewList(d.path("keys"), query, "Keys by name", "-created", "name")
	l.Narrow("kind", "Kind", "", "Any kind", "key", "Secret keys", "pub", "Publishable keys", "cs", "Client secrets")
	l.Narrow("mode", "Mode", "", "Any mode", "live", "Live", "test", "Test")
	l.Narrow("state", "State", "", "Any state", "works", "Works", "ends", "Ends within 30 days", "disabled", "Disabled", "revoked", "Revoked", "expired", "Expired")
	if named := query.Get("app"); named != "" {
		of, err := p.app(r, d, named)
		if err != nil {
			return err
		}
		l.Narrow("app", "App", "", "Any app", of.ID, "Of "+of.Name)
	}
	found, err := p.Manage.FindKeys(r.Context(), d.Actor, searchOf(d, l))
	if err != nil {
		return err
	}
	view, err := p.Verifier.Catalog(r.Context())
	if err != nil {
		return err
	}
	names, err := p.appNames(r, d, found.Items)
	if err != nil {
		return err
	}
	made := listPage{Room: p.room(r, d, "keys", "Keys"), Heading: "Keys", New: page.Link{Text: "Get a key", URL: d.path("keys", "new")}}
	table := page.Table{
		Caption: "Keys of " + d.Team.Name, Heads: []page.Head{l.Head("Key", "name"), {Text: "App"}, {Text: "May"}, {Text: "Last used"}, {Text: "State"}, l.Head("Made", "created")},
		Empty: page.Empty{Title: "No key yet", Text: "A key is your app’s ID card: it says which app is calling. You get one in three clicks.", Link: made.New},
	}
	for i := range found.Items {
		k := &found.Items[i]
		table.Rows = append(table.Rows, keyRow(k, names[k.AppID], strings.Join(textsOf(k.Scopes, view), ", "), d, p.Now()))
	}
	made.List = l.Show(table, pagesOf(found))
	if query.Get("done") == "before" {
		made.Done = &page.Alert{Tone: "warn", Title: "That form was sent already.", Text: "What it made stands below. A secret is shown once: if you did not copy it, rotate the key."}
	}
	return p.set.Render(w, r, http.StatusOK, "list", made)
}

func keyRow(k *lanyard.Key, appName, may string, d *desk, now time.Time) page.Row {
	row := page.Row{URL: d.path("keys", k.ID), Cells: []page.Cell{{Text: k.Name, Note: k.Hint}, {Text: appName}, {Text: may}, {Text: lastUse(k, now)}, state(k, now), {Text: page.Ago(now, k.CreatedAt)}}}
	if k.Mode == string(secret.Test) {
		row.Cells[0].Note = "test · " + k.Hint
	}
	if may == "" {
		row.Cells[2].Text = "nothing of an API"
	}
	return row
}

// appNames are the names of the apps of keys.
func (p *rooms) appNames(r *http.Request, d *desk, keys []lanyard.Key) (map[string]string, error) {
	apps := make([]string, 0, len(keys))
	for i := range keys {
		apps = append(apps, keys[i].AppID)
	}
	return p.Manage.AppNames(r.Context(), d.Actor, d.Team.ID, apps)
}

// lines are what was typed into a text of several lines.
func lines(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' || r <= ' ' })
}

// ends is when what works for a number of days ends; nil: never.
func ends(days string, now time.Time) (*time.Time, error) {
	if days == "" || days == never {
		return nil, nil //nolint:nilnil // no end
	}
	n, err := strconv.Atoi(days)
	if err != nil || n < 1 || n > 3650 {
		return nil, fault.Field("expires_at", "choose when it ends")
	}
	at := now.UTC().Truncate(time.Microsecond).Add(time.Duration(n) * 24 * time.Hour)
	return &at, nil
}
