package manage

import (
	"context"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/team"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// InvitationView is what a page may say of an invitation to whoever opened its link.
type InvitationView struct {
	Team      string // its name
	Role      audit.Role
	Email     string // whom it is for
	By        string // who invites, by name; "" for a key, a command, and who has none
	HasUser   bool   // somebody has the address
	MakesUser bool   // nobody has, and the link lets make an account for it
}

// InvitationState says what an invitation's button would do. It consumes nothing: mail programs open links by themselves.
func (s *Service) InvitationState(ctx context.Context, text string) (InvitationView, error) {
	i, err := s.invited(ctx, text)
	if err != nil {
		return InvitationView{}, err
	}
	t, err := s.TeamStore.Team(ctx, audit.ServerReach(), i.Team)
	if fault.Is(err, fault.NotFound) {
		return InvitationView{}, deadInvitation()
	}
	if err != nil {
		return InvitationView{}, err
	}
	by, err := s.nameOf(ctx, i.By)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return InvitationView{}, err
	}
	view := InvitationView{Team: t.Name, Role: i.Role, Email: i.Email, By: by}
	_, err = s.UserStore.UserByEmail(ctx, i.Email)
	switch {
	case err == nil:
		view.HasUser = true
	case fault.Is(err, fault.NotFound):
		view.MakesUser = s.mayRegister("invite", "open") == nil
	default:
		return InvitationView{}, err
	}
	return view, nil
}

// AcceptInvitation takes the person who is signed in into the team of an invitation that is for their address, once. Whoever is
// in the team already keeps their role.
func (s *Service) AcceptInvitation(ctx context.Context, actor audit.Actor, text string) (lanyard.Team, error) {
	if err := mayInPerson(actor); err != nil {
		return lanyard.Team{}, err
	}
	i, err := s.invited(ctx, text)
	if err != nil {
		return lanyard.Team{}, err
	}
	u, err := s.UserStore.User(ctx, actor.User)
	if err != nil {
		return lanyard.Team{}, err
	}
	switch {
	case user.EmailKey(u.Email) != i.EmailKey:
		return lanyard.Team{}, fault.New(fault.InsufficientScope, "this invitation is for another address than yours: sign in with that one, or ask for an invitation to %s", u.Email)
	case u.VerifiedAt.IsZero() || !u.DisabledAt.IsZero():
		return lanyard.Team{}, fault.New(fault.InsufficientScope, "nobody has shown yet that the address of this account is yours: confirm it first")
	}
	return s.join(ctx, actor, i)
}

// join consumes an invitation.
func (s *Service) join(ctx context.Context, actor audit.Actor, i *factor.Invitation) (lanyard.Team, error) {
	ev := actor.New(s.now(), "member.join", string(actor.User), i.Team, said(details{"team": string(i.Team), "role": string(i.Role), "invitation": string(i.ID)}))
	_, took, err := s.InvitationStore.TakeInvitation(ctx, i.ID, actor.User, ev)
	if err == nil && !took {
		err = deadInvitation()
	}
	if err != nil {
		return lanyard.Team{}, err
	}
	t, err := s.TeamStore.Team(ctx, audit.ServerReach(), i.Team)
	if err != nil {
		return lanyard.Team{}, err
	}
	return wireTeam(t), nil
}

// UseInvitation makes an account for the address that was invited into a team, as UseInvite does, and takes it into the team. The
// address is unique, so of several who press the button at once one makes the account, and that one joins.
func (s *Service) UseInvitation(ctx context.Context, text string, in NewAccount) (Used, lanyard.Team, error) {
	none := lanyard.Team{}
	if err := s.mayRegister("invite", "open"); err != nil {
		return Used{}, none, err
	}
	i, err := s.invited(ctx, text)
	if err != nil {
		return Used{}, none, err
	}
	in.Email = i.Email
	u, password, err := s.newAccount(ctx, in, false)
	if err != nil {
		return Used{}, none, err
	}
	if err := s.keepUser(ctx, by(u.ID), u, &factor.NewPassword{Password: *password}); err != nil {
		return Used{}, none, err
	}
	joined, err := s.join(ctx, by(u.ID), i)
	return Used{User: u, SameBrowser: true}, joined, err
}

const maxColleagues = 500 // of one team that are listed

// People lists who is in a team, by name, to any of them.
func (s *Service) People(ctx context.Context, actor audit.Actor, teamID string) ([]team.Colleague, error) {
	reach, err := s.asMember(actor)
	if err != nil {
		return nil, err
	}
	t, err := s.teamWithin(ctx, reach, teamID)
	if err != nil {
		return nil, err
	}
	return s.TeamStore.Colleagues(ctx, reach, t.ID, maxColleagues)
}

// asMember is the reach of a person in the teams they are in, whatever their role; an admin's is the whole server.
func (s *Service) asMember(actor audit.Actor) (audit.Reach, error) {
	if err := mayInPerson(actor); err != nil {
		return audit.Reach{}, err
	}
	return actor.Reach.As(audit.RoleAny), nil
}

// LeaveTeam takes the person who is signed in out of a team. The last owner stays.
func (s *Service) LeaveTeam(ctx context.Context, actor audit.Actor, teamID string) (id.Revision, error) {
	if err := mayInPerson(actor); err != nil {
		return 0, err
	}
	parsed, err := parseID[id.Team]("team", teamID)
	if err != nil {
		return 0, err
	}
	ev := actor.New(s.now(), "member.leave", string(actor.User), parsed, said(details{"team": teamID}))
	return s.TeamStore.RemoveMember(ctx, audit.UserReach(actor.User), parsed, actor.User, ev)
}

// Activity lists what was done in a team, newest first, to any of its members; action narrows the list unless "".
func (s *Service) Activity(ctx context.Context, actor audit.Actor, teamID, action string, list List) (lanyard.Page[lanyard.AuditEvent], error) {
	none := lanyard.Page[lanyard.AuditEvent]{}
	reach, err := s.asMember(actor)
	if err != nil {
		return none, err
	}
	t, err := s.teamWithin(ctx, reach, teamID)
	if err != nil {
		return none, err
	}
	if err := checkText("action", action, maxFilter); err != nil {
		return none, err
	}
	return s.auditPage(ctx, audit.TeamReach(t.ID), "activity "+string(t.ID), AuditSearch{Action: action}, list)
}
