package policy

import (
	"net/netip"
	"slices"
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
	Token        bool // an access or personal token; otherwise an API key
	Test         bool // mode
	System       bool // its owner is the team `system`
	Scopes       []string
	Audience     string // tokens only: the API they were issued for
	Restrictions *Restrictions
}

// Request is what a decision is about. Key or Token may be nil, not both.
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
}

// Verdict is what the pure rules say.
type Verdict struct {
	Code          Code
	DeniedBy      string   // what refused: "scope", "key.ip_allow", "plan", …; empty when valid
	MissingScopes []string // with InsufficientScope: all of them, so that one mending is enough
	Operation     *Operation
}

// Evaluate applies the rules in DESIGN's order and stops at the first that refuses.
func Evaluate(r *Request) Verdict {
	api := r.API
	if r.Token != nil && r.Token.Audience != "" && r.Token.Audience != api.Identifier {
		return Verdict{Code: AudienceMismatch, DeniedBy: "audience"}
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
	v.Code, v.DeniedBy = r.prohibitedCaller()
	return v
}

func (r *Request) prohibitedMode() string {
	for _, b := range [2]*Bearer{r.Key, r.Token} {
		if b == nil {
			continue
		}
		if r.Mode == "live" && b.Test || r.Mode == "test" && !b.Test {
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

// prohibitedKind names the kind that is not accepted, or that is needed beside the one sent.
func (r *Request) prohibitedKind(takes Takes) string {
	switch takes {
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
	case TakesEither:
	}
	return ""
}

// missingScopes wants every scope of the operation and of the request from each credential sent: rights intersect.
func (r *Request) missingScopes(op *Operation) (missing []string, by string) {
	for i, b := range [2]*Bearer{r.Key, r.Token} {
		if b == nil {
			continue
		}
		who := [2]string{"key", "token"}[i]
		if b.Restrictions.forbidsOperation(op) {
			return nil, who + ".operations"
		}
		need := func(scopes []string) {
			for _, scope := range scopes {
				if !r.API.Scopes.Covers(b.Scopes, scope, b.System) && !slices.Contains(missing, scope) {
					missing, by = append(missing, scope), who+".scopes"
				}
			}
		}
		if op != nil {
			need(op.Scopes)
		}
		need(r.Scopes)
	}
	return missing, by
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
