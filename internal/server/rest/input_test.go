package rest

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

func TestBadInput(t *testing.T) {
	w := newWorld(t)
	var list struct {
		Next string `json:"next_cursor"`
	}
	w.ok("GET", "/v1/apps?limit=1", "admin", "", &list)
	if list.Next == "" {
		t.Fatal("there is no second page of apps")
	}
	keys := "/v1/apps/" + w.a.app + "/keys"
	deep := strings.Repeat(`{"metadata":`, 40) + "1" + strings.Repeat("}", 40)
	lines, entries := w.traces()
	for _, test := range []struct {
		name, request, body, field string
	}{
		{"truncated", "POST /v1/apps", `{"name":"a"`, ""},
		{"empty body", "POST /v1/apps", ``, ""},
		{"blank body", "POST /v1/apps", ` `, ""},
		{"null", "POST /v1/apps", `null`, ""},
		{"array", "POST /v1/apps", `[{"name":"a"}]`, ""},
		{"two objects", "POST /v1/apps", `{"name":"a"}{"name":"b"}`, ""},
		{"10 MB", "POST /v1/apps", `{"name":"` + strings.Repeat("a", 10<<20) + `"}`, ""},
		{"deep nesting", "POST /v1/apps", deep, strings.Repeat("metadata.", 32)[:200]},
		{"duplicate field", "POST /v1/apps", `{"name":"a","name":"b"}`, "name"},
		{"unknown field", "POST /v1/apps", `{"name":"a","admin":true}`, "admin"},
		{"case-changed field", "POST /v1/apps", `{"Name":"a"}`, "Name"},
		{"case-changed field beside the right one", "POST /v1/apps", `{"name":"a","NAME":"b"}`, "NAME"},
		{"case-changed scopes", "POST " + keys, `{"name":"a","Scopes":["lanyard.admin"]}`, "Scopes"},
		{"missing field", "POST /v1/apps", `{}`, "name"},
		{"missing field below", "POST /v1/apps", `{"name":"a","limits":[{"name":"x","limit":5}]}`, "limits[0].window_seconds"},
		{"raw NUL", "POST /v1/apps", "{\"name\":\"a\x00\"}", "name"},
		{"escaped NUL", "POST /v1/apps", `{"name":"a\u0000"}`, "name"},
		{"invalid UTF-8", "POST /v1/apps", "{\"name\":\"\xc3\x28\"}", "name"},
		{"control character", "POST /v1/apps", `{"name":"a\u001bb","team_id":"` + w.a.team + `"}`, "name"},
		{"empty name", "POST /v1/apps", `{"name":""}`, "name"},
		{"long name", "POST /v1/apps", `{"name":"` + strings.Repeat("a", 101) + `"}`, "name"},
		{"wrong type", "POST /v1/apps", `{"name":5}`, "name"},
		{"null in place of a text", "POST /v1/apps", `{"name":null}`, "name"},
		{"null in place of an array", "POST " + keys, `{"name":"a","scopes":null}`, "scopes"},
		{"object in place of an array", "POST " + keys, `{"name":"a","scopes":{}}`, "scopes"},
		{"wrong type below", "POST " + keys, `{"name":"a","scopes":["b",5]}`, "scopes[1]"},
		{"huge number", "POST " + keys, `{"name":"a","rotate_every_days":99999999999999999999999999}`, "rotate_every_days"},
		{"number beyond its field", "POST " + keys, `{"name":"a","rotate_every_days":9223372036854775808}`, "rotate_every_days"},
		{"number out of range", "POST " + keys, `{"name":"a","rotate_every_days":731}`, "rotate_every_days"},
		{"negative number", "POST " + keys, `{"name":"a","rotate_every_days":-1}`, "rotate_every_days"},
		{"exponent", "POST " + keys, `{"name":"a","rotate_every_days":1e1}`, "rotate_every_days"},
		{"fraction", "POST " + keys, `{"name":"a","rotate_every_days":1.5}`, "rotate_every_days"},
		{"unknown kind", "POST " + keys, `{"name":"a","kind":"KEY"}`, "kind"},
		{"bad time", "POST " + keys, `{"name":"a","expires_at":"tomorrow"}`, "expires_at"},
		{"bad CIDR", "POST " + keys, `{"name":"a","ip_allow":["10.0.0.0/8","10.0.0.0/33"]}`, "ip_allow[1]"},
		{"CIDR with host bits", "POST " + keys, `{"name":"a","ip_allow":["10.0.0.1/8"]}`, "ip_allow[0]"},
		{"octal address", "POST " + keys, `{"name":"a","ip_allow":["0177.0.0.1"]}`, "ip_allow[0]"},
		{"bad origin", "POST " + keys, `{"name":"a","kind":"pub","origins":["https://app.example/path"]}`, "origins[0]"},
		{"wildcard origin", "POST " + keys, `{"name":"a","kind":"pub","origins":["*"]}`, "origins[0]"},
		{"pub without restriction", "POST " + keys, `{"name":"a","kind":"pub"}`, "origins"},
		{"unknown field where nothing is wanted", "POST /v1/keys/" + w.a.key + "/disable", `{"version":1}`, "version"},
		{"unknown field in an optional body", "POST /v1/keys/" + w.a.key + "/revoke", `{"versoin":1}`, "versoin"},
		{"nonsense in an optional body", "POST /v1/keys/" + w.a.key + "/revoke", `{`, ""},
		{"long reason", "POST /v1/keys/" + w.a.key + "/revoke", `{"reason":"` + strings.Repeat("a", 201) + `"}`, "reason"},
		{"negative overlap", "POST /v1/keys/" + w.a.key + "/rotate", `{"overlap_seconds":-1}`, "overlap_seconds"},
		{"bad wait", "POST /v1/keys/" + w.a.key + "/revoke?wait=soon", ``, "wait"},
		{"long wait", "POST /v1/keys/" + w.a.key + "/revoke?wait=11s", ``, "wait"},
		{"negative wait", "DELETE /v1/keys/" + w.a.key + "?wait=-1s", ``, "wait"},
		{"unknown parameter", "DELETE /v1/keys/" + w.a.key + "?dry_run=true", ``, "dry_run"},
		{"typo in a filter", "GET /v1/keys?app=" + w.a.app, ``, "app"},
		{"case-changed filter", "GET /v1/keys?App_ID=" + w.a.app, ``, "App_ID"},
		{"filter given twice", "GET /v1/keys?app_id=" + w.a.app + "&app_id=" + w.b.app, ``, "app_id"},
		{"empty filter", "GET /v1/keys?app_id=", ``, "app_id"},
		{"NUL in a filter", "GET /v1/apps?name=%00", ``, "name"},
		{"bad escape", "GET /v1/apps?name=%zz", ``, "query"},
		{"limit 0", "GET /v1/apps?limit=0", ``, "limit"},
		{"limit 201", "GET /v1/apps?limit=201", ``, "limit"},
		{"limit of words", "GET /v1/apps?limit=ten", ``, "limit"},
		{"garbage cursor", "GET /v1/apps?cursor=garbage", ``, "cursor"},
		{"SQL in a cursor", "GET /v1/apps?cursor=%27%3B+DROP+TABLE+app%3B--", ``, "cursor"},
		{"cursor of another list", "GET /v1/keys?cursor=" + list.Next, ``, "cursor"},
		{"cursor of other filters", "GET /v1/apps?name=app&cursor=" + list.Next, ``, "cursor"},
		{"edited cursor", "GET /v1/apps?cursor=" + edited(list.Next), ``, "cursor"},
		{"cursor of a stranger in a short list", "GET /v1/apis?cursor=" + list.Next, ``, "cursor"},
		{"bad cursor of a short list", "GET /v1/apis?cursor=" + base64.RawURLEncoding.EncodeToString([]byte("after:-1")), ``, "cursor"},
		{"bad granularity", "GET /v1/usage?granularity=second", ``, "granularity"},
		{"bad dimension", "GET /v1/usage?group_by=user", ``, "group_by"},
		{"bad time in a query", "GET /v1/usage?from=yesterday", ``, "from"},
		{"times the wrong way round", "GET /v1/usage?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z", ``, "to"},
		{"reconcile without an end", "GET /v1/usage/reconcile?from=2026-02-01T00:00:00Z", ``, "to"},
		{"bad format", "GET /v1/usage/export?format=xml", ``, "format"},
		{"bad bool", "PUT /v1/catalog?dry_run=perhaps", `{}`, "dry_run"},
		{"scope claimed twice", "PUT /v1/catalog", `{"apis":{"copy":{"scopes":{"forecast.read":{"text":"read it again"}}}}}`, "apis.weather.scopes.forecast.read"},
		{"bad role", "PUT /v1/teams/" + w.a.team + "/members/" + w.b.user, `{"role":"king"}`, "role"},
		{"no plan", "PUT /v1/teams/" + w.a.team + "/subscriptions/weather", `{"plan":""}`, "plan"},
		{"no amount", "PUT /v1/teams/" + w.a.team + "/subscriptions/weather/alerts", `{"amounts":["5","0"]}`, "amounts[1]"},
		{"amount of words", "PUT /v1/teams/" + w.a.team + "/subscriptions/weather/alerts", `{"amounts":["five"]}`, "amounts[0]"},
		{"many amounts", "PUT /v1/teams/" + w.a.team + "/subscriptions/weather/alerts", `{"amounts":["1","2","3","4","5","6","7","8","9","10","11"]}`, "amounts"},
		{"negative quota", "POST /v1/apps/" + w.a.app + "/keys", `{"name":"k","quota":{"units":-1}}`, "quota.units"},
		{"quota of cycles", "POST /v1/apps/" + w.a.app + "/keys", `{"name":"k","quota":{"units":1,"period":"cycle"}}`, "quota.period"},
		{"bad address", "POST /v1/users", `{"email":"nobody"}`, "email"},
		{"no keys to import", "POST /v1/keys/import", `{"app_id":"` + w.a.app + `","keys":[]}`, "keys"},
	} {
		method, path, _ := strings.Cut(test.request, " ")
		p := w.refused(test.name, w.do(method, path, "admin", test.body), http.StatusBadRequest, "invalid_request")
		if test.field != "" && (len(p.Errors) == 0 || p.Errors[0].Field != test.field || p.Errors[0].Detail == "") {
			t.Errorf("%s: the problem names %+v, want %s", test.name, p.Errors, test.field)
		}
		if p.Detail == "" {
			t.Errorf("%s: the problem has no detail", test.name)
		}
	}
	for _, contentType := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json; charset=utf-16", "application/cbor"} {
		p := w.refused(contentType, w.do("POST", "/v1/apps", "admin", `{"name":"a"}`, "Content-Type", contentType), http.StatusBadRequest, "invalid_request")
		if len(p.Errors) != 1 || p.Errors[0].Field != "Content-Type" {
			t.Errorf("%s: the problem names %+v, want Content-Type", contentType, p.Errors)
		}
	}
	if l, e := w.traces(); l != lines || e != entries {
		t.Errorf("refused calls left traces: %d audit lines and %d changes, want %d and %d", l, e, lines, entries)
	}
}

func TestProblemsHoldNoSecrets(t *testing.T) {
	w := newWorld(t)
	const secret = "acme_key_live_8fK2mQz7Lr0Xc41Zabcdefghijklmnopqrstuvwxyz012345abcdef"
	for _, test := range []struct{ request, body string }{
		{"POST /v1/keys/import", `{"app_id":"` + w.a.app + `","keys":[{"secret":["` + secret + `"],"name":"a"}]}`},
		{"POST /v1/keys/import", `{"app_id":"` + w.a.app + `","keys":[{"secret":"` + secret + `","name":"` + secret + secret + `"}]}`},
		{"POST /v1/apps", `{"` + secret + `":1}`},
		{"POST /v1/apps", `{"name":"a","type":"` + secret + `"}`},
		{"GET /v1/keys/" + secret, ``},
		{"GET /v1/keys?" + secret + "=1", ``},
		{"GET /v1/keys?cursor=" + secret, ``},
		{"GET /v1/apps?limit=" + secret, ``},
		{"GET /v1/apis/" + secret, ``},
	} {
		method, path, _ := strings.Cut(test.request, " ")
		res := w.do(method, path, "admin", test.body)
		if res.Code < 400 || res.Code >= 500 || strings.Contains(res.Body.String(), "abcdefghij") {
			t.Errorf("%s = %d %s, want a refusal without the secret", test.request, res.Code, res.Body)
		}
	}
}

func FuzzPageCursor(f *testing.F) {
	f.Add("")
	f.Add("YWZ0ZXI6Mg")
	f.Add("YWZ0ZXI6LTE")
	f.Fuzz(func(t *testing.T, cursor string) {
		page, err := pageOf([]int{1, 2, 3}, Paging{Limit: 2, Cursor: cursor})
		if err == nil && len(page.Items) > 2 {
			t.Errorf("pageOf(cursor %q) = %v, want at most 2", cursor, page.Items)
		}
	})
}

// edited is a cursor with another first letter.
func edited(cursor string) string {
	if cursor[0] == 'A' {
		return "B" + cursor[1:]
	}
	return "A" + cursor[1:]
}
