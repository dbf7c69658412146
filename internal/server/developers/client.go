package developers

import (
	"net/http"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// clientPage is GET /developers/{team}/clients/{app}.
type clientPage struct {
	page.Room
	Name, Kind, ClientID string
	Back                 string
	Edit                 string // where it is changed; empty: it says by itself what it is
	Facts                []clientFact
	Keeps                bool // it keeps secrets
	Secrets              []clientSecret
	Once                 string // hidden field of the forms that show a secret
	To                   string // where a new secret is asked for
	Delete               page.Ask
}

// clientFact is one setting, in words.
type clientFact struct {
	Term  string
	Texts []string
	Code  bool
	None  string // what stands where there is none
}

// clientSecret is one line of the secrets.
type clientSecret struct {
	ID, Name, Hint, State, Tone string
	Note                        string
	Rotate                      string // where it is rotated; empty: it does not work any more
	Revoke                      page.Ask
}

func clientDone(what string) *page.Alert {
	texts := map[string][2]string{
		"made":    {"The client is made.", "Its client id stands below."},
		"saved":   {"Saved.", "It holds from the next request on."},
		"revoked": {"The secret is revoked.", "No copy of it works any more."},
	}
	text, known := texts[what]
	if !known {
		return nil
	}
	return &page.Alert{Tone: "good", Title: text[0], Text: text[1]}
}

// showClient is GET /developers/{team}/clients/{app}.
func (p *rooms) showClient(w http.ResponseWriter, r *http.Request, d *desk) error {
	a, err := p.app(r, d, r.PathValue("app"))
	if err != nil {
		return err
	}
	facts, err := p.clientFacts(r, &a)
	if err != nil {
		return err
	}
	view := clientPage{
		Room: p.room(r, d, "clients", a.Name), Name: a.Name, Kind: clientKindOf(&a).Name, ClientID: a.ClientID, Back: d.path("clients"), Facts: facts,
		Keeps: clientKeeps(&a), Once: p.Browser.Mark(), To: d.path("clients", a.ID, "secrets"),
		Delete: page.Ask{
			ID: "delete", Text: "Delete the app",
			Warn: "Every key, secret and badge of " + a.Name + " stops working at once, and for good: whoever uses it is signed out of it. Its usage stays on the books.",
			Act:  page.Act{URL: d.path("clients", a.ID, "delete"), Text: "Delete " + a.Name, Danger: true},
		},
	}
	if a.Origin != string(app.ByAddress) {
		view.Edit = d.path("clients", a.ID, "edit")
	}
	view.Done = clientDone(r.URL.Query().Get("done"))
	if view.Keeps {
		if view.Secrets, err = p.clientSecrets(r, d, &a); err != nil {
			return err
		}
	}
	return p.set.Render(w, r, http.StatusOK, "client", view)
}

// clientKeeps reports whether an app proves itself by a secret.
func clientKeeps(a *lanyard.App) bool {
	return a.Type != string(app.Public) && a.TokenEndpointAuthMethod != app.AuthPrivateKeyJWT && a.Origin != string(app.ByAddress) && len(a.GrantTypes) > 0
}

// clientFacts are the settings in words.
func (p *rooms) clientFacts(r *http.Request, a *lanyard.App) ([]clientFact, error) {
	catalog, err := p.Verifier.Catalog(r.Context())
	if err != nil {
		return nil, err
	}
	var scopes []string
	for _, name := range a.Scopes {
		text := name
		if api := catalog.ByScope(name); api != nil {
			if s := api.Policy.Scopes.Get(name); s != nil && s.Text != "" {
				text = page.Upper(s.Text) + " (" + name + ")"
			}
		}
		scopes = append(scopes, text)
	}
	one := func(text string) []string {
		if text == "" {
			return nil
		}
		return []string{text}
	}
	out := append(append([]string{}, a.PostLogoutRedirectURIs...), one(a.BackchannelLogoutURI)...)
	facts := []clientFact{
		{Term: "Gets badges by", Texts: grantWords(a.GrantTypes), None: "nothing: it uses API keys alone"},
		{Term: "Redirect URIs", Texts: a.RedirectURIs, Code: true, None: "none: nobody is sent back to it"},
		{Term: "May ask for", Texts: scopes, None: "whatever people may grant, and nothing on its own behalf"},
		{Term: "Proves itself by", Texts: one(proofWords(a)), None: "nothing yet"},
		{Term: "Refresh tokens", Texts: one(rotationWords(a))},
		{Term: "DPoP", Texts: one(map[bool]string{true: "required: a stolen badge is worth nothing without the app’s key", false: "welcome, not required"}[a.DPoPBoundAccessTokens])},
		{Term: "After logout", Texts: append(out, one(a.FrontchannelLogoutURI)...), Code: true, None: "nowhere in particular"},
	}
	for _, link := range []struct{ term, address string }{{"Home page", a.HomepageURL}, {"Logo", a.LogoURI}, {"Privacy policy", a.PolicyURI}, {"Terms", a.TOSURI}} {
		if link.address != "" {
			facts = append(facts, clientFact{Term: link.term, Texts: one(link.address), Code: true})
		}
	}
	return facts, nil
}

func proofWords(a *lanyard.App) string {
	switch {
	case a.TokenEndpointAuthMethod == app.AuthPrivateKeyJWT:
		return "a signed statement, with its own private key"
	case a.Type == string(app.Public):
		return "PKCE alone: it keeps no secret"
	case a.TokenEndpointAuthMethod != "":
		return "a client secret"
	}
	return ""
}

func rotationWords(a *lanyard.App) string {
	switch {
	case a.RefreshRotation == app.RotateAlways, a.RefreshRotation == "" && a.Type == string(app.Public):
		return "exchanged at each use, so that a stolen one is noticed"
	case a.RefreshRotation == app.RotateNever && a.Type == string(app.Public) && !a.DPoPBoundAccessTokens:
		return "exchanged at each use, since the app proves nothing by itself"
	}
	return "stay the same; the app proves itself at each use"
}

// clientSecrets lists the secrets of an app, newest first: at most 50.
func (p *rooms) clientSecrets(r *http.Request, d *desk, a *lanyard.App) ([]clientSecret, error) {
	found, err := p.Manage.Keys(r.Context(), d.Actor, manage.KeysFilter{App: a.ID, Kind: string(secret.Client)}, manage.List{Limit: 50})
	if err != nil {
		return nil, err
	}
	var all []clientSecret
	for i := range found.Items {
		k := &found.Items[i]
		one := clientSecret{ID: k.ID, Name: k.Name, Hint: k.Hint, State: "works", Tone: "good", Note: "never used"}
		if k.LastUsed != nil {
			one.Note = "used " + page.Ago(p.Now(), k.LastUsed.At)
		}
		one.Note = "made " + page.Ago(p.Now(), k.CreatedAt) + ", " + one.Note
		if until := overlapUntil(k, p.Now()); !until.IsZero() {
			one.Note += "; the one before works " + page.Ahead(p.Now(), until) + " at most"
		}
		if k.Status != string(policy.Valid) {
			one.State, one.Tone = k.Status, "bad"
			all = append(all, one)
			continue
		}
		one.Rotate = d.path("clients", a.ID, "secrets", k.ID, "rotate")
		one.Revoke = page.Ask{
			ID: "revoke-" + k.ID, Text: "Revoke", Warn: a.Name + " can not prove itself by this secret any more: unless it has another, nobody signs in to it, and it gets no new badges.",
			Act: page.Act{URL: d.path("clients", a.ID, "secrets", k.ID, "revoke"), Text: "Revoke the secret", Danger: true},
		}
		all = append(all, one)
	}
	return all, nil
}

// overlapUntil is when the last secret before the current one ends; zero: none works beside it.
func overlapUntil(k *lanyard.Key, now time.Time) (until time.Time) {
	for _, v := range k.Versions {
		if v.RevokedAt == nil && v.OverlapUntil != nil && v.OverlapUntil.After(now) && v.OverlapUntil.After(until) {
			until = *v.OverlapUntil
		}
	}
	return until
}

// deleteClient is POST /developers/{team}/clients/{app}/delete.
func (p *rooms) deleteClient(w http.ResponseWriter, r *http.Request, d *desk) error {
	a, err := p.app(r, d, r.PathValue("app"))
	if err != nil {
		return err
	}
	if _, err := p.Manage.DeleteApp(r.Context(), d.Actor, a.ID); err != nil {
		return err
	}
	return page.Redirect(w, r, d.path("clients")+"?done=deleted")
}

// clientSecretPage shows a client secret, once.
type clientSecretPage struct {
	page.Room
	Name   string
	Secret page.Secret
	ID     string // the line for .env with the client id
	Until  string // how long the one before works; empty: there is none, or not at all
	Back   string
}

// makeSecret is POST /developers/{team}/clients/{app}/secrets. Its answer is the one that holds the secret.
func (p *rooms) makeSecret(w http.ResponseWriter, r *http.Request, d *desk) error {
	a, err := p.app(r, d, r.PathValue("app"))
	if err != nil {
		return err
	}
	if err := p.Browser.Once(r, d.Visit); err != nil {
		return err
	}
	made, err := p.Manage.CreateSecret(r.Context(), d.Actor, a.ID, lanyard.SecretInput{})
	if err != nil {
		return err
	}
	return p.showClientSecret(w, r, d, &a, secret.Of(made.Secret), "")
}

// rotateSecret is POST /developers/{team}/clients/{app}/secrets/{key}/rotate: the one before works for a day, or not at all.
func (p *rooms) rotateSecret(w http.ResponseWriter, r *http.Request, d *desk) error {
	a, k, err := p.clientSecret(r, d)
	if err != nil {
		return err
	}
	in, until := lanyard.RotateInput{}, "24 hours"
	if r.PostForm.Get("overlap") == "none" {
		in, until = lanyard.RotateInput{OverlapSeconds: new(int64)}, ""
	}
	if err := p.Browser.Once(r, d.Visit); err != nil {
		return err
	}
	made, err := p.Manage.RotateKey(r.Context(), d.Actor, k.ID, in)
	if err != nil {
		return err
	}
	return p.showClientSecret(w, r, d, &a, secret.Of(made.Secret), until)
}

// revokeSecret is POST /developers/{team}/clients/{app}/secrets/{key}/revoke.
func (p *rooms) revokeSecret(w http.ResponseWriter, r *http.Request, d *desk) error {
	a, k, err := p.clientSecret(r, d)
	if err != nil {
		return err
	}
	if _, err := p.Manage.RevokeKey(r.Context(), d.Actor, k.ID, lanyard.RevokeInput{}); err != nil {
		return err
	}
	return page.Redirect(w, r, d.path("clients", a.ID)+"?done=revoked")
}

// clientSecret is the secret that a path names, of the app that it names.
func (p *rooms) clientSecret(r *http.Request, d *desk) (lanyard.App, lanyard.Key, error) {
	a, err := p.app(r, d, r.PathValue("app"))
	if err != nil {
		return lanyard.App{}, lanyard.Key{}, err
	}
	k, err := p.key(r, d, r.PathValue("key"))
	if err == nil && (k.AppID != a.ID || k.Kind != string(secret.Client)) {
		err = fault.Missing("secret", r.PathValue("key"))
	}
	return a, k, err
}

func (p *rooms) showClientSecret(w http.ResponseWriter, r *http.Request, d *desk, a *lanyard.App, text secret.Secret, until string) error {
	variable := envName(a.Name)
	return p.set.Render(w, r, http.StatusOK, "client-secret", clientSecretPage{
		Room: p.room(r, d, "clients", "Here is the secret"), Name: a.Name, Until: until, Back: d.path("clients", a.ID), ID: variable + "_CLIENT_ID=" + a.ClientID,
		Secret: page.Secret{ID: "secret", Label: "Client secret of " + a.Name, Value: text, Env: variable + "_CLIENT_SECRET"},
	})
}

// envName is a name for variables: letters, digits and underscores of the app's.
func envName(name string) string {
	made := strings.Trim(strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z':
			return c - 'a' + 'A'
		case c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
			return c
		}
		return '_'
	}, name), "_")
	if made == "" || made[0] >= '0' && made[0] <= '9' {
		return "APP"
	}
	return made
}
