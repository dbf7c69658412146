package page

import (
	"fmt"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// Pass is one of the two things on a lanyard, as the partials "card" and "badge" show it; "pass" takes whichever it is.
type Pass struct {
	Badge  bool   // a visitor badge; else an ID card
	Kind   string // "ID card · API key"
	Name   string
	ID     string // public: "key_8fK2mQz7Lr0Xc41Z"; empty: not shown
	Mode   string // "live" or "test"; empty: not shown
	Gone   string // what is stamped on one that works no more, or soon will not: "revoked", "rotated", "leaked", "expired"; empty: it works
	Facts  []Fact
	May    []string // what it lets do, in words; none: not shown
	MayNot []string // what one might think it does, and it does not
	Stolen string   // what a thief gets, after "If stolen:"
	Bad    bool     // Stolen deserves amber
	Mend   Link     // the one link that makes it better; its zero value: none
	Ring   Ring     // of a badge: how much of its life is left
	Act    *Act     // a button at its foot; nil: none
}

// Fact is one line of a card.
type Fact struct{ Term, Text string }

// Ring is a circle that runs out.
type Ring struct {
	Text  string // inside it: "12:40"
	Label string // the same in words
	Dash  string // the drawn part and the gap, in units of the circle's length
}

// NewRing draws share (0 to 1) of a circle of radius 28.
func NewRing(text, label string, share float64) Ring {
	const around = 175.9
	return Ring{text, label, fmt.Sprintf("%.1f %.1f", min(max(share, 0), 1)*around, around)}
}

// Act is a form that is one button: it posts to a path of this server.
type Act struct {
	ID     string // the button's; empty: none
	URL    string
	Text   string // a verb and what it is done to
	Danger bool
	Hidden []Hidden
}

// Hidden is a field of a form that nobody fills in.
type Hidden struct{ Name, Value string }

// Field is something to fill in, as the partial "field" shows it: its label, hint and error belong to it for every reader.
type Field struct {
	ID       string // also its name
	Label    string
	Type     string // "email", "password", "textarea", "select", …; empty: text
	Value    string // a password's is never written back
	Hint     string
	Error    string // what is wrong with it and how to mend that; empty: nothing
	Complete string // what a browser may fill in, as HTML's autocomplete has it
	Mode     string // which keyboard a phone shows, as HTML's inputmode has it
	Max      int    // characters; 0: any number
	Min      int    // characters; 0: any number
	Optional bool
	Focus    bool     // the page begins here
	Code     bool     // read letter by letter: wide and monospaced
	Options  []Option // of a select
}

// Option is one choice of a select.
type Option struct {
	Value, Text string
	Chosen      bool
}

// Required reports whether a browser must not send it empty. A select always has a choice, and where that is empty it means something:
// browsers take it for none and would send no such form.
func (f Field) Required() bool { return !f.Optional && f.Type != "select" }

// DescribedBy lists the ids of what explains the field.
func (f Field) DescribedBy() string {
	text := ""
	if f.Error != "" {
		text = f.ID + "-error"
	}
	if f.Hint != "" {
		if text != "" {
			text += " "
		}
		text += f.ID + "-hint"
	}
	return text
}

// Box is something to tick, as the partial "box" shows it.
type Box struct {
	ID, Name, Value string
	Text            string
	Note            string // quiet words after Text
	Ticked          bool
	Fixed           bool // cannot be unticked: the form sends it whatever happens
}

// ScopeBox is the box of a scope, under the id `scope-<name>` that programs look for.
func ScopeBox(name, text string) Box {
	return Box{ID: "scope-" + name, Name: "scope", Value: name, Text: text}
}

// Table is rows under heads, as the partial "table" shows them. Where there is no row Empty stands in its place.
type Table struct {
	Caption string // what it lists; read, not seen
	Heads   []Head
	Rows    []Row
	Empty   Empty
}

// Head is a column. Numbers stand to the right.
type Head struct {
	Text   string
	Number bool
	URL    string // sorts by it, or the other way round; empty: nothing does
	Sorted string // "ascending" or "descending"; empty: the rows are not in its order
}

// Row is one line of a table: a cell a head. With a URL the whole row is the link.
type Row struct {
	Cells   []Cell
	URL     string
	Act     *Act // stands after the cells, under no head of its own; nil: none
	Changed bool // it just did: it shows for a moment
}

// Cell is text, with quieter words below it.
type Cell struct {
	Text, Note string
	Code       bool
	Pill       string // a tone: "good", "warn", "bad" or "plain" puts Text into a pill; empty: no pill
}

// HasActs reports whether any row has a button.
func (t Table) HasActs() bool {
	for _, row := range t.Rows {
		if row.Act != nil {
			return true
		}
	}
	return false
}

// Secret is a credential shown once, as the partial "secret" shows it.
type Secret struct {
	ID    string
	Label string // what it is: "Your API key"
	Value secret.Secret
	Env   string // the name of the variable to keep it in: "WEATHER_API_KEY"; empty: no line for .env
}

// Alert says what happened, as the partial "alert" shows it, with a link to where it is mended.
type Alert struct {
	ID    string
	Tone  string // "bad" interrupts a reader, "warn" and "good" do not
	Title string
	Text  string
	Link  Link
}

// Empty stands where nothing is yet and offers the next act, as the partial "empty" shows it.
type Empty struct {
	Title   string
	Text    string
	Command string // what to type; empty: nothing
	Note    string
	Link    Link
}

// Steps is a way of several pages, as the partial "steps" shows it.
type Steps struct {
	Label string // where it leads
	Texts []string
	Now   int // from 0; len(Texts): all are done
}
