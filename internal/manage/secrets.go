package manage

import (
	"context"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// CreateSecret makes a client secret of an app: what it proves at the token endpoint that it is itself with. It is a key of
// kind cs and has a key's life. The text is in the answer and nowhere else. It needs lanyard.keys.write.
func (s *Service) CreateSecret(ctx context.Context, actor audit.Actor, appID string, in lanyard.SecretInput) (lanyard.NewKey, error) {
	reach, err := s.may(actor, keysWrite)
	if err != nil {
		return lanyard.NewKey{}, err
	}
	a, err := s.appWithin(ctx, reach, appID)
	if err != nil {
		return lanyard.NewKey{}, err
	}
	if err := keepsSecret(a); err != nil {
		return lanyard.NewKey{}, err
	}
	if err := s.withholdsApp(actor, a); err != nil {
		return lanyard.NewKey{}, err
	}
	g, err := s.granting(ctx, actor, a)
	if err != nil {
		return lanyard.NewKey{}, err
	}
	if in.Name == "" {
		in.Name = "client secret"
	}
	return s.keepNewKey(ctx, g, lanyard.KeyInput{Name: in.Name, Kind: string(secret.Client), Mode: in.Mode, ExpiresAt: in.ExpiresAt})
}

// keepsSecret refuses a secret that could never be used.
func keepsSecret(a *app.App) error {
	switch {
	case a.Type == app.Public:
		return fault.New(fault.Conflict, "app %s is public and keeps no secret: it proves itself by PKCE alone", a.ID)
	case a.OAuth.AuthMethod == app.AuthPrivateKeyJWT:
		return fault.New(fault.Conflict, "app %s proves itself by its private key: set token_endpoint_auth_method to client_secret_basic first", a.ID)
	case a.Origin == app.ByAddress:
		return fault.New(fault.Conflict, "app %s is known by its metadata document and has no secret", a.ID)
	}
	return nil
}

// withholdsApp says why the actor may not come by what the app can do for itself, or nil: a new client secret opens client
// credentials, with the management scopes among what the app registered.
func (s *Service) withholdsApp(actor audit.Actor, a *app.App) error {
	for _, scope := range a.OAuth.Scopes {
		if s.Management.Scopes.Get(scope) == nil {
			continue
		}
		if !s.holds(actor, scope) || scope == verifyScope && len(actor.APIs) > 0 {
			err := fault.New(fault.NotGrantable, "app %s may ask for %s, which you do not hold: you cannot make a secret for it", a.ID, scope)
			err.ID = string(a.ID)
			return err
		}
	}
	return nil
}
