package rest

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/session"
)

// person makes a credential of a user: every scope, and no more reach than theirs.
func (w *world) person(name, user string) string {
	return w.bearer(name, audit.Actor{Label: user, User: id.User(user), Reach: audit.UserReach(id.User(user)), Scopes: everyScope("")})
}

func TestOAuthClient(t *testing.T) {
	w := newWorld(t)
	for _, bad := range []string{
		`{"name":"x","redirect_uris":["javascript:alert(1)"]}`, `{"name":"x","redirect_uris":["http://app.example/done"]}`,
		`{"name":"x","redirect_uris":["https://app.example/*"]}`, `{"name":"x","grant_types":["password"]}`, `{"name":"x","grant_types":["implicit"]}`,
		`{"name":"x","token_endpoint_auth_method":"none"}`, `{"name":"x","redirect_uri":"https://app.example"}`, `{"name":"x","jwks":{"keys":[{"kty":"oct","k":"AAAA"}]}}`,
		`{"name":"x","client_id":"app_0000000000000000"}`, `{"name":"x","origin":"dcr"}`, `{"name":"x","logo_uri":"javascript:alert(1)"}`,
	} {
		w.refused(bad, w.do("POST", "/v1/apps", "a", bad), http.StatusBadRequest, "invalid_request")
	}
	w.refused("first party by a team", w.do("POST", "/v1/apps", "a", `{"name":"x","first_party":true}`), http.StatusForbidden, "insufficient_scope")
	var app lanyard.App
	w.ok("POST", "/v1/apps", "a", `{"name":"PostPal","redirect_uris":["https://postpal.example/done"],"scopes":["openid","forecast.read"],"required_scopes":["openid"]}`, &app)
	if strings.Join(app.GrantTypes, " ") != "authorization_code refresh_token" || app.TokenEndpointAuthMethod != "client_secret_basic" || app.ClientID != app.ID {
		t.Errorf("create = %+v, want the defaults written out", app)
	}
	w.ok("PATCH", "/v1/apps/"+app.ID, "a", `{"logo_uri":"https://postpal.example/logo.svg"}`, &app)
	if app.LogoURI == "" || len(app.RedirectURIs) != 1 {
		t.Errorf("patch = %+v, want the logo set and the rest left", app)
	}
	var made lanyard.NewKey
	w.ok("POST", "/v1/apps/"+app.ID+"/secrets", "a", "", &made)
	if made.Kind != "cs" || !strings.HasPrefix(made.Secret, "acme_cs_live_") {
		t.Errorf("create secret = %+v", made)
	}
	var page lanyard.Page[lanyard.Key]
	w.ok("GET", "/v1/keys?app_id="+app.ID+"&kind=cs", "a", "", &page)
	if len(page.Items) != 1 || page.Items[0].ID != made.ID {
		t.Errorf("secrets = %+v, want the one", page.Items)
	}
	w.refused("a secret among keys", w.do("POST", "/v1/apps/"+app.ID+"/keys", "a", `{"name":"x","kind":"cs"}`), http.StatusBadRequest, "invalid_request")
	var rotated lanyard.Rotated
	if w.ok("POST", "/v1/keys/"+made.ID+"/rotate", "a", "", &rotated); !strings.HasPrefix(rotated.Secret, "acme_cs_live_") {
		t.Errorf("rotate = %+v", rotated)
	}
}

func TestTokens(t *testing.T) {
	w := newWorld(t)
	ada, eve := w.person("ada", w.a.user), w.person("eve", w.b.user)
	w.refused("a team's", w.do("POST", "/v1/tokens", "a", `{"name":"x"}`), http.StatusForbidden, "insufficient_scope")
	w.refused("for ever", w.do("POST", "/v1/tokens", ada, `{"name":"x","expires_at":"2126-01-01T00:00:00Z"}`), http.StatusBadRequest, "invalid_request")
	w.refused("for somebody else", w.do("POST", "/v1/tokens", ada, `{"name":"x","user_id":"`+w.b.user+`"}`), http.StatusBadRequest, "invalid_request")
	var made lanyard.NewPersonalToken
	w.ok("POST", "/v1/tokens", ada, `{"name":"script","scopes":["forecast.read"]}`, &made)
	if !strings.HasPrefix(made.Secret, "acme_pat_live_") || made.UserID != w.a.user || made.IfStolen == "" {
		t.Errorf("create = %+v", made)
	}
	w.refused("another's", w.do("GET", "/v1/tokens/"+made.ID, eve, ""), http.StatusNotFound, "not_found")
	w.refused("another's", w.do("DELETE", "/v1/tokens/"+made.ID, eve, ""), http.StatusNotFound, "not_found")
	w.refused("another's list", w.do("GET", "/v1/tokens?user_id="+w.a.user, eve, ""), http.StatusNotFound, "not_found")
	if res := w.ok("GET", "/v1/tokens/"+made.ID, ada, "", nil); strings.Contains(res.Body.String(), made.Secret) {
		t.Errorf("show = %s", res.Body)
	}
	var page lanyard.Page[lanyard.PersonalToken]
	if w.ok("GET", "/v1/tokens?user_id="+w.a.user, "admin", "", &page); len(page.Items) != 1 {
		t.Errorf("an admin lists %+v, want the one", page.Items)
	}
	var applied lanyard.Applied
	if w.ok("DELETE", "/v1/tokens/"+made.ID+"?wait=10s", ada, "", &applied); !applied.Applied {
		t.Errorf("revoke = %+v, want it applied", applied)
	}
	var shown lanyard.PersonalToken
	if w.ok("GET", "/v1/tokens/"+made.ID, ada, "", &shown); shown.Status != "revoked" {
		t.Errorf("status = %s, want revoked", shown.Status)
	}
}

func TestGrantsAndSessions(t *testing.T) {
	w := newWorld(t)
	ada, eve := w.person("ada", w.a.user), w.person("eve", w.b.user)
	now := w.clock.now().Truncate(time.Microsecond)
	allowed, err := w.store.Allow(t.Context(), &grant.Grant{
		ID: id.New[id.Grant](), User: id.User(w.a.user), App: id.App(w.b.app), Team: id.Team(w.b.team), Scopes: []string{"forecast.read"}, CreatedAt: now, UpdatedAt: now,
	}, audit.Command("test").New(now, "grant.allow", w.b.app, "", nil))
	if err != nil {
		t.Fatal(err)
	}
	begun := &session.Session{ID: id.New[id.Session](), User: id.User(w.a.user), Digest: make([]byte, 32), Pepper: 1, AuthAt: now, CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(session.Life)}
	if err := w.store.BeginSession(t.Context(), begun, "", nil, nil); err != nil {
		t.Fatal(err)
	}
	w.refused("another's grant", w.do("DELETE", "/v1/grants/"+string(allowed.ID), eve, ""), http.StatusNotFound, "not_found")
	w.refused("another's session", w.do("DELETE", "/v1/sessions/"+string(begun.ID), eve, ""), http.StatusNotFound, "not_found")
	w.refused("another's sessions", w.do("DELETE", "/v1/users/"+w.a.user+"/sessions", eve, ""), http.StatusNotFound, "not_found")
	w.refused("of the app's team", w.do("GET", "/v1/grants", "b", ""), http.StatusForbidden, "insufficient_scope")
	var page lanyard.Page[lanyard.Grant]
	if w.ok("GET", "/v1/grants", eve, "", &page); len(page.Items) != 0 {
		t.Errorf("eve's grants = %+v, want none", page.Items)
	}
	if w.ok("GET", "/v1/grants?app_id="+w.b.app, "admin", "", &page); len(page.Items) != 1 || page.Items[0].ID != string(allowed.ID) {
		t.Errorf("the app's grants = %+v, want Ada's", page.Items)
	}
	var applied lanyard.Applied
	if w.ok("DELETE", "/v1/grants/"+string(allowed.ID)+"?wait=10s", ada, "", &applied); !applied.Applied {
		t.Errorf("revoke = %+v, want it applied", applied)
	}
	if w.ok("GET", "/v1/grants", ada, "", &page); len(page.Items) != 0 {
		t.Errorf("Ada's grants = %+v, want none left", page.Items)
	}
	var sessions lanyard.Page[lanyard.Session]
	if w.ok("GET", "/v1/sessions", ada, "", &sessions); len(sessions.Items) != 1 {
		t.Errorf("sessions = %+v, want one", sessions.Items)
	}
	var ended lanyard.Ended
	if w.ok("DELETE", "/v1/users/"+w.a.user+"/sessions", "admin", "", &ended); ended.Ended != 1 {
		t.Errorf("end = %+v, want 1", ended)
	}
}
