package verify

import (
	"context"
	"net/netip"

	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/policy"
)

// Asker authenticates who calls Lanyard's own API: steps 1 to 4 on the API `lanyard`, unmetered. The actor's rights are
// what the credential holds, as far as its owner may use it now; whether they suffice for the act is package manage's to
// say. A refusal is a fault.Error of kind Unauthenticated, or TooMany for a source that keeps guessing.
func (v *Verifier) Asker(ctx context.Context, credential, source string, ip netip.Addr) (audit.Actor, error) {
	req := Request{Credential: credential, IP: ip, Source: source}
	var d Decision
	var actor audit.Actor
	err := v.fresh(ctx, func() error {
		d.reset()
		return v.asker(ctx, &req, &d, &actor)
	})
	if err == nil {
		err = v.refusal(&req, &d)
	}
	if err != nil {
		return audit.Actor{}, err
	}
	return actor, nil
}

func (v *Verifier) asker(ctx context.Context, req *Request, d *Decision, actor *audit.Actor) error {
	d.At = v.Now()
	var h holder
	ok, err := v.resolve(ctx, req.Credential, req, d, &h)
	if err != nil || !ok {
		return err
	}
	if d.Code == policy.Valid {
		v.bind(req, d, &h)
	}
	if d.Code != policy.Valid {
		return nil
	}
	var b policy.Bearer
	v.bear(&b, &h, v.Management)
	ask := policy.Request{API: v.Management, IP: req.IP}
	if h.key != nil {
		ask.Key = &b
	} else {
		ask.Token = &b
	}
	verdict := policy.Evaluate(&ask)
	d.Code, d.DeniedBy = verdict.Code, verdict.DeniedBy
	*actor = v.actor(&h)
	if h.key == nil {
		actor.Scopes = v.Management.Scopes.Effective(nil, b.Scopes, b.Rights)
	} else if b.Rights.Registered {
		actor.Scopes = nil
	}
	return nil
}

// refusal is what an asker is told whose credential does not do, or nil. It counts unknown credentials.
func (v *Verifier) refusal(req *Request, d *Decision) error {
	if !d.Identified {
		v.unknown(req, d)
	}
	switch d.Code {
	case policy.Valid:
		return nil
	case policy.RateLimited:
		return fault.New(fault.TooMany, "too many unknown credentials came from your address; wait a minute")
	default:
		return fault.New(fault.Unauthenticated, "%s", advice.Sentence(d.Code, advice.Case{DeniedBy: d.DeniedBy}))
	}
}

// Holder authenticates by the secret alone: whoever holds a credential, even one that is disabled or restricted to another
// address, may end it. The actor has no rights beyond that, and is called by the credential's id.
func (v *Verifier) Holder(ctx context.Context, credential, source string, ip netip.Addr) (audit.Actor, error) {
	d := Decision{At: v.Now()}
	req := Request{Credential: credential, IP: ip, Source: source}
	var h holder
	ok, err := v.resolve(ctx, credential, &req, &d, &h)
	if err != nil {
		return audit.Actor{}, err
	}
	if !ok {
		return audit.Actor{}, v.refusal(&req, &d)
	}
	actor := v.actor(&h)
	actor.Label, actor.Scopes = d.Credential(), nil
	return actor, nil
}

// actor is a credential as one who acts. An app acts for its team, or for the server if the team is `system`; a user for
// the teams they belong to, or for the server as an admin.
func (v *Verifier) actor(h *holder) audit.Actor {
	actor := audit.Actor{User: h.user}
	switch {
	case h.key != nil:
		actor.Label, actor.Key, actor.App, actor.Scopes, actor.APIs = string(h.key.id), h.key.id, h.key.app, h.key.scopes, h.key.apis
	case h.token != nil:
		actor.Label, actor.App = string(h.token.claims.App), h.token.claims.App
	case h.personal != nil:
		actor.Key = h.personal.id
	}
	switch {
	case h.user != "":
		actor.Label, actor.Reach = string(h.user), audit.UserReach(h.user)
		if h.standing.Admin {
			actor.Reach = audit.ServerReach()
		}
	case h.team == v.system():
		actor.Reach = audit.ServerReach()
	default:
		actor.Team, actor.Reach = h.team, audit.TeamReach(h.team)
	}
	return actor
}
