package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
)

func faultOf(err error) fault.Error {
	var f *fault.Error
	if errors.As(err, &f) {
		return *f
	}
	return fault.Error{}
}

func apiOf(t testing.TB, text string) (a lanyard.API) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return a
}

func TestNormaliseRefuses(t *testing.T) {
	long := strings.Repeat("x", 121)
	for _, tc := range []struct{ field, text string }{
		{"takes", `{"takes": "keys"}`},
		{"takes", `{"takes": "Key"}`},
		{"metering", `{"metering": "some"}`},
		{"key_in[1]", `{"key_in": ["header", "body"]}`},
		{"title", `{"title": "a\u0000b"}`},
		{"token.format", `{"token": {"format": "saml"}}`},
		{"token.lifetime", `{"token": {"lifetime": "0s"}}`},
		{"token.lifetime", `{"token": {"lifetime": "25h"}}`},
		{"token.lifetime", `{"token": {"lifetime": "soon"}}`},
		{"identifier", `{"identifier": "api.example"}`},
		{"identifier", `{"identifier": "https://api.example/#x"}`},
		{"identifier", `{"identifier": "ftp://api.example"}`},
		{"upstream", `{"upstream": "localhost:9001"}`},
		{"upstream", `{"upstream": "http://user:pass@localhost:9001"}`},
		{"upstream", `{"upstream": "http://localhost:9001/?key=1"}`},
		{"upstream", `{"upstream": "urn:x:y"}`},
		{"routes[0].prefix", `{"routes": [{"prefix": "weather"}]}`},
		{"routes[0].prefix", `{"routes": [{"prefix": ""}]}`},
		{"routes[0].prefix", `{"routes": [{"prefix": "/a/../b"}]}`},
		{"routes[0].prefix", `{"routes": [{"prefix": "/a%2fb"}]}`},
		{"routes[1].prefix", `{"routes": [{"prefix": "/a"}, {"prefix": "//b"}]}`},
		{"routes[0].host", `{"routes": [{"prefix": "/a", "host": "API.example"}]}`},
		{"routes[0].host", `{"routes": [{"prefix": "/a", "host": "api.example:443"}]}`},
		{"routes[0].host", `{"routes": [{"prefix": "/a", "host": "api.example."}]}`},
		{"cors.origins[0]", `{"cors": {"origins": ["*"]}}`},
		{"cors.origins[1]", `{"cors": {"origins": ["https://app.example", "https://app.example/"]}}`},
		{"cors.origins[0]", `{"cors": {"origins": ["null"]}}`},
		{"scopes.a.read.text", `{"scopes": {"a.read": {}}}`},
		{"scopes.a.read.text", `{"scopes": {"a.read": {"text": "` + long + `"}}}`},
		{"scopes.a.read.text", `{"scopes": {"a.read": {"text": "read\nall"}}}`},
		{"scopes.lanyard.x", `{"scopes": {"lanyard.x": {"text": "x"}}}`},
		{"scopes.lanyard", `{"scopes": {"lanyard": {"text": "x"}}}`},
		{"scopes.a.read.grantable_by", `{"scopes": {"a.read": {"text": "x", "grantable_by": "owner"}}}`},
		{"scopes", `{"scopes": {"A.read": {"text": "x"}}}`},
		{"scopes", `{"scopes": {"a read": {"text": "x"}}}`},
		{"scopes", `{"scopes": {"a": {"text": "x", "includes": ["b"]}}}`},
		{"scopes", `{"scopes": {"a": {"text": "x", "includes": ["b"]}, "b": {"text": "y", "includes": ["a"]}}}`},
		{"operations.GET /a.takes", `{"operations": {"GET /a": {"takes": "cookie"}}}`},
		{"operations.GET /a.scopes", `{"operations": {"GET /a": {"scopes": ["a.read"]}}}`},
		{"operations.GET /a.cost", `{"operations": {"GET /a": {"cost": -1}}}`},
		{"operations.GET /a.max_age", `{"operations": {"GET /a": {"takes": "token", "max_age": "soon"}}}`},
		{"operations.GET /a.max_age", `{"operations": {"GET /a": {"takes": "token", "max_age": "0s"}}}`},
		{"operations.GET /a.max_age", `{"operations": {"GET /a": {"takes": "token", "max_age": "-5m"}}}`},
		{"operations.GET /a.max_age", `{"operations": {"GET /a": {"takes": "token", "max_age": "1500ms"}}}`},
		{"operations.GET /a.max_age", `{"operations": {"GET /a": {"takes": "token", "max_age": "721h"}}}`},
		{"operations.GET /a.max_age", `{"operations": {"GET /a": {"max_age": "5m"}}}`},
		{"operations.GET /a.max_age", `{"takes": "token", "operations": {"GET /a": {"takes": "key", "max_age": "5m"}}}`},
		{"operations.GET /a.cost", `{"operations": {"GET /a": {"cost": 1000001}}}`},
		{"operations", `{"operations": {"/a": {}}}`},
		{"operations", `{"operations": {"get /a": {}}}`},
		{"operations", `{"operations": {"GET a": {}}}`},
		{"operations", `{"operations": {"GET /{a}/b": {}, "GET /a/{b}": {}}}`},
		{"operations", `{"operations": {"GET /{a}": {}, "GET /{b}": {}}}`},
		{"plans.Free", `{"plans": {"Free": {}}}`},
		{"plans.b.default", `{"plans": {"a": {"default": true}, "b": {"default": true}}}`},
		{"plans.a.limits[0]", `{"plans": {"a": {"limits": ["60"]}}}`},
		{"plans.a.limits[1]", `{"plans": {"a": {"limits": ["60/minute", "100/60s"]}}}`},
		{"plans.a.quota", `{"plans": {"a": {"quota": "1000/week"}}}`},
		{"plans.a.quota", `{"plans": {"a": {"quota": "0/month"}}}`},
		{"plans.a.quota", `{"plans": {"a": {"quota": "-1/month"}}}`},
		{"plans.a.quota", `{"plans": {"a": {"quota": "9999999999999999/month"}}}`},
		{"plans.a.currency", `{"plans": {"a": {"fee": "5"}}}`},
		{"plans.a.period", `{"plans": {"a": {"period": "week"}}}`},
		{"plans.a.prices[1].per_unit", `{"plans": {"a": {"currency": "USD", "prices": [{"meter": "requests", "per_unit": "1"}, {"meter": "units", "per_unit": "1e-3"}]}}}`},
		{"plans.a.prices[0].meter", `{"plans": {"a": {"currency": "USD", "prices": [{"meter": "storage_gb", "per_unit": "1"}]}}}`},
		{"plans.a.prices[0].meter", `{"metering": "none", "plans": {"a": {"currency": "USD", "prices": [{"meter": "requests", "per_unit": "1"}]}}}`},
		{"meters.requests", `{"meters": {"requests": {"text": "x", "event": "y"}}}`},
		{"meters.Storage", `{"meters": {"Storage": {"text": "x", "event": "y"}}}`},
		{"meters.a.text", `{"meters": {"a": {"event": "y"}}}`},
		{"meters.a.event", `{"meters": {"a": {"text": "x"}}}`},
		{"meters.b.event", `{"meters": {"a": {"text": "x", "event": "y"}, "b": {"text": "x", "event": "y"}}}`},
		{"identifier", `{"identifier": "urn:x:` + strings.Repeat("x", maxURI) + `"}`},
		{"routes[0].prefix", `{"routes": [{"prefix": "/` + strings.Repeat("x", 200) + `"}]}`},
		{"operations.GET /a.scopes", `{"operations": {"GET /a": {"scopes": [` + strings.Repeat(`"a",`, 20) + `"a"]}}}`},
		{"plans.a.limits", `{"plans": {"a": {"limits": [` + strings.Repeat(`"1/day",`, 8) + `"1/day"]}}}`},
		{"plans.a.text", `{"plans": {"a": {"text": "a\u0000"}}}`},
	} {
		_, err := Normalise("weather", apiOf(t, tc.text))
		if f := faultOf(err); f.Kind != fault.Invalid || f.Field != tc.field || f.Detail == "" {
			t.Errorf("Normalise(%s) = %v, want invalid_request about %q", tc.text, err, tc.field)
		}
	}
	for _, name := range []string{"", "a", "Weather", "lanyard", "1st", "-a", "a_b", "a.b", "a/b", "ü-api", strings.Repeat("a", 64)} {
		if _, err := Normalise(name, lanyard.API{}); faultOf(err).Kind != fault.Invalid || ValidName(name) {
			t.Errorf("Normalise(%q) = %v and ValidName %v, want it refused", name, err, ValidName(name))
		}
	}
	many := lanyard.API{Operations: map[string]lanyard.Operation{}}
	for i := range maxOperations + 1 {
		many.Operations[fmt.Sprintf("GET /%d", i)] = lanyard.Operation{}
	}
	if _, err := Normalise("weather", many); faultOf(err).Field != "operations" {
		t.Errorf("Normalise of %d operations = %v, want operations refused", len(many.Operations), err)
	}
}

func TestNormalise(t *testing.T) {
	const text = `{"cors": {"origins": ["HTTPS://App.example:443"]}, "scopes": {"a.read": {"text": "read"}}, "operations": {"GET /a": {"scopes": ["a.read"]}, "POST /a": {"cost": 0}}, "plans": {"free": {}}}`
	in := apiOf(t, text)
	got, err := Normalise("weather", in)
	if err != nil {
		t.Fatal(err)
	}
	want := apiOf(t, `{"name": "weather", "takes": "either", "metering": "exact", "key_in": ["header"], "token": {"format": "jwt", "lifetime": "15m"},
		"cors": {"origins": ["https://app.example"]}, "scopes": {"a.read": {"text": "read", "grantable_by": "everyone"}},
		"operations": {"GET /a": {"scopes": ["a.read"], "cost": 1}, "POST /a": {"cost": 0}}, "plans": {"free": {}}}`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Normalise (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(apiOf(t, text), in); diff != "" {
		t.Errorf("Normalise changed its argument (-before +after):\n%s", diff)
	}
	opaque, err := Normalise("mail", lanyard.API{Token: &lanyard.TokenRules{Format: "opaque"}})
	if err != nil || opaque.Token.Lifetime != "1h" {
		t.Errorf("Normalise of opaque tokens = %+v, %v, want an hour", opaque.Token, err)
	}
}

func TestValidate(t *testing.T) {
	for _, tc := range []struct {
		name, field string
		apis        map[string]string
	}{
		{"a scope claimed twice", "apis.weather.scopes.x.read", map[string]string{"mail": `{"scopes": {"x.read": {"text": "x"}}}`, "weather": `{"scopes": {"x.read": {"text": "y"}}}`}},
		{"a place claimed twice", "apis.weather.routes[1]", map[string]string{"mail": `{"routes": [{"prefix": "/x"}]}`, "weather": `{"routes": [{"prefix": "/y"}, {"prefix": "/x"}]}`}},
		{"a place claimed twice, with a slash", "apis.weather.routes[0]", map[string]string{"mail": `{"routes": [{"prefix": "/x/"}]}`, "weather": `{"routes": [{"prefix": "/x", "strip_prefix": true}]}`}},
		{"a place twice in one API", "apis.mail.routes[1]", map[string]string{"mail": `{"routes": [{"prefix": "/x"}, {"prefix": "/x"}]}`}},
		{"an audience claimed twice", "apis.weather.identifier", map[string]string{"mail": `{"identifier": "https://a.example"}`, "weather": `{"identifier": "https://a.example"}`}},
		{"the same place on two hosts", "", map[string]string{"mail": `{"routes": [{"prefix": "/x", "host": "a.example"}]}`, "weather": `{"routes": [{"prefix": "/x", "host": "b.example"}]}`}},
		{"the same operation", "", map[string]string{"mail": `{"operations": {"GET /x": {}}}`, "weather": `{"operations": {"GET /x": {}}}`}},
	} {
		s := State{APIs: map[string]lanyard.API{}}
		for name, text := range tc.apis {
			s.APIs[name] = apiOf(t, text)
		}
		err := s.Validate()
		if f := faultOf(err); f.Field != tc.field || (err == nil) != (tc.field == "") {
			t.Errorf("%s: Validate() = %v, want a fault about %q", tc.name, err, tc.field)
		}
	}
}

func TestCheckBrand(t *testing.T) {
	for _, tc := range []struct {
		field string
		brand lanyard.Brand
	}{
		{"name", lanyard.Brand{Name: "a\x00"}},
		{"key_prefix", lanyard.Brand{KeyPrefix: "A"}},
		{"key_prefix", lanyard.Brand{KeyPrefix: "waytoolongprefix"}},
		{"color", lanyard.Brand{Color: "red;}"}},
		{"terms", lanyard.Brand{Terms: "javascript:alert(1)"}},
		{"privacy", lanyard.Brand{Privacy: "/privacy"}},
		{"support", lanyard.Brand{Support: strings.Repeat("x", 201)}},
		{"logo", lanyard.Brand{Logo: strings.Repeat("x", 501)}},
		{"", lanyard.Brand{}},
		{"", lanyard.Brand{Name: "Acme", KeyPrefix: "acme", Color: "#0a7", Terms: "https://acme.example/terms"}},
	} {
		err := CheckBrand(tc.brand)
		if f := faultOf(err); f.Field != tc.field || (err == nil) != (tc.field == "") {
			t.Errorf("CheckBrand(%+v) = %v, want a fault about %q", tc.brand, err, tc.field)
		}
	}
}

func TestCompile(t *testing.T) {
	a, err := Normalise("weather", apiOf(t, `{"takes": "key", "metering": "none", "scopes": {"a.read": {"text": "read"}},
		"operations": {"GET /a/{id}": {"scopes": ["a.read"], "cost": 3}}, "plans": {"free": {"default": true, "limits": ["60/minute", "5/1h"]}, "pro": {}}}`))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Compile(a, "https://lanyard.example/apis/weather")
	if err != nil {
		t.Fatal(err)
	}
	p := c.Policy
	if p.Identifier != "https://lanyard.example/apis/weather" || !p.Unmetered || p.DefaultPlan != "free" || fmt.Sprint(p.Plans) != "[free pro]" || p.Takes != "key" {
		t.Errorf("Compile = %+v", p)
	}
	if op := p.Operations.Match("GET", "/a/7"); op == nil || op.Cost != 3 {
		t.Errorf("Match = %+v, want the operation that costs 3", op)
	}
	if limits := c.PlanLimits["free"]; len(limits) != 2 || limits[0].N != 60 || limits[1].N != 5 {
		t.Errorf("PlanLimits = %+v, want two", limits)
	}
	a.Identifier = "https://own.example"
	if c, err = Compile(a, "https://lanyard.example/apis/weather"); err != nil || c.Policy.Identifier != "https://own.example" {
		t.Errorf("Compile = %+v, %v, want the declared identifier", c, err)
	}
}

// TestManagement holds what CONTRACT says of the management scopes.
func TestManagement(t *testing.T) {
	s := Management("https://lanyard.example").Scopes
	if !s.Covers([]string{"lanyard.keys.write"}, "lanyard.keys.read", false) || s.Covers([]string{"lanyard.keys.read"}, "lanyard.keys.write", true) {
		t.Error("write must include read, and not the other way")
	}
	for _, scope := range s.All() {
		if !s.Covers([]string{"lanyard.admin"}, scope.Name, true) {
			t.Errorf("lanyard.admin does not include %s", scope.Name)
		}
		if s.Covers([]string{"lanyard.admin"}, scope.Name, false) {
			t.Errorf("lanyard.admin gives %s without server reach", scope.Name)
		}
	}
	for name, want := range map[string]string{
		"lanyard.apps.write": "everyone", "lanyard.keys.write": "everyone", "lanyard.usage.read": "everyone", "lanyard.leaks.write": "everyone",
		"lanyard.billing.write": "team_owner", "lanyard.catalog.read": "admin", "lanyard.users.read": "admin", "lanyard.grants.read": "admin",
		"lanyard.audit.read": "admin", "lanyard.changes.read": "admin", "lanyard.verify": "admin", "lanyard.admin": "admin",
	} {
		if got := s.Get(name); got == nil || string(got.GrantableBy) != want || got.Text == "" {
			t.Errorf("scope %s = %+v, want it grantable by %s", name, got, want)
		}
	}
}

// FuzzNormalise: whatever a declaration holds, it is refused with a place, or its normal form is stable, compiles, and
// differs from nothing when it is applied again.
func FuzzNormalise(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"takes": "key", "scopes": {"a": {"text": "x", "includes": ["a"]}}}`, `{"operations": {"GET /{a...}": {}, "ANY /": {"cost": 0}}}`,
		`{"plans": {"a": {"limits": ["1/second"], "quota": "5/day"}}}`,
		`{"meters": {"gb": {"text": "x", "event": "y"}}, "plans": {"a": {"fee": "9.90", "period": "cycle", "prices": [{"meter": "gb", "model": "volume", "currency": "JPY", "tiers": [{"up_to": 5, "flat": "1.0"}, {"per_unit": "0"}]}]}}}`, `{"routes": [{"prefix": "/x", "host": "a"}], "cors": {"origins": ["http://[::1]:80"]}}`,
		`{"identifier": "urn:x", "token": {"format": "opaque"}}`, `{"scopes": null, "operations": null, "cors": null, "key_in": []}`,
	} {
		f.Add("weather", seed)
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		var a lanyard.API
		if json.Unmarshal([]byte(text), &a) != nil {
			return
		}
		normal, err := Normalise(name, a)
		if err != nil {
			if faultOf(err).Kind != fault.Invalid {
				t.Errorf("Normalise(%q, %s) = %v, want invalid_request", name, text, err)
			}
			return
		}
		stored, err := json.Marshal(normal)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Normalise(name, apiOf(t, string(stored)))
		if err != nil {
			t.Fatalf("Normalise(%q, %s) then %v", name, stored, err)
		}
		was := State{APIs: map[string]lanyard.API{name: normal}}
		if diff := Diff(was, State{APIs: map[string]lanyard.API{name: again}}); len(diff) != 0 {
			t.Errorf("Normalise(%q, %s) is not stable: %+v", name, stored, diff)
		}
		if _, err := Compile(normal, "https://x.example"); err != nil {
			t.Errorf("Normalise(%q, %s) passes and does not compile: %v", name, stored, err)
		}
	})
}
