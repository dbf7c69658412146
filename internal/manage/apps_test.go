package manage

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
)

func TestCreateAppRefuses(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct {
		field string
		in    lanyard.AppInput
	}{
		{"team_id", lanyard.AppInput{Name: "x"}}, // an admin belongs to no team
		{"name", lanyard.AppInput{TeamID: w.a.team}},
		{"name", lanyard.AppInput{TeamID: w.a.team, Name: " x"}},
		{"type", lanyard.AppInput{TeamID: w.a.team, Name: "x", Type: "native"}},
		{"description", lanyard.AppInput{TeamID: w.a.team, Name: "x", Description: strings.Repeat("x", 501)}},
		{"description", lanyard.AppInput{TeamID: w.a.team, Name: "x", Description: "a\x00"}},
		{"homepage_url", lanyard.AppInput{TeamID: w.a.team, Name: "x", HomepageURL: "javascript:alert(1)"}},
		{"homepage_url", lanyard.AppInput{TeamID: w.a.team, Name: "x", HomepageURL: "https://u:p@example.test"}},
		{"limits[0].name", lanyard.AppInput{TeamID: w.a.team, Name: "x", Limits: []lanyard.Limit{{WindowSeconds: 1}}}},
		{"metadata", lanyard.AppInput{TeamID: w.a.team, Name: "x", Metadata: lanyard.Metadata{"\n": ""}}},
	} {
		_, err := w.svc.CreateApp(t.Context(), w.admin, tc.in)
		wantFault(t, "CreateApp", err, fault.Invalid, tc.field)
	}
	_, err := w.svc.CreateApp(t.Context(), w.a.keyActor, lanyard.AppInput{Name: "x", TeamID: w.b.team})
	wantFault(t, "CreateApp in another team", err, fault.NotFound, "")
}

func TestApps(t *testing.T) {
	w := newWorld(t)
	in := lanyard.AppInput{
		Name: "WeatherDashboard", Description: "shows\nweather", HomepageURL: "https://weather.example.test",
		Limits: []lanyard.Limit{{Name: "all", Limit: 10, WindowSeconds: 60}}, Metadata: lanyard.Metadata{"tier": "gold"},
	}
	made, err := w.svc.CreateApp(t.Context(), w.a.keyActor, in)
	if err != nil {
		t.Fatal(err)
	}
	want := lanyard.App{
		ID: made.ID, ClientID: made.ID, TeamID: w.a.team, Name: in.Name, Type: "confidential", Description: in.Description, HomepageURL: in.HomepageURL,
		Limits: in.Limits, Metadata: in.Metadata, CreatedAt: made.CreatedAt,
	}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Errorf("CreateApp (-want +got):\n%s", diff)
	}
	off, none := true, []lanyard.Limit{}
	changed, err := w.svc.UpdateApp(t.Context(), w.a.keyActor, made.ID, lanyard.AppPatch{Disabled: &off, Limits: &none})
	if err != nil || !changed.Disabled || changed.DisabledAt == nil || len(changed.Limits) != 0 || changed.Description != in.Description {
		t.Errorf("UpdateApp = %+v, %v, want it disabled without limits and the rest as before", changed, err)
	}
	if ev := w.lastEvent(); ev.Action != "app.update" || ev.Details["disabled"] != "true" || ev.Details["limits"] != "none" || string(ev.Team) != w.a.team {
		t.Errorf("audit line = %+v", ev)
	}
	bad := "javascript:x"
	before := w.trace()
	_, err = w.svc.UpdateApp(t.Context(), w.a.keyActor, made.ID, lanyard.AppPatch{HomepageURL: &bad})
	wantFault(t, "UpdateApp", err, fault.Invalid, "homepage_url")
	if w.trace() != before {
		t.Error("UpdateApp was refused and changed something")
	}
	byName, err := w.svc.Apps(t.Context(), w.admin, "", "WeatherDashboard", List{})
	if err != nil || len(byName.Items) != 1 || byName.Items[0].ID != made.ID {
		t.Errorf("Apps by name = %+v, %v, want the one", byName, err)
	}
	_, err = w.svc.Apps(t.Context(), w.admin, "", "\x00", List{})
	wantFault(t, "Apps named NUL", err, fault.Invalid, "name")
}

// TestDeleteApp: the app and its keys are gone at once, and nothing can be made under it.
func TestDeleteApp(t *testing.T) {
	w := newWorld(t)
	rev, err := w.svc.DeleteApp(t.Context(), w.a.keyActor, w.a.app)
	if err != nil || rev == 0 {
		t.Fatalf("DeleteApp = %d, %v", rev, err)
	}
	_, err = w.svc.App(t.Context(), w.admin, w.a.app)
	wantFault(t, "App", err, fault.NotFound, "")
	_, err = w.svc.CreateKey(t.Context(), w.admin, w.a.app, lanyard.KeyInput{Name: "k"})
	wantFault(t, "CreateKey", err, fault.NotFound, "")
	_, err = w.svc.DeleteApp(t.Context(), w.admin, w.a.app)
	wantFault(t, "DeleteApp again", err, fault.NotFound, "")
	_, err = w.svc.Keys(t.Context(), w.admin, KeysFilter{App: w.a.app}, List{})
	wantFault(t, "Keys of it", err, fault.NotFound, "")
}

// TestBuiltInsStay: the way back in for an admin who lost every key.
func TestBuiltInsStay(t *testing.T) {
	w := newWorld(t)
	team, app := w.systemApp()
	name, yes, no := "x", true, false
	_, err := w.svc.DeleteApp(t.Context(), w.admin, app)
	wantFault(t, "DeleteApp", err, fault.Conflict, "")
	_, err = w.svc.UpdateApp(t.Context(), w.admin, app, lanyard.AppPatch{Disabled: &yes})
	wantFault(t, "UpdateApp disabled", err, fault.Conflict, "")
	_, err = w.svc.UpdateApp(t.Context(), w.admin, app, lanyard.AppPatch{Name: &name})
	wantFault(t, "UpdateApp renamed", err, fault.Conflict, "")
	_, err = w.svc.UpdateApp(t.Context(), w.admin, app, lanyard.AppPatch{Disabled: &no})
	wantFault(t, "UpdateApp enabled", err, "", "")
	_, err = w.svc.UpdateTeam(t.Context(), w.admin, team, lanyard.TeamPatch{Suspended: &yes})
	wantFault(t, "UpdateTeam suspended", err, fault.Conflict, "")
	_, err = w.svc.UpdateTeam(t.Context(), w.admin, team, lanyard.TeamPatch{Name: &name})
	wantFault(t, "UpdateTeam renamed", err, fault.Conflict, "")
	_, err = w.svc.SetMember(t.Context(), w.admin, team, lanyard.Member{UserID: w.a.owner, Role: "owner"})
	wantFault(t, "SetMember", err, fault.Conflict, "")
	other := w.newApp(team)
	if _, err := w.svc.DeleteApp(t.Context(), w.admin, other); err != nil {
		t.Errorf("DeleteApp of another app of the team = %v, want success", err)
	}
	if _, err := w.svc.CreateSystemKey(t.Context(), audit.Command("admin key create"), "k", []string{"lanyard.admin"}); err != nil {
		t.Errorf("CreateSystemKey afterwards = %v, want success", err)
	}
}
