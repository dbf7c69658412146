package grant_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/policy"
)

func api(t *testing.T) *policy.Scopes {
	t.Helper()
	set, err := policy.NewScopes([]policy.Scope{{Name: "read"}, {Name: "write", Includes: []string{"read"}}, {Name: "rule"}})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestAnswers: what was said before answers an app that asks for the same or less of it, by the same document.
func TestAnswers(t *testing.T) {
	scopes := api(t)
	for _, test := range []struct {
		allowed, refused, asked, document string
		want                              string
		answered                          bool
	}{
		{"openid", "", "openid read", "one", "openid", false},
		{"openid read", "", "openid write", "one", "openid", false}, // a scope does not give what includes it
		{"openid read", "", "openid read", "two", "openid read", false},
		{"openid", "read", "openid read rule", "one", "openid", false},
		{"openid", "rule", "rule", "one", "", false}, // nothing would be left
		{"openid read", "", "read", "one", "read", true},
		{"openid read", "rule", "openid rule read", "one", "openid read", true},
		{"openid write", "", "read", "one", "read", true},
		{"openid write", "read", "read openid", "one", "read openid", true}, // it came with write later
		{"openid", "", "", "one", "", true},
	} {
		g := &grant.Grant{Scopes: strings.Fields(test.allowed), Refused: strings.Fields(test.refused), Document: "one"}
		got, answered := g.Answers(strings.Fields(test.asked), test.document, scopes)
		if !slices.Equal(got, strings.Fields(test.want)) || answered != test.answered {
			t.Errorf("[%s] without [%s]: Answers(%s, %s) = %v, %t, want [%s], %t", test.allowed, test.refused, test.asked, test.document, got, answered, test.want, test.answered)
		}
	}
}

// TestStands: a grant is written again where an answer says anything else than it holds.
func TestStands(t *testing.T) {
	g := &grant.Grant{Scopes: []string{"openid", "read"}, Refused: []string{"rule"}, Document: "one"}
	for _, test := range []struct {
		yes, no, document string
		want              bool
	}{
		{"read", "", "one", true},
		{"openid read", "rule", "one", true},
		{"read", "", "two", false},
		{"write", "", "one", false},
		{"read", "write", "one", false},
		{"rule", "", "one", false},
	} {
		if got := g.Stands(strings.Fields(test.yes), strings.Fields(test.no), test.document); got != test.want {
			t.Errorf("Stands(%s, %s, %s) = %t, want %t", test.yes, test.no, test.document, got, test.want)
		}
	}
}
