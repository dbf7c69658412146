package admin_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

const mapsEdit = "/admin/apis/maps/edit"

// put declares the API maps.
func (w *world) put(t *testing.T, a lanyard.API) {
	t.Helper()
	if _, err := w.Manage.PutAPI(t.Context(), audit.Command("test"), "maps", a, false); err != nil {
		t.Fatal(err)
	}
}

// maps is the API as it is stored.
func (w *world) maps(t *testing.T) (lanyard.API, string) {
	t.Helper()
	a, err := w.Manage.API(t.Context(), audit.Command("test"), "maps")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return a, string(text)
}

// full is an API that says everything the doors go by.
func full() lanyard.API {
	return lanyard.API{
		Title: "Maps", Takes: "key", KeyIn: []string{"query"},
		Routes:    []lanyard.Route{{Prefix: "/maps", StripPrefix: true}, {Host: "maps.example", Prefix: "/"}, {Host: "api.example", Prefix: "/maps/v1"}},
		Upstreams: []string{"http://10.0.0.1:9001", "http://10.0.0.2:9001/base", "https://maps.internal"},
		Health:    &lanyard.HealthCheck{Path: "/healthz", Every: "10s"}, Timeout: "30s", Charge: "success",
		CORS:   &lanyard.CORS{Origins: []string{"https://app.example", "http://localhost:3000"}},
		Meters: map[string]lanyard.Meter{"tiles": {Text: "tiles drawn", Event: "com.acme.tile"}, "storage_gb": {Text: "gigabytes stored", Event: "com.acme.storage"}},
		Stripe: map[string]string{"requests": "map calls", "tiles": "tiles_drawn"},
		Limits: []string{"100/second"}, UserLimits: []string{"9/second"},
	}
}

// What is saved without a change stays byte for byte as it was, also where there are other ways to say the same, and leaves no audit line.
func TestEditedAPIUnchanged(t *testing.T) {
	for name, alter := range map[string]func(*lanyard.API){
		"all of it":                    func(*lanyard.API) {},
		"nothing":                      func(a *lanyard.API) { *a = lanyard.API{} },
		"one of several upstreams":     func(a *lanyard.API) { a.Upstreams = a.Upstreams[:1] },
		"one upstream":                 func(a *lanyard.API) { a.Upstream, a.Upstreams = a.Upstreams[0], nil },
		"origins that are none":        func(a *lanyard.API) { a.CORS = &lanyard.CORS{Origins: []string{}} },
		"a charge that is the default": func(a *lanyard.API) { a.Charge = "allow" },
		"health by default":            func(a *lanyard.API) { a.Health.Every = "" },
		"a path with spaces":           func(a *lanyard.API) { a.Routes = []lanyard.Route{{Prefix: "/a strip_prefix"}, {Prefix: "/b  c "}} },
		"an event with spaces":         func(a *lanyard.API) { a.Meters = map[string]lanyard.Meter{"tiles": {Text: "x y", Event: "a b"}} },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a := full()
			alter(&a)
			w.put(t, a)
			_, before := w.maps(t)
			lines := w.lines(t)
			if p := w.adminsees.Press(w.adminsees.Get(mapsEdit), "save-api", nil); p.Status != http.StatusOK || p.URL.Path != "/admin/apis/maps" {
				t.Errorf("saving = %d at %s", p.Status, p.URL)
			}
			if _, after := w.maps(t); after != before {
				t.Errorf("saving without a change made of it\n%s\nwant\n%s", after, before)
			}
			if got := w.lines(t); got != lines {
				t.Errorf("saving without a change left %d audit lines", got-lines)
			}
		})
	}
}

// What the form says is what is stored, from nothing to everything and back.
func TestEditedAPIRoundTrip(t *testing.T) {
	w := newWorld(t)
	b := w.adminsees
	w.put(t, full())
	want, _ := w.maps(t)
	w.put(t, lanyard.API{Takes: "key"})
	empty, _ := w.maps(t)
	wantOn(t, b.Get("/admin/apis/maps"), "an API that stands nowhere", "It stands nowhere yet", "no other site", "every call is counted")
	all := map[string]string{
		"title": "Maps", "routes": " /maps strip_prefix\r\n\r\nmaps.example/\r\napi.example/maps/v1\r\n", "upstreams": "http://10.0.0.1:9001\r\nhttp://10.0.0.2:9001/base\r\nhttps://maps.internal",
		"health_path": "/healthz", "health_every": "10s", "timeout": "30s", "charge": "success", "origins": "https://APP.example\r\nhttp://localhost:3000",
		"meters": "tiles com.acme.tile tiles drawn\r\nstorage_gb  com.acme.storage  gigabytes stored", "stripe": "requests map calls\r\ntiles tiles_drawn", "limits": "100/second", "user_limits": "9/second",
	}
	p := b.Press(b.Get(mapsEdit), "save-api", all)
	wantOn(t, p, "the API", "The API maps is changed.", "/maps, which the upstream does not see", "maps.example/", "http://10.0.0.2:9001/base", "GET /healthz below 400, every 10s", "30s", "if the answer has a status below 400", "https://app.example", "storage_gb", "tiles_drawn")
	w.wantLine(t, "api.put", "maps")
	got, _ := w.maps(t)
	want.KeyIn = got.KeyIn
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the form stored (-want +got):\n%s", diff)
	}
	for id := range all {
		all[id] = ""
	}
	p = b.Press(b.Press(b.Get(mapsEdit), "save-api", all), "change-yes", nil)
	wantOn(t, p, "the API that was emptied", "It stands nowhere yet")
	if got, _ := w.maps(t); !cmp.Equal(got, empty) {
		t.Errorf("the emptied form stored (-want +got):\n%s", cmp.Diff(empty, got))
	}
}

// Each refusal stands beside its field, names the line, changes nothing and loses nothing.
func TestEditedAPIRefused(t *testing.T) {
	w := newWorld(t)
	b := w.adminsees
	w.put(t, full())
	_, before := w.maps(t)
	lines := w.lines(t)
	for _, test := range []struct{ field, text, want string }{
		{"routes", "/maps\n\n/maps/../x", "Line 3, prefix: must be a plain path"},
		{"routes", "weather", "Line 1, prefix: must be a plain path"},
		{"routes", "API.example/maps", "Line 1, host: must be a lower-case host name"},
		{"routes", "/maps strip", "Line 1: must be host and path in one word, and after it nothing or strip_prefix."},
		{"routes", "/maps\n/maps/", "Line 2: API “maps” stands at this place already"},
		{"upstreams", "http://a\nftp://b", "Line 2: must be an http or https address"},
		{"upstreams", "\nlocalhost:9001", "Must be an http or https address"},
		{"upstreams", "http://a\nhttp://b\nhttp://a", "Line 3: stands there twice."},
		{"health_path", "healthz", "Must be a plain path"},
		{"health_path", "", "Must be a plain path"},
		{"health_every", "1ms", "Must be between 1s and 10m0s"},
		{"timeout", "soon", "Must be between 100ms and 1h0m0s"},
		{"charge", "never", "Must be allow or success"},
		{"metering", "some", "Must be exact or none"},
		{"origins", "https://app.example\nhttps://*.example", "Line 2: “https://*.example” is no origin"},
		{"meters", "tiles com.acme.tile tiles\nTiles x y", "Line 2: a meter's name must match"},
		{"meters", "tiles com.acme.tile", "Line 1, text: must not be empty."},
		{"meters", "tiles a b\ntiles c d", "Line 2: there is a meter “tiles” already."},
		{"stripe", "tiles x\nrequests x", "goes by this name already"},
		{"stripe", "requests", "Line 1: must not be empty."},
		{"stripe", "tiles x\ntiles y", "Line 2: the meter “tiles” stands there already."},
		{"lifetime", "forever", "Must be between 1s and 24h"},
		{"identifier", "maps", "Must be an absolute URI"},
		{"limits", "9/second\n9/fortnight", "Line 2: "},
		{"user_limits", "9", "Line 1: "},
	} {
		p := b.Press(b.Get(mapsEdit), "save-api", map[string]string{"title": "Kept words", "routes": "/kept strip_prefix", "+key_in_query": "", test.field: test.text})
		if p.Status != http.StatusBadRequest || !p.Has(test.field+"-error") || p.Has("wrong") {
			t.Errorf("%s %q = %d, want 400 beside it alone", test.field, test.text, p.Status)
			continue
		}
		if !strings.Contains(p.Body, `href="#`+test.field+`"`) {
			t.Errorf("the refusal of %s leads nobody to it", test.field)
		}
		said := strings.NewReplacer("“", `"`, "”", `"`).Replace(test.want)
		wantOn(t, p, test.field+" "+test.text, said)
		if !strings.Contains(p.Body, "Kept words") || test.field != "routes" && !strings.Contains(p.Body, "/kept strip_prefix") {
			t.Errorf("the refusal of %s %q loses what was filled in", test.field, test.text)
		}
		if last := test.text[strings.LastIndex(test.text, "\n")+1:]; test.field != "charge" && test.field != "metering" && !strings.Contains(p.Body, last) {
			t.Errorf("the refusal of %s %q loses what is wrong", test.field, test.text)
		}
	}
	if _, after := w.maps(t); after != before || w.lines(t) != lines {
		t.Error("what was refused changed the API or left an audit line")
	}
}

// What two APIs contradict each other about is told of the right one, whichever the catalog names.
func TestEditedAPIContradicts(t *testing.T) {
	w := newWorld(t)
	b := w.adminsees
	w.put(t, full())
	if _, err := w.Manage.PutAPI(t.Context(), audit.Command("test"), "zoo", lanyard.API{Takes: "key", Routes: []lanyard.Route{{Prefix: "/x"}, {Prefix: "/zoo"}}}, false); err != nil {
		t.Fatal(err)
	}
	p := b.Press(b.Get(mapsEdit), "save-api", map[string]string{"routes": "/zoo"})
	if !p.Has("routes-error") {
		t.Errorf("another's place = %d, want it refused beside the routes", p.Status)
	}
	wantOn(t, p, "another's place", `apis.zoo.routes[1]: API "maps" stands at this place already.`)
}

// An older page, which knows fewer fields, leaves the others alone.
func TestEditedAPIKeepsWhatWasNotSent(t *testing.T) {
	w := newWorld(t)
	w.put(t, full())
	before, _ := w.maps(t)
	w.adminsees.Post(mapsEdit, url.Values{"title": {"Other"}, "query": {"yes"}}, nil)
	before.Title = "Other"
	if got, _ := w.maps(t); !cmp.Equal(got, before) {
		t.Errorf("a form of a title alone stored (-want +got):\n%s", cmp.Diff(before, got))
	}
}

// Who is no admin changes nothing of it.
func TestEditedAPINeedsAdmin(t *testing.T) {
	w := newWorld(t)
	w.put(t, full())
	_, before := w.maps(t)
	form := url.Values{"routes": {"/evil"}, "upstreams": {"http://evil.example"}, "origins": {"https://evil.example"}, "sure": {"yes"}}
	for who, b := range map[string]*servertest.Browser{"a person": w.personssees, "nobody": w.Browser(t)} {
		if p := b.Post(mapsEdit, form, nil); p.Status != http.StatusNotFound && p.URL.Path != "/login" {
			t.Errorf("POST %s by %s = %d at %s, want it refused", mapsEdit, who, p.Status, p.URL)
		}
	}
	if _, after := w.maps(t); after != before {
		t.Errorf("a refused form made of it\n%s", after)
	}
}
