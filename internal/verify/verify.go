// Package verify makes the one decision that every door asks for: may this request pass.
//
//	1 secret.Parse      shape and checksum; garbage costs no I/O
//	2 resolve           a key or personal token: from the cache, else one SELECT; then the MAC. An access token: the seal or the
//	                    signature, remembered by digest
//	3 status at now     expired, revoked, rotated, disabled, owner suspended: pure
//	4 policy.Evaluate   mode, operation, kinds, scopes, subscription, address, origin: pure
//	5 quota and limits  reserved all or none; limits in memory or in Redis
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
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/quota"
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
	APIKey         string // beside a token
	DPoP           *Proof // what came with the scheme DPoP; nil: the request came with another
	API            string
	Operation      string
	Method         string
	Path           string
	Scopes         []string
	MaxAge         time.Duration // how long ago the user may have signed in, beyond what the operation asks; 0: whenever
	IP             netip.Addr    // the caller's; zero: unknown
	Origin         string
	Mode           string
	Cost           int64 // DefaultCost, or 0 to MaxCost
	IdempotencyKey string
	DryRun         bool
	Strict         bool
	Hold           bool   // an allowed call is counted by Settle, or not at all (Drop): one of them has to follow
	InQuery        bool   // the API key stood in the address of the call
	Source         string // whose failures are counted together when IP is unknown

	trusted bool // somebody who was authenticated asks: failures are not counted
}

// Decision is the answer. The zero value is ready for Verify to fill; filling it again reuses its slices.
type Decision struct {
	Code          policy.Code
	DeniedBy      string
	Message       string
	MissingScopes []string
	MaxAge        time.Duration // with InsufficientUserAuthn: how long ago the user may have signed in
	Key           id.Key        // of an API key or personal token; beside an access token, the key that came with it
	Token         id.Token      // of an access token
	Kind          secret.Kind
	Mode          secret.Mode
	Version       int
	ExpiresAt     time.Time // zero: never
	App           id.App
	AppName       string
	AppMetadata   []byte    // JSON object, or empty
	Team          id.Team   // "" for a personal token
	User          id.User   // for whom; "" for the app itself
	Grant         id.Grant  // under which
	Family        id.Family // of the token's chain
	Subject       string    // the name by which the API knows the user
	ACR           string
	AMR           []string
	AuthTime      time.Time // when the user proved who they are; zero: not known
	DPoP          bool      // the answer's challenge is one for DPoP
	Scopes        []string  // effective on the API asked
	Limits        []ratelimit.Status
	Quota         quota.Status // the one that binds; its Limit is 0 where there is none
	RetryAfter    time.Duration
	Warnings      []string
	At            time.Time // when it was decided
	Revision      id.Revision
	Identified    bool      // the credential is real: the fields about it are filled in
	Until         time.Time // when something of what the call came with ends, were it a key beside a token or a secret that was rotated; zero: never
	Reuse         Reuse

	unmetered  bool
	held       bool  // neither settled nor dropped
	cost       int64 // of what is held
	heard      int64 // changes, before it was decided
	operation  *policy.Operation
	app        *appEntry
	requests   []ratelimit.Request
	asks       []quota.Ask
	quotaNames []string // of the asks
	spent      ratelimit.Receipt
	bound      binding // of this request, whichever try it is
}

// Reuse says whether whoever asked may give the same answer again without asking, as long as nothing of what it rests on changes: the call is
// allowed and not counted, no limit holds on it, and it showed no proof, which counts once.
type Reuse struct {
	OK     bool
	IP     bool // only from the same address
	Origin bool // only from the same origin
}

// Credential is the public id of what was decided on: of the access token, else of the key or personal token.
func (d *Decision) Credential() string {
	if d.Token != "" {
		return string(d.Token)
	}
	return string(d.Key)
}

// Operation is the name of the operation that was asked for; "": none was, or there is none.
func (d *Decision) Operation() string {
	if d.operation == nil {
		return ""
	}
	return d.operation.Name
}

// Allowed reports whether the request may pass.
func (d *Decision) Allowed() bool { return d.Code == policy.Valid }

// Verify decides. d is overwritten. An error is a *fault.Error: Invalid or NotFound for a request that names an API there
// is not, Unavailable when nothing can be decided now.
func (v *Verifier) Verify(ctx context.Context, req *Request, d *Decision) error {
	d.reset()
	d.bound = unchecked
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
			return errStale()
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
	d.At, d.Revision, d.heard = v.Now(), v.Tail.Applied(), v.watches.changes.Load()
	api, err := v.api(ctx, req.API)
	if err != nil {
		return err
	}
	d.unmetered = api.Policy.Unmetered
	var first, beside holder
	ok, err := v.resolve(ctx, req.Credential, req, d, &first)
	if err != nil || !ok {
		return err
	}
	if req.APIKey != "" {
		if first.key != nil {
			return fault.Field("api_key", "goes beside a user's token, but credential is an API key itself")
		}
		if d.Code == policy.Valid {
			if ok, err = v.resolveBeside(ctx, req, d, &beside); err != nil || !ok {
				return err
			}
		}
	}
	if d.Code == policy.Valid {
		v.bind(req, d, &first)
	}
	if d.Code != policy.Valid {
		return nil
	}
	return v.evaluate(ctx, req, d, api, &first, &beside)
}

// resolveBeside is resolve for the API key that came with a token. One that is not known takes back what was said of the
// token: a decision speaks of credentials only when all of them are proven.
func (v *Verifier) resolveBeside(ctx context.Context, req *Request, d *Decision, h *holder) (bool, error) {
	ok, err := v.resolveKey(ctx, req.APIKey, apiKeys, req, d, h)
	if ok || err != nil {
		return ok, err
	}
	code, wait := d.Code, d.RetryAfter
	d.reset()
	d.At, d.Revision, d.RetryAfter = v.Now(), v.Tail.Applied(), wait
	d.refuse(code, "api_key")
	return false, nil
}

// evaluate is step 4, on a credential that works and what came beside it.
func (v *Verifier) evaluate(ctx context.Context, req *Request, d *Decision, api *catalog.Compiled, first, beside *holder) error {
	plan, err := v.plan(ctx, first, api, d.At)
	if err != nil {
		return err
	}
	d.ends(plan.ends)
	ask := policy.Request{
		API: api.Policy, Operation: req.Operation, Method: req.Method, Path: req.Path, Scopes: req.Scopes, IP: req.IP, Origin: req.Origin, Mode: req.Mode, Plan: plan.name,
		At: d.At, MaxAge: req.MaxAge,
	}
	var key, token policy.Bearer
	if first.key != nil {
		v.bear(&key, first, api.Policy)
		ask.Key = &key
	} else {
		v.bear(&token, first, api.Policy)
		ask.Token = &token
	}
	if beside.key != nil {
		v.bear(&key, beside, api.Policy)
		ask.Key = &key
	}
	verdict := policy.Evaluate(&ask)
	d.operation = verdict.Operation
	d.Scopes = effective(d.Scopes, &ask)
	d.Code, d.DeniedBy, d.MissingScopes = verdict.Code, verdict.DeniedBy, verdict.MissingScopes
	switch {
	case d.Code == policy.InsufficientUserAuthn:
		d.MaxAge = verdict.MaxAge
	case verdict.MaxAge > 0:
		d.ends(d.AuthTime.Add(verdict.MaxAge))
	}
	if d.Code == policy.Valid {
		v.limits(d, first, beside, plan, api)
		d.wantKeys(first, beside)
		d.wantPlan(plan, api.Policy.Name)
		d.wantSpend(plan, api.Policy.Name)
		d.reuse(&ask)
	}
	return nil
}

// effective appends the scopes that count on the API: of a key and a token those that both give.
func effective(dst []string, r *policy.Request) []string {
	scopes := r.API.Scopes
	switch {
	case r.Token == nil:
		return scopes.Effective(dst, r.Key.Scopes, r.Key.Rights)
	case r.Key == nil:
		return scopes.Effective(dst, r.Token.Scopes, r.Token.Rights)
	}
	for _, name := range scopes.Effective(nil, r.Token.Scopes, r.Token.Rights) {
		if scopes.CoversFor(r.Key.Scopes, name, r.Key.Rights) {
			dst = append(dst, name)
		}
	}
	for _, name := range scopes.Effective(nil, r.Key.Scopes, r.Key.Rights) {
		if !slices.Contains(dst, name) && scopes.CoversFor(r.Token.Scopes, name, r.Token.Rights) {
			dst = append(dst, name)
		}
	}
	return dst
}

func (d *Decision) reuse(ask *policy.Request) {
	d.Reuse = Reuse{OK: d.unmetered && len(d.requests) == 0 && !d.DPoP}
	for _, b := range [2]*policy.Bearer{ask.Key, ask.Token} {
		if b != nil && b.Restrictions != nil {
			d.Reuse.IP, d.Reuse.Origin = d.Reuse.IP || len(b.Restrictions.IPs) > 0, d.Reuse.Origin || len(b.Restrictions.Origins) > 0
		}
	}
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
		if err := v.foresee(ctx, d, cost, 1); err != nil {
			return err
		}
		if d.Code == policy.Valid {
			v.check(ctx, d, cost)
		}
		v.word(d, req)
		return nil
	}
	var digest [16]byte
	if !req.Hold { // what is not counted yet is no charge that a repeat could lean on
		digest = chargeDigest(d.payer(), req.IdempotencyKey)
	}
	paid, settle, err := v.charges.claim(ctx, digest, d.At)
	if err != nil {
		return err
	}
	if paid {
		// Paid within the last ten minutes: only report, with nothing left to refuse for the limits' sake.
		v.check(ctx, d, 0)
		if err := v.foresee(ctx, d, 0, 0); err != nil {
			return err
		}
		d.Code, d.DeniedBy = policy.Valid, ""
		v.word(d, req)
		return nil
	}
	if err := v.reserve(ctx, d, cost); err != nil {
		settle(false)
		return err
	}
	reserved := d.Code == policy.Valid
	if reserved {
		v.spend(ctx, d, cost)
	}
	if d.Code != policy.Valid {
		if reserved {
			v.Quotas.Release(d.asks)
		}
		settle(false)
		v.refused(req, d)
		v.word(d, req)
		return nil
	}
	if req.Hold {
		settle(true)
		d.held, d.cost = true, cost
		// Reserving may have taken long.
		allowed, err := v.Still(ctx, req, d)
		if !allowed {
			v.Drop(d)
		}
		if !allowed && err == nil {
			v.refused(req, d)
		}
		v.word(d, req)
		return err
	}
	if err := v.record(ctx, req, d, cost, digest); err != nil {
		settle(false)
		return err
	}
	settle(true)
	if !v.current(d) {
		// Something may have been revoked while it was counted. The use is counted, but is it still allowed?
		if err := v.again(ctx, req, d); err != nil {
			return err
		}
	}
	v.word(d, req)
	return nil
}

// record makes the use durable. If that fails it gives back what was reserved.
func (v *Verifier) record(ctx context.Context, req *Request, d *Decision, cost int64, charge [16]byte) error {
	if d.unmetered {
		return nil
	}
	ev := v.event(req, d, cost)
	ev.Charge = charge
	err := v.Recorder.Record(&ev)
	if err != nil {
		v.Limits.Release(ctx, d.spent, d.requests)
		if !errors.Is(err, usage.ErrPerhaps) { // else the units stay spent until it is known which were
			v.Quotas.Release(d.asks)
		}
	}
	return err
}

// again repeats steps 1 to 4 on fresh knowledge and keeps what was charged.
func (v *Verifier) again(ctx context.Context, req *Request, d *Decision) error {
	if !v.Tail.Fresh(v.Now()) {
		if err := v.sync(ctx); err != nil {
			return err
		}
	}
	limits, used := d.Limits, d.Quota
	d.reset()
	if err := v.decide(ctx, req, d); err != nil {
		return err
	}
	d.Limits, d.Quota = limits, used
	if !v.Tail.Fresh(v.Now()) {
		return errStale()
	}
	return nil
}

// errStale says that this node has not heard of changes for too long.
func errStale() error {
	return fault.New(fault.Unavailable, "the database does not answer, so nothing can be decided")
}

// payer is whose idempotency keys are told apart: an access token is soon replaced by another, its grant or app stays.
func (d *Decision) payer() string {
	switch {
	case d.Token == "":
		return string(d.Key)
	case d.Grant != "":
		return string(d.Grant)
	}
	return string(d.App)
}

// current reports whether nothing was heard of since the decision that could alter it.
func (v *Verifier) current(d *Decision) bool {
	return v.watches.changes.Load() == d.heard && v.Tail.Fresh(v.Now())
}

// ends notes that something of what the call came with ends then; zero: it does not.
func (d *Decision) ends(at time.Time) {
	if !at.IsZero() && (d.Until.IsZero() || at.Before(d.Until)) {
		d.Until = at
	}
}

// check asks the limits what spend would answer.
func (v *Verifier) check(ctx context.Context, d *Decision, cost int64) {
	if len(d.requests) > 0 {
		d.limited(v.Limits.Check(ctx, d.At, d.costing(cost), d.Limits[:0]))
	}
}

// spend takes the cost from every limit, or refuses.
func (v *Verifier) spend(ctx context.Context, d *Decision, cost int64) {
	if len(d.requests) > 0 {
		d.limited(v.Limits.Spend(ctx, d.At, d.costing(cost), d.Limits[:0]))
	}
}

func (d *Decision) costing(cost int64) []ratelimit.Request {
	for i := range d.requests {
		d.requests[i].Cost = cost
	}
	return d.requests
}

// limited notes how the limits stand, and which of them refused first: limits of what is smaller come before those of what
// holds it.
func (d *Decision) limited(out ratelimit.Outcome) {
	d.Limits, d.spent = out.Statuses, out.Spent
	if !out.Allowed {
		d.refuse(policy.RateLimited, d.requests[out.Denied].Limit.Name)
		d.RetryAfter = ratelimit.RetryAfter(out.Statuses)
	}
}

// limits lists what the call has to pass, the smallest first: the key's, the app's, the user's, the team's, the plan's, and the
// API's, of each user and of all.
func (v *Verifier) limits(d *Decision, first, beside *holder, plan planEntry, api *catalog.Compiled) {
	for _, h := range [2]*holder{first, beside} {
		if h.key != nil {
			d.limit(h.key.limits, string(h.key.id))
		}
	}
	if d.app != nil {
		d.limit(d.app.limits, string(d.App))
	}
	d.limit(first.standing.Limits, string(first.user))
	d.limit(first.owner.limits, string(first.team))
	d.limit(plan.limits, plan.subject)
	if len(api.UserLimits) > 0 && first.user != "" {
		d.limit(api.UserLimits, string(first.user)+"/"+api.Policy.Name)
	}
	d.limit(api.Limits, api.Policy.Name)
}

func (d *Decision) limit(limits []ratelimit.Limit, subject string) {
	for _, l := range limits {
		d.requests = append(d.requests, ratelimit.Request{Limit: l, Subject: subject})
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
		At: d.At.UnixMicro(), Team: d.Team, App: d.App, Key: d.Key, User: d.User, API: req.API, Outcome: string(d.Code), Mode: d.Mode, Units: units,
		Network: network(req.IP), InQuery: req.InQuery,
	}
	if d.operation != nil {
		ev.Operation = d.operation.Name
	}
	return ev
}

func (d *Decision) refuse(code policy.Code, by string) { d.Code, d.DeniedBy = code, by }

func (d *Decision) reset() {
	*d = Decision{
		Scopes: d.Scopes[:0], Limits: d.Limits[:0], Warnings: d.Warnings[:0], requests: d.requests[:0], asks: d.asks[:0], quotaNames: d.quotaNames[:0], bound: d.bound,
	}
}
