package admin

import (
	"errors"
	"net/url"
	"strconv"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// part is a field of an API's form. Its Value is what is stored, as text; that of a select too.
type part struct {
	page.Field
	at  string // its place in the API, as faults name it
	set func(a *lanyard.API, text string) error
}

// chapter is parts under one heading.
type chapter struct {
	id, title, text string
	parts           []part
}

// show lets the field read as text.
func (p *part) show(text string) {
	p.Value = text
	for i := range p.Options {
		p.Options[i].Chosen = p.Options[i].Value == text
	}
}

// sent is what a form says in a field, with the line ends of this side.
func sent(form url.Values, id string) string { return strings.ReplaceAll(form.Get(id), "\r\n", "\n") }

// word writes a field of one value.
func word(of func(*lanyard.API) *string) func(*lanyard.API, string) error {
	return func(a *lanyard.API, text string) error {
		*of(a) = strings.TrimSpace(text)
		return nil
	}
}

// list writes a field of one value a line.
func list(of func(*lanyard.API) *[]string) func(*lanyard.API, string) error {
	return func(a *lanyard.API, text string) error {
		*of(a) = lines(text)
		return nil
	}
}

// ofToken writes one of the rules for tokens. The API that is stored keeps its own.
func ofToken(set func(*lanyard.TokenRules, string)) func(*lanyard.API, string) error {
	return func(a *lanyard.API, text string) error {
		rules := tokenOf(*a)
		set(&rules, strings.TrimSpace(text))
		a.Token = &rules
		return nil
	}
}

func tokenOf(a lanyard.API) (rules lanyard.TokenRules) {
	if a.Token != nil {
		rules = *a.Token
	}
	return rules
}

// ofHealth writes a part of the health check. One that says nothing is none.
func ofHealth(set func(*lanyard.HealthCheck, string)) func(*lanyard.API, string) error {
	return func(a *lanyard.API, text string) error {
		check := healthOf(*a)
		set(&check, strings.TrimSpace(text))
		if a.Health = &check; check == (lanyard.HealthCheck{}) {
			a.Health = nil
		}
		return nil
	}
}

func healthOf(a lanyard.API) (check lanyard.HealthCheck) {
	if a.Health != nil {
		check = *a.Health
	}
	return check
}

// besideParts puts what was refused beside the part it is about and names the line of a text area. What is about no part stands above the
// form.
func besideParts(refused error, all []chapter) (page.Errs, error) {
	errs, err := wrong(refused, nil)
	if f := (*fault.Error)(nil); err == nil && errors.As(refused, &f) {
		for _, c := range all {
			for _, part := range c.parts {
				if text, is := part.about(f); is {
					return page.Errs{part.ID: text}, nil
				}
			}
		}
	}
	return errs, err
}

// about is what a fault says of the part, if it is about it.
func (p part) about(f *fault.Error) (string, bool) {
	field, detail := f.Field, strings.TrimSuffix(f.Detail, ".")+"."
	if other, is := strings.CutPrefix(field, "apis."); is { // what one API says and another contradicts may be told of the other
		_, field, _ = strings.Cut(other, ".")
		detail = f.Field + ": " + detail
	}
	if field == "upstream" {
		field = "upstreams" // they are one part
	}
	rest, is := strings.CutPrefix(field, p.at)
	if !is || rest != "" && rest[0] != '.' && rest[0] != '[' {
		return "", false
	}
	if strings.HasPrefix(f.Field, "apis.") {
		return detail, true
	}
	return page.Upper(p.line(rest) + detail), true
}

// line says which line of the part a fault is about that has the rest of a place: "[1].prefix" in a list, ".storage_gb.event" under names.
func (p part) line(rest string) string {
	entry, number := 0, 0
	for text := range strings.Lines(p.Value) {
		number++
		words := strings.Fields(text)
		if len(words) == 0 {
			continue
		}
		for _, begin := range [2]string{"[" + strconv.Itoa(entry) + "]", "." + words[0]} {
			if within, is := strings.CutPrefix(rest, begin); is && p.Type == "textarea" && (within == "" || within[0] == '.') {
				return "Line " + strconv.Itoa(number) + strings.Replace(within, ".", ", ", 1) + ": "
			}
		}
		entry++
	}
	return ""
}
