package admin

import (
	"net/http"
	"strconv"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// keysPage is GET /admin/keys.
type keysPage struct {
	page.Room
	Signing []signingView
	Others  page.Table
}

// signingView is a key that signs, with what can be done to it.
type signingView struct {
	ID    string
	State page.Cell
	Facts []fact
	Asks  []page.Ask
}

// keys is GET /admin/keys.
func (p *rooms) keys(w http.ResponseWriter, r *http.Request, d *desk) (err error) {
	view := keysPage{Room: p.room(r, d, "/admin/keys", "Keys")}
	if view.Done, err = p.told(r, d); err != nil {
		return err
	}
	var last keyring.Purpose
	for _, k := range p.signing() {
		one := signingView{ID: k.KeyID, State: k.state, Facts: []fact{{"Algorithm", k.Purpose.Algorithm()}, {"Version", strconv.Itoa(k.Version)}, {"Signs since", moment(k.from)}}}
		if p.Now().Before(k.from) {
			one.Facts[2].Term = "Signs from"
		}
		end := "until it is " + page.Roughly(keyring.RotateAfter) + " old, then by itself a new one"
		if !k.till.IsZero() {
			end = "until " + moment(k.till) + "; believed until " + moment(k.till.Add(keyring.KeepPublished))
		}
		one.Facts = append(one.Facts, fact{"Until", end})
		hidden := []page.Hidden{{Name: "purpose", Value: string(k.Purpose)}, {Name: "version", Value: strconv.Itoa(k.Version)}}
		if k.Purpose != last { // the newest of its algorithm
			one.Asks = append(one.Asks, page.Ask{
				ID: "rotate-" + k.KeyID, Text: "Rotate now", Warn: "A new key is published at once and signs a day later, when every verifier has had time to fetch it. This one stays published until nothing it signed can still be good. Nothing breaks.",
				Act: page.Act{URL: "/admin/keys/rotate", Text: "Make a new " + k.Purpose.Algorithm() + " key", Hidden: hidden},
			})
		}
		one.Asks = append(one.Asks, page.Ask{
			ID: "revoke-" + k.KeyID, Text: "Revoke", Warn: "For a key that may have been stolen: it is gone within a second, for good, and " + k.Purpose.Loss() + ". Apps get new tokens by their refresh tokens; people who are signed in at apps may have to sign in again.",
			Act: page.Act{URL: "/admin/keys/revoke", Text: "Revoke this key", Danger: true, Hidden: hidden},
		})
		last = k.Purpose
		view.Signing = append(view.Signing, one)
	}
	view.Others = page.Table{Caption: "Other keys", Heads: []page.Head{{Text: "Purpose"}, {Text: "Version", Number: true}, {Text: "State"}, {Text: "Made"}, {Text: "Without it"}}}
	for _, k := range p.Ring.List() {
		if k.Purpose.Algorithm() != "" {
			continue
		}
		state := page.Cell{Text: string(k.State), Pill: "good"}
		if k.State != keyring.Current {
			state.Pill = "warn"
		}
		view.Others.Rows = append(view.Others.Rows, page.Row{Cells: []page.Cell{{Text: string(k.Purpose)}, {Text: strconv.Itoa(k.Version)}, state, {Text: page.Ago(p.Now(), k.CreatedAt)}, {Text: k.Purpose.Loss()}}})
	}
	return p.set.Render(w, r, http.StatusOK, "keys", view)
}

// named reads which signing key a form is about. The other keys make what is kept in the database: to lose one is not a click.
func named(r *http.Request) (purpose keyring.Purpose, version int, err error) {
	purpose = keyring.Purpose(r.PostForm.Get("purpose"))
	version, err = strconv.Atoi(r.PostForm.Get("version"))
	if purpose.Algorithm() == "" || err != nil {
		return "", 0, fault.New(fault.NotFound, "there is no such signing key: look at the list of keys again")
	}
	return purpose, version, nil
}

// rotateKey is POST /admin/keys/rotate.
func (p *rooms) rotateKey(w http.ResponseWriter, r *http.Request, d *desk) error {
	purpose, _, err := named(r)
	if err != nil {
		return err
	}
	act := d.Actor.New(p.Now(), "keyring.rotate", string(purpose), "", nil)
	if _, err := p.Ring.Rotate(r.Context(), purpose, p.Now(), &act); err != nil {
		return err
	}
	return page.Redirect(w, r, done("/admin/keys", "keyring.rotate", string(purpose)))
}

// revokeKey is POST /admin/keys/revoke.
func (p *rooms) revokeKey(w http.ResponseWriter, r *http.Request, d *desk) error {
	purpose, version, err := named(r)
	if err != nil {
		return err
	}
	act := d.Actor.New(p.Now(), "keyring.revoke", string(purpose), "", map[string]string{"version": strconv.Itoa(version)})
	if err := p.Ring.Revoke(r.Context(), purpose, version, p.Now(), &act); err != nil {
		return err
	}
	return page.Redirect(w, r, done("/admin/keys", "keyring.revoke", string(purpose)))
}
