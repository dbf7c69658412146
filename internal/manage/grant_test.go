package manage

import (
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// TestGrantability asks each door through which scopes come onto a key: creation, change and import.
func TestGrantability(t *testing.T) {
	w := newWorld(t)
	_, systemApp := w.systemApp()
	// A key of team A that holds scopes of its own, which makes it able to hand them on.
	holder := w.newKey(w.newApp(w.a.team), lanyard.KeyInput{Scopes: []string{"alerts.write", "radar.steer"}})
	writer := keyActor(holder, w.a.team, "lanyard.keys.write", "lanyard.apps.write")
	plain := keyActor(w.newKey(w.newApp(w.a.team), lanyard.KeyInput{}), w.a.team, "lanyard.keys.write", "lanyard.billing.write")
	foreignHolder := w.newKey(w.newApp(w.b.team), lanyard.KeyInput{Scopes: []string{"alerts.write"}})
	posing := keyActor(foreignHolder, w.a.team, "lanyard.keys.write") // its key belongs to B
	owner, developer := userActor(w.a.owner, w.a.team, everyScope()...), userActor(w.a.developer, w.a.team, everyScope()...)
	manager := audit.Actor{Label: "manager", Reach: audit.ServerReach(), Scopes: []string{"lanyard.keys.write", "lanyard.catalog.read"}}
	narrowed := w.admin
	narrowed.APIs = []string{"weather"}
	w.subscribe(w.b.team, "pro")

	for _, tc := range []struct {
		name  string
		actor audit.Actor
		app   string
		scope string
		apis  []string
		want  fault.Kind
	}{
		{"everyone, by the team's developer", developer, w.a.app, "forecast.read", nil, ""},
		{"everyone, by a key of the team", plain, w.a.app, "forecast.read", nil, ""},
		{"team_owner, by a developer", developer, w.a.app, "alerts.write", nil, fault.NotGrantable},
		{"team_owner, by the owner", owner, w.a.app, "alerts.write", nil, ""},
		{"team_owner, by an admin", w.admin, w.a.app, "alerts.write", nil, ""},
		{"team_owner, by a key that does not hold it", plain, w.a.app, "alerts.write", nil, fault.NotGrantable},
		{"team_owner, by a key that holds it", writer, w.a.app, "alerts.write", nil, ""},
		{"team_owner, by a key that holds one including it", writer, w.a.app, "alerts.read", nil, ""},
		{"team_owner, by another team's key that holds it", posing, w.a.app, "alerts.write", nil, fault.NotGrantable},
		{"admin, by the owner", owner, w.a.app, "radar.steer", nil, fault.NotGrantable},
		{"admin, by a key that holds it", writer, w.a.app, "radar.steer", nil, fault.NotGrantable},
		{"admin, by an admin", w.admin, w.a.app, "radar.steer", nil, ""},
		{"not subscribed, by the owner", owner, w.a.app, "messages.read", nil, fault.NotGrantable},
		{"not subscribed, by an admin", w.admin, w.a.app, "messages.read", nil, fault.NotGrantable},
		{"subscribed", w.admin, w.b.app, "messages.read", nil, ""},
		{"default plan", owner, w.a.app, "news.read", nil, ""},
		{"unknown", owner, w.a.app, "forecast.reed", nil, fault.Invalid},
		{"unknown and hostile", owner, w.a.app, "x\x00' OR 1=1", nil, fault.Invalid},
		{"management, not held", writer, w.a.app, "lanyard.usage.read", nil, fault.NotGrantable},
		{"management, held", writer, w.a.app, "lanyard.apps.write", nil, ""},
		{"management, held by inclusion", writer, w.a.app, "lanyard.apps.read", nil, ""},
		{"billing, held by a key", plain, w.a.app, "lanyard.billing.write", nil, ""},
		{"billing, by the owner", owner, w.a.app, "lanyard.billing.write", nil, ""},
		{"billing, by a developer whose session holds it", developer, w.a.app, "lanyard.billing.write", nil, fault.NotGrantable},
		{"server reach, by the owner", owner, w.a.app, "lanyard.users.read", nil, fault.NotGrantable},
		{"server reach onto a team's app, by an admin", w.admin, w.a.app, "lanyard.catalog.read", nil, fault.NotGrantable},
		{"all onto a team's app, by an admin", w.admin, w.a.app, "lanyard.admin", nil, fault.NotGrantable},
		{"all onto the system's app, by an admin", w.admin, systemApp, "lanyard.admin", nil, ""},
		{"all onto the system's app, by who holds less", manager, systemApp, "lanyard.admin", nil, fault.NotGrantable},
		{"what it holds onto the system's app", manager, systemApp, "lanyard.catalog.read", nil, ""},
		{"verify, by the owner", owner, w.a.app, "lanyard.verify", nil, fault.NotGrantable},
		{"verify, by a key that holds it", keyActor(holder, w.a.team, "lanyard.keys.write", "lanyard.verify"), w.a.app, "lanyard.verify", nil, fault.NotGrantable},
		{"verify, by an admin", w.admin, w.a.app, "lanyard.verify", nil, ""},
		{"verify for all APIs, by who holds it for one", narrowed, w.a.app, "lanyard.verify", nil, fault.NotGrantable},
		{"verify for one more, by who holds it for one", narrowed, w.a.app, "lanyard.verify", []string{"weather", "mail"}, fault.NotGrantable},
		{"verify for the same", narrowed, w.a.app, "lanyard.verify", []string{"weather"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := w.trace()
			made, err := w.svc.CreateKey(t.Context(), tc.actor, tc.app, lanyard.KeyInput{Name: "k", Scopes: []string{tc.scope}, APIs: tc.apis})
			field := ""
			if tc.want != "" {
				field = "scopes[0]"
			}
			wantFault(t, "CreateKey", err, tc.want, field)
			if err == nil && !slices.Equal(made.Scopes, []string{tc.scope}) {
				t.Errorf("CreateKey made scopes %v, want %s", made.Scopes, tc.scope)
			}
			if err != nil && w.trace() != before {
				t.Error("CreateKey was refused and changed something")
			}
			if tc.want == fault.NotGrantable && !strings.Contains(faultOf(err).Detail, tc.scope) {
				t.Errorf("CreateKey = %v, want the scope named", err)
			}

			bare := w.newKey(tc.app, lanyard.KeyInput{})
			before = w.trace()
			patch := lanyard.KeyPatch{Scopes: &[]string{tc.scope}}
			if tc.apis != nil {
				patch.APIs = &tc.apis
			}
			_, err = w.svc.UpdateKey(t.Context(), tc.actor, bare.ID, patch)
			wantFault(t, "UpdateKey", err, tc.want, field)
			if err != nil && w.trace() != before {
				t.Error("UpdateKey was refused and changed something")
			}

			if tc.actor.Reach.Server() && tc.apis == nil {
				got, err := w.svc.ImportKeys(t.Context(), tc.actor, lanyard.ImportInput{AppID: tc.app, Keys: []lanyard.ImportKey{
					{Name: "k", Secret: "imported-" + string(id.New[id.Key]()), Scopes: []string{tc.scope}},
				}})
				want := "created"
				if tc.want != "" {
					want = string(tc.want)
				}
				if err != nil || got.Items[0].Code != want {
					t.Errorf("ImportKeys = %+v, %v, want %s", got, err, want)
				}
			}
		})
	}
}

func TestUnknownScopeSuggests(t *testing.T) {
	w := newWorld(t)
	for scope, want := range map[string]string{
		"forecast.reed":      "forecast.read",
		"forecasts.read":     "forecast.read",
		"lanyard.keys.wirte": "lanyard.keys.write",
		"forecast":           "forecast.read",
		"Forecast.Read":      "forecast.read",
	} {
		_, err := w.svc.CreateKey(t.Context(), w.admin, w.a.app, lanyard.KeyInput{Name: "k", Scopes: []string{"alerts.read", scope}})
		if f := faultOf(err); f.Kind != fault.Invalid || f.Field != "scopes[1]" || !strings.Contains(f.Detail, "did you mean") || !strings.Contains(f.Detail, want) {
			t.Errorf("CreateKey with scope %q = %v, want scopes[1] refused with %q suggested", scope, err, want)
		}
	}
	for _, scope := range []string{"zzz", "", strings.Repeat("f", 5000), "acme_key_live_0000000000000000" + strings.Repeat("S", 38)} {
		_, err := w.svc.CreateKey(t.Context(), w.admin, w.a.app, lanyard.KeyInput{Name: "k", Scopes: []string{scope}})
		if f := faultOf(err); f.Kind != fault.Invalid || strings.Contains(f.Detail, "did you mean") || len(f.Detail) > 300 || strings.Contains(f.Detail, "SSSSSS") {
			t.Errorf("CreateKey with scope %.40q = %v, want a short refusal without a suggestion or a secret", scope, err)
		}
	}
}

// TestPatchKeepsWhatStands: who may not grant a scope may still leave it, or take it away, but not put it back.
func TestPatchKeepsWhatStands(t *testing.T) {
	w := newWorld(t)
	developer := userActor(w.a.developer, w.a.team, everyScope()...)
	k := w.newKey(w.a.app, lanyard.KeyInput{Scopes: []string{"radar.steer"}})
	for _, step := range []struct {
		scopes []string
		want   fault.Kind
		field  string
	}{
		{[]string{"radar.steer", "forecast.read"}, "", ""},
		{[]string{"forecast.read"}, "", ""},
		{[]string{"forecast.read", "radar.steer"}, fault.NotGrantable, "scopes[1]"},
	} {
		_, err := w.svc.UpdateKey(t.Context(), developer, k.ID, lanyard.KeyPatch{Scopes: &step.scopes})
		wantFault(t, "UpdateKey to "+strings.Join(step.scopes, " "), err, step.want, step.field)
	}
}

// TestRightsAreNotComeBy: lanyard.keys.write is no way to the management rights of other keys. A rotation would hand out
// their secret; enabling and widening would give back what was taken from a stolen one.
func TestRightsAreNotComeBy(t *testing.T) {
	w := newWorld(t)
	root, err := w.svc.CreateSystemKey(t.Context(), w.admin, "root", []string{"lanyard.admin"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.svc.UpdateKey(t.Context(), w.admin, root.ID, lanyard.KeyPatch{IPAllow: &[]string{"192.0.2.1"}}); err != nil {
		t.Fatal(err)
	}
	verifier := w.newKey(w.a.app, lanyard.KeyInput{Scopes: []string{"lanyard.verify"}, APIs: []string{"weather"}})
	billing := w.newKey(w.a.app, lanyard.KeyInput{Scopes: []string{"lanyard.billing.write"}})
	manager := audit.Actor{Label: "manager", Reach: audit.ServerReach(), Scopes: []string{"lanyard.keys.write"}}
	oneAPI := w.admin
	oneAPI.APIs = []string{"mail"}
	owner := userActor(w.a.owner, w.a.team, "lanyard.keys.write", "lanyard.billing.write")
	keyWriter := w.a.keyActor
	keyWriter.Scopes = []string{"lanyard.keys.write"}
	none := []string{}
	for _, tc := range []struct {
		name  string
		actor audit.Actor
		key   string
		want  fault.Kind
	}{
		{"manager on the root key", manager, root.ID, fault.NotGrantable},
		{"a key of the team on its verifying key", keyWriter, verifier.ID, fault.NotGrantable},
		{"the owner on the verifying key", owner, verifier.ID, fault.NotGrantable},
		{"verify for another API on the verifying key", oneAPI, verifier.ID, fault.NotGrantable},
		{"a key of the team on its billing key", keyWriter, billing.ID, fault.NotGrantable},
		{"the owner on the billing key", owner, billing.ID, ""},
		{"admin on the root key", w.admin, root.ID, ""},
	} {
		_, err := w.svc.RotateKey(t.Context(), tc.actor, tc.key, lanyard.RotateInput{})
		wantFault(t, "RotateKey: "+tc.name, err, tc.want, "")
		_, err = w.svc.EnableKey(t.Context(), tc.actor, tc.key)
		wantFault(t, "EnableKey: "+tc.name, err, tc.want, "")
		_, err = w.svc.UpdateKey(t.Context(), tc.actor, tc.key, lanyard.KeyPatch{IPAllow: &none})
		wantFault(t, "UpdateKey: "+tc.name, err, tc.want, "")
		// Taking away stays open to whoever looks after keys: a leak is answered by the first who sees it.
		_, err = w.svc.DisableKey(t.Context(), tc.actor, tc.key)
		wantFault(t, "DisableKey: "+tc.name, err, "", "")
	}
	_, err = w.svc.UpdateKey(t.Context(), owner, verifier.ID, lanyard.KeyPatch{APIs: &none})
	wantFault(t, "UpdateKey lifting apis", err, fault.NotGrantable, "")
}

func TestOperationsAndAPIsMustExist(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct {
		in    lanyard.KeyInput
		field string
	}{
		{lanyard.KeyInput{Operations: []string{"GET /v1/forecast"}, Scopes: []string{"forecast.read"}}, ""},
		{lanyard.KeyInput{Operations: []string{"GET /v1/messages"}}, ""}, // without scopes: any API's
		{lanyard.KeyInput{Operations: []string{"GET /v1/forecast", "GET /v1/messages"}, Scopes: []string{"forecast.read"}}, "operations[1]"},
		{lanyard.KeyInput{Operations: []string{"GET /v1/nothing"}}, "operations[0]"},
		{lanyard.KeyInput{Operations: []string{"get /v1/forecast"}}, "operations[0]"},
		{lanyard.KeyInput{Operations: make([]string, maxOperations+1)}, "operations"},
		{lanyard.KeyInput{APIs: []string{"weather", "lanyard"}}, "apis[1]"},
		{lanyard.KeyInput{APIs: []string{"nothing"}}, "apis[0]"},
		{lanyard.KeyInput{Scopes: make([]string, maxScopes+1)}, "scopes"},
	} {
		tc.in.Name = "k"
		_, err := w.svc.CreateKey(t.Context(), w.admin, w.a.app, tc.in)
		kind := fault.Invalid
		if tc.field == "" {
			kind = ""
		}
		wantFault(t, "CreateKey", err, kind, tc.field)
	}
}

func TestDistance(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "acb", 2}, {"kitten", "sitting", 3}} {
		if got := distance(tc.a, tc.b); got != tc.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tc.a, tc.b, got, tc.want)
		}
	}
}
