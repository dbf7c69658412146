package portal

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/advice"
)

// every lists a path for every state of every page, with the status and a few words it must hold.
func every() []visit {
	all := []visit{
		{"/", 200, []string{"Build with Acme", "Takes an ID card (API key)", "Takes a visitor badge (access token)", "Public data", "Private user data", "One operation takes", "2 operations take", "and 2 more", `href="/which"`, `href="/errors/"`, `href="/openapi.yaml"`}},
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
			for _, fault := range markup(body) {
				t.Errorf("GET %s: %s", v.path, fault)
			}
		})
	}
	for _, v := range every() {
		check(v.path, h, v)
	}
	check("empty", server(empty), visit{"/", 200, []string{nameless, "No API is declared yet"}})
	body := get(t, server(empty), "/", browser).Body.String()
	if got := plain(body); !strings.Contains(got, "lanyard apply -f lanyard.yaml") {
		t.Errorf("the empty front says %q, want the next command", got)
	}
}

// Every page's template is run above; none may stand beside them unused.
func TestEveryTemplateHasAPage(t *testing.T) {
	var names []string
	for name := range parse() {
		names = append(names, name)
	}
	slices.Sort(names)
	if want := []string{"error", "errors", "failure", "front", "which"}; !slices.Equal(names, want) {
		t.Errorf("parse() = %q, want %q", names, want)
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
		text := plain(body)
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
		if got := plain(get(t, h, "/errors/"+code, browser).Body.String()); !strings.Contains(got, text.Example) {
			t.Errorf("GET /errors/%s: its text lacks the example %q", code, text.Example)
		}
	}
}

func TestContact(t *testing.T) {
	for text, want := range map[string]link{
		"":                              {},
		"help@acme.example":             {"help@acme.example", "mailto:help@acme.example"},
		"https://acme.example/help?a=b": {"Support", "https://acme.example/help?a=b"},
		"call us":                       {Text: "call us"},
		"javascript:alert(1)//a@b":      {Text: "javascript:alert(1)//a@b"},
		"a@b?bcc=c@d":                   {Text: "a@b?bcc=c@d"},
		"@b":                            {Text: "@b"},
		"a@":                            {Text: "a@"},
	} {
		if got := contact(text); got != want {
			t.Errorf("contact(%q) = %+v, want %+v", text, got, want)
		}
	}
	for _, address := range []string{"javascript:alert(1)", "data:text/html,x", "//evil.test", "/terms", "https:", "ftp://x", "https://%zz", " https://x"} {
		if got := webLink("Terms", address); got != (link{}) {
			t.Errorf("webLink(%q) = %+v, want none", address, got)
		}
	}
}

var (
	tag       = regexp.MustCompile(`<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:\s+[a-zA-Z-]+(?:="[^"]*")?)*)\s*(/?)>`)
	attribute = regexp.MustCompile(`([a-zA-Z-]+)(?:="([^"]*)")?`)
	void      = []string{"meta", "link", "input", "br"}
)

// plain is the text of a page without its tags.
func plain(body string) string {
	text := tag.ReplaceAllString(body, "")
	return strings.NewReplacer("&#39;", "'", "&#34;", `"`, "&lt;", "<", "&gt;", ">", "&#43;", "+", "&amp;", "&").Replace(text)
}

// markup returns what is wrong with a page: tags left open, ids doubled, headings out of order, links to nowhere, anything the content
// security policy forbids, more bytes than a page needs.
func markup(body string) (faults []string) {
	add := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if !strings.HasPrefix(body, "<!doctype html>\n<html lang=\"en\">") || len(body) > 100_000 {
		add("begins with %.40q and has %d bytes", body, len(body))
	}
	if rest := tag.ReplaceAllString(strings.TrimPrefix(body, "<!doctype html>"), ""); strings.ContainsAny(rest, "<>") {
		add("has a tag that does not read as one")
	}
	var open, ids, targets []string
	level, titles := 0, 0
	for _, m := range tag.FindAllStringSubmatch(body, -1) {
		closing, name := m[1] != "", m[2]
		switch {
		case name == "script" || name == "style" || name == "base" || name == "iframe" || name == "object":
			add("has a <%s>", name)
		case closing:
			if len(open) == 0 || open[len(open)-1] != name {
				add("closes <%s> while open are %q", name, open)
				return faults
			}
			open = open[:len(open)-1]
			continue
		case m[4] == "" && !slices.Contains(void, name):
			open = append(open, name)
		}
		if len(name) == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '6' {
			now := int(name[1] - '0')
			if now > level+1 {
				add("has an <h%d> after an <h%d>", now, level)
			}
			if level = now; now == 1 {
				titles++
			}
		}
		has := map[string]string{}
		for _, a := range attribute.FindAllStringSubmatch(m[3], -1) {
			has[a[1]] = a[2]
		}
		for key, value := range has {
			switch {
			case key == "style" || strings.HasPrefix(key, "on"):
				add("has the attribute %s on <%s>", key, name)
			case key == "id":
				if slices.Contains(ids, value) {
					add("has the id %s twice", value)
				}
				ids = append(ids, value)
			case key == "aria-labelledby" || key == "href" && strings.HasPrefix(value, "#"):
				targets = append(targets, strings.TrimPrefix(value, "#"))
			case (key == "href" || key == "src") && name != "a" && !strings.HasPrefix(value, "/assets/"):
				add("loads %s", value)
			}
		}
		if _, scoped := has["scope"]; name == "th" && !scoped {
			add("has a <th> without scope")
		}
	}
	for _, id := range targets {
		if !slices.Contains(ids, id) {
			add("points at #%s, which is not there", id)
		}
	}
	if len(open) > 0 || titles != 1 {
		add("leaves %q open and has %d <h1>", open, titles)
	}
	for part, want := range map[string]int{"<title>": 1, "<main ": 1, `class="skip"`: 1, `name="viewport"`: 1, "<caption>": strings.Count(body, "<table"), "<legend>": strings.Count(body, "<fieldset"), " primary\"": min(1, strings.Count(body, " primary\""))} {
		if got := strings.Count(body, part); got != want {
			add("has %d of %s, want %d", got, part, want)
		}
	}
	return faults
}

// A check that finds nothing wrong anywhere would pass everything.
func TestMarkupFindsFaults(t *testing.T) {
	good := get(t, server(acme()), "/which", browser).Body.String()
	for _, test := range []struct{ name, old, replacement string }{
		{"script", "</main>", "<script>1</script></main>"},
		{"style element", "</main>", "<style>a</style></main>"},
		{"style", "<main ", `<main style="x" `},
		{"handler", "<main ", `<main onclick="x" `},
		{"open tag", "</main>", "<div></main>"},
		{"left open", "</header>", ""},
		{"stray bracket", "</main>", "<</main>"},
		{"heading skipped", "<h1>", "<h4>x</h4><h1>"},
		{"second title", "<h1>", "<h1>x</h1><h1>"},
		{"id twice", "<h1>", `<h1 id="main">`},
		{"link to nowhere", `id="main"`, `id="other"`},
		{"from elsewhere", `href="/assets/portal`, `href="https://cdn.example/portal`},
		{"th without scope", `<th scope="row">`, "<th>"},
		{"table without caption", "<caption>The two credentials side by side</caption>", ""},
		{"no doctype", "<!doctype html>", ""},
		{"too large", "</main>", strings.Repeat("x", 100_000) + "</main>"},
	} {
		bad := strings.Replace(good, test.old, test.replacement, 1)
		if bad == good {
			t.Errorf("%s: the page lacks %q", test.name, test.old)
		}
		if len(markup(bad)) == 0 {
			t.Errorf("markup(%s) = nothing, want a fault", test.name)
		}
	}
}
