package manage

import (
	"context"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// UserSessions lists where a user is logged in, newest first; userID "" is the one who asks. It needs lanyard.users.read,
// for the whole server or for one's own.
func (s *Service) UserSessions(ctx context.Context, actor audit.Actor, userID string) ([]lanyard.Session, error) {
	whose, err := s.personNamed(ctx, actor, usersRead, userID)
	if err != nil {
		return nil, err
	}
	return s.sessionsOf(ctx, whose)
}

// personNamed is the user whose things a call concerns: the one named, who has to be the asker without server reach, or the
// asker.
func (s *Service) personNamed(ctx context.Context, actor audit.Actor, need, userID string) (id.User, error) {
	own, err := s.mayOwn(actor, need)
	if err != nil {
		return "", err
	}
	if userID == "" {
		if actor.User == "" {
			return "", fault.Field("user_id", "say whose: your credential belongs to no user")
		}
		return actor.User, nil
	}
	parsed, err := parseID[id.User]("user", userID)
	if err != nil {
		return "", err
	}
	if own == "" {
		_, err = s.UserStore.User(ctx, parsed)
	} else if own != parsed {
		err = fault.Missing("user", userID)
	}
	return parsed, err
}

func (s *Service) sessionsOf(ctx context.Context, whose id.User) ([]lanyard.Session, error) {
	found, err := s.SessionStore.Sessions(ctx, whose, s.now())
	if err != nil {
		return nil, err
	}
	out := make([]lanyard.Session, 0, len(found))
	for _, one := range found {
		out = append(out, wireSession(one))
	}
	return out, nil
}

// EndSession logs somebody out of one browser and tells the apps they signed in to from there. It needs lanyard.users.write,
// for the whole server or for one's own.
func (s *Service) EndSession(ctx context.Context, actor audit.Actor, sessionID string) (lanyard.Ended, error) {
	own, err := s.mayOwn(actor, usersWrite)
	if err != nil {
		return lanyard.Ended{}, err
	}
	return s.endSession(ctx, actor, own, sessionID)
}

func (s *Service) endSession(ctx context.Context, actor audit.Actor, own id.User, sessionID string) (lanyard.Ended, error) {
	parsed, err := parseID[id.Session]("session", sessionID)
	if err != nil {
		return lanyard.Ended{}, err
	}
	found, err := s.SessionStore.Session(ctx, parsed)
	if err == nil && own != "" && found.User != own {
		err = fault.Missing("session", sessionID)
	}
	if err != nil {
		return lanyard.Ended{}, err
	}
	return s.endSessions(ctx, actor, found.User, parsed, "")
}

// EndUserSessions logs a user out everywhere. Tokens that apps hold go on: PATCH the user with revoke_tokens to end those
// too. It needs lanyard.users.write, for the whole server or for one's own.
func (s *Service) EndUserSessions(ctx context.Context, actor audit.Actor, userID string) (lanyard.Ended, error) {
	whose, err := s.personNamed(ctx, actor, usersWrite, userID)
	if err != nil {
		return lanyard.Ended{}, err
	}
	return s.endSessions(ctx, actor, whose, "", "")
}

// endSessions ends one session of a user, or all but one, and leaves their apps a notice.
func (s *Service) endSessions(ctx context.Context, actor audit.Actor, whose id.User, which, except id.Session) (lanyard.Ended, error) {
	target := string(whose)
	if which != "" {
		target = string(which)
	}
	ev := actor.New(s.now(), "session.end", target, "", said(details{"user": string(whose), "except": string(except)}))
	ended, err := s.SessionStore.EndSessions(ctx, whose, which, except, ev)
	if err != nil {
		return lanyard.Ended{}, err
	}
	return lanyard.Ended{Ended: len(ended)}, nil
}
