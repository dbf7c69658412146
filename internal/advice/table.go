package advice

import (
	"strings"
	"unicode/utf8"
)

// Comparison sets the two credentials side by side.
type Comparison struct {
	Key, Token string // the column heads
	Rows       []Row
	Between    string // the one that stands between the two
}

// Row is one question with what each credential answers.
type Row struct{ Question, Key, Token string }

// Table returns the comparison that stands in the portal, on /which, in `lanyard which` and in the README.
func Table() Comparison {
	return Comparison{
		Key:   "ID card: API key",
		Token: "visitor badge: access token",
		Rows: []Row{
			{"Who is it?", "the app", "the user, through an app"},
			{"Life span", "until you rotate it", "minutes to an hour, then refreshed"},
			{"If stolen", "works until you rotate it", "dies by itself, and can only do what was ticked"},
			{"Made", "in the portal", "by a login (OAuth)"},
			{"Best for", "public data, billing, server to server", "private user data"},
		},
		Between: "Between them stands the personal access token: a user's own badge for scripts, narrowed and dated.",
	}
}

// Text renders it for a terminal: aligned columns, no colour, every line ending in a newline.
func (c Comparison) Text() string {
	rows := append([]Row{{"", c.Key, c.Token}}, c.Rows...)
	first, second := 0, 0
	for _, row := range rows {
		first = max(first, utf8.RuneCountInString(row.Question))
		second = max(second, utf8.RuneCountInString(row.Key))
	}
	var b strings.Builder
	for i, row := range rows {
		b.WriteString(pad(row.Question, first) + "  " + pad(row.Key, second) + "  " + row.Token + "\n")
		if i == 0 {
			b.WriteString(strings.Repeat(" ", first+2) + strings.Repeat("-", second) + "  " + strings.Repeat("-", utf8.RuneCountInString(row.Token)) + "\n")
		}
	}
	b.WriteString("\n" + c.Between + "\n")
	return b.String()
}

// Markdown renders it as a table of GitHub's dialect, every line ending in a newline.
func (c Comparison) Markdown() string {
	var b strings.Builder
	b.WriteString("| | **" + c.Key + "** | **" + c.Token + "** |\n|---|---|---|\n")
	for _, row := range c.Rows {
		b.WriteString("| " + row.Question + " | " + row.Key + " | " + row.Token + " |\n")
	}
	b.WriteString("\n" + c.Between + "\n")
	return b.String()
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", width-utf8.RuneCountInString(text))
}
