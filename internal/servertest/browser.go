package servertest

import (
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// Browser is a browser without JavaScript: it keeps cookies, follows redirects within its server, fills in forms and sends
// them as the page says. A redirect that leads elsewhere is where it stops; one that follows a form and that the form's page
// does not admit fails the test, since Chromium does not follow it (Content Security Policy Level 3, form-action).
type Browser struct {
	tb     testing.TB
	base   *url.URL
	client *http.Client
}

// Page is what a browser shows.
type Page struct {
	Status int
	URL    *url.URL
	Header http.Header
	Body   string
	Away   *url.URL // where a redirect left the server; nil: it did not
	root   *html.Node
}

// Browser opens a fresh one.
func (n *Node) Browser(tb testing.TB) *Browser {
	tb.Helper()
	return NewBrowser(tb, n.URL)
}

// NewBrowser opens one for the server at an address.
func NewBrowser(tb testing.TB, address string) *Browser {
	tb.Helper()
	base, err := url.Parse(address)
	if err != nil {
		tb.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		tb.Fatal(err)
	}
	b := &Browser{tb: tb, base: base}
	b.client = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return b
}

// Cookies are those the browser would send.
func (b *Browser) Cookies() []*http.Cookie { return b.client.Jar.Cookies(b.base) }

// SetCookies plants cookies.
func (b *Browser) SetCookies(cookies []*http.Cookie) { b.client.Jar.SetCookies(b.base, cookies) }

// Get opens a path or an address.
func (b *Browser) Get(path string) *Page {
	b.tb.Helper()
	return b.do(http.MethodGet, b.resolve(path), sent{})
}

// Post sends a form by itself, as another site's page or a script would; header may be nil.
func (b *Browser) Post(path string, form url.Values, header http.Header) *Page {
	b.tb.Helper()
	return b.do(http.MethodPost, b.resolve(path), sent{form: form, header: header})
}

func (b *Browser) resolve(path string) *url.URL {
	b.tb.Helper()
	u, err := b.base.Parse(path)
	if err != nil {
		b.tb.Fatal(err)
	}
	return u
}

// sent is what goes along with a request; its zero value is nothing.
type sent struct {
	form   url.Values
	header http.Header
	from   *Page // the page whose form it is; nil: none
}

// do sends a request and follows redirects as long as they stay.
func (b *Browser) do(method string, u *url.URL, with sent) *Page {
	b.tb.Helper()
	form, header := with.form, with.header
	for range 10 {
		var body io.Reader
		if form != nil {
			body = strings.NewReader(form.Encode())
		}
		req, err := http.NewRequestWithContext(b.tb.Context(), method, u.String(), body)
		if err != nil {
			b.tb.Fatal(err)
		}
		if form != nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Origin", b.base.String())
			req.Header.Set("Sec-Fetch-Site", "same-origin")
		}
		req.Header.Set("Accept", "text/html")
		for name, values := range header {
			req.Header[name] = values
		}
		page := b.send(req)
		if page.Status < 300 || page.Status > 399 {
			return page
		}
		next, err := u.Parse(page.Header.Get("Location"))
		if err != nil {
			b.tb.Fatal(err)
		}
		if next.Host != b.base.Host {
			if with.from != nil && !with.from.admits(next) {
				b.tb.Errorf("a form at %s leads to %s, which its page does not admit: %s", with.from.URL, next, with.from.Header.Get("Content-Security-Policy"))
			}
			page.Away = next
			return page
		}
		method, u, form, header = http.MethodGet, next, nil, nil
	}
	b.tb.Fatalf("too many redirects, the last to %s", u)
	return nil
}

func (b *Browser) send(req *http.Request) *Page {
	b.tb.Helper()
	res, err := b.client.Do(req)
	if err != nil {
		b.tb.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		b.tb.Fatal(err)
	}
	root, err := html.Parse(strings.NewReader(string(body)))
	if err != nil {
		b.tb.Fatal(err)
	}
	return &Page{Status: res.StatusCode, URL: req.URL, Header: res.Header, Body: string(body), root: root}
}

// Press fills in the form that holds the button of an id and presses it. fields are by name; boxes are ticked by a field
// named "+id" and unticked by "-id" with any value.
func (b *Browser) Press(p *Page, button string, fields map[string]string) *Page {
	b.tb.Helper()
	pressed := find(p.root, func(n *html.Node) bool { return attribute(n, "id") == button })
	if pressed == nil {
		b.tb.Fatalf("there is no button %q at %s (%d):\n%.2000s", button, p.URL, p.Status, p.Body)
	}
	form := pressed
	for form != nil && form.Data != "form" {
		form = form.Parent
	}
	if form == nil {
		b.tb.Fatalf("the button %q stands in no form", button)
	}
	values := url.Values{}
	walk(form, func(n *html.Node) {
		name := attribute(n, "name")
		if name == "" || n.Data != "input" && n.Data != "textarea" && n.Data != "select" || has(n, "disabled") {
			return
		}
		switch attribute(n, "type") {
		case "checkbox", "radio":
			_, tick := fields["+"+attribute(n, "id")]
			_, untick := fields["-"+attribute(n, "id")]
			if has(n, "checked") && !untick || tick {
				values.Add(name, attribute(n, "value"))
			}
		default:
			values.Add(name, filledIn(n))
		}
	})
	for name, value := range fields {
		if !strings.HasPrefix(name, "+") && !strings.HasPrefix(name, "-") {
			values.Set(name, value)
		}
	}
	if name := attribute(pressed, "name"); name != "" {
		values.Set(name, attribute(pressed, "value"))
	}
	action, err := p.URL.Parse(attribute(form, "action"))
	if err != nil {
		b.tb.Fatal(err)
	}
	return b.do(http.MethodPost, action, sent{form: values, from: p})
}

// filledIn is what a field holds as the page came: a select its chosen option, or the first.
func filledIn(n *html.Node) string {
	switch n.Data {
	case "textarea":
		text := ""
		walk(n, func(n *html.Node) {
			if n.Type == html.TextNode {
				text += n.Data
			}
		})
		return strings.ReplaceAll(text, "\n", "\r\n") // as browsers do: HTML section 4.10.21.4
	case "select":
		chosen := find(n, func(n *html.Node) bool { return n.Data == "option" && has(n, "selected") })
		if chosen == nil {
			chosen = find(n, func(n *html.Node) bool { return n.Data == "option" })
		}
		if chosen == nil {
			return ""
		}
		return attribute(chosen, "value")
	}
	return attribute(n, "value")
}

// admits reports whether a form of the page may lead to an address elsewhere.
func (p *Page) admits(to *url.URL) bool {
	for directive := range strings.SplitSeq(p.Header.Get("Content-Security-Policy"), ";") {
		if words := strings.Fields(directive); len(words) > 0 && words[0] == "form-action" {
			return slices.Contains(words, to.Scheme+"://"+to.Host) || slices.Contains(words, to.Scheme+":")
		}
	}
	return true // nothing is said
}

// Has reports whether the page has something of an id.
func (p *Page) Has(id string) bool {
	return find(p.root, func(n *html.Node) bool { return attribute(n, "id") == id }) != nil
}

// Ticked reports whether the box of an id is ticked.
func (p *Page) Ticked(id string) bool {
	n := find(p.root, func(n *html.Node) bool { return attribute(n, "id") == id })
	return n != nil && has(n, "checked")
}

// Text is what a reader reads, in one line.
func (p *Page) Text() string {
	var b strings.Builder
	walk(p.root, func(n *html.Node) {
		if n.Type == html.TextNode && (n.Parent == nil || n.Parent.Data != "style" && n.Parent.Data != "script") {
			b.WriteString(n.Data + " ")
		}
	})
	return strings.Join(strings.Fields(b.String()), " ")
}

func walk(n *html.Node, visit func(*html.Node)) {
	visit(n)
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		walk(c, visit)
	}
}

func find(n *html.Node, is func(*html.Node) bool) *html.Node {
	var found *html.Node
	walk(n, func(n *html.Node) {
		if found == nil && n.Type == html.ElementNode && is(n) {
			found = n
		}
	})
	return found
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}
