package policy

import (
	"net/netip"
	"slices"
	"time"
)

// API is the compiled form of one protected API.
type API struct {
	Name        string
	Identifier  string // the audience its tokens carry
	Takes       Takes
	Unmetered   bool // metering: none
	Scopes      *Scopes
	Operations  *Operations
	Plans       []string // names; none means nobody needs a subscription
	DefaultPlan string   // empty: a team must be subscribed to call
}

// Bearer is what one presented credential brings to a decision. Verify fills it from what it resolved.
type Bearer struct {
	Test         bool   // mode: test; otherwise live
	App          string // whose it is; "" for a personal token
	Rights       Rights // of its owner, as things are now
	Scopes       []string
	Audience     string // of an access token: the identifier of the one API it was issued for
	Personal     bool   // a personal token: it has no audience, its user's rights and its scopes decide
	Restrictions *Restrictions
	SignedIn     time.Time // of an access token: when its user proved who they are; zero: nobody did, or it is not known
}

// Request is what a decision is about. Key or Token may be nil; without either nothing is allowed.
type Request struct {
	API        *API
	Key, Token *Bearer
	Operation  string // declared name; or else Method and Path
	Method     string
	Path       string // in normal form; "" with Method "" asks no operation
	Scopes     []string
	IP         netip.Addr // the zero value: unknown
	Origin     string     // canonical, or ""
	Mode       string     // "live", "test" or "" for either
	Plan       string     // the plan in force for the owner on this API; "" if none
	At         time.Time
	MaxAge     time.Duration // asked beyond the operation's; 0: none
}

// Verdict is what the pure rules say.
type Verdict struct {
	Code          Code
	DeniedBy      string        // what refused: "audience", "app", "mode", "key.ip_allow", "plan", …; empty when valid
	MissingScopes []string      // with InsufficientScope: all of them, so that one mending is enough
	MaxAge        time.Duration // how long ago the user may have signed in; 0: whenever
	Operation     *Operation
}

// Evaluate applies the rules in DESIGN's order and stops at the first that refuses.
func Evaluate(r *Request) Verdict {
	api := r.API
	if r.Key == nil && r.Token == nil {
		return Verdict{Code: Missing, DeniedBy: "credential"}
	}
	if r.Token != nil && !r.Token.Personal && (r.Token.Audience == "" || r.Token.Audience != api.Identifier) {
		return Verdict{Code: AudienceMismatch, DeniedBy: "audience"}
	}
	if r.Key != nil && r.Token != nil && (r.Key.App == "" || r.Key.App != r.Token.App) {
		return Verdict{Code: AppMismatch, DeniedBy: "app"}
	}
	if by := r.prohibitedMode(); by != "" {
		return Verdict{Code: ModeMismatch, DeniedBy: by}
	}
	op, known := r.operation()
	if !known {
		return Verdict{Code: OperationUnknown, DeniedBy: "operation"}
	}
	v := Verdict{Operation: op}
	takes := api.Takes
	if op != nil && op.Takes != "" {
		takes = op.Takes
	}
	if by := r.prohibitedKind(takes); by != "" {
		v.Code, v.DeniedBy = KindNotAccepted, by
		return v
	}
	if v.MissingScopes, v.DeniedBy = r.missingScopes(op); v.DeniedBy != "" {
		v.Code = InsufficientScope
		return v
	}
	if len(api.Plans) > 0 && r.Plan == "" {
		v.Code, v.DeniedBy = NotSubscribed, "plan"
		return v
	}
	if v.Code, v.DeniedBy = r.prohibitedCaller(); v.Code != Valid {
		return v
	}
	// Last, so that nobody signs in again to be refused for something else.
	if v.MaxAge = r.maxAge(op); v.MaxAge > 0 && !r.signedInWithin(v.MaxAge) {
		v.Code, v.DeniedBy = InsufficientUserAuthn, "max_age"
	}
	return v
}

// maxAge is the shorter of what the operation and the request ask.
func (r *Request) maxAge(op *Operation) time.Duration {
	if op == nil || op.MaxAge == 0 || r.MaxAge > 0 && r.MaxAge < op.MaxAge {
		return r.MaxAge
	}
	return op.MaxAge
}

// signedInWithin reports whether a user proved who they are no longer ago than age (RFC 9470). An API key has no user, and a personal token's
// was not there when it is used.
func (r *Request) signedInWithin(age time.Duration) bool {
	return r.Token != nil && !r.Token.SignedIn.IsZero() && !r.At.After(r.Token.SignedIn.Add(age))
}

func (r *Request) prohibitedMode() string {
	for _, b := range [2]*Bearer{r.Key, r.Token} {
		if b == nil {
			continue
		}
		mode := "live"
		if b.Test {
			mode = "test"
		}
		if r.Mode != "" && r.Mode != mode {
			return "mode"
		}
	}
	if r.Key != nil && r.Token != nil && r.Key.Test != r.Token.Test {
		return "mode"
	}
	return ""
}

func (r *Request) operation() (op *Operation, known bool) {
	switch {
	case r.Operation != "":
		op = r.API.Operations.Named(r.Operation)
	case r.Method != "" || r.Path != "":
		op = r.API.Operations.Match(r.Method, r.Path)
	default:
		return nil, true
	}
	return op, op != nil
}

// prohibitedKind names the kind that is not accepted ("key", "token"), or that does not do alone ("key_alone", "token_alone").
func (r *Request) prohibitedKind(takes Takes) string {
	switch takes {
	case TakesEither, "": // CONTRACT: `takes` defaults to either
		return ""
	case TakesKey:
		if r.Key == nil {
			return "token"
		}
	case TakesToken:
		if r.Token == nil {
			return "key"
		}
	case TakesBoth:
		if r.Key == nil {
			return "token_alone"
		}
		if r.Token == nil {
			return "key_alone"
		}
	default:
		return "takes" // a word nobody declared accepts nothing
	}
	return ""
}

// missingScopes wants every scope of the operation and of the request from each credential sent: rights intersect. by says
// whose scopes fall short, or who is kept to other operations; then no scope is missing, since none would help. It is
// "token.owner" where the token has them all, but its user may not use them any more.
func (r *Request) missingScopes(op *Operation) (missing []string, by string) {
	if r.Key != nil && r.Key.Restrictions.forbidsOperation(op) {
		return nil, "key.operations"
	}
	if r.Token != nil && r.Token.Restrictions.forbidsOperation(op) {
		return nil, "token.operations"
	}
	missing = r.lacks(r.Key, op)
	byKey := len(missing) > 0
	// What the token lacks is looked at by itself: a scope that both lack must name both.
	fromToken := r.lacks(r.Token, op)
	for _, scope := range fromToken {
		if !slices.Contains(missing, scope) {
			missing = append(missing, scope)
		}
	}
	switch {
	case byKey && len(fromToken) > 0:
		return missing, "scopes"
	case byKey:
		return missing, "key.scopes"
	case len(fromToken) > 0:
		if r.Token.Rights.Person && r.outgrown(fromToken) {
			return missing, "token.owner"
		}
		return missing, "token.scopes"
	}
	return nil, ""
}

// outgrown reports whether the token would give the scopes to a user who may do everything.
func (r *Request) outgrown(scopes []string) bool {
	all := Rights{Server: true, Person: true, Admin: true, Registered: r.Token.Rights.Registered}
	for _, scope := range scopes {
		if !r.API.Scopes.CoversFor(r.Token.Scopes, scope, all) {
			return false
		}
	}
	return true
}

// lacks returns the scopes asked that b does not give, each once.
func (r *Request) lacks(b *Bearer, op *Operation) (missing []string) {
	if b == nil {
		return nil
	}
	if op != nil {
		missing = r.appendUncovered(missing, b, op.Scopes)
	}
	return r.appendUncovered(missing, b, r.Scopes)
}

func (r *Request) appendUncovered(missing []string, b *Bearer, need []string) []string {
	for _, scope := range need {
		if !r.API.Scopes.CoversFor(b.Scopes, scope, b.Rights) && !slices.Contains(missing, scope) {
			missing = append(missing, scope)
		}
	}
	return missing
}

// prohibitedCaller looks at where the request comes from.
func (r *Request) prohibitedCaller() (Code, string) {
	for i, b := range [2]*Bearer{r.Key, r.Token} {
		if b == nil {
			continue
		}
		who := [2]string{"key", "token"}[i]
		if b.Restrictions.forbidsIP(r.IP) {
			return IPDenied, who + ".ip_allow"
		}
		if b.Restrictions.forbidsOrigin(r.Origin) {
			return OriginDenied, who + ".origins"
		}
	}
	return Valid, ""
}
