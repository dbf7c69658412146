package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/store"
	"github.com/lanyard-auth/lanyard/internal/team"
)

func anInvitation(w *world, email string, role audit.Role) *factor.Invitation {
	invitation := id.New[id.Invitation]()
	return &factor.Invitation{
		ID: invitation, Team: w.ours, Email: email, EmailKey: email, Role: role, Digest: digest(string(invitation)), Pepper: 1, By: string(w.owner),
		CreatedAt: t0, ExpiresAt: t0.Add(factor.InviteLife),
	}
}

// at is an event at a time.
func at(now time.Time, action string) audit.Event {
	ev := event(action)
	ev.At = now
	return ev
}

func TestInvitationRefusals(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		reach := audit.UserReach(w.owner).As(audit.RoleOwner)
		nobody := id.New[id.Invitation]()
		wantKind(t, "Invitation of nothing", second(w.Invitation(ctx, nobody)), fault.NotFound)
		i := anInvitation(w, "eve@example.com", audit.RoleDeveloper)
		must(t, w.CreateInvitation(ctx, reach, i, nil, event("invitation.create")))

		foreign := anInvitation(w, "eve@example.com", audit.RoleOwner)
		foreign.Team = w.theirs
		wantKind(t, "CreateInvitation into a team out of reach", w.CreateInvitation(ctx, reach, foreign, aLetter(), event("x")), fault.NotFound)
		if n := deliveries(t, db); n != 0 {
			t.Errorf("%d letters of an invitation that was refused", n)
		}
		wantKind(t, "Invitations of a team out of reach", second(w.Invitations(ctx, reach, w.theirs, 10)), fault.NotFound)
		wantKind(t, "RevokeInvitation of nothing", w.RevokeInvitation(ctx, reach, w.ours, nobody, event("x")), fault.NotFound)
		theirs := audit.UserReach(w.foreign).As(audit.RoleOwner)
		wantKind(t, "RevokeInvitation by another team's owner", w.RevokeInvitation(ctx, theirs, w.theirs, i.ID, event("x")), fault.NotFound)
		wantKind(t, "RevokeInvitation out of reach", w.RevokeInvitation(ctx, theirs, w.ours, i.ID, event("x")), fault.NotFound)

		before := head(t, w.Store)
		for what, c := range map[string]struct {
			invitation id.Invitation
			user       id.User
			now        time.Time
		}{
			"nothing": {nobody, w.foreign, t0}, "expired to the microsecond": {i.ID, w.foreign, i.ExpiresAt}, "nobody": {i.ID, id.New[id.User](), t0.Add(-time.Hour)},
		} {
			rev, took, err := w.TakeInvitation(ctx, c.invitation, c.user, at(c.now, "member.join"))
			if rev != 0 || took || err != nil {
				t.Errorf("TakeInvitation of %s = %v, %t, %v, want nothing", what, rev, took, err)
			}
		}
		if len(auditLines(t, w.Store, "member.join")) != 0 || head(t, w.Store) != before {
			t.Error("a refused invitation left a trace")
		}
	})
}

func TestInvitations(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		reach := audit.UserReach(w.owner).As(audit.RoleOwner)
		first, again := anInvitation(w, "new@example.com", audit.RoleOwner), anInvitation(w, "new@example.com", audit.RoleBilling)
		other := anInvitation(w, "another@example.com", audit.RoleDeveloper)
		for _, i := range []*factor.Invitation{first, again, other} {
			must(t, w.CreateInvitation(ctx, reach, i, aLetter(), event("invitation.create")))
		}
		if n := deliveries(t, db); n != 3 {
			t.Errorf("%d letters, want 3", n)
		}
		wantKind(t, "Invitation that another took the place of", second(w.Invitation(ctx, first.ID)), fault.NotFound)
		got, err := w.Invitation(ctx, again.ID)
		must(t, err)
		if diff := cmp.Diff(again, got); diff != "" {
			t.Errorf("Invitation (-want +got):\n%s", diff)
		}
		all, err := w.Invitations(ctx, reach, w.ours, 10)
		must(t, err)
		if diff := cmp.Diff([]*factor.Invitation{other, again}, all); diff != "" {
			t.Errorf("Invitations (-want +got):\n%s", diff)
		}

		before := head(t, w.Store)
		rev, took, err := w.TakeInvitation(ctx, again.ID, w.foreign, at(t0.Add(time.Minute), "member.join"))
		if err != nil || !took || rev == 0 {
			t.Fatalf("TakeInvitation = %v, %t, %v, want it taken", rev, took, err)
		}
		if diff := cmp.Diff([]string{entry(changes.Team, string(w.ours)), entry(changes.User, string(w.foreign))}, since(t, w.Store, before)); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
		if lines := auditLines(t, w.Store, "member.join"); len(lines) != 1 || lines[0].Team != w.ours {
			t.Errorf("audit lines = %+v, want one of the team", lines)
		}
		if role := roleOf(t, w.Store, w.ours, w.foreign); role != audit.RoleBilling {
			t.Errorf("who took the invitation is %q, want billing", role)
		}
		wantKind(t, "RevokeInvitation of one that was used", w.RevokeInvitation(ctx, reach, w.ours, again.ID, event("x")), fault.NotFound)

		must(t, w.RevokeInvitation(ctx, reach, w.ours, other.ID, event("invitation.revoke")))
		if _, took, err := w.TakeInvitation(ctx, other.ID, w.foreign, event("member.join")); took || err != nil {
			t.Errorf("TakeInvitation of one that was revoked = %t, %v, want false", took, err)
		}

		// Whoever has a role keeps it, the last owner too.
		lower := anInvitation(w, "owner@example.com", audit.RoleBilling)
		must(t, w.CreateInvitation(ctx, reach, lower, nil, event("invitation.create")))
		if _, took, err := w.TakeInvitation(ctx, lower.ID, w.owner, event("member.join")); !took || err != nil {
			t.Errorf("TakeInvitation by a member = %t, %v, want it taken", took, err)
		}
		if role := roleOf(t, w.Store, w.ours, w.owner); role != audit.RoleOwner {
			t.Errorf("an owner who took an invitation is %q, want owner", role)
		}
		must(t, w.TrimLinks(ctx, t0.Add(factor.InviteLife+7*24*time.Hour)))
		must(t, second(w.Invitation(ctx, lower.ID)))
		must(t, w.TrimLinks(ctx, t0.Add(factor.InviteLife+7*24*time.Hour+time.Microsecond)))
		wantKind(t, "Invitation a week after its end", second(w.Invitation(ctx, lower.ID)), fault.NotFound)
	})
}

func roleOf(t *testing.T, st *store.Store, teamID id.Team, userID id.User) audit.Role {
	t.Helper()
	all, err := st.Colleagues(ctx, audit.ServerReach(), teamID, 100)
	must(t, err)
	for _, c := range all {
		if c.User == userID {
			return c.Role
		}
	}
	return ""
}

// Who is no owner any more has no way back in by what they invited before.
func TestInvitationsEndWithTheirOwner(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		server := audit.ServerReach()
		must(t, second(w.SetMember(ctx, server, w.ours, team.Member{User: w.dev, Role: audit.RoleOwner}, event("member.set"))))
		stays, goes := anInvitation(w, "a@example.com", audit.RoleOwner), anInvitation(w, "b@example.com", audit.RoleOwner)
		goes.By = string(w.dev)
		must(t, w.CreateInvitation(ctx, server, stays, nil, event("invitation.create")))
		must(t, w.CreateInvitation(ctx, server, goes, nil, event("invitation.create")))
		must(t, second(w.SetMember(ctx, server, w.ours, team.Member{User: w.dev, Role: audit.RoleDeveloper}, event("member.set"))))
		all, err := w.Invitations(ctx, server, w.ours, 10)
		must(t, err)
		if len(all) != 1 || all[0].ID != stays.ID {
			t.Errorf("Invitations = %v, want the one of who still is an owner", all)
		}
		goes = anInvitation(w, "b@example.com", audit.RoleOwner)
		goes.By = string(w.dev)
		must(t, w.CreateInvitation(ctx, server, goes, nil, event("invitation.create")))
		must(t, second(w.RemoveMember(ctx, server, w.ours, w.dev, event("member.remove"))))
		if _, took, err := w.TakeInvitation(ctx, goes.ID, w.foreign, event("member.join")); took || err != nil {
			t.Errorf("TakeInvitation by somebody who was removed = %t, %v, want false", took, err)
		}
	})
}

// One link is taken once, by however many at once and on two nodes.
func TestInvitationRace(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		nodes := []*store.Store{db.open(t), db.open(t)}
		w := newWorld(t, nodes[0])
		for range oneUseRounds(t) {
			i := anInvitation(w, "new@example.com", audit.RoleDeveloper)
			must(t, w.CreateInvitation(ctx, audit.ServerReach(), i, nil, event("invitation.create")))
			takers := make([]id.User, oneUseRacers)
			for n := range takers {
				takers[n] = newUser(t, w.Store, string(id.New[id.User]())+"@example.com")
			}
			oneOf(t, "TakeInvitation", func(n int) (bool, error) {
				_, took, err := nodes[n%2].TakeInvitation(ctx, i.ID, takers[n], event("member.join"))
				return took, err
			})
			joined := 0
			for _, u := range takers {
				if roleOf(t, w.Store, w.ours, u) != "" {
					joined++
					must(t, second(w.RemoveMember(ctx, audit.ServerReach(), w.ours, u, event("member.remove"))))
				}
			}
			if joined != 1 {
				t.Errorf("%d joined by one link, want one", joined)
			}
		}
	})
}
