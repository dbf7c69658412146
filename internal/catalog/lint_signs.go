package catalog

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// What a path says is a guess. These are the words that hardly ever mean anything else than one person's own things. Words such
// as account, orders, invoices and customers are left out on purpose: to an API for companies those are the app's own, and an API
// key is right. Where a scope's text tells people that something is "your", it is theirs whatever the path says.
var (
	personal  = regexp.MustCompile(`(?i)/(me|my|mine|self|profile|inbox|mailbox|messages|mail|contacts)(/|$)`)
	onePerson = regexp.MustCompile(`(?i)/(users?|people|persons?|patients?)/\{[a-z_][a-z0-9_]*\}(/|$)`)
	yours     = regexp.MustCompile(`(?i)\byour\b`)
)

// privateSign says what shows that an operation is about one person's things, or nothing.
func (l *linter) privateSign(o linted) string {
	if found := onePerson.FindString(o.path); found != "" {
		return fmt.Sprintf("its path names one person (%s)", strings.Trim(found, "/"))
	}
	if found := personal.FindString(o.path); found != "" {
		return fmt.Sprintf("its path names one person’s things (%s)", strings.Trim(found, "/"))
	}
	for _, scope := range o.scopes {
		if text := l.Scopes[scope].Text; yours.MatchString(text) {
			return fmt.Sprintf("the scope %s is about one person’s things (“%s”)", scope, text)
		}
	}
	return ""
}

// publicWords name what is the same for everybody. Words that may be somebody's as well (docs, health, products, news, search)
// are left out; with a token and no scope those are found all the same.
var publicWords = []string{
	"public", "weather", "forecast", "forecasts", "climate", "status", "healthz", "livez", "readyz", "ping", "version", "catalog", "catalogue",
	"openapi.json", "openapi.yaml", "swagger.json", "timezones", "countries", "currencies", "languages", "holidays", "timetable", "timetables", "departures",
}

// publicSign says what shows that an operation is the same for everybody, or nothing. What stands below a wildcard may be
// somebody's: the status of an order is no public thing.
func publicSign(o linted) string {
	for segment := range strings.SplitSeq(strings.TrimPrefix(o.path, "/"), "/") {
		if strings.HasPrefix(segment, "{") {
			break
		}
		if slices.Contains(publicWords, strings.ToLower(segment)) {
			return fmt.Sprintf("its path names something public (%s)", segment)
		}
	}
	for _, scope := range o.scopes {
		for word := range strings.SplitSeq(scope, ".") {
			if slices.Contains(publicWords, word) && word != "status" && word != "version" {
				return fmt.Sprintf("the scope %s names something public", scope)
			}
		}
	}
	return ""
}
