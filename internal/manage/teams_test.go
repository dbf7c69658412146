package manage

import (
	"slices"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

func TestTeams(t *testing.T) {
	w := newWorld(t)
	for name, field := range map[string]string{"": "name", "system": "name", "a\x00": "name"} {
		_, err := w.svc.CreateTeam(t.Context(), w.admin, lanyard.TeamInput{Name: name})
		wantFault(t, "CreateTeam "+name, err, fault.Invalid, field)
		_, err = w.svc.UpdateTeam(t.Context(), w.admin, w.a.team, lanyard.TeamPatch{Name: &name})
		wantFault(t, "UpdateTeam "+name, err, fault.Invalid, field)
	}
	owner := userActor(w.a.owner, w.a.team, everyScope()...)
	yes, no := true, false
	_, err := w.svc.UpdateTeam(t.Context(), owner, w.a.team, lanyard.TeamPatch{Suspended: &no})
	wantFault(t, "UpdateTeam by the owner, lifting a suspension", err, fault.InsufficientScope, "")
	limits := []lanyard.Limit{{Name: "hourly", Limit: 100, WindowSeconds: 3600, WhenUnavailable: "closed"}}
	_, err = w.svc.UpdateTeam(t.Context(), owner, w.a.team, lanyard.TeamPatch{Limits: &limits})
	wantFault(t, "UpdateTeam of a team's own limits", err, fault.InsufficientScope, "")
	_, err = w.svc.UpdateTeam(t.Context(), w.admin, w.a.team, lanyard.TeamPatch{Limits: &[]lanyard.Limit{{Name: "Hourly", Limit: 1, WindowSeconds: 1}}})
	wantFault(t, "UpdateTeam with a limit that cannot be", err, fault.Invalid, "limits[0].name")
	if limited, err := w.svc.UpdateTeam(t.Context(), w.admin, w.a.team, lanyard.TeamPatch{Limits: &limits}); err != nil || !slices.Equal(limited.Limits, limits) {
		t.Errorf("UpdateTeam of limits = %+v, %v, want them back", limited, err)
	}
	if limited, err := w.svc.UpdateUser(t.Context(), w.admin, w.a.owner, lanyard.UserPatch{Limits: &limits}); err != nil || !slices.Equal(limited.Limits, limits) {
		t.Errorf("UpdateUser of limits = %+v, %v, want them back", limited, err)
	}
	got, err := w.svc.UpdateTeam(t.Context(), w.admin, w.a.team, lanyard.TeamPatch{Suspended: &yes})
	if err != nil || !got.Suspended || got.Name != "Team a" {
		t.Errorf("UpdateTeam = %+v, %v, want it suspended", got, err)
	}
	if ev := w.lastEvent(); ev.Action != "team.update" || ev.Details["suspended"] != "true" {
		t.Errorf("audit line = %+v", ev)
	}
	page, err := w.svc.Teams(t.Context(), w.admin, "Team b", List{})
	if err != nil || len(page.Items) != 1 || page.Items[0].ID != w.b.team {
		t.Errorf("Teams by name = %+v, %v, want B", page, err)
	}
}

func TestMembers(t *testing.T) {
	w := newWorld(t)
	owner := userActor(w.a.owner, w.a.team, "lanyard.users.write")
	for _, tc := range []struct {
		m     lanyard.Member
		want  fault.Kind
		field string
	}{
		{lanyard.Member{UserID: w.b.developer, Role: "admin"}, fault.Invalid, "role"},
		{lanyard.Member{UserID: w.b.developer, Role: "any"}, fault.Invalid, "role"},
		{lanyard.Member{UserID: string(id.New[id.User]()), Role: "owner"}, fault.NotFound, ""},
		{lanyard.Member{UserID: w.a.owner, Role: "developer"}, fault.Conflict, ""}, // the last owner
		{lanyard.Member{UserID: w.b.developer, Role: "owner"}, "", ""},
		{lanyard.Member{UserID: w.a.owner, Role: "developer"}, "", ""}, // no longer the last
	} {
		_, err := w.svc.SetMember(t.Context(), owner, w.a.team, tc.m)
		wantFault(t, "SetMember to "+tc.m.Role, err, tc.want, tc.field)
	}
	_, err := w.svc.SetMember(t.Context(), owner, w.a.team, lanyard.Member{UserID: w.a.owner, Role: "owner"})
	wantFault(t, "SetMember by who is owner no more", err, fault.NotFound, "")
	members, err := w.svc.Members(t.Context(), w.admin, w.a.team)
	if err != nil || len(members) != 4 {
		t.Errorf("Members = %v, %v, want four", members, err)
	}
	_, err = w.svc.RemoveMember(t.Context(), w.admin, w.a.team, w.b.developer)
	wantFault(t, "RemoveMember of the last owner", err, fault.Conflict, "")
	if _, err := w.svc.RemoveMember(t.Context(), w.admin, w.a.team, w.a.billing); err != nil {
		t.Errorf("RemoveMember = %v", err)
	}
	if ev := w.lastEvent(); ev.Action != "member.remove" || ev.Target != w.a.billing || string(ev.Team) != w.a.team {
		t.Errorf("audit line = %+v", ev)
	}
}

func TestUsers(t *testing.T) {
	w := newWorld(t)
	keeper := audit.Actor{Label: "keeper", Reach: audit.ServerReach(), Scopes: []string{"lanyard.users.write"}}
	for _, tc := range []struct {
		in    lanyard.UserInput
		want  fault.Kind
		field string
	}{
		{lanyard.UserInput{}, fault.Invalid, "email"},
		{lanyard.UserInput{Email: "Ada <ada@example.test>"}, fault.Invalid, "email"},
		{lanyard.UserInput{Email: "ada@example.test", Name: "a\x1b[2J"}, fault.Invalid, "name"},
		{lanyard.UserInput{Email: "ada@example.test", Admin: true}, fault.InsufficientScope, ""},
		{lanyard.UserInput{Email: "ada@example.test"}, "", ""},
		{lanyard.UserInput{Email: "ADA@Example.test"}, fault.Conflict, "email"},
	} {
		before := w.trace()
		_, err := w.svc.CreateUser(t.Context(), keeper, tc.in)
		if tc.want == fault.Conflict { // whether the store names the field is its own affair
			tc.field = faultOf(err).Field
		}
		wantFault(t, "CreateUser "+tc.in.Email, err, tc.want, tc.field)
		if err != nil && w.trace() != before {
			t.Errorf("CreateUser(%+v) was refused and changed something", tc.in)
		}
	}
	root, err := w.svc.CreateUser(t.Context(), w.admin, lanyard.UserInput{Email: "root@example.test", Admin: true})
	if err != nil || !root.Admin {
		t.Fatalf("CreateUser = %+v, %v, want an admin", root, err)
	}
	yes, no := true, false
	for name, patch := range map[string]lanyard.UserPatch{"disabled": {Disabled: &yes}, "no admin": {Admin: &no}, "admin": {Admin: &yes}} {
		_, err := w.svc.UpdateUser(t.Context(), keeper, root.ID, patch)
		wantFault(t, "UpdateUser of an admin to "+name, err, fault.InsufficientScope, "")
	}
	_, err = w.svc.UpdateUser(t.Context(), keeper, w.a.owner, lanyard.UserPatch{Admin: &yes})
	wantFault(t, "UpdateUser to admin", err, fault.InsufficientScope, "")
	got, err := w.svc.UpdateUser(t.Context(), keeper, w.a.owner, lanyard.UserPatch{Disabled: &yes})
	if err != nil || !got.Disabled {
		t.Errorf("UpdateUser = %+v, %v, want it disabled", got, err)
	}
	if got, err = w.svc.UpdateUser(t.Context(), w.admin, root.ID, lanyard.UserPatch{Admin: &no}); err != nil || got.Admin {
		t.Errorf("UpdateUser = %+v, %v, want no admin", got, err)
	}
	page, err := w.svc.Users(t.Context(), w.admin, "root@example.test", List{})
	if err != nil || len(page.Items) != 1 || page.Items[0].ID != root.ID {
		t.Errorf("Users by address = %+v, %v, want the one", page, err)
	}
}
