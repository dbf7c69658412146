package manage

import (
	"context"
	"fmt"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
)

// CreateSystemKey makes a management key under the built-in team and app, with server reach. It takes `lanyard.` scopes
// only, of which the actor must hold each, and needs lanyard.keys.write for the whole server.
func (s *Service) CreateSystemKey(ctx context.Context, actor audit.Actor, name string, scopes []string) (lanyard.NewKey, error) {
	if err := s.mayOnServer(actor, keysWrite); err != nil {
		return lanyard.NewKey{}, err
	}
	if len(scopes) == 0 {
		return lanyard.NewKey{}, fault.Field("scopes", "name at least one, such as lanyard.admin: a key without scopes manages nothing")
	}
	for i, scope := range scopes {
		if !strings.HasPrefix(scope, "lanyard.") {
			return lanyard.NewKey{}, fault.Field(fmt.Sprintf("scopes[%d]", i), "a management key takes scopes that begin \"lanyard.\" only, not %.80q", scope)
		}
	}
	_, appID, err := s.TeamStore.SystemTeam(ctx, s.now())
	if err != nil {
		return lanyard.NewKey{}, err
	}
	a, err := s.AppStore.App(ctx, audit.ServerReach(), appID)
	if err != nil {
		return lanyard.NewKey{}, err
	}
	return s.createKey(ctx, actor, a, lanyard.KeyInput{Name: name, Scopes: scopes})
}
