package catalog

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
)

// Compiled is an API ready to decide on.
type Compiled struct {
	Spec       lanyard.API
	Policy     *policy.API
	PlanLimits map[string][]ratelimit.Limit // by plan
	PlanQuotas map[string]billing.Quota     // by plan, of those that have one
	Limits     []ratelimit.Limit            // of all callers together
	UserLimits []ratelimit.Limit            // of each user
}

// Compile turns a normalised declaration into its compiled form. identifier is used where the declaration names none.
func Compile(a lanyard.API, identifier string) (*Compiled, error) {
	scopes, err := policy.NewScopes(policyScopes(a.Scopes))
	if err != nil {
		return nil, fmt.Errorf("compile API %s: %w", a.Name, err)
	}
	operations, err := policy.NewOperations(policyOperations(a.Operations))
	if err != nil {
		return nil, fmt.Errorf("compile API %s: %w", a.Name, err)
	}
	c := &Compiled{Spec: a, PlanLimits: make(map[string][]ratelimit.Limit, len(a.Plans)), PlanQuotas: map[string]billing.Quota{}, Policy: &policy.API{
		Name: a.Name, Identifier: a.Identifier, Takes: policy.Takes(a.Takes), Unmetered: a.Metering == "none",
		Scopes: scopes, Operations: operations, Plans: slices.Sorted(maps.Keys(a.Plans)),
	}}
	if c.Policy.Identifier == "" {
		c.Policy.Identifier = identifier
	}
	for name, plan := range a.Plans {
		if plan.Default {
			c.Policy.DefaultPlan = name
		}
		if c.PlanLimits[name], err = limitsOf("plan", plan.Limits); err != nil {
			return nil, fmt.Errorf("compile API %s, plan %s: %w", a.Name, name, err)
		}
		if plan.Quota != "" {
			if c.PlanQuotas[name], err = billing.ParseQuota(plan.Quota); err != nil {
				return nil, fmt.Errorf("compile API %s, plan %s: %w", a.Name, name, err)
			}
		}
	}
	if c.Limits, err = limitsOf("api", a.Limits); err != nil {
		return nil, fmt.Errorf("compile API %s: %w", a.Name, err)
	}
	if c.UserLimits, err = limitsOf("api-user", a.UserLimits); err != nil {
		return nil, fmt.Errorf("compile API %s: %w", a.Name, err)
	}
	return c, nil
}

// limitsOf reads limits and names them after whose they are.
func limitsOf(whose string, texts []string) ([]ratelimit.Limit, error) {
	var limits []ratelimit.Limit
	for _, text := range texts {
		l, err := ratelimit.ParseLimit(text)
		if err != nil {
			return nil, err
		}
		limits = append(limits, l.Of(whose))
	}
	return limits, nil
}

func policyScopes(scopes map[string]lanyard.Scope) []policy.Scope {
	out := make([]policy.Scope, 0, len(scopes))
	for _, name := range slices.Sorted(maps.Keys(scopes)) {
		s := scopes[name]
		out = append(out, policy.Scope{
			Name: name, Text: s.Text, Default: s.Default, Writes: s.Writes, Includes: s.Includes, GrantableBy: policy.Grantor(s.GrantableBy),
		})
	}
	return out
}

func policyOperations(ops map[string]lanyard.Operation) []policy.Operation {
	out := make([]policy.Operation, 0, len(ops))
	for _, name := range slices.Sorted(maps.Keys(ops)) {
		op := ops[name]
		cost := int64(1)
		if op.Cost != nil {
			cost = *op.Cost
		}
		age, err := time.ParseDuration(op.MaxAge)
		if err != nil {
			age = 0 // none is asked; checkOperations refuses what is no time
		}
		out = append(out, policy.Operation{Name: name, Takes: policy.Takes(op.Takes), Scopes: op.Scopes, Cost: cost, MaxAge: age})
	}
	return out
}
