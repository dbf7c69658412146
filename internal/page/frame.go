package page

import (
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lanyard-auth/lanyard"
)

// Frame is what the layout needs, and what a page adds to the headers; every page's struct embeds one.
type Frame struct {
	Title string
	Here  string // the entry of the navigation the page belongs to; empty: none
	Face  Face

	User       *Person  // who is signed in; nil: nobody, or it does not matter here
	Private    bool     // the page shows what is for one person or one time, and is stored nowhere; a User makes every page so
	FormAction []string // addresses outside that a form of the page may lead to, theirs included; only their schemes are told
	Frames     []string // addresses the page shows in frames; the template names them, the headers admit their origins
	Open       bool     // the page holds no secret, also for who is signed in
	Live       bool     // the page has our one script, which renews its live parts and copies what is to be copied

	Sheet, BrandSheet, Icon, Script string // where they stand
}

func (f Frame) frame() Frame { return f }

// Person is who is signed in, as the top of a page names them.
type Person struct {
	Name, Email string
	Admin       bool // the administration is open to them
}

// Called is the name, or what stands for it.
func (p Person) Called() string {
	if p.Name != "" {
		return p.Name
	}
	return p.Email
}

// Face is the provider as the pages show it.
type Face struct {
	Name    string
	Logo    string // a path on this server; empty: Initial stands in its place
	Initial string
	Support Link
	Terms   Link
	Privacy Link
}

// Link without an address is plain text; without a text there is none.
type Link struct{ Text, URL string }

// Href is where the link leads, or "" where a browser would do anything with its address but open it.
func (l Link) Href() string {
	if l.URL == "/" || local(l.URL) != "" || strings.HasPrefix(l.URL, "#") || strings.HasPrefix(l.URL, "mailto:") || WebLink(l.Text, l.URL).URL != "" {
		return l.URL
	}
	return ""
}

// nameless is what a server is called whose provider has not said.
const nameless = "Lanyard"

// Frame begins a page. here is the path of the navigation's entry the page belongs to, or empty.
func (k *Kit) Frame(r *http.Request, title, here string) Frame {
	brand, err := k.Brand(r.Context())
	if err != nil && r.Context().Err() == nil {
		// Pages explain what is wrong, so they must not fail with it.
		k.Log.WarnContext(r.Context(), "page shown without the brand", "pattern", r.Pattern, "error", err)
	}
	made := Frame{Title: title, Here: here, Sheet: k.static["page.css"].path(), Script: k.static["live.js"].path()}
	made.Wear(brand)
	return made
}

// Wear shows a brand on the page: that of the server, or one that is tried on before it is saved.
func (f *Frame) Wear(brand lanyard.Brand) {
	name := strings.TrimSpace(brand.Name)
	if name == "" {
		name = nameless
	}
	main := parseColor(brand.Color)
	f.BrandSheet, f.Icon = brandAsset(main, ".css").path(), brandAsset(main, ".svg").path()
	f.Face = Face{
		Name: name, Logo: local(brand.Logo), Initial: initial(name),
		Support: contact(brand.Support), Terms: WebLink("Terms", brand.Terms), Privacy: WebLink("Privacy", brand.Privacy),
	}
}

// initial is the letter that stands where a logo would.
func initial(name string) string {
	first, _ := utf8.DecodeRuneInString(strings.TrimSpace(name))
	if first == utf8.RuneError {
		return "?"
	}
	return string(unicode.ToUpper(first))
}

// local returns a path on this server, or "" for every other address: nothing is loaded from elsewhere.
func local(address string) string {
	if len(address) < 2 || address[0] != '/' || strings.ContainsAny(address[1:2], `/\`) || strings.ContainsFunc(address, unicode.IsControl) {
		return ""
	}
	return address
}

// contact makes a link of a mail address or a web address, and leaves other words as they are.
func contact(text string) Link {
	if made := WebLink("Support", text); made.URL != "" {
		return made
	}
	if at := strings.IndexByte(text, '@'); at > 0 && at < len(text)-1 && !strings.ContainsAny(text, " \t\r\n/?#%<>\"':") {
		return Link{text, "mailto:" + text}
	}
	return Link{Text: text}
}

// WebLink returns no link for an address that a browser would do anything with but open it.
func WebLink(text, address string) Link {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return Link{}
	}
	return Link{text, u.String()}
}

// Upper returns text with its first letter in upper case.
func Upper(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(first)) + text[size:]
}
