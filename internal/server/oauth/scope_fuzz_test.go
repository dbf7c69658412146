package oauth_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/server/oauth"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// FuzzResolve: whatever is asked for, a token is for one API at most and for what its app may ask: the audience is that API's, every
// scope is the API's or OpenID Connect's, and none is beyond what the app registered or, where it registered none, everybody may
// grant (SECURITY-CASES 60).
func FuzzResolve(f *testing.F) {
	w := newWorld(f, servertest.Options{})
	view, err := w.node.Verifier.Catalog(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	mail := view.ByName("mail").Policy.Identifier
	for _, seed := range [][3]string{
		{"openid profile.read posts.write", "", ""},
		{"profile.read", mail, "profile.read"},
		{"profile.read files.read", "", ""},
		{"files.read", mail, ""},
		{"", mail, ""},
		{"", "", "files.read"},
		{"", "", ""},
		{"mail.rule", "", ""},
		{"mail.rule", "", "mail.rule"},
		{"openid", "", "profile.read"},
		{"openid email", mail, ""},
		{"lanyard.admin", "", ""},
		{"lanyard.admin", "", "lanyard.admin"},
		{"profile.read", mail + "/", ""},
		{"profile.read", mail + " " + mail, ""},
		{"PROFILE.READ", "", ""},
		{"profile.read\x00", "", ""},
		{"profile.read", "https://elsewhere.test", ""},
	} {
		for _, origin := range []string{string(app.MadeHere), "dcr"} {
			f.Add(seed[0], seed[1], seed[2], origin)
		}
	}
	openID := []string{"openid", "profile", "email", "offline_access", "address", "phone"}
	f.Fuzz(func(t *testing.T, scope, resource, registered, origin string) {
		a := &app.App{ID: "app_0000000000000000", Origin: app.Origin(origin), OAuth: app.OAuth{Scopes: strings.Fields(registered)}}
		asked := strings.Fields(scope)
		scopes, api, audience, err := oauth.Resolve(w.node.URL, view, a, asked, strings.Fields(resource))
		if err != nil {
			return
		}
		if api == "" && audience != w.node.URL || api != "" && audience != view.ByName(api).Policy.Identifier {
			t.Errorf("Resolve(%q, %q) is for %q with the audience %q", scope, resource, api, audience)
		}
		if resource != "" && strings.TrimSpace(resource) != "" && api == "" {
			t.Errorf("Resolve(%q, %q) passes over the resource", scope, resource)
		}
		for _, s := range scopes {
			if slices.Contains(openID, s) {
				continue
			}
			owner := view.ByScope(s)
			switch {
			case owner == nil || owner.Policy.Name != api:
				t.Errorf("Resolve(%q, %q) is for %q with the scope %q of another", scope, resource, api, s)
			case len(a.OAuth.Scopes) > 0 && !slices.Contains(a.OAuth.Scopes, s):
				t.Errorf("Resolve(%q, %q) gives %q to an app that registered %q", scope, resource, s, registered)
			case len(a.OAuth.Scopes) == 0 && !slices.Contains([]string{"", "everyone"}, string(owner.Policy.Scopes.Get(s).GrantableBy)):
				t.Errorf("Resolve(%q, %q) gives %q, which only some may grant, to an app that registered nothing", scope, resource, s)
			case a.Origin != app.MadeHere && strings.HasPrefix(s, "lanyard."):
				t.Errorf("Resolve(%q, %q) gives %q to an app that registered itself", scope, resource, s)
			}
		}
		for _, s := range asked {
			if !slices.Contains(scopes, s) {
				t.Errorf("Resolve(%q, %q) = %q drops %q", scope, resource, scopes, s)
			}
		}
	})
}
