package store

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
)

// where collects the conditions of a query. Only what is asked for becomes part of the text, so that the engines use the
// index made for it; a parameter that may also mean "any" would hide it from them.
type where struct {
	text strings.Builder
	args []any
}

// within is the condition that a row's team lies within a reach. The zero reach meets no row. A user's role is looked up as
// it is now, so that losing it bites at once.
func within(teamColumn string, r audit.Reach) *where {
	w := &where{}
	switch {
	case r.Server():
		w.and(`1 = 1`)
	case r.Team() != "":
		w.and(teamColumn+` = ?`, string(r.Team()))
	case r.User() != "" && r.Role() == audit.RoleAny:
		w.and(teamColumn+` IN (SELECT m.team_id FROM member m WHERE m.user_id = ?)`, string(r.User()))
	case r.User() != "":
		w.and(teamColumn+` IN (SELECT m.team_id FROM member m WHERE m.user_id = ? AND m.role IN (?, ?))`, string(r.User()), string(audit.RoleOwner), string(r.Role()))
	default:
		w.and(`1 = 0`)
	}
	return w
}

// and adds a condition. Each ? in it stands for the next argument.
func (w *where) and(condition string, args ...any) *where {
	if w.text.Len() == 0 {
		w.text.WriteString(` WHERE `)
	} else {
		w.text.WriteString(` AND `)
	}
	for _, arg := range args {
		before, rest, _ := strings.Cut(condition, "?")
		w.text.WriteString(before + w.arg(arg))
		condition = rest
	}
	w.text.WriteString(condition)
	return w
}

// clone is the same conditions, to be gone on from in another way.
func (w *where) clone() *where {
	made := &where{args: slices.Clone(w.args)}
	made.text.WriteString(w.text.String())
	return made
}

// given adds a condition about one value, unless that is "".
func (w *where) given(condition, value string) *where {
	if value == "" {
		return w
	}
	return w.and(condition, value)
}

// oneOf adds the condition that a column holds one of some texts, unless there are none.
func (w *where) oneOf(column string, values []string) *where {
	if len(values) == 0 {
		return w
	}
	return w.and(column+` IN (?`+strings.Repeat(`, ?`, len(values)-1)+`)`, anys(values)...)
}

// newest is the order of a list, and how much of it is read: the newest first, unless the rows were asked for by their ids.
func (w *where) newest(created string, byIDs bool, limit int) string {
	order := ``
	if !byIDs {
		order = ` ORDER BY ` + created + `created_at DESC, ` + created + `id DESC`
	}
	return w.String() + order + ` LIMIT ` + w.arg(limit)
}

// texts are words of a type of their own as plain texts.
func texts[S ~string](words []S) []string {
	out := make([]string, len(words))
	for i, word := range words {
		out[i] = string(word)
	}
	return out
}

// after continues a list that goes backwards in time behind the last one seen. columns are time and id, "created_at, id".
func (w *where) after(columns string, before time.Time, beforeID string) *where {
	if before.IsZero() {
		return w
	}
	return w.and(`(`+columns+`) < (?, ?)`, micros(before), beforeID)
}

// arg adds an argument and returns its placeholder.
func (w *where) arg(value any) string {
	w.args = append(w.args, value)
	return "$" + strconv.Itoa(len(w.args))
}

// String is the WHERE clause, or nothing.
func (w *where) String() string { return w.text.String() }
