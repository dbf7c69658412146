package portal

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

//go:embed templates
var templates embed.FS

// parse returns each page's template: the layout and the partials, with the page's own file as their content.
func parse() map[string]*template.Template {
	// A command is wrapped between its words only: never inside --scope.
	words := func(command string) []string { return strings.Split(command, " ") }
	base := template.Must(template.New("").Funcs(template.FuncMap{"words": words}).ParseFS(templates, "templates/layout.html", "templates/partials.html"))
	names, err := fs.Glob(templates, "templates/pages/*.html")
	if err != nil {
		panic("portal: " + err.Error()) // the pattern is ours
	}
	pages := make(map[string]*template.Template, len(names))
	for _, name := range names {
		pages[strings.TrimSuffix(path.Base(name), ".html")] = template.Must(template.Must(base.Clone()).ParseFS(templates, name))
	}
	return pages
}

// render writes a page. It is made as a whole first, so that one that breaks is answered with an error and not with its half.
func (p *portal) render(w http.ResponseWriter, status int, name string, page any) error {
	var b bytes.Buffer
	if err := p.pages[name].ExecuteTemplate(&b, "layout", page); err != nil {
		return fmt.Errorf("render the page %s: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	h.Set("Cache-Control", "no-cache")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // who does not read it has gone
	return nil
}

// frame is what the layout needs; every page's struct begins with it.
type frame struct {
	Title string
	Here  string // the entry of the navigation the page belongs to; empty: none
	Face  face

	Sheet, BrandSheet, Icon string // where they stand
}

// face is the provider as the pages show it.
type face struct {
	Name    string
	Initial string // stands where a logo would
	Support link
	Terms   link
	Privacy link
}

// link without an address is plain text; without a text there is none.
type link struct{ Text, URL string }

// alert says what is wrong on a page, with a link to where it is mended.
type alert struct{ ID, Title, Text, URL string }

// nameless is what a server is called whose provider has not said.
const nameless = "Lanyard"

func (p *portal) frame(r *http.Request, title, here string) frame {
	brand, err := p.Brand(r.Context())
	if err != nil && r.Context().Err() == nil {
		// These pages explain what is wrong, so they must not fail with it.
		p.Log.WarnContext(r.Context(), "page shown without the brand", "pattern", r.Pattern, "error", err)
	}
	name := strings.TrimSpace(brand.Name)
	if name == "" {
		name = nameless
	}
	first, _ := utf8.DecodeRuneInString(name)
	main := parseColor(brand.Color)
	return frame{
		Title: title, Here: here,
		Sheet: p.static["portal.css"].path(), BrandSheet: brandAsset(main, ".css").path(), Icon: brandAsset(main, ".svg").path(),
		Face: face{
			Name: name, Initial: string(unicode.ToUpper(first)),
			Support: contact(brand.Support), Terms: webLink("Terms", brand.Terms), Privacy: webLink("Privacy", brand.Privacy),
		},
	}
}

// contact makes a link of a mail address or a web address, and leaves other words as they are.
func contact(text string) link {
	if made := webLink("Support", text); made.URL != "" {
		return made
	}
	if at := strings.IndexByte(text, '@'); at > 0 && at < len(text)-1 && !strings.ContainsAny(text, " \t\r\n/?#%<>\"':") {
		return link{text, "mailto:" + text}
	}
	return link{Text: text}
}

// webLink returns no link for an address that a browser would do anything with but open it.
func webLink(text, address string) link {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return link{}
	}
	return link{text, u.String()}
}

// upper returns text with its first letter in upper case.
func upper(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}
