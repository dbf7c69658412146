package catalog

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
)

// Merge returns the catalog that a declaration makes of the one before: each API it names replaces that API whole, others
// are left alone, and of the brand what it gives is set. Every fault names its place as in lanyard.yaml. Neither argument
// is changed.
func Merge(before State, in lanyard.Catalog) (State, error) {
	after := before
	after.APIs = maps.Clone(before.APIs)
	if after.APIs == nil {
		after.APIs = map[string]lanyard.API{}
	}
	if in.Brand != nil {
		after.Brand = mergeBrand(before.Brand, *in.Brand)
		if err := CheckBrand(after.Brand); err != nil {
			return State{}, placed("brand", err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(in.APIs)) {
		a := in.APIs[name]
		if a.Name != "" && a.Name != name {
			return State{}, fault.Field("apis."+name+".name", "must be %q or absent", name)
		}
		normal, err := Normalise(name, a)
		if err != nil {
			return State{}, placed("apis."+name, err)
		}
		after.APIs[name] = normal
	}
	return after, after.Validate()
}

func mergeBrand(b, in lanyard.Brand) lanyard.Brand {
	for _, field := range []struct {
		to   *string
		from string
	}{
		{&b.Name, in.Name},
		{&b.KeyPrefix, in.KeyPrefix},
		{&b.Logo, in.Logo},
		{&b.Color, in.Color},
		{&b.Support, in.Support},
		{&b.Terms, in.Terms},
		{&b.Privacy, in.Privacy},
	} {
		if field.from != "" {
			*field.to = field.from
		}
	}
	return b
}

// placed puts a fault's field below a prefix.
func placed(prefix string, err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	moved := *f
	if moved.Field != "" {
		prefix += "." + moved.Field
	}
	moved.Field = prefix
	return &moved
}

// CheckRemovals refuses to take a plan away to which teams are subscribed, alone or with its API.
func CheckRemovals(before, after State) error {
	for _, api := range slices.Sorted(maps.Keys(before.Subscribers)) {
		for _, plan := range slices.Sorted(maps.Keys(before.Subscribers[api])) {
			n := before.Subscribers[api][plan]
			if n == 0 {
				continue
			}
			if _, stays := after.APIs[api].Plans[plan]; stays {
				continue
			}
			teams := "1 team is"
			if n > 1 {
				teams = fmt.Sprintf("%d teams are", n)
			}
			err := fault.New(fault.Conflict, "plan %q of API %q cannot be removed: %s subscribed to it; move them to another plan first", plan, api, teams)
			err.Field = "apis." + api + ".plans." + plan
			return err
		}
	}
	return nil
}

// Warnings says what a change does that its author may not expect, in order.
func Warnings(before, after State) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(after.APIs)) {
		for _, plan := range slices.Sorted(maps.Keys(after.APIs[name].Plans)) {
			if quota := after.APIs[name].Plans[plan].Quota; quota != "" && after.APIs[name].Metering == "none" {
				out = append(out, fmt.Sprintf("apis.%s.plans.%s.quota: %s holds nobody back: the API is not metered, and what is not counted cannot be limited", name, plan, quota))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before.APIs)) {
		for _, scope := range slices.Sorted(maps.Keys(before.APIs[name].Scopes)) {
			if !declares(after, scope) {
				out = append(out, fmt.Sprintf("apis.%s.scopes.%s: is removed; keys that name it keep the name, and would hold it again if an API declared it anew", name, scope))
			}
		}
	}
	return out
}

func declares(s State, scope string) bool {
	for _, api := range s.APIs {
		if _, declared := api.Scopes[scope]; declared {
			return true
		}
	}
	return false
}
