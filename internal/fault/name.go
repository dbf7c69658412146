package fault

import (
	"strings"
	"unicode/utf8"
)

// CheckName refuses names that are empty, too long, or hold what a list or a terminal would choke on.
func CheckName(field, name string, most int) error {
	switch {
	case strings.TrimSpace(name) == "":
		return Field(field, "must not be empty")
	case utf8.RuneCountInString(name) > most:
		return Field(field, "must have at most %d characters", most)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r < 0x20 || r == 0x7f }):
		return Field(field, "must not hold control characters")
	case strings.TrimSpace(name) != name:
		return Field(field, "must not begin or end with a space")
	}
	return nil
}
