package policy

import "testing"

func TestTemplateRefuses(t *testing.T) {
	for _, name := range []string{"", "GET", "get /a", "GET a", "GET /a{b}c", "GET /{a}/{a}", "GET //a"} {
		if _, err := ParseTemplate(name); err == nil {
			t.Errorf("ParseTemplate(%q) succeeded, want an error", name)
		}
	}
}

func TestAgainst(t *testing.T) {
	opposite := map[Overlap]Overlap{Apart: Apart, Same: Same, Narrower: Wider, Wider: Narrower, Tied: Tied}
	for _, test := range []struct {
		one, other string
		want       Overlap
	}{
		{"GET /a", "POST /a", Apart},
		{"GET /a", "GET /b", Apart},
		{"GET /a", "GET /a/b", Apart},
		{"GET /a/{x}", "GET /a/{$}", Apart},
		{"GET /{x}", "GET /{y}", Same},
		{"GET /a/", "GET /a/{rest...}", Same},
		{"GET /a/b", "GET /a/{x}", Narrower},
		{"HEAD /a", "GET /a", Narrower},
		{"GET /a", "ANY /a", Narrower},
		{"GET /a/{x}", "ANY /{path...}", Narrower},
		{"GET /a/{x}", "GET /{x}/a", Tied},
		{"GET /a/{x}", "ANY /a/b", Tied},
	} {
		one, err := ParseTemplate(test.one)
		if err != nil {
			t.Fatal(err)
		}
		other, err := ParseTemplate(test.other)
		if err != nil {
			t.Fatal(err)
		}
		if got := one.Against(other); got != test.want {
			t.Errorf("%s against %s = %d, want %d", test.one, test.other, got, test.want)
		}
		if got := other.Against(one); got != opposite[test.want] {
			t.Errorf("%s against %s = %d, want %d", test.other, test.one, got, opposite[test.want])
		}
		// Templates that are the same or tied are what NewOperations refuses, and nothing else.
		_, err = NewOperations([]Operation{{Name: test.one}, {Name: test.other}})
		if refused := test.want == Same || test.want == Tied; (err != nil) != refused {
			t.Errorf("NewOperations of %s and %s = %v, want refused: %t", test.one, test.other, err, refused)
		}
	}
}

func TestRest(t *testing.T) {
	for name, want := range map[string]bool{"GET /a": false, "GET /a/": true, "GET /a/{$}": false, "GET /{x}": false, "ANY /{path...}": true, "GET /": true} {
		template, err := ParseTemplate(name)
		if err != nil || template.Rest() != want {
			t.Errorf("Rest(%s) = %t, %v, want %t", name, template.Rest(), err, want)
		}
	}
}
