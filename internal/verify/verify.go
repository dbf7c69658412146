// Package verify makes the one decision that every door asks for: may this request pass.
//
//	1 secret.Parse      shape and checksum; garbage costs no I/O
//	2 resolve           the key: from the cache, else one SELECT; then the MAC
//	3 status at now     expired, revoked, rotated, disabled, owner suspended: pure
//	4 policy.Evaluate   mode, operation, kinds, scopes, subscription, address, origin: pure
//	5 limits            reserved all or none
//	6 usage.Record      durable before the answer leaves
//
// A refused credential is a value, a Decision; an error means that Verify could not decide, and the caller fails closed.
// Codes other than missing, malformed and not_found, and a source's own rate_limited, appear only after the MAC matched.
//
// What is remembered is remembered by entity, one cache each, and trusted only while the log of changes was seen a moment
// ago (changes.Tail.Fresh, looked at last). Otherwise the database is asked anew, or the request is not decided.
package verify

import (
	"context"
	"net/netip"
	"time"

	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// MaxCost is the most units one call can be charged.
const MaxCost = 1_000_000

// DefaultCost as Request.Cost means what the operation costs, or one unit.
const DefaultCost = -1

// Request asks for a decision. The surface has checked its shape: Path is in normal form, Origin canonical.
type Request struct {
	Credential     string
	APIKey         string // beside a user's token
	API            string
	Operation      string
	Method         string
	Path           string
	Scopes         []string
	IP             netip.Addr // the caller's; zero: unknown
	Origin         string
	Mode           string
	Cost           int64 // DefaultCost, or 0 to MaxCost
	IdempotencyKey string
	DryRun         bool
	Strict         bool
	Source         string // whose failures are counted together when IP is unknown
}

// Decision is the answer. The zero value is ready for Verify to fill; filling it again reuses its slices.
type Decision struct {
	Code          policy.Code
	DeniedBy      string
	Message       string
	MissingScopes []string
	Key           id.Key
	Kind          secret.Kind
	Mode          secret.Mode
	Version       int
	ExpiresAt     time.Time // zero: never
	App           id.App
	AppName       string
	AppMetadata   []byte // JSON object, or empty
	Team          id.Team
	Scopes        []string // effective on the API asked
	Limits        []ratelimit.Status
	RetryAfter    time.Duration
	Warnings      []string
	At            time.Time // when it was decided
	Revision      id.Revision
	Identified    bool // the credential is real: the fields about it are filled in

	unmetered bool
	operation *policy.Operation
	app       *appEntry
	requests  []ratelimit.Request
}

// Allowed reports whether the request may pass.
func (d *Decision) Allowed() bool { return d.Code == policy.Valid }

// Verify decides. d is overwritten. An error is a *fault.Error: Invalid or NotFound for a request that names an API there
// is not, Unavailable when nothing can be decided now.
func (v *Verifier) Verify(ctx context.Context, req *Request, d *Decision) error {
	d.reset()
	if req.Strict {
		if err := v.sync(ctx); err != nil {
			return err
		}
	}
	for try := 0; ; try++ {
		err := v.decide(ctx, req, d)
		if err != nil {
			return err
		}
		if v.Tail.Fresh(v.Now()) {
			break
		}
		if try == 1 {
			return fault.New(fault.Unavailable, "the database does not answer, so nothing can be decided")
		}
		if err := v.sync(ctx); err != nil {
			return err
		}
		d.reset()
	}
	if !d.Identified {
		v.unknown(req, d)
		v.word(d, req)
		return nil
	}
	return v.charge(ctx, req, d)
}

// decide is steps 1 to 4: what can be remembered, composed from the caches.
func (v *Verifier) decide(ctx context.Context, req *Request, d *Decision) error {
	d.At, d.Revision = v.Now(), v.Tail.Applied()
	api, err := v.api(ctx, req.API)
	if err != nil {
		return err
	}
	d.unmetered = api.Policy.Unmetered
	e, err := v.resolve(ctx, req.Credential, req, d)
	if err != nil || e == nil {
		return err
	}
	if req.APIKey != "" {
		return fault.Field("api_key", "goes beside a user's token, but credential is an API key itself")
	}
	if d.Code != policy.Valid {
		return nil
	}
	var bearer policy.Bearer
	plan, err := v.plan(ctx, e.team, api)
	if err != nil {
		return err
	}
	v.bear(&bearer, e)
	verdict := policy.Evaluate(&policy.Request{
		API: api.Policy, Key: &bearer, Operation: req.Operation, Method: req.Method, Path: req.Path, Scopes: req.Scopes,
		IP: req.IP, Origin: req.Origin, Mode: req.Mode, Plan: plan.name,
	})
	d.operation = verdict.Operation
	d.Scopes = api.Policy.Scopes.Effective(d.Scopes, e.scopes, bearer.Rights)
	d.Code, d.DeniedBy, d.MissingScopes = verdict.Code, verdict.DeniedBy, verdict.MissingScopes
	if d.Code == policy.Valid {
		v.limits(d, e, plan)
	}
	return nil
}

// bear says what a key brings to the rules.
func (v *Verifier) bear(b *policy.Bearer, e *keyEntry) {
	b.Test = e.mode == secret.Test
	b.App = string(e.app)
	b.Rights = policy.Rights{Server: e.team == v.system()}
	b.Scopes = e.scopes
	b.Restrictions = e.restrictions
}

// charge is steps 5 and 6, for a decision that stands so far.
func (v *Verifier) charge(ctx context.Context, req *Request, d *Decision) error {
	if d.Code != policy.Valid {
		v.refused(req, d)
		v.word(d, req)
		return nil
	}
	cost := req.Cost
	if cost == DefaultCost {
		cost = 1
		if d.operation != nil {
			cost = d.operation.Cost
		}
	}
	if req.DryRun {
		v.spend(d, cost, v.Limits.Check)
		v.word(d, req)
		return nil
	}
	digest := chargeDigest(d.Key, req.IdempotencyKey)
	paid, settle, err := v.charges.claim(ctx, digest, d.At)
	if err != nil {
		return err
	}
	if paid {
		// Paid within the last ten minutes: only report, with nothing left to refuse for the limits' sake.
		v.spend(d, 0, v.Limits.Check)
		d.Code, d.DeniedBy = policy.Valid, ""
		v.word(d, req)
		return nil
	}
	if v.spend(d, cost, v.Limits.Spend); d.Code != policy.Valid {
		settle(false)
		v.refused(req, d)
		v.word(d, req)
		return nil
	}
	if !d.unmetered {
		ev := v.event(req, d, cost)
		ev.Charge = digest
		if err := v.Recorder.Record(&ev); err != nil {
			v.Limits.Release(d.At, d.requests)
			settle(false)
			return err
		}
	}
	settle(true)
	if !v.Tail.Fresh(v.Now()) {
		// Counting took so long that something may have been revoked meanwhile. The use is counted, but is it still allowed?
		if err := v.again(ctx, req, d); err != nil {
			return err
		}
	}
	v.word(d, req)
	return nil
}

// again repeats steps 1 to 4 on fresh knowledge and keeps what was charged.
func (v *Verifier) again(ctx context.Context, req *Request, d *Decision) error {
	if err := v.sync(ctx); err != nil {
		return err
	}
	limits := d.Limits
	d.reset()
	if err := v.decide(ctx, req, d); err != nil {
		return err
	}
	d.Limits = limits
	if !v.Tail.Fresh(v.Now()) {
		return fault.New(fault.Unavailable, "the database does not answer, so nothing can be decided")
	}
	return nil
}

func (v *Verifier) spend(d *Decision, cost int64, ask func(time.Time, []ratelimit.Request, []ratelimit.Status) ratelimit.Outcome) {
	if len(d.requests) == 0 {
		return
	}
	for i := range d.requests {
		d.requests[i].Cost = cost
	}
	out := ask(d.At, d.requests, d.Limits[:0])
	d.Limits = out.Statuses
	if !out.Allowed {
		d.Code, d.DeniedBy = policy.RateLimited, d.requests[out.Denied].Limit.Name
		d.RetryAfter = ratelimit.RetryAfter(out.Statuses)
	}
}

// limits lists what the call has to pass: the key's, the app's, the plan's.
func (v *Verifier) limits(d *Decision, e *keyEntry, plan planEntry) {
	for _, l := range e.limits {
		d.requests = append(d.requests, ratelimit.Request{Limit: l, Subject: string(e.id)})
	}
	for _, l := range d.app.limits {
		d.requests = append(d.requests, ratelimit.Request{Limit: l, Subject: string(e.app)})
	}
	for _, l := range plan.limits {
		d.requests = append(d.requests, ratelimit.Request{Limit: l, Subject: plan.subject})
	}
}

// refused counts a refusal of a known credential. It is no money, so nobody waits for it.
func (v *Verifier) refused(req *Request, d *Decision) {
	if d.unmetered || req.DryRun {
		return
	}
	ev := v.event(req, d, 0)
	v.Recorder.Add(&ev)
}

func (v *Verifier) event(req *Request, d *Decision, units int64) usage.Event {
	ev := usage.Event{
		At: d.At.UnixMicro(), Team: d.Team, App: d.App, Key: d.Key, API: req.API, Outcome: string(d.Code), Mode: d.Mode, Units: units,
		Network: network(req.IP),
	}
	if d.operation != nil {
		ev.Operation = d.operation.Name
	}
	return ev
}

// word gives the decision its sentence, and counts it.
func (v *Verifier) word(d *Decision, req *Request) {
	if n := v.decided[d.Code]; n != nil {
		n.Add(1)
	}
	if d.Code == policy.Valid {
		d.Message = "The request may pass."
		return
	}
	if d.Message != "" {
		return
	}
	c := advice.Case{DeniedBy: d.DeniedBy, Presented: advice.Key, Missing: d.MissingScopes}
	if d.Kind == secret.Publishable {
		c.Presented = advice.Publishable
	}
	if api, ok := v.apis.peek(req.API); ok {
		c.Takes = api.Policy.Takes
		scopes := req.Scopes
		if d.operation != nil {
			scopes = d.operation.Scopes
			if d.operation.Takes != "" {
				c.Takes = d.operation.Takes
			}
		}
		for _, name := range scopes {
			if s := api.Policy.Scopes.Get(name); s != nil {
				c.ScopeTexts = append(c.ScopeTexts, s.Text)
			}
		}
	}
	d.Message = advice.Sentence(d.Code, c)
}

func (d *Decision) refuse(code policy.Code, by string) { d.Code, d.DeniedBy = code, by }

func (d *Decision) reset() {
	*d = Decision{
		Scopes: d.Scopes[:0], Limits: d.Limits[:0], Warnings: d.Warnings[:0], requests: d.requests[:0],
	}
}

// Asker authenticates who calls Lanyard's own API: steps 1 to 4 on the API `lanyard`, unmetered. The actor's rights are
// what the credential holds; whether they suffice for the act is package manage's to say. A refusal is a fault.Error of
// kind Unauthenticated, or TooMany for a source that keeps guessing.
func (v *Verifier) Asker(ctx context.Context, credential, source string, ip netip.Addr) (audit.Actor, error) {
	var d Decision
	req := Request{Credential: credential, IP: ip, Source: source}
	for try := 0; ; try++ {
		actor, err := v.asker(ctx, &req, &d)
		if err != nil || v.Tail.Fresh(v.Now()) {
			return actor, err
		}
		if try == 1 {
			return audit.Actor{}, fault.New(fault.Unavailable, "the database does not answer, so nothing can be decided")
		}
		if err := v.sync(ctx); err != nil {
			return audit.Actor{}, err
		}
		d.reset()
	}
}

func (v *Verifier) asker(ctx context.Context, req *Request, d *Decision) (audit.Actor, error) {
	d.At = v.Now()
	e, err := v.resolve(ctx, req.Credential, req, d)
	if err != nil {
		return audit.Actor{}, err
	}
	if e == nil {
		v.unknown(req, d)
	} else if d.Code == policy.Valid {
		var b policy.Bearer
		v.bear(&b, e)
		verdict := policy.Evaluate(&policy.Request{API: v.Management, Key: &b, IP: req.IP})
		d.Code, d.DeniedBy = verdict.Code, verdict.DeniedBy
	}
	switch d.Code {
	case policy.Valid:
	case policy.RateLimited:
		return audit.Actor{}, fault.New(fault.TooMany, "too many unknown credentials came from your address; wait a minute")
	default:
		return audit.Actor{}, fault.New(fault.Unauthenticated, "%s", advice.Sentence(d.Code, advice.Case{DeniedBy: d.DeniedBy}))
	}
	return v.actor(e), nil
}

// Holder authenticates by the secret alone: whoever holds a key, even one that is disabled or restricted to another
// address, may end it. The actor has no rights beyond that.
func (v *Verifier) Holder(ctx context.Context, credential, source string, ip netip.Addr) (audit.Actor, error) {
	d := Decision{At: v.Now()}
	req := Request{Credential: credential, IP: ip, Source: source}
	e, err := v.resolve(ctx, credential, &req, &d)
	if err != nil {
		return audit.Actor{}, err
	}
	if e == nil {
		v.unknown(&req, &d)
		if d.Code == policy.RateLimited {
			return audit.Actor{}, fault.New(fault.TooMany, "too many unknown credentials came from your address; wait a minute")
		}
		return audit.Actor{}, fault.New(fault.Unauthenticated, "%s", advice.Sentence(d.Code, advice.Case{DeniedBy: d.DeniedBy}))
	}
	actor := v.actor(e)
	actor.Scopes = nil
	return actor, nil
}

// actor is a key as one who acts: for its team, or for the server if the team is `system`.
func (v *Verifier) actor(e *keyEntry) audit.Actor {
	actor := audit.Actor{Label: string(e.id), Key: e.id, App: e.app, Team: e.team, Reach: audit.TeamReach(e.team), Scopes: e.scopes, APIs: e.apis}
	if e.team == v.system() {
		actor.Reach, actor.Team = audit.ServerReach(), ""
	}
	return actor
}
