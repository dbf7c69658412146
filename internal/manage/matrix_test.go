package manage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

func faultOf(err error) fault.Error {
	var f *fault.Error
	if errors.As(err, &f) {
		return *f
	}
	return fault.Error{}
}

// asker is one column of the matrix.
type asker struct {
	name  string
	actor audit.Actor
}

// askers are the columns, in the order of the letters in row.own and row.foreign.
func (w *world) askers() []asker {
	none := w.a.keyActor
	none.Scopes = nil
	return []asker{
		{"none", audit.Actor{}},
		{"admin", w.admin},
		{"key of A", w.a.keyActor},
		{"key of A without scopes", none},
		{"key of B", w.b.keyActor},
		{"owner of A", userActor(w.a.owner, w.a.team, everyScope()...)},
		{"developer of A", userActor(w.a.developer, w.a.team, everyScope()...)},
		{"billing of A", userActor(w.a.billing, w.a.team, everyScope()...)},
		{"owner of B", userActor(w.b.owner, w.b.team, everyScope()...)},
	}
}

// What each asker gets for things of team A and of team B: o ok, s insufficient_scope, n not_found.
type outcomes struct{ a, b string }

var (
	ofDevelopers = outcomes{"sooSnoonn", "sonSonnno"}
	ofBilling    = outcomes{"sooSnonon", "sonSonnno"}
	ofOwners     = outcomes{"soSSSonnn", "soSSSnnno"}
	ofServer     = outcomes{"soSSSSSSS", "soSSSSSSS"}
	ofEveryone   = outcomes{"sooSooooo", "sooSooooo"} // nothing owned is named; who holds the scope may ask
	// A person's own things: of A's owner, of B's owner.
	ofPersons    = outcomes{"soSSSonnn", "soSSSnnno"}
	inPersonOnly = outcomes{"SSSSSoooo", "SSSSSoooo"}
	ofMembers    = outcomes{"SSSSSooon", "SSSSSnnno"} // signed in themselves
	ownInPerson  = outcomes{"SSSSSonnn", "SSSSSnnno"}
	ofKeyHolders = outcomes{"sSoooSSSS", "sSoooSSSS"}
)

// row is one method. call uses the ids of the side it is given; renew says that success uses them up.
type row struct {
	want  outcomes
	renew bool
	fresh bool // other methods use up what it needs: each call gets new things of the owner
	ids   bool // takes ids: with ids of nothing it is not_found to an admin
	call  func(ctx context.Context, s *Service, as audit.Actor, of side) error
}

func errOnly(_ any, err error) error { return err }

// Every exported method of Service has a row: TestMatrix walks them by reflection.
func matrix() map[string]row {
	name := "renamed"
	rows := map[string]row{
		"CreateApp": {want: ofDevelopers, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.CreateApp(ctx, as, lanyard.AppInput{Name: "x", TeamID: of.team}))
		}},
		"App": {want: ofDevelopers, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.App(ctx, as, of.app))
		}},
		"TeamsOf": {want: ofServer, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.TeamsOf(ctx, as, string(of.owner)))
		}},
		"FindApps": {want: ofDevelopers, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.FindApps(ctx, as, Search{Team: of.team, Like: "x"}))
		}},
		"FindKeys": {want: ofDevelopers, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.FindKeys(ctx, as, Search{Team: of.team, Like: "x"}))
		}},
		"FindTeams": {want: ofServer, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.FindTeams(ctx, as, Search{}))
		}},
		"FindPeople": {want: ofServer, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.FindPeople(ctx, as, Search{}))
		}},
		"FindGrants": {want: ofServer, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.FindGrants(ctx, as, Search{}))
		}},
		"SearchApps": {want: ofEveryone, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.SearchApps(ctx, as, AppSearch{Origin: "dcr"}, List{}))
		}},
		"EndingKeys": {want: ofEveryone, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.EndingKeys(ctx, as, time.Hour, 10))
		}},
		"Apps": {want: ofDevelopers, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.Apps(ctx, as, of.team, "", List{}))
		}},
		"AppNames": {want: ofDevelopers, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.AppNames(ctx, as, of.team, []string{of.app}))
		}},
		"KeyNames": {want: ofDevelopers, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.KeyNames(ctx, as, of.team, []string{of.key}))
		}},
		"UpdateApp": {want: ofDevelopers, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.UpdateApp(ctx, as, of.app, lanyard.AppPatch{Name: &name}))
		}},
		"DeleteApp": {want: ofDevelopers, ids: true, renew: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.DeleteApp(ctx, as, of.app))
		}},
		"CreateKey": {want: ofDevelopers, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.CreateKey(ctx, as, of.app, lanyard.KeyInput{Name: "x"}))
		}},
		"CheckKey": {want: ofDevelopers, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return s.CheckKey(ctx, as, of.team, lanyard.KeyInput{Name: "x"})
		}},
		"Key": {want: ofDevelopers, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.Key(ctx, as, of.key))
		}},
		"Keys": {want: ofDevelopers, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			_, byTeam := s.Keys(ctx, as, KeysFilter{Team: of.team}, List{})
			_, byApp := s.Keys(ctx, as, KeysFilter{App: of.app}, List{})
			if fault.KindOf(byTeam) != fault.KindOf(byApp) {
				return fmt.Errorf("by team %w, by app %w", byTeam, byApp)
			}
			return byApp
		}},
		"UpdateKey": {want: ofDevelopers, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.UpdateKey(ctx, as, of.key, lanyard.KeyPatch{Name: &name}))
		}},
		"DeleteKey": {want: ofDevelopers, ids: true, renew: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.DeleteKey(ctx, as, of.key))
		}},
		"DisableKey": {want: ofDevelopers, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.DisableKey(ctx, as, of.key))
		}},
		"EnableKey": {want: ofDevelopers, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.EnableKey(ctx, as, of.key))
		}},
		"RotateKey": {want: ofDevelopers, ids: true, renew: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.RotateKey(ctx, as, of.key, lanyard.RotateInput{}))
		}},
		"UndoRotation": {want: ofDevelopers, ids: true, renew: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			_, err := s.UndoRotation(ctx, as, of.key)
			if f := faultOf(err); f.Kind == fault.Conflict && f.ID == of.key {
				return nil // allowed, and there is no rotation to undo
			}
			return err
		}},
		"RevokeKey": {want: ofDevelopers, ids: true, renew: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.RevokeKey(ctx, as, of.key, lanyard.RevokeInput{}))
		}},
		"RevokeSelf": {want: ofKeyHolders, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.RevokeSelf(ctx, as, lanyard.RevokeInput{}))
		}},
		"ImportKeys": {want: ofServer, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			foreign := "foreign-" + string(id.New[id.Key]())
			return errOnly(s.ImportKeys(ctx, as, lanyard.ImportInput{AppID: of.app, Keys: []lanyard.ImportKey{{Name: "x", Secret: foreign}}}))
		}},
		"CreateSecret": {want: ofDevelopers, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.CreateSecret(ctx, as, of.app, lanyard.SecretInput{}))
		}},
		"CreateToken": {want: outcomes{"sSSSSoooo", "sSSSSoooo"}, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.CreateToken(ctx, as, lanyard.PersonalTokenInput{Name: "x"}))
		}},
		"Token": {want: ofPersons, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.Token(ctx, as, of.token))
		}},
		"Tokens": {want: ofPersons, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.Tokens(ctx, as, of.owner, List{}))
		}},
		"RevokeToken": {want: ofPersons, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.RevokeToken(ctx, as, of.token, ""))
		}},
		"Grants": {want: ofPersons, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.Grants(ctx, as, GrantsFilter{User: of.owner}, List{}))
		}},
		"RevokeGrant": {want: ofPersons, ids: true, renew: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.RevokeGrant(ctx, as, of.grant))
		}},
		"UserSessions": {want: ofPersons, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.UserSessions(ctx, as, of.owner))
		}},
		"EndSession": {want: ofPersons, ids: true, fresh: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.EndSession(ctx, as, of.session))
		}},
		"EndUserSessions": {want: ofPersons, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.EndUserSessions(ctx, as, of.owner))
		}},
		"MyGrants": {want: inPersonOnly, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.MyGrants(ctx, as))
		}},
		"RevokeMyGrant": {want: ownInPerson, renew: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.RevokeMyGrant(ctx, as, of.grant))
		}},
		"MyTeams": {want: inPersonOnly, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.MyTeams(ctx, as))
		}},
		"StartTeam": {want: inPersonOnly, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.StartTeam(ctx, as, "Started"))
		}},
		"People": {want: ofMembers, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.People(ctx, as, of.team))
		}},
		"Activity": {want: ofMembers, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.Activity(ctx, as, of.team, "", List{}))
		}},
		"LeaveTeam": {want: outcomes{"SSSSSooon", "SSSSSnnno"}, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			_, err := s.LeaveTeam(ctx, as, of.team)
			if f := faultOf(err); f.Kind == fault.Conflict {
				return nil // allowed, and the last owner stays
			}
			if err == nil {
				role := map[string]string{of.developer: "developer", of.billing: "billing"}[string(as.User)]
				_, err = s.SetMember(ctx, audit.Command("test"), of.team, lanyard.Member{UserID: string(as.User), Role: role})
			}
			return err
		}},
		"AcceptInvitation": {want: outcomes{"SSSSSnnnn", "SSSSSnnnn"}, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.AcceptInvitation(ctx, as, "no link"))
		}},
		"InviteToTeam": {want: ofOwners, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.InviteToTeam(ctx, as, of.team, lanyard.InvitationInput{Email: id.Chars(id.New[id.User]()) + "@example.test", Role: "billing"}))
		}},
		"Invitations": {want: ofOwners, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.Invitations(ctx, as, of.team))
		}},
		"RevokeInvitation": {want: ofOwners, ids: true, renew: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.RevokeInvitation(ctx, as, of.team, of.invitation))
		}},
		"InviteAgain": {want: ofOwners, ids: true, renew: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.InviteAgain(ctx, as, of.team, of.invitation))
		}},
		"MySessions": {want: inPersonOnly, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.MySessions(ctx, as))
		}},
		"EndMySession": {want: ownInPerson, fresh: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.EndMySession(ctx, as, of.session))
		}},
		"EndMySessions": {want: inPersonOnly, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.EndMySessions(ctx, as, ""))
		}},
		"Rename": {want: inPersonOnly, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return s.Rename(ctx, as, "Ada")
		}},
		"ChangePassword": {want: inPersonOnly, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			err := s.ChangePassword(ctx, as, PasswordChange{New: goodPassword})
			if faultOf(err).Field == "old_password" { // set by an earlier call
				err = s.ChangePassword(ctx, as, PasswordChange{Old: goodPassword, New: goodPassword})
			}
			return err
		}},
		"Invite": {want: ofServer, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return s.Invite(ctx, as, id.Chars(id.New[id.User]())+"@example.test")
		}},
		"NewLoginLink": {want: ofServer, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.NewLoginLink(ctx, as, of.email))
		}},
		"CreateSystemKey": {want: ofServer, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.CreateSystemKey(ctx, as, "x", []string{"lanyard.keys.read"}))
		}},
		"CreateTeam": {want: ofServer, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.CreateTeam(ctx, as, lanyard.TeamInput{Name: "x", OwnerID: of.owner}))
		}},
		"Team": {want: ofOwners, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.Team(ctx, as, of.team))
		}},
		"Teams": {want: outcomes{"soSSSoooo", "soSSSoooo"}, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.Teams(ctx, as, "", List{}))
		}},
		"UpdateTeam": {want: ofOwners, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.UpdateTeam(ctx, as, of.team, lanyard.TeamPatch{Name: &name}))
		}},
		"Members": {want: ofOwners, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.Members(ctx, as, of.team))
		}},
		"SetMember": {want: ofOwners, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.SetMember(ctx, as, of.team, lanyard.Member{UserID: of.developer, Role: "developer"}))
		}},
		"RemoveMember": {want: ofOwners, ids: true, renew: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.RemoveMember(ctx, as, of.team, of.billing))
		}},
		"CreateUser": {want: ofServer, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.CreateUser(ctx, as, lanyard.UserInput{Email: id.Chars(id.New[id.User]()) + "@example.test"}))
		}},
		"MakeAdmin": {want: ofServer, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			_, _, err := s.MakeAdmin(ctx, as, lanyard.UserInput{Email: id.Chars(id.New[id.User]()) + "@example.test", Password: goodPassword})
			return err
		}},
		"User": {want: ofServer, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.User(ctx, as, of.owner))
		}},
		"Users": {want: ofServer, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.Users(ctx, as, "", List{}))
		}},
		"UpdateUser": {want: ofServer, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.UpdateUser(ctx, as, of.owner, lanyard.UserPatch{Name: &name}))
		}},
		"API": {want: ofEveryone, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.API(ctx, as, "weather"))
		}},
		"APIs": {want: ofEveryone, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.APIs(ctx, as))
		}},
		"Plans": {want: ofEveryone, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.Plans(ctx, as, "weather"))
		}},
		"Catalog": {want: ofServer, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.Catalog(ctx, as))
		}},
		"PutAPI": {want: ofServer, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.PutAPI(ctx, as, "extra", lanyard.API{}, false))
		}},
		"DeleteAPI": {want: ofServer, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			if as.Reach.Server() {
				if _, err := s.PutAPI(ctx, as, "extra", lanyard.API{}, false); err != nil {
					return err
				}
			}
			return errOnly(s.DeleteAPI(ctx, as, "extra"))
		}},
		"SetBrand": {want: ofServer, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.SetBrand(ctx, as, lanyard.Brand{Name: "Acme"}, true))
		}},
		"ApplyCatalog": {want: ofServer, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.ApplyCatalog(ctx, as, lanyard.Catalog{}, false))
		}},
		"UsageSums": {want: ofEveryone, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.UsageSums(ctx, as, UsageQuery{GroupBy: []string{"app"}, Filter: map[string][]string{"team": {of.team}}}))
		}},
		"RankUsage": {want: ofEveryone, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.RankUsage(ctx, as, UsageQuery{GroupBy: []string{"app"}, Filter: map[string][]string{"team": {of.team}}}, Ranking{}))
		}},
		"UsageRows": {want: ofEveryone, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.UsageRows(ctx, as, UsageQuery{Filter: map[string][]string{"team": {of.team}}}))
		}},
		"Reconcile": {want: ofServer, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			_, _, err := s.Reconcile(ctx, as, begin, begin.Add(time.Hour))
			return err
		}},
		"Audit": {want: ofServer, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.Audit(ctx, as, "", "", List{}))
		}},
		"SearchAudit": {want: ofServer, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.SearchAudit(ctx, as, AuditSearch{Actor: "x"}, List{}))
		}},
		"Attempts": {want: ofServer, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.Attempts(ctx, as, List{}))
		}},
		"ChangesAfter": {want: ofServer, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.ChangesAfter(ctx, as, "", 0))
		}},
	}
	maps.Copy(rows, webhookRows())
	maps.Copy(rows, billingRows())
	maps.Copy(rows, warningRows())
	return rows
}

var outcomeOf = map[rune]fault.Kind{'o': "", 's': fault.InsufficientScope, 'S': fault.InsufficientScope, 'n': fault.NotFound}

// TestMatrix is role × reach × method of DESIGN section 3: what each asker gets with ids of either team, and that a
// refusal changed nothing.
func TestMatrix(t *testing.T) {
	w := newWorld(t)
	rows := matrix()
	for method := range reflect.TypeFor[*Service]().Methods() {
		if slices.Contains(withoutActor(), method.Name) != !takesActor(method.Type) {
			t.Errorf("Service.%s: the list of methods that take no actor says otherwise", method.Name)
		}
		if !takesActor(method.Type) {
			continue // tested where their links are
		}
		r, there := rows[method.Name]
		if !there {
			t.Errorf("Service.%s has no row in the matrix: say who may call it", method.Name)
			continue
		}
		delete(rows, method.Name)
		askers := w.askers()
		w.checkRow(method.Name+" on A", r, askers, r.want.a, &w.a)
		w.checkRow(method.Name+" on B", r, askers, r.want.b, &w.b)
		if r.ids {
			w.checkNowhere(method.Name, r)
		}
	}
	for name := range rows {
		t.Errorf("the matrix has a row for Service.%s, which does not exist", name)
	}
}

// withoutActor lists the acts of people who are not logged in, chores, and what is no act.
func withoutActor() []string {
	return []string{
		"SignUp", "UseSignUp", "UseInvite", "RequestReset", "UseReset", "UseLogin", "InvitationState", "UseInvitation", "NewSetupLink", "UseSetup", "LinkState", "LinkAddress", "WarnPersonal", "WarnWebhook", "WriteMails", "LookOver", "ReportLeak", "ReportFound", "EndLeaked", "LeakTypes",
	}
}

func takesActor(method reflect.Type) bool {
	for in := range method.Ins() {
		if in == reflect.TypeFor[audit.Actor]() {
			return true
		}
	}
	return false
}

func (w *world) checkRow(what string, r row, askers []asker, want string, of *side) {
	w.t.Helper()
	if len(want) != len(askers) {
		w.t.Fatalf("%s: %d outcomes for %d askers", what, len(want), len(askers))
	}
	before := w.trace()
	for i, letter := range want {
		if r.fresh {
			w.personal(of)
			before = w.trace()
		}
		err := r.call(w.t.Context(), w.svc, askers[i].actor, *of)
		if got := fault.KindOf(err); got != outcomeOf[letter] || err != nil && got == "" {
			w.t.Errorf("%s as %s = %v, want %q", what, askers[i].name, err, outcomeOf[letter])
		}
		if err != nil {
			if after := w.trace(); after != before {
				w.t.Errorf("%s as %s was refused and changed something: %+v, then %+v", what, askers[i].name, before, after)
			}
		}
		if err != nil && !strings.Contains(faultOf(err).Detail, "scope lanyard.") && letter != 'n' && r.want != ofKeyHolders && !strings.Contains(faultOf(err).Detail, "only the person concerned") && r.want != inPersonOnly && r.want != ownInPerson {
			w.t.Errorf("%s as %s = %v, want the missing scope named", what, askers[i].name, err)
		}
		if err == nil && r.renew {
			actor := of.keyActor
			*of = w.renewed(*of)
			of.keyActor = actor
		}
		if err == nil {
			before = w.trace()
		}
	}
}

// renewed gives a side a new app, key and billing member after an act that used them up.
func (w *world) renewed(s side) side {
	s.app = w.newApp(s.team)
	s.key = w.newKey(s.app, lanyard.KeyInput{}).ID
	w.personal(&s)
	w.invite(&s)
	if _, err := w.svc.DeleteWebhook(w.t.Context(), w.admin, s.hook); err != nil && !fault.Is(err, fault.NotFound) {
		w.t.Fatal(err)
	}
	w.hook(&s)
	w.bill(&s)
	w.tell(&s)
	if _, err := w.svc.SetMember(w.t.Context(), w.admin, s.team, lanyard.Member{UserID: s.billing, Role: "billing"}); err != nil {
		w.t.Fatal(err)
	}
	return s
}

// checkNowhere calls with ids of nothing and with garbage: both are not_found, and a credential pasted as an id is not
// repeated.
func (w *world) checkNowhere(method string, r row) {
	w.t.Helper()
	credential := "acme_key_live_0000000000000000" + strings.Repeat("S", 38)
	texts := []string{"x", "../../etc/passwd", "key_", "app_\x00000000000000000", "' OR 1=1 --", strings.Repeat("9", 5000), credential, "APP_0000000000000000"}
	sides := []side{{
		team: string(id.New[id.Team]()), app: string(id.New[id.App]()), key: string(id.New[id.Key]()),
		owner: string(id.New[id.User]()), developer: string(id.New[id.User]()), billing: string(id.New[id.User]()),
		token: string(id.New[id.Key]()), grant: string(id.New[id.Grant]()), session: string(id.New[id.Session]()), invitation: string(id.New[id.Invitation]()),
		hook: string(id.New[id.Webhook]()), message: string(id.New[id.Message]()),
	}}
	for _, text := range texts {
		sides = append(sides, side{
			team: text, app: text, key: text, owner: text, developer: text, billing: text, token: text, grant: text, session: text, invitation: text, hook: text, message: text,
		})
	}
	before := w.trace()
	for _, of := range sides {
		err := r.call(w.t.Context(), w.svc, w.admin, of)
		if !fault.Is(err, fault.NotFound) {
			w.t.Errorf("%s(%.40q) = %v, want not_found", method, of.key, err)
		}
		if err != nil && strings.Contains(err.Error(), strings.Repeat("S", 10)) {
			w.t.Errorf("%s repeats a credential: %v", method, err)
		}
	}
	if w.trace() != before {
		w.t.Errorf("%s with ids of nothing changed something", method)
	}
}

// TestForeignLooksMissing: a foreign id and one of nothing get the same answer, so nobody can ask what exists
// (SECURITY-CASES 98, 102, 110).
func TestForeignLooksMissing(t *testing.T) {
	w := newWorld(t)
	nothing := side{
		team: string(id.New[id.Team]()), app: string(id.New[id.App]()), key: string(id.New[id.Key]()),
		token: string(id.New[id.Key]()), grant: string(id.New[id.Grant]()), session: string(id.New[id.Session]()),
	}
	nothing.invitation, nothing.hook, nothing.message = string(id.New[id.Invitation]()), string(id.New[id.Webhook]()), string(id.New[id.Message]())
	nothing.invoice = string(id.New[id.Invoice]())
	nothing.owner, nothing.developer, nothing.billing = w.b.owner, w.b.developer, w.b.billing
	erase := func(err error, s side) string {
		return strings.NewReplacer(s.team, "ID", s.app, "ID", s.key, "ID", s.token, "ID", s.grant, "ID", s.session, "ID", s.invitation, "ID", s.hook, "ID", s.message, "ID", s.invoice, "ID").Replace(err.Error())
	}
	for name, r := range matrix() {
		if r.want != ofDevelopers && r.want != ofBilling && r.want != ofOwners {
			continue
		}
		actor := w.a.keyActor
		if r.want == ofOwners {
			actor = userActor(w.a.owner, w.a.team, everyScope()...)
		}
		foreign, missing := r.call(t.Context(), w.svc, actor, w.b), r.call(t.Context(), w.svc, actor, nothing)
		if foreign == nil || missing == nil || erase(foreign, w.b) != erase(missing, nothing) {
			t.Errorf("%s: foreign = %v, missing = %v, want the same", name, foreign, missing)
		}
	}
}

// TestListsStayWithinReach: without any filter, nothing of others is listed, and the number of items tells nothing.
func TestListsStayWithinReach(t *testing.T) {
	w := newWorld(t)
	for _, as := range []audit.Actor{w.a.keyActor, userActor(w.a.developer, w.a.team, everyScope()...), userActor(w.a.owner, w.a.team, everyScope()...)} {
		apps, err := w.svc.Apps(t.Context(), as, "", "", List{})
		if err != nil || len(apps.Items) != 2 || slices.ContainsFunc(apps.Items, func(a lanyard.App) bool { return a.TeamID != w.a.team }) {
			t.Errorf("Apps as %s = %v, %v, want the two of A", as.Label, apps.Items, err)
		}
		keys, err := w.svc.Keys(t.Context(), as, KeysFilter{}, List{})
		if err != nil || len(keys.Items) != 2 || slices.ContainsFunc(keys.Items, func(k lanyard.Key) bool { return k.TeamID != w.a.team }) {
			t.Errorf("Keys as %s = %v, %v, want the two of A", as.Label, keys.Items, err)
		}
	}
	outsider := userActor(w.newUser("nobody"), "", everyScope()...)
	keys, err := w.svc.Keys(t.Context(), outsider, KeysFilter{}, List{})
	if err != nil || len(keys.Items) != 0 || keys.Items == nil {
		t.Errorf("Keys of a user without teams = %v, %v, want an empty list", keys.Items, err)
	}
	teams, err := w.svc.Teams(t.Context(), userActor(w.a.owner, w.a.team, everyScope()...), "", List{})
	if err != nil || len(teams.Items) != 1 || teams.Items[0].ID != w.a.team {
		t.Errorf("Teams of A's owner = %v, %v, want A", teams.Items, err)
	}
	none, err := w.svc.Apps(t.Context(), audit.Actor{Scopes: everyScope()}, "", "", List{})
	if err != nil || len(none.Items) != 0 {
		t.Errorf("Apps with the zero reach = %v, %v, want none", none.Items, err)
	}
}

// TestRoleIsLookedUpNow: who loses a role loses what it allowed with the next call.
func TestRoleIsLookedUpNow(t *testing.T) {
	w := newWorld(t)
	dev := userActor(w.a.developer, w.a.team, everyScope()...)
	if _, err := w.svc.Key(t.Context(), dev, w.a.key); err != nil {
		t.Fatal(err)
	}
	if _, err := w.svc.SetMember(t.Context(), w.admin, w.a.team, lanyard.Member{UserID: w.a.developer, Role: "billing"}); err != nil {
		t.Fatal(err)
	}
	_, err := w.svc.Key(t.Context(), dev, w.a.key)
	wantFault(t, "Key after the role was taken", err, fault.NotFound, "")
}

// TestServerScopesNeedServerReach: a row that says lanyard.admin gives a team's key nothing.
func TestServerScopesNeedServerReach(t *testing.T) {
	w := newWorld(t)
	as := w.a.keyActor
	as.Scopes = []string{"lanyard.admin"}
	for _, need := range everyScope() {
		if w.svc.holds(as, need) {
			t.Errorf("holds(lanyard.admin without server reach, %s) = true, want false", need)
		}
		if !w.svc.holds(w.admin, need) {
			t.Errorf("holds(admin, %s) = false, want true", need)
		}
	}
}
