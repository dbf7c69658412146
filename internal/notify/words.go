package notify

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	maxName = 60 // characters of a name that are shown
	maxWord = 80 // and of other data
	maxText = 400
)

// invisible finds what changes how the rest reads without being seen: controls, and signs that turn the direction.
func invisible(r rune) bool { return unicode.Is(unicode.C, r) || r == '\u2028' || r == '\u2029' }

// oneLine takes what can be seen of a text, in one line no longer than most.
func oneLine(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r) || unicode.IsControl(r):
			return ' '
		case invisible(r) || r == utf8.RuneError:
			return -1
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most]) + "…"
	}
	return text
}

// plainWords takes what is harmless of a text that a stranger may have chosen: one line in which no mail program finds a
// link. Only the letter's own link leads anywhere.
func plainWords(text string, most int) string {
	var b strings.Builder
	before := ' '
	for _, r := range oneLine(text, most) {
		// "evil.example" and "https://" become links by themselves; "evil. example" and "https: / /" do not, and figures
		// such as 192.0.2.1 or 2.5 stay.
		if unicode.IsLetter(r) && strings.ContainsRune(".。．:/@", before) || r == '/' && strings.ContainsRune(":/", before) {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
		before = r
	}
	return b.String()
}

// name returns a name to greet with, or "" if it is none: a name with an address or a tag in it was not meant for greeting.
func name(text string) string {
	whole := oneLine(text, maxName)
	if whole != plainWords(text, maxName) || strings.ContainsAny(whole, "/@:<>[]{}\\|") {
		return ""
	}
	return whole
}

// span says how long something lasts: "15 minutes", "7 days".
func span(d time.Duration) string {
	n, unit := int(d/time.Minute), "minute"
	switch {
	case d >= 48*time.Hour:
		n, unit = int(d/(24*time.Hour)), "day"
	case d >= 2*time.Hour:
		n, unit = int(d/time.Hour), "hour"
	}
	if n != 1 {
		unit += "s"
	}
	return strconv.Itoa(n) + " " + unit
}
