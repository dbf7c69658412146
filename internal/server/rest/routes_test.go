package rest

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// needs is who may call what: a scope, or several of which one is enough. A route without a row fails the walk, and so does
// a row without a route. "" is a credential with no scope at all.
var needs = map[string]string{
	"POST /v1/apps":        "lanyard.apps.write",
	"GET /v1/apps":         "lanyard.apps.read",
	"GET /v1/apps/{id}":    "lanyard.apps.read",
	"PATCH /v1/apps/{id}":  "lanyard.apps.write",
	"DELETE /v1/apps/{id}": "lanyard.apps.write",

	"POST /v1/apps/{id}/keys":        "lanyard.keys.write",
	"GET /v1/keys":                   "lanyard.keys.read",
	"GET /v1/warnings":               "lanyard.keys.read",
	"GET /v1/keys/{id}":              "lanyard.keys.read",
	"PATCH /v1/keys/{id}":            "lanyard.keys.write",
	"DELETE /v1/keys/{id}":           "lanyard.keys.write",
	"POST /v1/keys/{id}/rotate":      "lanyard.keys.write",
	"POST /v1/keys/{id}/rotate/undo": "lanyard.keys.write",
	"POST /v1/keys/{id}/revoke":      "lanyard.keys.write",
	"POST /v1/keys/{id}/disable":     "lanyard.keys.write",
	"POST /v1/keys/{id}/enable":      "lanyard.keys.write",
	"POST /v1/keys/import":           "lanyard.keys.write",
	"POST /v1/keys/revoke-self":      "",

	"POST /v1/apps/{id}/secrets":     "lanyard.keys.write",
	"POST /v1/tokens":                "lanyard.keys.write",
	"GET /v1/tokens":                 "lanyard.keys.read",
	"GET /v1/tokens/{id}":            "lanyard.keys.read",
	"DELETE /v1/tokens/{id}":         "lanyard.keys.write",
	"GET /v1/grants":                 "lanyard.grants.read",
	"DELETE /v1/grants/{id}":         "lanyard.grants.write",
	"GET /v1/sessions":               "lanyard.users.read",
	"DELETE /v1/sessions/{id}":       "lanyard.users.write",
	"DELETE /v1/users/{id}/sessions": "lanyard.users.write",

	"POST /v1/teams":                                 "lanyard.users.write",
	"GET /v1/teams":                                  "lanyard.users.read",
	"GET /v1/teams/{id}":                             "lanyard.users.read",
	"PATCH /v1/teams/{id}":                           "lanyard.users.write",
	"GET /v1/teams/{id}/members":                     "lanyard.users.read",
	"PUT /v1/teams/{id}/members/{user}":              "lanyard.users.write",
	"DELETE /v1/teams/{id}/members/{user}":           "lanyard.users.write",
	"GET /v1/teams/{id}/invitations":                 "lanyard.users.read",
	"POST /v1/teams/{id}/invitations":                "lanyard.users.write",
	"DELETE /v1/teams/{id}/invitations/{invitation}": "lanyard.users.write",
	"POST /v1/users":                                 "lanyard.users.write",
	"GET /v1/users":                                  "lanyard.users.read",
	"GET /v1/users/{id}":                             "lanyard.users.read",
	"PATCH /v1/users/{id}":                           "lanyard.users.write",

	"GET /v1/apis":              "lanyard.catalog.read lanyard.apps.read lanyard.keys.read lanyard.changes.read",
	"GET /v1/apis/{name}":       "lanyard.catalog.read lanyard.apps.read lanyard.keys.read lanyard.changes.read",
	"GET /v1/apis/{name}/plans": "lanyard.catalog.read lanyard.apps.read lanyard.keys.read lanyard.changes.read",
	"PUT /v1/apis/{name}":       "lanyard.catalog.write",
	"DELETE /v1/apis/{name}":    "lanyard.catalog.write",
	"GET /v1/catalog":           "lanyard.catalog.read",
	"PUT /v1/catalog":           "lanyard.catalog.write",

	"GET /v1/teams/{id}/subscriptions":              "lanyard.billing.read",
	"GET /v1/teams/{id}/subscriptions/{api}/alerts": "lanyard.billing.read",
	"PUT /v1/teams/{id}/subscriptions/{api}/alerts": "lanyard.billing.write",
	"PUT /v1/teams/{id}/subscriptions/{api}":        "lanyard.billing.write",
	"DELETE /v1/teams/{id}/subscriptions/{api}":     "lanyard.billing.write",

	"GET /v1/invoices":                "lanyard.billing.read",
	"GET /v1/invoices/{id}":           "lanyard.billing.read",
	"POST /v1/invoices/preview":       "lanyard.billing.read",
	"POST /v1/invoices/{id}/finalize": "lanyard.billing.write",
	"GET /v1/invoices/export":         "lanyard.billing.read",
	"POST /v1/usage/events":           "lanyard.usage.write",

	"GET /v1/billing/stripe":                      "lanyard.billing.read",
	"GET /v1/billing/stripe/events":               "lanyard.billing.read",
	"POST /v1/billing/stripe/retry":               "lanyard.billing.write",
	"POST /v1/billing/stripe/events/{id}/retry":   "lanyard.billing.write",
	"POST /v1/billing/stripe/events/{id}/dismiss": "lanyard.billing.write",

	"GET /v1/usage":           "lanyard.usage.read",
	"GET /v1/usage/export":    "lanyard.usage.read",
	"GET /v1/usage/reconcile": "lanyard.usage.read",
	"GET /v1/audit":           "lanyard.audit.read",
	"GET /v1/attempts":        "lanyard.audit.read",
	"GET /v1/changes":         "lanyard.changes.read",

	"POST /v1/webhooks":                                  "lanyard.apps.write",
	"GET /v1/webhooks":                                   "lanyard.apps.read",
	"GET /v1/webhooks/{id}":                              "lanyard.apps.read",
	"PATCH /v1/webhooks/{id}":                            "lanyard.apps.write",
	"DELETE /v1/webhooks/{id}":                           "lanyard.apps.write",
	"POST /v1/webhooks/{id}/rotate-secret":               "lanyard.apps.write",
	"GET /v1/webhooks/{id}/deliveries":                   "lanyard.apps.read",
	"POST /v1/webhooks/{id}/deliveries/{message}/replay": "lanyard.apps.write",
	"POST /v1/webhooks/{id}/test":                        "lanyard.apps.write",

	"POST /v1/leaks/check":  "lanyard.leaks.read",
	"GET /v1/leaks":         "lanyard.leaks.read",
	"POST /v1/leaks/report": "",

	"POST /v1/leaks/github":         "",
	"POST /v1/leaks/gitlab":         "",
	"GET /v1/revocable_token_types": "",
	"POST /v1/revoke_tokens":        "",

	"POST /v1/verify":       "lanyard.verify",
	"POST /v1/verify/batch": "lanyard.verify",
}

// ofFinders are the routes for services that show who they are in their own way.
var ofFinders = []string{"/v1/leaks/github", "/v1/leaks/gitlab", "/v1/revocable_token_types", "/v1/revoke_tokens"}

// TestFindersAreNotThere: where no service is set, there is nothing, whatever is sent.
func TestFindersAreNotThere(t *testing.T) {
	w := newWorld(t)
	lines, entries := w.traces()
	for route := range needs {
		method, path, _ := strings.Cut(route, " ")
		if !slices.Contains(ofFinders, path) {
			continue
		}
		for _, bearer := range []string{"", "admin", "a"} {
			w.refused(route, w.do(method, path, bearer, `[{"token":"x"}]`), http.StatusNotFound, "not_found")
		}
	}
	if l, e := w.traces(); l != lines || e != entries {
		t.Errorf("refused calls left traces: %d audit lines and %d changes, want %d and %d", l, e, lines, entries)
	}
}

// bodies are well-formed bodies for the routes that want one.
var bodies = map[string]string{
	"POST /v1/apps": `{"name":"app"}`,
	"PUT /v1/teams/{id}/subscriptions/{api}/alerts": `{"amounts":["5"]}`,
	"PATCH /v1/apps/{id}":                           `{"name":"other"}`,
	"POST /v1/apps/{id}/keys":                       `{"name":"key"}`,
	"PATCH /v1/keys/{id}":                           `{"name":"other"}`,
	"POST /v1/keys/import":                          `{"app_id":"{app}","keys":[{"name":"a","secret":"sk_12345678901234567890"}],"dry_run":true}`,
	"POST /v1/apps/{id}/secrets":                    `{"name":"secret"}`,
	"POST /v1/tokens":                               `{"name":"token"}`,
	"POST /v1/teams":                                `{"name":"team"}`,
	"PATCH /v1/teams/{id}":                          `{"name":"other"}`,
	"PUT /v1/teams/{id}/members/{user}":             `{"role":"developer"}`,
	"POST /v1/teams/{id}/invitations":               `{"email":"new@example.test","role":"billing"}`,
	"POST /v1/users":                                `{"email":"new@example.test"}`,
	"POST /v1/webhooks":                             `{"url":"https://app.example/hooks"}`,
	"PATCH /v1/webhooks/{id}":                       `{"disabled":false}`,
	"POST /v1/leaks/check":                          `{"ids":["{key}"]}`,
	"PATCH /v1/users/{id}":                          `{"name":"other"}`,
	"PUT /v1/apis/{name}":                           `{}`,
	"PUT /v1/catalog":                               `{}`,
	"PUT /v1/teams/{id}/subscriptions/{api}":        `{"plan":"pro"}`,
	"POST /v1/invoices/preview":                     `{}`,
}

// routesOf lists every operation that the document declares.
func routesOf(a *api) map[string][]string {
	all := map[string][]string{}
	for path, item := range a.huma.OpenAPI().Paths {
		for method, op := range operations(item) {
			var scopes []string
			for _, one := range op.Security {
				scopes = append(scopes, one["bearer"]...)
			}
			all[method+" "+path] = scopes
		}
	}
	return all
}

// fill puts a side's ids into a route.
func (s side) fill(route string) (method, path, body string) {
	method, path, _ = strings.Cut(route, " ")
	what := s.key
	switch {
	case strings.HasPrefix(path, "/v1/apps"):
		what = s.app
	case strings.HasPrefix(path, "/v1/teams"):
		what = s.team
	case strings.HasPrefix(path, "/v1/users"):
		what = s.user
	case strings.HasPrefix(path, "/v1/webhooks"):
		what = s.hook
	}
	put := strings.NewReplacer("{id}", what, "{name}", "weather", "{api}", "weather", "{user}", s.user, "{invitation}", "inv_0000000000000000", "{message}", "msg_0000000000000000", "{app}", s.app, "{key}", s.key)
	body = put.Replace(bodies[route])
	if path == "/v1/usage/reconcile" {
		path += "?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z"
	}
	return method, put.Replace(path), body
}

func TestEveryRouteHasARow(t *testing.T) {
	declared := routesOf(bare())
	for _, route := range slices.Sorted(maps.Keys(declared)) {
		row, ok := needs[route]
		if !ok {
			t.Errorf("%s has no row in the table of who may call what", route)
			continue
		}
		if got := strings.Join(declared[route], " "); got != row {
			t.Errorf("%s declares the scopes %q, want %q", route, got, row)
		}
	}
	for route := range needs {
		if _, ok := declared[route]; !ok {
			t.Errorf("%s has a row but is no route", route)
		}
	}
}

func TestNobodyGetsInWithoutACredential(t *testing.T) {
	w := newWorld(t)
	lines, entries := w.traces()
	for route := range needs {
		method, path, body := w.a.fill(route)
		if strings.HasPrefix(path, "/v1/verify") {
			continue // they authenticate by themselves
		}
		if path == "/v1/leaks/report" || slices.Contains(ofFinders, path) {
			continue // for everybody, or for who shows something else
		}
		for _, bearer := range []string{"", "nobody", "null", "Bearer admin", "admin, admin", "admin\x00"} {
			res := w.do(method, path, bearer, body)
			w.refused(route+" with "+bearer, res, http.StatusUnauthorized, "unauthenticated")
			if !strings.HasPrefix(res.Header().Get("WWW-Authenticate"), "Bearer ") {
				t.Errorf("%s: WWW-Authenticate = %q", route, res.Header().Get("WWW-Authenticate"))
			}
		}
		// Who does not say who they are learns nothing of what would be wrong with the rest.
		w.refused(route+" with nonsense", w.do(method, path+"?nonsense=1", "", `{"nonsense":`), http.StatusUnauthorized, "unauthenticated")
	}
	if l, e := w.traces(); l != lines || e != entries {
		t.Errorf("refused calls left traces: %d audit lines and %d changes, want %d and %d", l, e, lines, entries)
	}
}

func TestTheDocumentIsPublic(t *testing.T) {
	w := newWorld(t)
	res := w.do("GET", "/openapi.yaml", "", "")
	if res.Code != 200 || !strings.Contains(res.Body.String(), "openapi: 3.1.0") {
		t.Errorf("GET /openapi.yaml = %d %.80s", res.Code, res.Body)
	}
	for _, path := range []string{"/docs", "/openapi.json", "/openapi", "/schemas/App.json", "/schemas", "/v1", "/v1/"} {
		w.refused("GET "+path, w.do("GET", path, "", ""), http.StatusNotFound, "not_found")
	}
}

func TestEveryRouteWantsItsScope(t *testing.T) {
	w := newWorld(t)
	for route, row := range needs {
		method, path, body := w.a.fill(route)
		if row == "" || strings.HasPrefix(path, "/v1/verify") {
			continue
		}
		lacking := w.bearer("lacking", audit.Actor{Reach: audit.ServerReach(), Scopes: everyScope(strings.Fields(row)...)})
		before, _ := w.traces()
		w.refused(route+" with every other scope", w.do(method, path, lacking, body), http.StatusForbidden, "insufficient_scope")
		none := w.bearer("none", audit.Actor{Reach: audit.ServerReach()})
		w.refused(route+" with no scope", w.do(method, path, none, body), http.StatusForbidden, "insufficient_scope")
		if after, _ := w.traces(); after != before {
			t.Errorf("%s was refused and left %d lines", route, after-before)
		}
	}
	// And with just that scope it is not refused for lack of it.
	for route, row := range needs {
		for _, scope := range strings.Fields(row) {
			w := w
			method, path, body := w.b.fill(route)
			if strings.HasPrefix(path, "/v1/verify") {
				continue
			}
			having := w.bearer("having", audit.Actor{User: id.User(w.b.user), Reach: audit.ServerReach(), Team: id.Team(w.b.team), Scopes: []string{scope}})
			if res := w.do(method, path, having, body); res.Code == 401 || res.Code == 403 || res.Code >= 500 {
				t.Errorf("%s with %s = %d %s", route, scope, res.Code, res.Body)
			}
		}
	}
}

func TestForeignThingsAreNotFound(t *testing.T) {
	w := newWorld(t)
	lines, entries := w.traces()
	for route := range needs {
		if !strings.Contains(route, "{id}") {
			continue
		}
		method, path, body := w.b.fill(route)
		res := w.do(method, path, "a", body)
		// What concerns the whole server, or is a person's own, is closed to a team altogether.
		if res.Code == http.StatusForbidden {
			if row := needs[route]; !strings.Contains(row, "users") && !strings.HasPrefix(path, "/v1/grants") && !strings.HasPrefix(path, "/v1/tokens") && !strings.HasSuffix(path, "/finalize") && !strings.HasPrefix(path, "/v1/billing/stripe") {
				t.Errorf("%s of another team = 403, want 404", route)
			}
			continue
		}
		w.refused(route+" of another team", res, http.StatusNotFound, "not_found")
		for _, nonsense := range []string{"nonsense", "..%2f..", strings.Repeat("x", 5000), "key_0000000000000000", "%27%20OR%201=1--"} {
			made := strings.NewReplacer(w.b.key, nonsense, w.b.app, nonsense, w.b.team, nonsense, w.b.user, nonsense, w.b.hook, nonsense).Replace(path)
			w.refused(route+" of "+nonsense[:min(len(nonsense), 20)], w.do(method, made, "a", body), http.StatusNotFound, "not_found")
		}
	}
	// In bodies and filters as well.
	w.refused("an app in another team", w.do("POST", "/v1/apps", "a", `{"name":"x","team_id":"`+w.b.team+`"}`), http.StatusNotFound, "not_found")
	for _, path := range []string{"/v1/apps?team_id=" + w.b.team, "/v1/keys?team_id=" + w.b.team, "/v1/keys?app_id=" + w.b.app, "/v1/webhooks?team_id=" + w.b.team} {
		if res := w.do("GET", path, "a", ""); res.Code != 404 && !strings.Contains(res.Body.String(), `"items":[]`) {
			t.Errorf("GET %s = %d %s, want nothing of another team's", path, res.Code, res.Body)
		}
	}
	if l, e := w.traces(); l != lines || e != entries {
		t.Errorf("refused calls left traces: %d audit lines and %d changes, want %d and %d", l, e, lines, entries)
	}
}
