package policy

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Scope is a named permission of one API.
type Scope struct {
	Name        string
	Text        string // a verb phrase for people: "read your profile"
	Default     bool   // ticked beforehand, and given when nothing is asked
	Writes      bool   // changes something: starts unticked at consent
	Includes    []string
	GrantableBy Grantor
	ServerReach bool // effective only for apps of the team `system` (DESIGN section 3)
}

// Scopes are an API's scopes by name, with what each includes worked out. Build with NewScopes.
type Scopes struct {
	byName  map[string]*Scope
	closure map[string][]string // name → it and everything it includes, directly or through others
}

// NewScopes checks the declarations of one API and works out inclusion. A scope may include only scopes of the same API; a
// circle of inclusion makes its members equal, which is almost always a mistake, so it is refused.
func NewScopes(scopes []Scope) (*Scopes, error) {
	set := &Scopes{byName: make(map[string]*Scope, len(scopes)), closure: make(map[string][]string, len(scopes))}
	for i := range scopes {
		s := scopes[i]
		if err := ValidScope(s.Name); err != nil {
			return nil, err
		}
		if set.byName[s.Name] != nil {
			return nil, fmt.Errorf("scope %q is declared twice", s.Name)
		}
		set.byName[s.Name] = &s
	}
	for i := range scopes { // in declared order, so that the same mistake gives the same error
		name, seen := scopes[i].Name, map[string]bool{}
		if err := set.collect(name, nil, seen); err != nil {
			return nil, err
		}
		for s := range seen {
			set.closure[name] = append(set.closure[name], s)
		}
		sort.Strings(set.closure[name])
	}
	return set, nil
}

func (s *Scopes) collect(name string, path []string, seen map[string]bool) error {
	if slices.Contains(path, name) {
		return fmt.Errorf("scopes include each other in a circle: %s", strings.Join(append(path, name), " → "))
	}
	if seen[name] { // by another way: without this, diamonds would cost exponential time
		return nil
	}
	seen[name] = true
	path = append(path, name)
	for _, included := range s.byName[name].Includes {
		if s.byName[included] == nil {
			return fmt.Errorf("scope %q includes %q, which this API does not declare", name, included)
		}
		if err := s.collect(included, path, seen); err != nil {
			return err
		}
	}
	return nil
}

// Get returns a scope, or nil if this API has none of that name.
func (s *Scopes) Get(name string) *Scope {
	if s == nil {
		return nil
	}
	return s.byName[name]
}

// All returns the scopes ordered by name.
func (s *Scopes) All() []*Scope {
	if s == nil {
		return nil
	}
	all := make([]*Scope, 0, len(s.byName))
	for _, scope := range s.byName {
		all = append(all, scope)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

// Covers is CoversFor for whoever could grant every scope. server says that scopes of server reach count; without it they
// give nothing, whatever a row says.
func (s *Scopes) Covers(granted []string, need string, server bool) bool {
	return s.CoversFor(granted, need, Rights{Server: server})
}

// CoversFor reports whether the granted scopes give the needed one on this API, itself or by inclusion, to an owner with
// these rights.
func (s *Scopes) CoversFor(granted []string, need string, rights Rights) bool {
	for _, name := range granted {
		scope := s.Get(name)
		if scope == nil || rights.forbid(scope) {
			continue
		}
		if name == need {
			return true
		}
		// What a scope includes may want more of its owner than the scope itself; the included scope's own rule still holds.
		if slices.Contains(s.closure[name], need) {
			if inner := s.Get(need); inner != nil && !rights.forbid(inner) {
				return true
			}
		}
	}
	return false
}

// Effective appends to dst which of the granted scopes count on this API for an owner with these rights, without the
// included ones, in granted order.
func (s *Scopes) Effective(dst, granted []string, rights Rights) []string {
	for _, name := range granted {
		if scope := s.Get(name); scope != nil && !rights.forbid(scope) {
			dst = append(dst, name)
		}
	}
	return dst
}

// Included returns what a scope gives beside itself, directly or through others, by name.
func (s *Scopes) Included(name string) []string {
	if s == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.closure[name]), func(other string) bool { return other == name })
}

// Giving returns the scopes that give any of the names, each of which gives itself: whoever is to have none of them can be
// given none of those. Names that this API does not declare come along as they are.
func (s *Scopes) Giving(names []string) []string {
	giving := slices.Clone(names)
	for _, scope := range s.All() {
		included := s.Included(scope.Name)
		if !slices.Contains(giving, scope.Name) && slices.ContainsFunc(names, func(name string) bool { return slices.Contains(included, name) }) {
			giving = append(giving, scope.Name)
		}
	}
	return giving
}

// ValidScope checks a name: dot-separated words of lower-case letters, digits, '-' and '_', at most 64 characters.
// That is a subset of RFC 6749 section 3.3's scope-token, so it needs no quoting anywhere.
func ValidScope(name string) error {
	bad := func(why string) error { return fmt.Errorf("scope %.80q %s", name, why) }
	if name == "" || len(name) > 64 {
		return bad("must have 1 to 64 characters")
	}
	for word := range strings.SplitSeq(name, ".") {
		if word == "" || word[0] < 'a' || word[0] > 'z' {
			return bad("must consist of words that begin with a lower-case letter, joined by dots")
		}
		for i := range len(word) {
			if c := word[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return bad("may hold only a-z, 0-9, '-', '_' and dots")
			}
		}
	}
	return nil
}
