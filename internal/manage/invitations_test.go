package manage

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// invite gives a side an invitation that waits.
func (w *world) invite(s *side) {
	w.t.Helper()
	letters := w.svc.Letters
	w.svc.Letters = nil // a mail of which no test wants to know
	defer func() { w.svc.Letters = letters }()
	i, err := w.svc.InviteToTeam(w.t.Context(), w.admin, s.team, lanyard.InvitationInput{Email: id.Chars(id.New[id.User]()) + "@example.test", Role: "developer"})
	if err != nil {
		w.t.Fatalf("InviteToTeam: %v", err)
	}
	s.invitation = i.ID
}

// invitationTo invites an address into team A and returns what its link opens with.
func (w *world) invitationTo(email, role string) string {
	w.t.Helper()
	owner := userActor(w.a.owner, w.a.team, everyScope()...)
	if _, err := w.svc.InviteToTeam(w.t.Context(), owner, w.a.team, lanyard.InvitationInput{Email: email, Role: role}); err != nil {
		w.t.Fatalf("InviteToTeam(%s): %v", email, err)
	}
	m := w.lastMail("invitation")
	text, ok := strings.CutPrefix(m.link, "https://lanyard.example/invitation?t=")
	if !ok || m.to != email || m.data["team"] != "Team a" || m.data["role"] != role || m.data["by"] != "owner-a" {
		w.t.Fatalf("the mail is %+v, want it to %s with team, role and who invites", m, email)
	}
	return text
}

// person is somebody who is signed in, with their address.
func (w *world) person(name string) (audit.Actor, *user.User) {
	w.t.Helper()
	u, err := w.store.User(w.t.Context(), id.User(w.newUser(name)))
	if err != nil {
		w.t.Fatal(err)
	}
	return Person(u), u
}

func (w *world) roleIn(team string, u id.User) audit.Role {
	w.t.Helper()
	all, err := w.store.Colleagues(w.t.Context(), audit.ServerReach(), id.Team(team), 100)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range all {
		if c.User == u {
			return c.Role
		}
	}
	return ""
}

func TestInviteToTeamRefuses(t *testing.T) {
	w := newWorld(t)
	owner := userActor(w.a.owner, w.a.team, everyScope()...)
	system, _ := w.systemApp()
	before, mails := w.trace(), len(w.mails)
	for _, tc := range []struct {
		what  string
		as    audit.Actor
		team  string
		in    lanyard.InvitationInput
		kind  fault.Kind
		field string
	}{
		{"no address", owner, w.a.team, lanyard.InvitationInput{Email: "ada", Role: "owner"}, fault.Invalid, "email"},
		{"a header", owner, w.a.team, lanyard.InvitationInput{Email: "ada@new.test\r\nBcc: eve@new.test", Role: "owner"}, fault.Invalid, "email"},
		{"no role", owner, w.a.team, lanyard.InvitationInput{Email: "ada@new.test"}, fault.Invalid, "role"},
		{"a role that is none", owner, w.a.team, lanyard.InvitationInput{Email: "ada@new.test", Role: "any"}, fault.Invalid, "role"},
		{"a member", owner, w.a.team, lanyard.InvitationInput{Email: strings.ToUpper(w.a.email), Role: "billing"}, fault.Conflict, "email"},
		{"another team", owner, w.b.team, lanyard.InvitationInput{Email: "ada@new.test", Role: "owner"}, fault.NotFound, ""},
		{"the built-in team", w.admin, system, lanyard.InvitationInput{Email: "ada@new.test", Role: "owner"}, fault.Conflict, ""},
	} {
		_, err := w.svc.InviteToTeam(t.Context(), tc.as, tc.team, tc.in)
		wantFault(t, "InviteToTeam: "+tc.what, err, tc.kind, tc.field)
	}
	if w.trace() != before || len(w.mails) != mails {
		t.Error("refused invitations left a trace")
	}
	_, err := w.svc.RevokeInvitation(t.Context(), userActor(w.b.owner, w.b.team, everyScope()...), w.b.team, w.a.invitation)
	wantFault(t, "RevokeInvitation of another team's under one's own", err, fault.NotFound, "")
	_, err = w.svc.InviteAgain(t.Context(), userActor(w.b.owner, w.b.team, everyScope()...), w.b.team, w.a.invitation)
	wantFault(t, "InviteAgain of another team's under one's own", err, fault.NotFound, "")
	for range invitationsPerAddress {
		w.invitationTo("often@new.test", "developer")
	}
	_, err = w.svc.InviteToTeam(t.Context(), owner, w.a.team, lanyard.InvitationInput{Email: "often@new.test", Role: "developer"})
	wantFault(t, "InviteToTeam once too often", err, fault.TooMany, "")
}

func TestAcceptInvitation(t *testing.T) {
	w := newWorld(t)
	ada, u := w.person("ada")
	eve, _ := w.person("eve")
	text := w.invitationTo(strings.ToUpper(u.Email), "developer")
	before := w.trace()
	for _, bad := range []string{"", "x", text + "x", flip(text), text[:16]} {
		_, err := w.svc.AcceptInvitation(t.Context(), ada, bad)
		wantFault(t, "AcceptInvitation("+bad+")", err, fault.NotFound, "")
		_, err = w.svc.InvitationState(t.Context(), bad)
		wantFault(t, "InvitationState("+bad+")", err, fault.NotFound, "")
	}
	_, err := w.svc.AcceptInvitation(t.Context(), eve, text)
	wantFault(t, "AcceptInvitation with another address", err, fault.InsufficientScope, "")
	_, err = w.svc.LinkState(t.Context(), text, here1)
	wantFault(t, "LinkState of an invitation", err, fault.NotFound, "")
	_, _, err = w.svc.UseInvitation(t.Context(), text, account("x@y.test"))
	wantFault(t, "UseInvitation for who has an account", err, fault.Conflict, "email")
	if w.trace() != before {
		t.Error("refused invitations changed something")
	}
	view, err := w.svc.InvitationState(t.Context(), text)
	if want := (InvitationView{Team: "Team a", Role: "developer", Email: strings.ToUpper(u.Email), By: "owner-a", HasUser: true}); err != nil || view != want {
		t.Errorf("InvitationState = %+v, %v, want %+v", view, err, want)
	}
	w.svc.SignupMode = "closed"
	joined, err := w.svc.AcceptInvitation(t.Context(), ada, text)
	if err != nil || joined.ID != w.a.team || w.roleIn(w.a.team, u.ID) != audit.RoleDeveloper {
		t.Fatalf("AcceptInvitation = %+v, %v, want the team, with sign-up closed too", joined, err)
	}
	if ev := w.lastEvent(); ev.Action != "member.join" || ev.Actor != string(u.ID) || ev.Details["role"] != "developer" || string(ev.Team) != w.a.team {
		t.Errorf("the audit line is %+v", ev)
	}
	_, err = w.svc.AcceptInvitation(t.Context(), ada, text)
	wantFault(t, "AcceptInvitation again", err, fault.NotFound, "")
}

// TestUnverifiedTakesNothing: an account whose address nobody confirmed is anybody's.
func TestUnverifiedTakesNothing(t *testing.T) {
	w := newWorld(t)
	u := &user.User{ID: id.New[id.User](), Email: "ada@new.test", CreatedAt: begin}
	if _, err := w.store.CreateUser(t.Context(), u, w.admin.New(begin, "user.create", string(u.ID), "", nil)); err != nil {
		t.Fatal(err)
	}
	_, err := w.svc.AcceptInvitation(t.Context(), Person(u), w.invitationTo(u.Email, "owner"))
	wantFault(t, "AcceptInvitation without a verified address", err, fault.InsufficientScope, "")
}

func TestInvitationEnds(t *testing.T) {
	w := newWorld(t)
	owner := userActor(w.a.owner, w.a.team, everyScope()...)
	ada, u := w.person("ada")
	refused := func(what, text string) {
		t.Helper()
		_, err := w.svc.AcceptInvitation(t.Context(), ada, text)
		wantFault(t, "AcceptInvitation "+what, err, fault.NotFound, "")
	}
	first := w.invitationTo(u.Email, "owner")
	all, err := w.svc.Invitations(t.Context(), owner, w.a.team)
	if err != nil || len(all) != 2 || all[0].InvitedBy == "" {
		t.Fatalf("Invitations = %+v, %v, want two", all, err)
	}
	mine := all[0]
	if mine.Email != u.Email {
		mine = all[1]
	}
	again, err := w.svc.InviteAgain(t.Context(), owner, w.a.team, mine.ID)
	if err != nil || again.Role != "owner" || again.Email != u.Email {
		t.Fatalf("InviteAgain = %+v, %v, want the same anew", again, err)
	}
	refused("by a link that was sent before", first)
	second := strings.TrimPrefix(w.lastMail("invitation").link, "https://lanyard.example/invitation?t=")
	if _, err := w.svc.RevokeInvitation(t.Context(), owner, w.a.team, again.ID); err != nil {
		t.Fatal(err)
	}
	refused("after it was revoked", second)
	_, err = w.svc.InviteAgain(t.Context(), owner, w.a.team, again.ID)
	wantFault(t, "InviteAgain of one that was revoked", err, fault.NotFound, "")
	third := w.invitationTo(u.Email, "owner")
	w.clock.advance(factor.InviteLife)
	refused("after a week", third)
	// Ten wrong texts under one id, and the right one is refused too.
	fourth := w.invitationTo(u.Email, "owner")
	for range triesPerLink {
		refused("with a wrong text", flip(fourth))
	}
	refused("after ten wrong texts", fourth)
	w.clock.advance(25 * time.Hour)
	if _, err := w.svc.AcceptInvitation(t.Context(), ada, fourth); err != nil {
		t.Errorf("AcceptInvitation a day later = %v", err)
	}
}

func TestUseInvitation(t *testing.T) {
	w := newWorld(t)
	text := w.invitationTo("new@new.test", "billing")
	for _, mode := range []string{"", "closed"} {
		w.svc.SignupMode = mode
		_, _, err := w.svc.UseInvitation(t.Context(), text, account("x@y.test"))
		wantFault(t, "UseInvitation when "+mode, err, fault.InsufficientScope, "")
		if view, err := w.svc.InvitationState(t.Context(), text); err != nil || view.HasUser || view.MakesUser {
			t.Errorf("InvitationState when %s = %+v, %v, want that no account can be made", mode, view, err)
		}
	}
	w.svc.SignupMode = "invite"
	weak := account("x@y.test")
	weak.Password = "password1"
	_, _, err := w.svc.UseInvitation(t.Context(), text, weak)
	wantFault(t, "UseInvitation with a weak password", err, fault.Invalid, "password")
	if view, err := w.svc.InvitationState(t.Context(), text); err != nil || !view.MakesUser {
		t.Errorf("InvitationState = %+v, %v, want that an account can be made", view, err)
	}
	used, joined, err := w.svc.UseInvitation(t.Context(), text, account("x@y.test"))
	if err != nil || used.User.Email != "new@new.test" || used.User.VerifiedAt.IsZero() || used.User.Admin || joined.ID != w.a.team || w.roleIn(w.a.team, used.User.ID) != audit.RoleBilling {
		t.Fatalf("UseInvitation = %+v, %+v, %v, want an account for the invited address in the team", used, joined, err)
	}
	if !w.knows(used.User.ID, goodPassword) {
		t.Error("the password is another")
	}
}

// TestInvitationOneWinner: of many who press the button at once one joins, and one account is made.
func TestInvitationOneWinner(t *testing.T) {
	w := newWorld(t)
	ada, u := w.person("ada")
	fresh := w.invitationTo("new@new.test", "developer")
	text := w.invitationTo(u.Email, "developer")
	var all sync.WaitGroup
	accepted, made := make([]error, 8), make([]error, 8)
	for i := range accepted {
		all.Go(func() { _, accepted[i] = w.svc.AcceptInvitation(t.Context(), ada, text) })
		all.Go(func() { _, _, made[i] = w.svc.UseInvitation(t.Context(), fresh, account("x@y.test")) })
	}
	all.Wait()
	for what, errs := range map[string][]error{"AcceptInvitation": accepted, "UseInvitation": made} {
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Conflict) {
				t.Errorf("%s at once = %v", what, err)
			}
		}
		if won != 1 {
			t.Errorf("%s: %d won, want 1", what, won)
		}
	}
}

func TestLeaveTeam(t *testing.T) {
	w := newWorld(t)
	owner := userActor(w.a.owner, w.a.team, everyScope()...)
	_, err := w.svc.LeaveTeam(t.Context(), owner, w.a.team)
	wantFault(t, "LeaveTeam as the last owner", err, fault.Conflict, "")
	if _, err := w.svc.LeaveTeam(t.Context(), userActor(w.a.billing, w.a.team, everyScope()...), w.a.team); err != nil {
		t.Fatal(err)
	}
	if role := w.roleIn(w.a.team, id.User(w.a.billing)); role != "" {
		t.Errorf("who left is %s", role)
	}
}

// TestActivity: a team's lines and no others, and a cursor of one team opens no other's list.
func TestActivity(t *testing.T) {
	w := newWorld(t)
	dev := userActor(w.a.developer, w.a.team, everyScope()...)
	page, err := w.svc.Activity(t.Context(), dev, w.a.team, "", List{Limit: 3})
	if err != nil || len(page.Items) != 3 || page.NextCursor == "" {
		t.Fatalf("Activity = %+v, %v, want a page of three", page, err)
	}
	for _, ev := range page.Items {
		if ev.TeamID != w.a.team {
			t.Errorf("Activity shows %+v", ev)
		}
	}
	_, err = w.svc.Activity(t.Context(), userActor(w.b.owner, w.b.team, everyScope()...), w.b.team, "", List{Cursor: page.NextCursor})
	wantFault(t, "Activity with the cursor of another team", err, fault.Invalid, "cursor")
	made, err := w.svc.Activity(t.Context(), dev, w.a.team, "key.create", List{})
	if err != nil || len(made.Items) != 2 {
		t.Errorf("Activity of key.create = %+v, %v, want the two keys of A", made, err)
	}
}
