package verify

import (
	"context"
	"net/netip"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/token"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// What the authorization server asks. Everything comes from the caches of decisions, and is as fresh as they are.

// ClientProof is which app a client secret proves.
type ClientProof struct {
	App  id.App
	Key  id.Key
	Mode secret.Mode
}

// TokenState is what a token says and whether it works now. Nothing is in it but Code, missing, malformed, not_found or
// rate_limited, when it was not proven to be ours.
type TokenState struct {
	Code     policy.Code
	DeniedBy string
	DPoP     bool          // a challenge is one for DPoP: the token is bound to a key, or a proof came with it
	Claims   token.Claims  // of an access token; its slices are not to be changed
	Personal *key.Personal // of a personal token: what may be shown; nil for an access token
	App      id.App        // "" for a personal token
	Team     id.Team       // the app's
	User     id.User       // "" for the app itself
	Standing user.Standing // of the user
}

// Client returns an app in force by its client id: its own id, or the address of its metadata document. It is nil for one
// that is not there, disabled, or of a suspended team. It is shared and not to be changed.
func (v *Verifier) Client(ctx context.Context, clientID string) (a *app.App, err error) {
	err = v.fresh(ctx, func() (err error) {
		a, err = v.clientByName(ctx, clientID)
		return err
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

func (v *Verifier) clientByName(ctx context.Context, clientID string) (*app.App, error) {
	var a *app.App
	if strings.HasPrefix(clientID, "https://") {
		var err error
		if a, err = v.clientByAddress(ctx, clientID); err != nil {
			return nil, err
		}
	} else {
		appID, err := id.Parse[id.App](clientID)
		if err != nil {
			return nil, nil //nolint:nilnil,nilerr // what is no id names no app
		}
		if a, err = v.client(ctx, appID); err != nil {
			return nil, err
		}
	}
	if a == nil || a.StatusAt(v.Now()) != "" {
		return nil, nil
	}
	team, err := v.team(ctx, a.Team)
	if err != nil || team.suspended {
		return nil, err
	}
	return a, nil
}

// clientByAddress finds the app of a document. Which app an address belongs to changes only when the app is deleted.
func (v *Verifier) clientByAddress(ctx context.Context, address string) (*app.App, error) {
	for range 2 {
		appID, err := v.addresses.get(ctx, address, func(ctx context.Context) (id.App, error) {
			a, err := v.Store.AppByAddress(ctx, address)
			if err != nil {
				return "", err
			}
			return a.ID, nil
		})
		if fault.Is(err, fault.NotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		a, err := v.client(ctx, appID)
		if err != nil {
			return nil, err
		}
		if a != nil && a.ClientURL == address {
			return a, nil
		}
		v.addresses.drop(address)
	}
	return nil, nil
}

// ClientSecret proves an app by its client secret. Without Valid the proof is empty.
func (v *Verifier) ClientSecret(ctx context.Context, credential string, ip netip.Addr) (ClientProof, policy.Code, error) {
	req := Request{Credential: credential, IP: ip}
	var d Decision
	var h holder
	err := v.fresh(ctx, func() error {
		d.reset()
		h = holder{}
		d.At = v.Now()
		if credential == "" {
			d.refuse(policy.Missing, "credential")
			return nil
		}
		_, err := v.resolveKey(ctx, credential, clientSecrets, &req, &d, &h)
		return err
	})
	if err != nil {
		return ClientProof{}, "", err
	}
	if !d.Identified {
		v.unknown(&req, &d)
	}
	if d.Code == policy.Valid && !h.key.restrictions.AllowsIP(ip) {
		d.Code = policy.IPDenied
	}
	if d.Code != policy.Valid {
		return ClientProof{}, d.Code, nil
	}
	return ClientProof{App: h.key.app, Key: h.key.id, Mode: h.key.mode}, policy.Valid, nil
}

// Token says what an access or personal token is and whether it works, for whoever was authenticated otherwise: the key it
// may be bound to is not asked for. ip is whose failures are counted; the zero value counts none.
func (v *Verifier) Token(ctx context.Context, text string, ip netip.Addr) (*TokenState, error) {
	return v.tokenState(ctx, &Request{Credential: text, IP: ip, trusted: !ip.IsValid()}, false)
}

// TokenFor is Token for a request that the token came with: Credential, IP, Source and DPoP of it count.
func (v *Verifier) TokenFor(ctx context.Context, req *Request) (*TokenState, error) {
	return v.tokenState(ctx, req, true)
}

func (v *Verifier) tokenState(ctx context.Context, req *Request, presented bool) (*TokenState, error) {
	var d Decision
	var h holder
	err := v.fresh(ctx, func() error {
		d.reset()
		h = holder{}
		d.At = v.Now()
		ok, err := v.resolve(ctx, req.Credential, req, &d, &h)
		if err == nil && ok && presented && d.Code == policy.Valid {
			v.bind(req, &d, &h)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	switch {
	case h.key != nil:
		return &TokenState{Code: policy.NotFound, DeniedBy: "credential"}, nil // an API key is no token
	case !d.Identified:
		v.unknown(req, &d)
		return &TokenState{Code: d.Code, DeniedBy: d.DeniedBy}, nil
	}
	state := &TokenState{Code: d.Code, DeniedBy: d.DeniedBy, DPoP: d.DPoP, App: d.App, Team: d.Team, User: h.user, Standing: h.standing}
	if h.personal != nil {
		state.Personal = h.personal.personal()
	} else {
		state.Claims = h.token.claims
	}
	return state, nil
}

// TeamName is what a team is called; "" for the built-in one, which is whoever runs the server.
func (v *Verifier) TeamName(ctx context.Context, teamID id.Team) (name string, err error) {
	err = v.fresh(ctx, func() error {
		e, err := v.team(ctx, teamID)
		name = e.name
		return err
	})
	return name, err
}

// Standing says how a user stands now. One who is not there is disabled.
func (v *Verifier) Standing(ctx context.Context, userID id.User) (standing user.Standing, err error) {
	err = v.fresh(ctx, func() (err error) {
		standing, err = v.user(ctx, userID)
		return err
	})
	if err != nil {
		return user.Standing{Disabled: true}, err
	}
	return standing, nil
}

// Grant returns a grant whatever became of it; one that is not there reads as revoked. It is shared and not to be changed.
func (v *Verifier) Grant(ctx context.Context, grantID id.Grant) (g *grant.Grant, err error) {
	err = v.fresh(ctx, func() (err error) {
		g, err = v.grant(ctx, grantID)
		return err
	})
	if err != nil {
		return nil, err
	}
	return g, nil
}
