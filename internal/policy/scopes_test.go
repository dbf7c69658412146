package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestNewScopesRefuses(t *testing.T) {
	for _, test := range []struct {
		scopes []Scope
		want   string // in the error
	}{
		{[]Scope{{Name: ""}}, "1 to 64"},
		{[]Scope{{Name: "A"}}, "lower-case"},
		{[]Scope{{Name: "a"}, {Name: "a"}}, "twice"},
		{[]Scope{{Name: "a", Includes: []string{"b"}}}, "does not declare"},
		{[]Scope{{Name: "a", Includes: []string{"a"}}}, "a → a"},
		{[]Scope{{Name: "a", Includes: []string{"b"}}, {Name: "b", Includes: []string{"c"}}, {Name: "c", Includes: []string{"a"}}}, "a → b → c → a"},
		{[]Scope{{Name: "x", Includes: []string{"a"}}, {Name: "a", Includes: []string{"b"}}, {Name: "b", Includes: []string{"a"}}}, "a → b → a"},
	} {
		if _, err := NewScopes(test.scopes); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("NewScopes(%v) error = %v, want one with %q", test.scopes, err, test.want)
		}
	}
}

func TestNewScopesIsQuickOnDiamonds(t *testing.T) {
	// Each of 30 layers includes the two scopes of the next: 2^30 ways down, 60 scopes.
	var scopes []Scope
	for i := range 30 {
		var below []string
		if i < 29 {
			below = []string{fmt.Sprintf("l%d", i+1), fmt.Sprintf("r%d", i+1)}
		}
		scopes = append(scopes, Scope{Name: fmt.Sprintf("l%d", i), Includes: below}, Scope{Name: fmt.Sprintf("r%d", i), Includes: below})
	}
	if set := mustScopes(t, scopes...); !set.Covers([]string{"l0"}, "r29", false) {
		t.Error("Covers([l0], r29) = false, want true")
	}
}

func TestCovers(t *testing.T) {
	set := mustScopes(t,
		Scope{Name: "read"}, Scope{Name: "write", Includes: []string{"read"}}, Scope{Name: "all", Includes: []string{"write"}}, Scope{Name: "other"},
		Scope{Name: "users.read", ServerReach: true}, Scope{Name: "admin", ServerReach: true, Includes: []string{"users.read", "all"}},
		Scope{Name: "mixed", Includes: []string{"users.read", "read"}})
	for _, test := range []struct {
		granted string
		need    string
		system  bool
		want    bool
	}{
		{"", "read", false, false},
		{"read", "write", false, false},
		{"other", "read", false, false},
		{"unknown", "unknown", false, false},
		{"all", "unknown", false, false},
		{"all", "", false, false},
		{"users.read", "users.read", false, false},
		{"admin", "users.read", false, false},
		{"admin", "read", false, false}, // without the team system it gives nothing, also not the harmless part
		{"mixed", "users.read", false, false},

		{"read", "read", false, true},
		{"write", "read", false, true},
		{"all", "read", false, true},
		{"other read", "read", false, true},
		{"unknown read", "read", false, true},
		{"mixed", "read", false, true},
		{"users.read", "users.read", true, true},
		{"admin", "users.read", true, true},
		{"admin", "read", true, true},
		{"mixed", "users.read", true, true},
	} {
		if got := set.Covers(strings.Fields(test.granted), test.need, test.system); got != test.want {
			t.Errorf("Covers([%s], %q, system %v) = %v, want %v", test.granted, test.need, test.system, got, test.want)
		}
	}
	if (*Scopes)(nil).Covers([]string{"read"}, "read", true) {
		t.Error("Covers of no scopes = true, want false")
	}
}

func TestInclusion(t *testing.T) {
	set := mustScopes(t, Scope{Name: "read"}, Scope{Name: "write", Includes: []string{"read"}}, Scope{Name: "all", Includes: []string{"write"}}, Scope{Name: "other"})
	for name, want := range map[string]string{"read": "", "write": "read", "all": "read write", "other": "", "openid": ""} {
		if got := strings.Join(set.Included(name), " "); got != want {
			t.Errorf("Included(%q) = %q, want %q", name, got, want)
		}
	}
	for names, want := range map[string]string{
		"": "", "read": "read all write", "write": "write all", "all": "all", "other": "other", "openid": "openid", "openid write other": "openid write other all", "write read": "write read all",
	} {
		if got := strings.Join(set.Giving(strings.Fields(names)), " "); got != want {
			t.Errorf("Giving(%q) = %q, want %q", names, got, want)
		}
	}
	if got := (*Scopes)(nil).Giving([]string{"openid"}); !slices.Equal(got, []string{"openid"}) || (*Scopes)(nil).Included("read") != nil {
		t.Errorf("Giving of no scopes = %q, want what was asked", got)
	}
}

func TestEffective(t *testing.T) {
	set := mustScopes(t, Scope{Name: "read"}, Scope{Name: "write", Includes: []string{"read"}}, Scope{Name: "admin", ServerReach: true})
	granted := []string{"write", "gone", "admin"}
	if got, want := set.Effective(nil, granted, Rights{}), []string{"write"}; !slices.Equal(got, want) {
		t.Errorf("Effective(%q) = %q, want %q", granted, got, want)
	}
	if got, want := set.Effective([]string{"x"}, granted, Rights{Server: true}), []string{"x", "write", "admin"}; !slices.Equal(got, want) {
		t.Errorf("Effective(%q, system) = %q, want %q", granted, got, want)
	}
}

func TestScopesAll(t *testing.T) {
	set := mustScopes(t, Scope{Name: "b", Text: "do b"}, Scope{Name: "a"})
	all := set.All()
	if len(all) != 2 || all[0].Name != "a" || all[1].Name != "b" {
		t.Errorf("All() = %v, want a and b", all)
	}
	if got := set.Get("b"); got == nil || got.Text != "do b" {
		t.Errorf("Get(b) = %+v, want the scope", got)
	}
	if set.Get("c") != nil || (*Scopes)(nil).Get("a") != nil || (*Scopes)(nil).All() != nil {
		t.Error("Get or All found what nobody declared")
	}
}

func TestValidScope(t *testing.T) {
	for _, name := range []string{
		"", ".", "a.", ".a", "a..b", "A", "a.B", "1a", "a.1", "-a", "_a", "a b", "a:b", "a/b", "a*", "*", "a\"", "ä", "a\n", strings.Repeat("a", 65),
	} {
		if err := ValidScope(name); err == nil {
			t.Errorf("ValidScope(%q) = nil, want an error", name)
		}
	}
	for _, name := range []string{"a", "openid", "forecast.read", "lanyard.apps.write", "a1.b-c.d_e", strings.Repeat("a", 64)} {
		if err := ValidScope(name); err != nil {
			t.Errorf("ValidScope(%q) = %v, want nil", name, err)
		}
	}
}
