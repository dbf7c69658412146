package policy

import (
	"slices"
	"strings"
	"testing"
)

// TestRights: a scope gives only what its owner could grant now, and an included scope keeps its own rule.
func TestRights(t *testing.T) {
	set := mustScopes(t,
		Scope{Name: "read", GrantableBy: GrantableByEveryone}, Scope{Name: "plain"}, Scope{Name: "odd", GrantableBy: "king"},
		Scope{Name: "bill", GrantableBy: GrantableByTeamOwner}, Scope{Name: "rule", GrantableBy: GrantableByAdmin},
		Scope{Name: "mixed", GrantableBy: GrantableByEveryone, Includes: []string{"read", "bill", "rule"}},
		Scope{Name: "lanyard.keys.read"}, Scope{Name: "lanyard.users.read", GrantableBy: GrantableByAdmin, ServerReach: true})
	person, owner, admin := Rights{Person: true}, Rights{Person: true, Owner: true}, Rights{Person: true, Admin: true, Server: true}
	app, registered := Rights{}, Rights{Person: true, Admin: true, Server: true, Registered: true}
	for _, test := range []struct {
		name          string
		rights        Rights
		granted, need string
		want          bool
	}{
		{"person, admin's", person, "rule", "rule", false},
		{"person, owner's", person, "bill", "bill", false},
		{"person, a word nobody declared", person, "odd", "odd", false},
		{"person, owner's by inclusion", person, "mixed", "bill", false},
		{"person, admin's by inclusion", person, "mixed", "rule", false},
		{"person, server reach", person, "lanyard.users.read", "lanyard.users.read", false},
		{"owner, admin's", owner, "mixed", "rule", false},
		{"admin without server reach", Rights{Person: true, Admin: true}, "lanyard.users.read", "lanyard.users.read", false},
		{"app, server reach", app, "lanyard.users.read", "lanyard.users.read", false},
		{"registered app", registered, "lanyard.keys.read", "lanyard.keys.read", false},
		{"registered app, server reach", registered, "lanyard.users.read", "lanyard.users.read", false},

		{"person", person, "mixed", "read", true},
		{"person, nothing said", person, "plain", "plain", true},
		{"person, management", person, "lanyard.keys.read", "lanyard.keys.read", true},
		{"owner", owner, "mixed", "bill", true},
		{"admin, owner's", admin, "bill", "bill", true},
		{"admin", admin, "mixed", "rule", true},
		{"admin, a word nobody declared", admin, "odd", "odd", true},
		{"admin, server reach", admin, "lanyard.users.read", "lanyard.users.read", true},
		{"app", app, "mixed", "rule", true},
		{"registered app, another API's", registered, "rule", "rule", true},
	} {
		if got := set.CoversFor(strings.Fields(test.granted), test.need, test.rights); got != test.want {
			t.Errorf("%s: CoversFor(%s, %s) = %v, want %v", test.name, test.granted, test.need, got, test.want)
		}
	}
	granted := []string{"rule", "read", "lanyard.keys.read", "bill"}
	for _, test := range []struct {
		rights Rights
		want   []string
	}{
		{person, []string{"read", "lanyard.keys.read"}},
		{owner, []string{"read", "lanyard.keys.read", "bill"}},
		{registered, []string{"rule", "read", "bill"}},
		{app, granted},
	} {
		if got := set.Effective(nil, granted, test.rights); !slices.Equal(got, test.want) {
			t.Errorf("Effective(%q) for %+v = %q, want %q", granted, test.rights, got, test.want)
		}
	}
}
