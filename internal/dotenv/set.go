package dotenv

import (
	"maps"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// Set returns the text with a variable set, every other line as it was. Where the name stands already, its first line takes the
// value and keeps `export` and comment; further ones go, since they would win. The written form is one that every program reads
// alike; where there is none, that is the error, of kind fault.Invalid. A byte order mark is dropped: to most programs it
// belongs to the first name.
func Set(text, name, value string) (string, error) {
	if !isPortable(name) {
		return "", fault.New(fault.Invalid, "the name of a variable has letters, digits and underscores, such as WEATHER_API_KEY, and no digit first")
	}
	before, err := Parse(text)
	if err != nil {
		return "", err
	}
	written, err := write(value)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	rest, done := strings.TrimPrefix(text, bom), false
	offset := len(text) - len(rest)
	for _, e := range before.entries {
		if e.Name != name {
			continue
		}
		out.WriteString(text[offset:e.start])
		offset = e.end
		if done {
			continue
		}
		done = true
		out.WriteString(e.rewritten(written))
	}
	out.WriteString(text[offset:])
	if !done {
		if s := out.String(); s != "" && !strings.HasSuffix(s, "\n") {
			out.WriteByte('\n')
		}
		out.WriteString(name + "=" + written + "\n")
	}
	return out.String(), check(out.String(), before, name, value)
}

// rewritten is the line of an entry with another value.
func (e Entry) rewritten(written string) string {
	line := e.Name + "=" + written
	if e.exported {
		line = "export " + line
	}
	if e.comment != "" {
		if !strings.HasPrefix(written, "'") && !strings.HasPrefix(written, `"`) {
			line = strings.TrimSuffix(line, written) + "'" + written + "'" // an empty value, or a second #, is read in two ways
		}
		line += " " + strings.TrimRight(e.comment, "\r")
	}
	return line + "\n"
}

// plainBytes are those that need no quotes anywhere.
const plainBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+,=-"

// write returns a value in the form that every program reads alike.
func write(value string) (string, error) {
	const single, double = "'", `"`
	switch {
	case !utf8.ValidString(value):
		return "", fault.New(fault.Invalid, "the value is not text in UTF-8, which .env cannot hold; write it in base64, or keep it in a file")
	case strings.ContainsFunc(value, isControl[rune]):
		return "", fault.New(fault.Invalid, "the value has a control character or a carriage return in it, which programs read from .env in different ways; keep it in a file")
	case strings.Trim(value, plainBytes) == "":
		return value, nil
	case !strings.Contains(value, single) && !strings.Contains(value, `\\`) && !strings.HasSuffix(value, `\`):
		return single + value + single, nil
	case !strings.ContainsAny(value, "\"$`\\"):
		return double + value + double, nil
	}
	return "", fault.New(fault.Invalid, "the value mixes quotes, backslashes or dollars in a way that no form in .env has the same meaning to all programs; keep it in a file, or write it in base64")
}

// check reads the new text back: a variable that is lost or changed by setting another is a defect, and is not written.
func check(text string, before *File, name, value string) error {
	want := before.Values()
	want[name] = value
	after, err := Parse(text)
	if err != nil || !maps.Equal(after.Values(), want) {
		return fault.New(fault.Conflict, "it is written in a way that %s cannot be set in safely; put it there by hand", name)
	}
	return nil
}
