package portal

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/page/pagetest"
)

// every lists a path for every state of every page, with the status and a few words it must hold.
func every() []visit {
	all := []visit{
		{"/", 200, []string{
			"Build with Acme", "Takes an ID card (API key)", "Takes a visitor badge (access token)", "Public data", "Private user data", "One operation takes", "2 operations take", "and 2 more", `href="/which"`, `href="/errors/"`, `href="/reference"`,
			`href="/developers/get-key"`, "Sign in", `href="/developers/get-key?api=weather"`, `href="/developers/get-key?api=mail"`, `href="/developers/get-key?api=bank"`,
		}},
		{"/which", 200, []string{"works until you rotate it", "dies by itself, and can only do what was ticked", "Your credential will hang here", "All 18 answers"}},
		{"/which?whose=public", 400, []string{"no answer yet", `href="#where"`}},
		{"/which?whose=public&where=server&leak=never", 400, []string{`href="#leak"`}},
		{"/errors/", 200, []string{"You can mend it", "An admin can mend it"}},
		{"/errors/nope", 404, []string{"There is nothing here"}},
	}
	for code, text := range advice.Pages() {
		all = append(all, visit{"/errors/" + code, 200, []string{code, escaped(text.Title), escaped(text.Sentence), escaped(text.Who), escaped(text.How), escaped(text.Also)}})
	}
	for _, option := range outcomes() {
		path, _, _ := strings.Cut(option.URL, "#")
		all = append(all, visit{path, 200, []string{`id="take"`, "How to get one", "If stolen:"}})
	}
	return all
}

type visit struct {
	path   string
	status int
	words  []string
}

func escaped(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&#39;", `"`, "&#34;").Replace(text)
}

func TestPages(t *testing.T) {
	h := server(acme())
	empty := acme()
	empty.APIs = func(context.Context) ([]lanyard.API, error) { return nil, nil }
	empty.Brand = func(context.Context) (lanyard.Brand, error) { return lanyard.Brand{}, nil }
	check := func(name string, h http.Handler, v visit) {
		t.Run(name, func(t *testing.T) {
			w := get(t, h, v.path, browser)
			body := w.Body.String()
			if w.Code != v.status {
				t.Fatalf("GET %s = %d, want %d", v.path, w.Code, v.status)
			}
			for _, word := range v.words {
				if !strings.Contains(body, word) {
					t.Errorf("GET %s lacks %q", v.path, word)
				}
			}
			if !strings.ContainsAny(name, "?=") {
				pagetest.Keep(t, page.New(page.Config{}).Assets(), "portal"+strings.ReplaceAll(strings.TrimSuffix(name, "/"), "/", "-"), body)
			}
			for _, fault := range pagetest.Faults(body) {
				t.Errorf("GET %s: %s", v.path, fault)
			}
		})
	}
	for _, v := range every() {
		check(v.path, h, v)
	}
	check("empty", server(empty), visit{"/", 200, []string{"Lanyard", "No API is declared yet"}})
	body := get(t, server(empty), "/", browser).Body.String()
	if got := pagetest.Plain(body); !strings.Contains(got, "lanyard apply -f lanyard.yaml") {
		t.Errorf("the empty front says %q, want the next command", got)
	}
}

// Every page's template is run above; none may stand beside them unused.
func TestEveryTemplateHasAPage(t *testing.T) {
	names := page.New(page.Config{}).Templates(templates, "templates/*.html").Names()
	slices.Sort(names)
	if want := []string{"error", "errors", "front", "reference", "which"}; !slices.Equal(names, want) {
		t.Errorf("the portal has the pages %q, want %q", names, want)
	}
}

func TestWhichAnswersAll(t *testing.T) {
	h, all := server(acme()), outcomes()
	if len(all) != 18 {
		t.Fatalf("outcomes() = %d, want 18", len(all))
	}
	for _, option := range all {
		u, err := url.Parse(option.URL)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		want, err := advice.Which(advice.Answers{Whose: q.Get("whose"), Where: q.Get("where"), Leak: q.Get("leak")})
		if err != nil {
			t.Fatal(err)
		}
		body := get(t, h, "/which?"+u.RawQuery, browser).Body.String()
		text := pagetest.Plain(body)
		for _, words := range []string{want.Title, want.Reason, want.Next} {
			if !strings.Contains(text, words) {
				t.Errorf("GET %s lacks %q", option.URL, words)
			}
		}
		if got := strings.Count(body, " checked"); got != 3 {
			t.Errorf("GET %s shows %d answers as given, want 3", option.URL, got)
		}
		wantClass := `class="pass idcard"`
		if want.Kind.IsToken() {
			wantClass = `class="pass badge"`
		}
		if !strings.Contains(body, wantClass) {
			t.Errorf("GET %s lacks %s", option.URL, wantClass)
		}
	}
}

func TestErrorsAreListedOnce(t *testing.T) {
	body := get(t, server(acme()), "/errors/", browser).Body.String()
	texts := advice.Pages()
	for code := range texts {
		if got := strings.Count(body, `href="/errors/`+code+`"`); got != 1 {
			t.Errorf("GET /errors/ links %s %d times, want once: a group for %q", code, got, texts[code].Who)
		}
	}
	if got := groupErrors(map[string]advice.Text{"x": {Code: "x", Who: "The user can mend it."}}); len(got) != 1 || got[0].ID != "user" {
		t.Errorf("groupErrors(one for the user) = %+v, want that group alone", got)
	}
}

func TestErrorExamplesCopyWhole(t *testing.T) {
	h := server(acme())
	for code, text := range advice.Pages() {
		if got := pagetest.Plain(get(t, h, "/errors/"+code, browser).Body.String()); !strings.Contains(got, text.Example) {
			t.Errorf("GET /errors/%s: its text lacks the example %q", code, text.Example)
		}
	}
}
