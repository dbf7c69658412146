// Package pagetest reads a page as a strict browser would and says what is wrong with it. Tests of every surface use it.
package pagetest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	tag       = regexp.MustCompile(`<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:\s+[a-zA-Z][a-zA-Z0-9-]*(?:="[^"]*")?)*)\s*(/?)>`)
	attribute = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9-]*)(?:="([^"]*)")?`)
	local     = regexp.MustCompile(`^/[a-zA-Z0-9]`)
	void      = []string{"meta", "link", "input", "br", "img", "hr"}
)

// Plain is the text of a page without its tags.
func Plain(body string) string {
	text := tag.ReplaceAllString(body, "")
	return strings.NewReplacer("&#39;", "'", "&#34;", `"`, "&lt;", "<", "&gt;", ">", "&#43;", "+", "&amp;", "&").Replace(text)
}

// mostBytes is what the largest page needs, the reference of all operations, and some.
const mostBytes = 120_000

// Faults returns what is wrong with a page: tags left open, ids doubled, headings out of order, links to nowhere, anything the content
// security policy forbids, more bytes than a page needs. allowed names elements that this page may have though others may not: script,
// iframe; what they load is the test's to look at.
func Faults(body string, allowed ...string) (faults []string) {
	add := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if !strings.HasPrefix(body, "<!doctype html>\n<html lang=\"en\">") || len(body) > mostBytes {
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
		case slices.Contains([]string{"script", "style", "base", "iframe", "object", "embed"}, name) && !slices.Contains(allowed, name):
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
			case key == "aria-labelledby" || key == "aria-describedby" || key == "for":
				targets = append(targets, strings.Fields(value)...)
			case key == "href" && strings.HasPrefix(value, "#"):
				targets = append(targets, value[1:])
			case (key == "href" || key == "src") && name != "a" && !slices.Contains(allowed, name) && !local.MatchString(value):
				add("loads %s", value)
			case key == "href" && strings.Contains(strings.ToLower(value), "script:"):
				add("leads to %s", value)
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
