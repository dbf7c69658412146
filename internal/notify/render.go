package notify

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"strings"
	texts "text/template"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// One file a kind; layout.html is what all of them look like.
//
//go:embed templates
var files embed.FS

// said is what the templates of a kind may use. What strangers chose of it went through plainWords.
type said struct {
	Brand string
	Name  string
	Life  string // of the link: "15 minutes"
	Link  bool   // there is one
	Data  map[string]string
}

// laid is what the layout uses.
type laid struct {
	Subject, Brand, Greeting, Button, Link, Support string
	Before, After                                   []string // paragraphs
	List                                            []item   // between them
	Color, Ink                                      string   // of the button, and on it
}

// Render puts a letter into words in the provider's name. The plain text and the HTML say the same.
func Render(m id.Message, l Letter, brand lanyard.Brand) (Mail, error) {
	if err := l.check(); err != nil {
		return Mail{}, err
	}
	all, err := texts.New("").Option("missingkey=zero").ParseFS(files, "templates/"+string(l.Kind)+".txt")
	if err != nil {
		return Mail{}, fmt.Errorf("read the template of %s: %w", l.Kind, err)
	}
	s := said{Brand: oneLine(brand.Name, maxName), Name: name(l.Name), Life: span(kinds[l.Kind]), Link: l.Link != "", Data: map[string]string{}}
	if s.Brand == "" {
		s.Brand = "Lanyard"
	}
	for key, value := range l.Data {
		s.Data[key] = plainWords(value, maxWord)
	}
	list, err := l.list()
	if err != nil {
		return Mail{}, err
	}
	part := func(name string) string {
		var out bytes.Buffer
		if err == nil {
			err = all.ExecuteTemplate(&out, name, s)
		}
		return strings.TrimSpace(out.String())
	}
	page := laid{
		Subject: oneLine(part("subject"), 150), Brand: s.Brand, Greeting: "Hello,", Link: l.Link, Support: oneLine(brand.Support, 200), List: list,
		Before: paragraphs(part("before")), After: paragraphs(part("after")), Button: part("button"),
	}
	if s.Name != "" {
		page.Greeting = "Hello " + s.Name + ","
	}
	page.Color, page.Ink = colors(brand.Color)
	if err != nil {
		return Mail{}, fmt.Errorf("write a mail of kind %s: %w", l.Kind, err)
	}
	html, err := page.html()
	if err != nil {
		return Mail{}, err
	}
	return Mail{ID: m, FromName: s.Brand, To: l.To, Subject: page.Subject, Text: page.text(), HTML: html}, nil
}

// paragraphs takes a text apart at its empty lines. Line breaks within one are the template's own.
func paragraphs(text string) []string {
	var all []string
	for p := range strings.SplitSeq(text, "\n\n") {
		if p = strings.Join(strings.Fields(p), " "); p != "" {
			all = append(all, p)
		}
	}
	return all
}

func (p laid) text() string {
	all := append([]string{p.Greeting}, p.Before...)
	for _, one := range p.List {
		all = append(all, one.Of+":\n"+one.Text+"\n"+one.Link)
	}
	if p.Link != "" {
		all = append(all, p.Button+":\n"+p.Link)
	}
	all = append(all, p.After...)
	end := "-- \n" + p.Brand
	if p.Support != "" {
		end += "\nQuestions: " + p.Support
	}
	return strings.Join(append(all, end), "\n\n") + "\n"
}

func (p laid) html() (string, error) {
	layout, err := template.ParseFS(files, "templates/layout.html")
	if err != nil {
		return "", fmt.Errorf("read the layout of mails: %w", err)
	}
	var out bytes.Buffer
	if err := layout.Execute(&out, p); err != nil {
		return "", fmt.Errorf("lay out a mail: %w", err)
	}
	return out.String(), nil
}

// ownColor is the button's where the provider has none.
const ownColor = "#0b7a5c"

// colors returns the provider's colour as #rrggbb, and black or white, whichever reads better on it (WCAG's relative
// luminance, without its last decimals).
func colors(brand string) (color, ink string) {
	var r, g, b int
	if len(brand) == 4 {
		brand = "#" + strings.Repeat(brand[1:2], 2) + strings.Repeat(brand[2:3], 2) + strings.Repeat(brand[3:4], 2)
	}
	if n, err := fmt.Sscanf(brand, "#%02x%02x%02x", &r, &g, &b); n != 3 || err != nil || len(brand) != 7 {
		return ownColor, "#ffffff"
	}
	if 0.2126*linear(r)+0.7152*linear(g)+0.0722*linear(b) > 0.18 {
		return brand, "#000000"
	}
	return brand, "#ffffff"
}

func linear(v int) float64 {
	f := float64(v) / 255
	return f * f // sRGB's curve, near enough to choose between two
}
