package pagetest

import (
	"strings"
	"testing"
)

// good has one of everything that can go wrong.
const good = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>A page</title>
<meta name="viewport" content="width=device-width">
<link rel="stylesheet" href="/assets/page-0.css">
</head>
<body>
<a class="skip" href="#main">Skip</a>
<header>A</header>
<main id="main" tabindex="-1">
<h1>It&#39;s &lt;plain&gt;</h1>
<table><caption>Two</caption><tr><th scope="row">a</th><td>b</td></tr></table>
<form><fieldset><legend>c</legend><label for="x">d</label><input id="x" aria-describedby="y"><p id="y">e</p></fieldset></form>
<svg viewBox="0 0 1 1"><line x1="0" y1="0"/></svg>
<img src="/logo/1" alt="">
</main>
</body>
</html>
`

func TestFaultsFindsNone(t *testing.T) {
	if got := Faults(good); len(got) > 0 {
		t.Errorf("Faults(a good page) = %q, want none", got)
	}
	if got := Faults(strings.Replace(good, "</main>", "<script>1</script></main>", 1), "script"); len(got) > 0 {
		t.Errorf("Faults(a page that may have a script) = %q, want none", got)
	}
	if got, want := Plain("<h1>It&#39;s &lt;plain&gt;</h1>"), "It's <plain>"; got != want {
		t.Errorf("Plain = %q, want %q", got, want)
	}
}

// A check that finds nothing wrong anywhere would pass everything.
func TestMarkupFindsFaults(t *testing.T) {
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
		{"from elsewhere", `href="/assets/page`, `href="https://cdn.example/page`},
		{"th without scope", `<th scope="row">`, "<th>"},
		{"table without caption", "<caption>Two</caption>", ""},
		{"no doctype", "<!doctype html>", ""},
		{"too large", "</main>", strings.Repeat("x", mostBytes) + "</main>"},
	} {
		bad := strings.Replace(good, test.old, test.replacement, 1)
		if bad == good {
			t.Errorf("%s: the page lacks %q", test.name, test.old)
		}
		if len(Faults(bad)) == 0 {
			t.Errorf("Faults(%s) = nothing, want a fault", test.name)
		}
	}
}
