package policy

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNewOperationsRefuses(t *testing.T) {
	long := "GET /" + strings.Repeat("a", 600)
	for _, names := range [][]string{
		{""},
		{"GET"},
		{"/a"},
		{"GET a"},
		{"GET  /a"},
		{"get /a"},
		{"M-SEARCH /a"},
		{" /a"},
		{long},
		{strings.Repeat("A", 21) + " /a"},
		{"GET //a"},
		{"GET /a//b"},
		{"GET /a//"},
		{"GET /./a"},
		{"GET /a/.."},
		{"GET /a;b"},
		{"GET /a?b"},
		{"GET /a#b"},
		{`GET /a\b`},
		{"GET /a\x00"},
		{"GET /a\xff"},
		{"GET /%61"},
		{"GET /a%2fb"}, // literals are written decoded
		{"GET example.com/a"},
		{"GET https://example.com/a"}, // hosts belong to an API, not to an operation
		{"GET /a{b}"},
		{"GET /{a}b"},
		{"GET /{a}{b}"},
		{"GET /{a"},
		{"GET /a}"},
		{"GET /{}"},
		{"GET /{...}"},
		{"GET /{a-b}"},
		{"GET /{1a}"},
		{"GET /{a......}"},
		{"GET /{a...}/b"},
		{"GET /{$}/b"},
		{"GET /{$...}"},
		{"GET /{a}/{a}"},
		{"GET /{a}/{a...}"},
		{"GET /a", "GET /a"},
		{"GET /{a}", "GET /{b}"},
		{"GET /a/", "GET /a/{rest...}"},
		{"GET /a/{b}", "GET /{a}/b"},
		{"GET /a/{b}", "ANY /a/b"},
		{"HEAD /a/{b}", "GET /a/b"},
	} {
		ops := make([]Operation, len(names))
		for i, name := range names {
			ops[i] = Operation{Name: name}
		}
		if _, err := NewOperations(ops); err == nil {
			t.Errorf("NewOperations(%q) succeeded, want an error", names)
		}
	}
	for _, op := range []Operation{{Name: "GET /a", Takes: "tokn"}, {Name: "GET /a", Cost: -1}} {
		if _, err := NewOperations([]Operation{op}); err == nil {
			t.Errorf("NewOperations(%+v) succeeded, want an error", op)
		}
	}
}

func TestMatch(t *testing.T) {
	set := mustOperations(t,
		Operation{Name: "ANY /{path...}"}, Operation{Name: "GET /{$}"}, Operation{Name: "GET /v1/{thing}"}, Operation{Name: "GET /v1/forecast"},
		Operation{Name: "HEAD /v1/forecast"}, Operation{Name: "POST /v1/{thing}/{part}"}, Operation{Name: "GET /files/"}, Operation{Name: "GET /files/{$}"},
		Operation{Name: "GET /ä b"})
	for _, test := range []struct{ method, path, want string }{
		// Refused: no method, one in lower case, no path.
		{"", "/v1/forecast", ""},
		{"get", "/v1/forecast", ""},
		{"Get", "/v1/forecast", ""},
		{"GE T", "/v1/forecast", ""},
		{"GET", "", ""},
		{"GET", "v1/forecast", ""},
		{"GET", "*", ""},

		{"GET", "/", "GET /{$}"},
		{"POST", "/", "ANY /{path...}"},
		{"GET", "/v1/forecast", "GET /v1/forecast"},
		{"HEAD", "/v1/forecast", "HEAD /v1/forecast"},
		{"HEAD", "/v1/other", "GET /v1/{thing}"},
		{"GET", "/v1/Forecast", "GET /v1/{thing}"},
		{"GET", "/v1/", "ANY /{path...}"}, // an empty segment is no {thing}
		{"GET", "/v1/forecast/", "ANY /{path...}"},
		{"POST", "/v1/a/b", "POST /v1/{thing}/{part}"},
		{"POST", "/v1/a/", "ANY /{path...}"},
		{"M-SEARCH", "/v1/forecast", "ANY /{path...}"},
		{"GET", "/files/", "GET /files/{$}"},
		{"GET", "/files/a/b", "GET /files/"},
		{"GET", "/files", "ANY /{path...}"},       // ServeMux would redirect to /files/
		{"CONNECT", "/files/a", "ANY /{path...}"}, // to ServeMux CONNECT is special; here it is a method like others
		{"GET", "/ä b", "GET /ä b"},
	} {
		got := ""
		if op := set.Match(test.method, test.path); op != nil {
			got = op.Name
		}
		if got != test.want {
			t.Errorf("Match(%q, %q) = %q, want %q", test.method, test.path, got, test.want)
		}
	}
}

func TestNoOperations(t *testing.T) {
	for _, set := range []*Operations{nil, {}, mustOperations(t)} {
		if set.Match("GET", "/") != nil || set.Named("GET /") != nil || set.Len() != 0 || len(set.Names()) != 0 {
			t.Errorf("operations %+v hold something, want nothing", set)
		}
	}
}

func TestNamed(t *testing.T) {
	set := mustOperations(t, Operation{Name: "POST /b", Cost: 3}, Operation{Name: "GET /a/{x}"})
	if got := set.Named("POST /b"); got == nil || got.Cost != 3 {
		t.Errorf("Named(POST /b) = %+v, want the one that costs 3", got)
	}
	if got := set.Named("GET /a/{y}"); got != nil {
		t.Errorf("Named(GET /a/{y}) = %+v, want nil: names are exact", got)
	}
	if got, want := set.Names(), []string{"GET /a/{x}", "POST /b"}; !slices.Equal(got, want) {
		t.Errorf("Names() = %q, want %q", got, want)
	}
}

// Templates mean what they mean to net/http.ServeMux. Where we want to differ, the generators stay away or the test says so:
//   - ServeMux redirects /a to /a/ (and cleans //, . and ..); a decision cannot redirect, so /a simply is another place.
//   - ServeMux has patterns with a host and patterns of percent-encoded text; ours have neither.
//   - ServeMux leaves CONNECT's path alone; to us it is a method like others, and the path is in normal form anyway.
//   - ServeMux lets {x} take an empty segment inside a path; no path in normal form has one.
//   - ServeMux matches methods in lower case against patterns without a method; we match them against nothing.
func TestMatchLikeServeMux(t *testing.T) {
	methods := rapid.SampledFrom([]string{"ANY", "GET", "HEAD", "POST"})
	kinds := rapid.SampledFrom([]string{"a", "b", "ä+b", "{"})
	ends := rapid.SampledFrom([]string{"", "", "/", "/{$}", "/{rest...}"})
	template := rapid.Custom(func(t *rapid.T) string {
		var path strings.Builder
		for i := range rapid.IntRange(0, 3).Draw(t, "segments") {
			segment := kinds.Draw(t, "segment")
			if segment == "{" {
				segment = fmt.Sprintf("{x%d}", i)
			}
			path.WriteString("/" + segment)
		}
		path.WriteString(ends.Draw(t, "end"))
		if path.Len() == 0 {
			path.WriteString("/")
		}
		return methods.Draw(t, "method") + " " + path.String()
	})
	segments := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "ä+b"}), 0, 4)

	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfN(template, 1, 7).Draw(t, "operations")
		ops := make([]Operation, len(names))
		for i, name := range names {
			ops[i].Name = name
		}
		set, err := NewOperations(ops)
		mux := newServeMux(names)
		if (err != nil) != (mux == nil) {
			t.Fatalf("NewOperations(%q) error = %v, ServeMux panics = %v, want both or neither", names, err, mux == nil)
		}
		if err != nil {
			return
		}
		for range 10 {
			path := "/" + strings.Join(segments.Draw(t, "path"), "/")
			if path != "/" && rapid.Bool().Draw(t, "slash") {
				path += "/"
			}
			method := rapid.SampledFrom([]string{"GET", "HEAD", "POST", "DELETE"}).Draw(t, "method")
			got := ""
			if op := set.Match(method, path); op != nil {
				got = op.Name
			}
			if want := serveMuxMatch(names, method, path); got != want {
				t.Fatalf("Match(%q, %q) of %q = %q, want %q as ServeMux", method, path, names, got, want)
			}
		}
	})
}

type named string

func (named) ServeHTTP(http.ResponseWriter, *http.Request) {}

// newServeMux returns nil when ServeMux refuses the patterns.
func newServeMux(names []string) (mux *http.ServeMux) {
	defer func() {
		if recover() != nil {
			mux = nil
		}
	}()
	mux = http.NewServeMux()
	for _, name := range names {
		mux.Handle(strings.TrimPrefix(name, "ANY "), named(name))
	}
	return mux
}

// serveMuxMatch says which pattern ServeMux picks if it may not redirect: the pattern that caused a redirect matches only
// the path with a slash added, so asking again without it changes nothing else.
func serveMuxMatch(names []string, method, path string) string {
	for {
		r := httptest.NewRequest(method, "/", nil)
		r.URL = &url.URL{Path: path}
		handler, pattern := newServeMux(names).Handler(r)
		if name, ok := handler.(named); ok {
			return string(name)
		}
		if pattern == "" {
			return ""
		}
		names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return strings.TrimPrefix(name, "ANY ") == pattern })
	}
}

func FuzzNewOperations(f *testing.F) {
	for _, seed := range []string{
		"GET /v1/forecast\nANY /{path...}", "GET /a/{b}\nGET /{a}/b", "GET /a/\nGET /a/{$}\nHEAD /a/{x}", "GET /{}", "GET /ä b", "get /a", "GET /{a}/{a}", "GET /a%2fb",
	} {
		f.Add(seed, "GET", "/a/b")
	}
	f.Fuzz(func(t *testing.T, text, method, path string) {
		names := strings.Split(text, "\n")
		ops := make([]Operation, len(names))
		for i, name := range names {
			ops[i].Name = name
		}
		set, err := NewOperations(ops)
		if err != nil {
			return
		}
		if got := set.Names(); len(got) != len(names) {
			t.Fatalf("NewOperations(%q) holds %q, want all of them", names, got)
		}
		for _, name := range names {
			// Whatever was accepted must be reachable: its own text, without wildcards, is a path it matches best or somebody more specific does.
			if set.Named(name) == nil {
				t.Fatalf("Named(%q) = nil, want it back", name)
			}
			verb, template, _ := strings.Cut(name, " ")
			if !strings.ContainsAny(template, "{}") && set.Match(verb, template) == nil {
				t.Fatalf("Match(%q, %q) = nil, want an operation of %q", verb, template, names)
			}
		}
		if op := set.Match(method, path); op != nil && set.Named(op.Name) != op {
			t.Fatalf("Match(%q, %q) = %q, which nobody declared", method, path, op.Name)
		}
	})
}
