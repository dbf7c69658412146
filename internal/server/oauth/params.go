package oauth

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// params are the parameters of an OAuth request. Each stands at most once, and one without a value is absent (RFC 6749
// section 3.1); unknown ones are ignored. `resource` and `audience` may be repeated (RFC 8707, RFC 8693).
type params struct {
	values url.Values
}

// repeatable parameters are read by all.
func repeatable(name string) bool { return name == "resource" || name == "audience" }

// maxValue bounds a single parameter, so that what is stored or shown is bounded too.
const maxValue = 16 << 10

// newParams refuses duplicates and values that are no text.
func newParams(values url.Values) (params, error) {
	for name, given := range values {
		if len(given) > 1 && !repeatable(name) {
			return params{}, fail(invalidRequest, "the parameter %s is given %d times", short(name), len(given))
		}
		for _, value := range given {
			switch {
			case len(value) > maxValue:
				return params{}, fail(invalidRequest, "the parameter %s is too long", short(name))
			case !isText(value):
				return params{}, fail(invalidRequest, "the parameter %s holds control characters or is not UTF-8", short(name))
			}
		}
	}
	return params{values}, nil
}

// isText reports whether a value is UTF-8 without control characters but blanks. Those are single bytes, so it need not read
// characters.
func isText(value string) bool {
	plain := true
	for i := range len(value) {
		c := value[i]
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0x7f {
			return false
		}
		plain = plain && c < utf8.RuneSelf
	}
	return plain || utf8.ValidString(value)
}

func (p params) get(name string) string { return p.values.Get(name) }

// all returns every value of a repeatable parameter, without empty ones.
func (p params) all(name string) []string {
	return slices.DeleteFunc(slices.Clone(p.values[name]), func(v string) bool { return v == "" })
}

func (p params) has(name string) bool { return p.get(name) != "" }

// list splits a parameter at blanks and drops repetitions.
func (p params) list(name string) []string { return words(p.get(name)) }

func words(text string) []string {
	var out []string
	for _, word := range strings.Fields(text) {
		if !slices.Contains(out, word) {
			out = append(out, word)
		}
	}
	return out
}

// short is a name from outside as it may be repeated in a sentence.
func short(text string) string {
	text = plain(text)
	if len(text) > 60 {
		text = text[:60] + "..."
	}
	return text
}

// form reads the parameters of a POST. The query is no place for them: it ends up in logs.
func (s *Server) form(w http.ResponseWriter, r *http.Request) (params, error) {
	values, err := s.Kit.ReadForm(w, r)
	if err != nil {
		return params{}, err
	}
	if r.URL.RawQuery != "" {
		for name := range r.URL.Query() {
			if values.Has(name) || slices.Contains(secretParams(), name) {
				return params{}, fail(invalidRequest, "send %s in the body only", short(name))
			}
		}
	}
	return newParams(values)
}

// secretParams never stand in a query.
func secretParams() []string {
	return []string{"client_secret", "client_assertion", "code", "refresh_token", "code_verifier", "device_code", "token", "assertion", "subject_token", "actor_token", "access_token", "password"}
}
