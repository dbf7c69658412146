package manage

import (
	"context"
	"fmt"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/team"
	"github.com/lanyard-auth/lanyard/internal/user"
)

const (
	maxInvitations        = 200 // of one team that wait
	invitationsPerAddress = 5   // in an hour
	invitationsPerInviter = 30
)

// InviteToTeam mails somebody a link by which they can join a team. It takes the place of one that waits for the same address.
// Whether the address has an account comes out in nothing. It needs lanyard.users.write.
func (s *Service) InviteToTeam(ctx context.Context, actor audit.Actor, teamID string, in lanyard.InvitationInput) (lanyard.Invitation, error) {
	reach, t, err := s.inviting(ctx, actor, teamID)
	if err != nil {
		return lanyard.Invitation{}, err
	}
	if err := user.CheckEmail(in.Email); err != nil {
		return lanyard.Invitation{}, err
	}
	if role := audit.Role(in.Role); !role.Valid() {
		return lanyard.Invitation{}, fault.Field("role", "must be owner, developer or billing, not %.40q", in.Role)
	}
	if err := s.notYetIn(ctx, reach, t, in.Email); err != nil {
		return lanyard.Invitation{}, err
	}
	if err := s.mayInvite(actor, in.Email); err != nil {
		return lanyard.Invitation{}, err
	}
	chars, text, err := secret.NewTicket(s.random())
	if err != nil {
		return lanyard.Invitation{}, err
	}
	now := s.now()
	pepper, digest := s.MAC(invitationText(text.Reveal()))
	i := &factor.Invitation{
		ID: id.Of[id.Invitation](chars), Team: t.ID, Email: in.Email, EmailKey: user.EmailKey(in.Email), Role: audit.Role(in.Role),
		Digest: digest[:], Pepper: pepper, By: actor.Label, CreatedAt: now, ExpiresAt: now.Add(factor.InviteLife),
	}
	letter, err := s.invitationLetter(ctx, actor, t, i, text)
	if err != nil {
		return lanyard.Invitation{}, err
	}
	ev := actor.New(now, "invitation.create", string(i.ID), t.ID, said(details{"email": i.Email, "role": in.Role}))
	if err := s.InvitationStore.CreateInvitation(ctx, reach, i, letter, ev); err != nil {
		return lanyard.Invitation{}, err
	}
	return wireInvitation(i), nil
}

// inviting is the team into which somebody may invite.
func (s *Service) inviting(ctx context.Context, actor audit.Actor, teamID string) (audit.Reach, *team.Team, error) {
	reach, err := s.may(actor, usersWrite)
	if err != nil {
		return audit.Reach{}, nil, err
	}
	t, err := s.teamWithin(ctx, reach, teamID)
	if err == nil && t.System {
		err = builtIn()
	}
	return reach, t, err
}

// notYetIn refuses to invite who is in the team. All that comes out is what the list of members says anyway.
func (s *Service) notYetIn(ctx context.Context, reach audit.Reach, t *team.Team, email string) error {
	all, err := s.TeamStore.Colleagues(ctx, reach, t.ID, maxColleagues)
	if err != nil {
		return err
	}
	for _, c := range all {
		if user.EmailKey(c.Email) == user.EmailKey(email) {
			return &fault.Error{Kind: fault.Conflict, Field: "email", Detail: "is a member already: change their role in the list"}
		}
	}
	waiting, err := s.InvitationStore.Invitations(ctx, reach, t.ID, maxInvitations)
	if err == nil && len(waiting) >= maxInvitations {
		err = fault.New(fault.Conflict, "%d invitations into this team wait already: revoke some first", maxInvitations)
	}
	return err
}

// mayInvite counts the mails that somebody sends, but for whoever runs the server, and those that an address gets.
func (s *Service) mayInvite(actor audit.Actor, email string) error {
	now := s.now()
	if !actor.Reach.Server() && !s.spend(now, ratelimit.Limit{Name: "invitation_by", N: invitationsPerInviter, Window: time.Hour}, actor.Label) {
		return fault.New(fault.TooMany, "you sent %d invitations within an hour; send the next one later", invitationsPerInviter)
	}
	if !s.spend(now, ratelimit.Limit{Name: "invitation_to", N: invitationsPerAddress, Window: time.Hour}, user.EmailKey(email)) {
		return fault.New(fault.TooMany, "this address got %d invitations within an hour; send the next one later", invitationsPerAddress)
	}
	return nil
}

// invitationText is what is kept a MAC of. No credential holds a NUL, and no link is this.
func invitationText(text string) string { return "invitation\x00" + text }

func (s *Service) invitationLetter(ctx context.Context, actor audit.Actor, t *team.Team, i *factor.Invitation, text secret.Secret) (*factor.Letter, error) {
	if s.Letters == nil {
		return nil, nil //nolint:nilnil // no mail is sent
	}
	by, err := s.nameOf(ctx, string(actor.User))
	if err != nil {
		return nil, err
	}
	data := said(details{"by": by, "team": t.Name, "role": string(i.Role)})
	letter, err := s.Letters("invitation", i.Email, "", s.PublicURL+"/invitation?t="+text.Reveal(), data)
	if err != nil {
		return nil, fmt.Errorf("write the mail of %s: %w", i.ID, err)
	}
	return letter, nil
}

// nameOf is what a user is called; "" for a key, a command, and who has no name.
func (s *Service) nameOf(ctx context.Context, label string) (string, error) {
	userID, err := id.Parse[id.User](label)
	if err != nil {
		return "", nil //nolint:nilerr // no user
	}
	u, err := s.UserStore.User(ctx, userID)
	if err != nil {
		return "", err
	}
	return u.Name, nil
}

func wireInvitation(i *factor.Invitation) lanyard.Invitation {
	return lanyard.Invitation{
		ID: string(i.ID), TeamID: string(i.Team), Email: i.Email, Role: string(i.Role), InvitedBy: i.By, CreatedAt: i.CreatedAt, ExpiresAt: i.ExpiresAt,
	}
}

// Invitations lists those into a team that nobody took and nobody revoked. It needs lanyard.users.read.
func (s *Service) Invitations(ctx context.Context, actor audit.Actor, teamID string) ([]lanyard.Invitation, error) {
	reach, err := s.may(actor, usersRead)
	if err != nil {
		return nil, err
	}
	t, err := s.teamWithin(ctx, reach, teamID)
	if err != nil {
		return nil, err
	}
	found, err := s.InvitationStore.Invitations(ctx, reach, t.ID, maxInvitations)
	if err != nil {
		return nil, err
	}
	all := make([]lanyard.Invitation, 0, len(found))
	for _, i := range found {
		all = append(all, wireInvitation(i))
	}
	return all, nil
}

// RevokeInvitation takes an invitation back: its link does not work any more. It needs lanyard.users.write.
func (s *Service) RevokeInvitation(ctx context.Context, actor audit.Actor, teamID, invitationID string) (lanyard.Invitation, error) {
	reach, t, err := s.inviting(ctx, actor, teamID)
	if err != nil {
		return lanyard.Invitation{}, err
	}
	i, err := s.invitationOf(ctx, t, invitationID)
	if err != nil {
		return lanyard.Invitation{}, err
	}
	ev := actor.New(s.now(), "invitation.revoke", string(i.ID), t.ID, said(details{"email": i.Email}))
	return wireInvitation(i), s.InvitationStore.RevokeInvitation(ctx, reach, t.ID, i.ID, ev)
}

// InviteAgain mails the link of an invitation anew, with seven days from now; the link before does not work any more. It needs
// lanyard.users.write.
func (s *Service) InviteAgain(ctx context.Context, actor audit.Actor, teamID, invitationID string) (lanyard.Invitation, error) {
	_, t, err := s.inviting(ctx, actor, teamID)
	if err != nil {
		return lanyard.Invitation{}, err
	}
	i, err := s.invitationOf(ctx, t, invitationID)
	if err != nil {
		return lanyard.Invitation{}, err
	}
	if !i.UsedAt.IsZero() || !i.RevokedAt.IsZero() {
		return lanyard.Invitation{}, fault.Missing("invitation", invitationID)
	}
	return s.InviteToTeam(ctx, actor, teamID, lanyard.InvitationInput{Email: i.Email, Role: string(i.Role)})
}

// invitationOf reads an invitation into a team; one into another is not there.
func (s *Service) invitationOf(ctx context.Context, t *team.Team, invitationID string) (*factor.Invitation, error) {
	parsed, err := parseID[id.Invitation]("invitation", invitationID)
	if err != nil {
		return nil, err
	}
	i, err := s.InvitationStore.Invitation(ctx, parsed)
	if err == nil && i.Team != t.ID {
		err = fault.Missing("invitation", invitationID)
	}
	return i, err
}

// invited finds the invitation that a link opens, which must wait. Everybody else is told the same.
func (s *Service) invited(ctx context.Context, text string) (*factor.Invitation, error) {
	chars, ok := secret.TicketID(text)
	if !ok {
		return nil, deadInvitation()
	}
	i, err := s.InvitationStore.Invitation(ctx, id.Of[id.Invitation](chars))
	if fault.Is(err, fault.NotFound) {
		return nil, deadInvitation()
	}
	if err != nil {
		return nil, err
	}
	if err := s.opens(string(i.ID), invitationText(text), i.Pepper, i.Digest); fault.Is(err, fault.NotFound) {
		return nil, deadInvitation()
	} else if err != nil {
		return nil, err
	}
	if !i.Waits(s.now()) {
		return nil, deadInvitation()
	}
	return i, nil
}

// deadInvitation is what everybody is told whose invitation does not work: unknown, wrong, used, revoked or expired.
func deadInvitation() error {
	return fault.New(fault.NotFound, "this invitation does not work, or not any more: it is taken once, within seven days, unless it is taken back; ask who invited you for a new one")
}
