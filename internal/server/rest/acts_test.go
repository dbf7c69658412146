package rest

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

func TestKeyLife(t *testing.T) {
	w := newWorld(t)
	var key lanyard.NewKey
	w.ok("POST", "/v1/apps/"+w.a.app+"/keys", "a", `{"name":"k","scopes":["forecast.read"],"ip_allow":["10.0.0.0/8"]}`, &key)
	if key.ID == "" || key.Key.ID != "" && key.Key.ID != key.ID || !strings.HasPrefix(key.Secret, "acme_key_live_") || key.Status != "valid" {
		t.Fatalf("create = %+v", key)
	}
	at := "/v1/keys/" + key.ID
	var shown lanyard.Key
	if res := w.ok("GET", at, "a", "", &shown); strings.Contains(res.Body.String(), key.Secret) || shown.Name != "k" {
		t.Errorf("show = %s", res.Body)
	}
	w.ok("PATCH", at, "a", `{"name":"renamed"}`, &shown)
	if shown.Name != "renamed" || len(shown.IPAllow) != 1 {
		t.Errorf("patch = %+v, want the name changed and the rest left", shown)
	}
	var rotated lanyard.Rotated
	w.ok("POST", at+"/rotate", "a", "", &rotated) // an empty body is the default overlap
	if rotated.ID != key.ID || rotated.Version != 2 || rotated.Secret == key.Secret || rotated.OverlapUntil == nil {
		t.Errorf("rotate = %+v", rotated)
	}
	w.ok("POST", at+"/rotate/undo", "a", "", &shown)
	if shown.Version != 1 {
		t.Errorf("undo = %+v, want version 1", shown)
	}
	for _, step := range []struct{ request, body, status string }{
		{"POST " + at + "/disable", "", "disabled"},
		{"POST " + at + "/enable", "{}", "valid"},
		{"POST " + at + "/revoke", `{"reason":"seen in a log"}`, "revoked"},
	} {
		method, path, _ := strings.Cut(step.request, " ")
		var applied lanyard.Applied
		w.ok(method, path, "a", step.body, &applied)
		w.ok("GET", at, "a", "", &shown)
		if _, err := id.ParseRevision(applied.Revision); err != nil || applied.Applied || shown.Status != step.status {
			t.Errorf("%s = %+v and status %s, want a revision, not waited for, and %s", step.request, applied, shown.Status, step.status)
		}
	}
	w.refused("enable a revoked key", w.do("POST", at+"/enable", "a", ""), http.StatusConflict, "conflict")
	w.ok("DELETE", at, "a", "", nil)
	w.refused("a deleted key", w.do("GET", at, "a", ""), http.StatusNotFound, "not_found")
}

func TestWait(t *testing.T) {
	w := newWorld(t)
	for _, request := range []string{"POST /v1/keys/" + w.a.key + "/disable", "POST /v1/keys/" + w.a.key + "/enable", "POST /v1/keys/" + w.a.key + "/revoke", "DELETE /v1/keys/" + w.a.key, "DELETE /v1/apps/" + w.a.app} {
		method, path, _ := strings.Cut(request, " ")
		var applied lanyard.Applied
		w.ok(method, path+"?wait=10s", "a", "", &applied)
		if !applied.Applied {
			t.Errorf("%s?wait=10s = %+v, want it applied by the only node", request, applied)
		}
	}
}

func TestRevokeSelf(t *testing.T) {
	w := newWorld(t)
	self := w.bearer("self", audit.Actor{Label: w.a.key, Key: id.Key(w.a.key), App: id.App(w.a.app), Team: id.Team(w.a.team), Reach: audit.TeamReach(id.Team(w.a.team))})
	w.refused("a scope it does not have", w.do("GET", "/v1/keys/"+w.a.key, self, ""), http.StatusForbidden, "insufficient_scope")
	w.ok("POST", "/v1/keys/revoke-self?wait=1s", self, `{"reason":"found on a bus"}`, nil)
	var key lanyard.Key
	w.ok("GET", "/v1/keys/"+w.a.key, "a", "", &key)
	if key.Status != "revoked" || key.RevokeReason != "found on a bus" {
		t.Errorf("the key is %+v, want it revoked with its reason", key)
	}
}

func TestImport(t *testing.T) {
	w := newWorld(t)
	var out lanyard.Imported
	body := `{"app_id":"` + w.a.app + `","keys":[{"name":"old","secret":"sk_12345678901234567890abc"}],"dry_run":%t}`
	w.ok("POST", "/v1/keys/import", "admin", fmt.Sprintf(body, true), &out)
	if !out.DryRun || out.Created != 1 || len(out.Items) != 1 {
		t.Errorf("dry run = %+v", out)
	}
	w.ok("POST", "/v1/keys/import", "admin", fmt.Sprintf(body, false), &out)
	if out.DryRun || out.Created != 1 || out.Items[0].ID == "" {
		t.Errorf("import = %+v", out)
	}
	w.refused("import within a team's reach", w.do("POST", "/v1/keys/import", "a", fmt.Sprintf(body, true)), http.StatusForbidden, "insufficient_scope")
}

func TestLists(t *testing.T) {
	w := newWorld(t)
	for i := range 5 {
		w.ok("POST", "/v1/apps/"+w.a.app+"/keys", "a", fmt.Sprintf(`{"name":"k%d"}`, i), nil)
	}
	var names []string
	path := "/v1/keys?app_id=" + w.a.app + "&limit=2"
	for cursor, pages := "", 0; pages == 0 || cursor != ""; pages++ {
		at := path
		if cursor != "" {
			at += "&cursor=" + cursor
		}
		var page lanyard.Page[lanyard.Key]
		w.ok("GET", at, "a", "", &page)
		for _, k := range page.Items {
			names = append(names, k.Name)
		}
		cursor = page.NextCursor
	}
	if diff := cmp.Diff([]string{"k4", "k3", "k2", "k1", "k0", "key"}, names); diff != "" {
		t.Errorf("the keys by pages, newest first, differ (-want +got):\n%s", diff)
	}
	// A list that is read whole has pages too.
	var plans lanyard.Page[lanyard.NamedPlan]
	w.ok("GET", "/v1/apis/weather/plans?limit=2", "a", "", &plans)
	var rest lanyard.Page[lanyard.NamedPlan]
	w.ok("GET", "/v1/apis/weather/plans?limit=2&cursor="+plans.NextCursor, "a", "", &rest)
	if len(plans.Items) != 2 || len(rest.Items) != 1 || rest.Items[0].Name != "tiny" || rest.NextCursor != "" {
		t.Errorf("plans in pages of 2 = %+v, then %+v", plans, rest)
	}
	// What is empty is an empty list, never null.
	for _, path := range []string{
		"/v1/apps?name=none", "/v1/keys?name=none", "/v1/teams?name=none", "/v1/users?email=none@example.test", "/v1/audit?action=none", "/v1/attempts",
		"/v1/usage", "/v1/teams/" + w.a.team + "/subscriptions",
	} {
		if res := w.ok("GET", path, "admin", "", nil); !strings.HasPrefix(res.Body.String(), `{"items":[]`) {
			t.Errorf("GET %s = %s, want an empty list", path, res.Body)
		}
	}
}

func TestTeamsAndUsers(t *testing.T) {
	w := newWorld(t)
	at := "/v1/teams/" + w.a.team
	var member lanyard.Member
	w.ok("PUT", at+"/members/"+w.b.user, "admin", `{"role":"billing"}`, &member)
	if member.UserID != w.b.user || member.Role != "billing" {
		t.Errorf("put member = %+v", member)
	}
	var members lanyard.Page[lanyard.Member]
	if w.ok("GET", at+"/members", "admin", "", &members); len(members.Items) != 2 {
		t.Errorf("members = %+v, want two", members)
	}
	w.ok("DELETE", at+"/members/"+w.b.user, "admin", "", nil)
	if w.ok("GET", at+"/members", "admin", "", &members); len(members.Items) != 1 {
		t.Errorf("members = %+v, want one", members)
	}
	var team lanyard.Team
	if w.ok("PATCH", at, "admin", `{"suspended":true}`, &team); !team.Suspended {
		t.Errorf("patch team = %+v", team)
	}
	var user lanyard.User
	if w.ok("PATCH", "/v1/users/"+w.a.user, "admin", `{"disabled":true}`, &user); !user.Disabled {
		t.Errorf("patch user = %+v", user)
	}
}

func TestCatalogAndBilling(t *testing.T) {
	w := newWorld(t)
	var diff lanyard.CatalogDiff
	before, _ := w.traces()
	w.ok("PUT", "/v1/apis/news?dry_run=true", "admin", `{"scopes":{"news.read":{"text":"read the news"}}}`, &diff)
	if after, _ := w.traces(); !diff.DryRun || len(diff.Changes) == 0 || after != before {
		t.Errorf("dry run = %+v and %d lines", diff, after-before)
	}
	w.ok("PUT", "/v1/apis/news", "admin", `{"scopes":{"news.read":{"text":"read the news"}}}`, &diff)
	if diff.Revision == "" {
		t.Errorf("put = %+v, want a revision", diff)
	}
	var api lanyard.API
	if w.ok("GET", "/v1/apis/weather", "a", "", &api); api.Upstream != "" {
		t.Errorf("a team sees the upstream %s", api.Upstream)
	}
	w.ok("PUT", "/v1/apis/many", "admin", `{"upstreams":["http://10.0.0.1:9001","http://10.0.0.2:9001"],"health":{"path":"/healthz"}}`, &diff)
	var many lanyard.API
	if w.ok("GET", "/v1/apis/many", "a", "", &many); len(many.Upstreams) > 0 || many.Health != nil {
		t.Errorf("a team sees the upstreams %q and their health check %v", many.Upstreams, many.Health)
	}
	w.ok("DELETE", "/v1/apis/many", "admin", "", nil)
	if w.ok("GET", "/v1/apis/weather", "admin", "", &api); api.Upstream == "" {
		t.Error("an admin does not see the upstream")
	}
	var all lanyard.Catalog
	if w.ok("GET", "/v1/catalog", "admin", "", &all); len(all.APIs) != 2 {
		t.Errorf("the catalog = %+v, want two APIs", all)
	}
	w.ok("PUT", "/v1/teams/"+w.a.team+"/subscriptions/weather", "a", `{"plan":"pro"}`, nil)
	var subscriptions lanyard.Page[lanyard.Subscription]
	w.ok("GET", "/v1/teams/"+w.a.team+"/subscriptions", "a", "", &subscriptions)
	if diff := cmp.Diff([]lanyard.Subscription{{TeamID: w.a.team, API: "weather", Plan: "pro"}}, subscriptions.Items); diff != "" {
		t.Errorf("subscriptions differ (-want +got):\n%s", diff)
	}
	w.ok("DELETE", "/v1/teams/"+w.a.team+"/subscriptions/weather", "a", "", nil)
	w.refused("an unknown plan", w.do("PUT", "/v1/teams/"+w.a.team+"/subscriptions/weather", "a", `{"plan":"gold"}`), http.StatusBadRequest, "invalid_request")
	w.ok("DELETE", "/v1/apis/news?wait=1s", "admin", "", nil)
}

// use counts calls of a side's key, one a minute.
func (w *world) use(s side, calls int) {
	w.Helper()
	at := w.clock.now().Truncate(24 * time.Hour)
	var events []usage.Event
	for i := range calls {
		events = append(events, usage.Event{
			At: at.Add(time.Duration(i) * time.Minute).UnixMicro(), Team: id.Team(s.team), App: id.App(s.app), Key: id.Key(s.key), API: "weather",
			Operation: "GET /v1/forecast", Outcome: "valid", Mode: secret.Live, Units: 2,
		})
	}
	marker := usage.Marker{Node: id.New[id.Node](), Epoch: strings.Repeat("0", 32), Segment: 1, SHA256: sha256.Sum256([]byte(s.team))}
	if _, err := w.store.AbsorbUsage(w.Context(), marker, usage.Aggregate(events)); err != nil {
		w.Fatal(err)
	}
}

func TestUsage(t *testing.T) {
	w := newWorld(t)
	w.use(w.a, 450)
	w.use(w.b, 3)
	span := "from=" + w.clock.now().Truncate(24*time.Hour).Format(time.RFC3339) + "&to=" + w.clock.now().Truncate(24*time.Hour).Add(24*time.Hour).Format(time.RFC3339)

	var page lanyard.Page[lanyard.UsageRow]
	w.ok("GET", "/v1/usage?granularity=day&group_by=team,key&"+span, "a", "", &page)
	if len(page.Items) != 1 || page.Items[0].Count != 450 || page.Items[0].Units != 900 || page.Items[0].Team != w.a.team || page.Items[0].Key != w.a.key {
		t.Errorf("usage = %+v, want 450 calls of team a alone", page.Items)
	}
	w.ok("GET", "/v1/usage?granularity=day&team="+w.a.team+","+w.b.team+"&operation=GET%20%2Fv1%2Fforecast&outcome=valid&mode=live&"+span, "admin", "", &page)
	if len(page.Items) != 1 || page.Items[0].Count != 453 {
		t.Errorf("usage of both = %+v, want 453", page.Items)
	}

	res := w.ok("GET", "/v1/usage/export?format=csv&granularity=minute&group_by=team,operation&"+span, "a", "", nil)
	lines, err := csv.NewReader(res.Body).ReadAll()
	if err != nil || len(lines) != 451 || lines[0][0] != "start" || lines[450][1] != w.a.team || lines[450][5] != "GET /v1/forecast" || lines[450][9] != "2" {
		t.Errorf("the export has %d lines, %v, want a header and 450", len(lines), err)
	}
	if got := res.Header().Get("Content-Type"); got != "text/csv; charset=utf-8" {
		t.Errorf("Content-Type = %q", got)
	}
	res = w.ok("GET", "/v1/usage/export?format=jsonl&granularity=minute&"+span, "a", "", nil)
	var count int64
	for dec := json.NewDecoder(res.Body); dec.More(); {
		var row lanyard.UsageRow
		if err := dec.Decode(&row); err != nil {
			t.Fatal(err)
		}
		count += row.Count
	}
	if count != 450 {
		t.Errorf("the JSON lines count %d calls, want 450", count)
	}
	ids, events := map[string]bool{}, 0
	for range 2 { // a second time the ids are the same
		res = w.ok("GET", "/v1/usage/export?format=cloudevents&granularity=minute&group_by=team&"+span, "a", "", nil)
		for dec := json.NewDecoder(res.Body); dec.More(); events++ {
			var ev struct {
				SpecVersion, ID, Source, Type, Subject, Time string
				Data                                         lanyard.UsageRow
			}
			if err := dec.Decode(&ev); err != nil {
				t.Fatal(err)
			}
			ids[ev.ID] = true
			if ev.SpecVersion != "1.0" || len(ev.ID) != 32 || !strings.HasSuffix(ev.Source, "/v1/usage") || ev.Type != "lanyard.usage.minute" || ev.Subject != w.a.team || ev.Data.Count < 1 || ev.Time != ev.Data.Start.Format(time.RFC3339) {
				t.Fatalf("a row is the event %+v", ev)
			}
		}
	}
	if len(ids) != events/2 || events == 0 {
		t.Errorf("%d events of two exports have %d ids, want half as many", events, len(ids))
	}

	var recount lanyard.Reconciliation
	w.ok("GET", "/v1/usage/reconcile?"+span, "admin", "", &recount)
	if recount.LedgerCount != 453 || len(recount.Differences) != 0 {
		t.Errorf("reconcile = %+v, want 453 and no difference", recount)
	}
	w.refused("reconcile within a team's reach", w.do("GET", "/v1/usage/reconcile?"+span, "a", ""), http.StatusForbidden, "insufficient_scope")
}

// What the database does not answer in time is undecided, and nothing else.
func TestUnavailable(t *testing.T) {
	w := newWorld(t)
	late, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	for _, path := range []string{"/v1/apps", "/v1/changes", "/v1/usage", "/v1/usage/export", "/v1/audit"} {
		r := httptest.NewRequestWithContext(late, "GET", path, nil)
		r.Header.Set("Authorization", "Bearer admin")
		res := httptest.NewRecorder()
		w.handler.ServeHTTP(res, r)
		w.refused(path, res, http.StatusServiceUnavailable, "unavailable")
		if res.Header().Get("Retry-After") == "" {
			t.Errorf("%s has no Retry-After", path)
		}
	}
}
