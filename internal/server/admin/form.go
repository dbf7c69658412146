package admin

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// formPage is a form: to make a thing, or to change one.
type formPage struct {
	page.Room
	Steps    *page.Steps // of the way the form is on; nil: it is on none
	Heading  string
	Lead     string
	Back     page.Link
	Action   string // where the form posts to
	Upload   bool   // it has a file
	Fields   []page.Field
	Groups   []group
	Sections []section // below both
	Hidden   []page.Hidden
	Button   string    // a verb and what it makes
	ID       string    // of the button
	Other    *page.Act // another way on
	Skip     page.Link // how to go on without it
	Remove   *page.Act
	Errors   page.Errs
}

// section is a part of a long form.
type section struct {
	ID     string
	Title  string // empty: it begins the form
	Text   string
	Fields []page.Field
	Groups []group
}

// group is boxes under one question.
type group struct {
	ID     string
	Legend string
	Boxes  []page.Box
}

// form shows a form, with what is wrong beside its fields.
func (p *rooms) form(w http.ResponseWriter, r *http.Request, view formPage) error {
	status := http.StatusOK
	beside := func(fields []page.Field) {
		for i, f := range fields {
			if text, is := view.Errors[f.ID]; is {
				fields[i].Error, status = text, http.StatusBadRequest
			}
		}
	}
	beside(view.Fields)
	for _, s := range view.Sections {
		beside(s.Fields)
		for _, f := range s.Fields {
			if f.Error != "" { // it may be far down
				view.Done = &page.Alert{ID: "refused", Tone: "bad", Title: "Nothing was changed.", Text: "Look at", Link: page.Link{Text: f.Label, URL: "#" + f.ID}}
			}
		}
	}
	if text := view.Errors[""]; text != "" {
		status = http.StatusBadRequest
		view.Done = &page.Alert{ID: "wrong", Tone: "bad", Title: "Nothing was changed.", Text: text}
	}
	return p.set.Render(w, r, status, "form", view)
}

// wrong puts what an act refused beside the field it is about: the last word of the fault's field, or what it is called in alias. What
// is about no field of the form stands above it. An error that is nobody's mistake comes back.
func wrong(err error, alias map[string]string, fields ...string) (page.Errs, error) {
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Invalid && f.Kind != fault.Conflict && f.Kind != fault.InsufficientScope {
		return nil, err
	}
	text := page.Upper(strings.TrimSuffix(f.Detail, ".")) + "."
	name, _, _ := strings.Cut(f.Field, "[")
	name = name[strings.LastIndexByte(name, '.')+1:]
	if other, is := alias[name]; is {
		name = other
	}
	if slices.Contains(fields, name) {
		return page.Errs{name: text}, nil
	}
	if f.Field != "" {
		text = f.Field + ": " + text
	}
	return page.Errs{"": text}, nil
}

// choice is a select of words.
func choice(id, label, chosen, hint string, options ...string) page.Field {
	made := page.Field{ID: id, Label: label, Type: "select", Hint: hint}
	for i := 0; i+1 < len(options); i += 2 {
		made.Options = append(made.Options, page.Option{Value: options[i], Text: options[i+1], Chosen: options[i] == chosen})
	}
	return made
}

// lines are the lines of a field that hold anything.
func lines(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// again are the fields of a form that was sent, to be sent once more.
func again(form url.Values) []page.Hidden {
	var out []page.Hidden
	for _, name := range slices.Sorted(maps.Keys(form)) {
		for _, value := range form[name] {
			out = append(out, page.Hidden{Name: name, Value: value})
		}
	}
	return out
}
