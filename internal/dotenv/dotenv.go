// Package dotenv reads `.env` text and sets a variable in it, everything else left as it stands.
//
// There is no standard: shells, Node.js, Docker Compose, python-dotenv, Ruby's dotenv and godotenv each read their own language.
// What they read alike is read so here. Where they differ, a value is read as most of them do and its Entry says why there is
// doubt; what most refuse is refused. What Set writes, all of them read as the same value. dialects_test.go has the table.
//
// A value is never expanded: `$NAME` stands for itself. Of the six, Node.js leaves it alone, python-dotenv knows only `${NAME}`,
// and the rest differ about where NAME is looked up; a password with a dollar in it is more often meant than a reference.
//
// The package neither opens files nor knows which variables matter; errors and printed entries hold no value.
package dotenv

import (
	"strings"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// Entry is one assignment.
type Entry struct {
	Name  string
	Value secret.Secret
	Line  int    // from 1, where it begins
	Doubt string // why some program reads another value, or none; "" where all agree

	start, end int    // its lines in the text, with the line break
	exported   bool   // `export` stands before it
	comment    string // behind the value, from its #
}

// File is the text of a `.env` file, understood.
type File struct {
	text    string
	entries []Entry
}

// The byte order mark that some editors of Windows put first.
const bom = "\ufeff"

// Parse reads a text. Its errors name the line and hold nothing of it.
func Parse(text string) (*File, error) {
	f := &File{text: text}
	p := parser{text: text, line: 1}
	if strings.HasPrefix(text, bom) {
		p.at = len(bom)
	}
	for p.at < len(p.text) {
		entry, ok, err := p.statement()
		if err != nil {
			return nil, err
		}
		if ok {
			if entry.start == len(bom) && p.text[:entry.start] == bom {
				entry.doubt("a byte order mark stands before it")
			}
			f.entries = append(f.entries, entry)
		}
	}
	return f, nil
}

// Entries returns the assignments in the order of the text. A name may occur several times; the last one counts.
func (f *File) Entries() []Entry { return f.entries }

// Lookup returns the value of a name, and whether it is there.
func (f *File) Lookup(name string) (value string, ok bool) {
	for _, e := range f.entries {
		if e.Name == name {
			value, ok = e.Value.Reveal(), true
		}
	}
	return value, ok
}

// Values returns all names with their values.
func (f *File) Values() map[string]string {
	all := make(map[string]string, len(f.entries))
	for _, e := range f.entries {
		all[e.Name] = e.Value.Reveal()
	}
	return all
}

func (e *Entry) doubt(why string) {
	if e.Doubt == "" {
		e.Doubt = why
	}
}

// parser goes through a text once.
type parser struct {
	text string
	at   int
	line int // in which text[at] stands
}

func (p *parser) refuse(line int, why string) error {
	return fault.New(fault.Invalid, "line %d: %s", line, why)
}

// rest returns what follows on the line, without its break.
func (p *parser) rest() string {
	line, _, _ := strings.Cut(p.text[p.at:], "\n")
	return strings.TrimSuffix(line, "\r")
}

// next goes to the beginning of the next line.
func (p *parser) next() {
	_, _, more := strings.Cut(p.text[p.at:], "\n")
	if !more {
		p.at = len(p.text)
		return
	}
	p.at += strings.IndexByte(p.text[p.at:], '\n') + 1
	p.line++
}

// blanks passes over spaces and tabs and says whether there were any.
func (p *parser) blanks() bool {
	from := p.at
	for p.at < len(p.text) && (p.text[p.at] == ' ' || p.text[p.at] == '\t') {
		p.at++
	}
	return p.at > from
}

// statement reads one line, or as many as a quoted value has. ok says whether it assigns something.
func (p *parser) statement() (e Entry, ok bool, err error) {
	e = Entry{Line: p.line, start: p.at}
	p.blanks()
	if rest := p.rest(); rest == "" || rest[0] == '#' {
		p.next()
		return e, false, nil
	}
	if word := "export"; strings.HasPrefix(p.rest(), word+" ") || strings.HasPrefix(p.rest(), word+"\t") {
		e.exported = true
		p.at += len(word)
		from := p.at
		p.blanks()
		if p.text[from:p.at] != " " {
			e.doubt("more than one space stands behind export")
		}
	}
	e.Name = p.name()
	if e.Name == "" {
		return e, false, p.refuse(p.line, "it does not begin with the name of a variable; each line reads NAME=value")
	}
	if !isPortable(e.Name) {
		e.doubt("a shell has no variable of that name")
	}
	if p.blanks() {
		e.doubt("blanks stand before the =")
	}
	rest := p.rest()
	switch {
	case rest != "" && rest[0] == '=':
	case rest != "" && rest[0] == ':':
		e.doubt("a : stands in the place of the =")
	case e.exported && (rest == "" || rest[0] == '#'): // it exports what was set elsewhere
		p.next()
		return e, false, nil
	default:
		return e, false, p.refuse(p.line, "no = follows the name; each line reads NAME=value")
	}
	p.at++
	if err := p.value(&e); err != nil {
		return e, false, err
	}
	e.end = p.at
	if strings.HasSuffix(p.text[e.start:e.end], "\r\n") {
		e.doubt("the line ends as in Windows, and a shell takes the carriage return for a part of the value")
	}
	return e, true, nil
}

// name takes the name at hand. More is taken than a shell allows: some programs do.
func (p *parser) name() string {
	from := p.at
	for p.at < len(p.text) {
		c := p.text[p.at]
		if !isLetter(c) && !isDigit(c) && c != '_' && c != '.' && c != '-' {
			break
		}
		p.at++
	}
	return p.text[from:p.at]
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

// isPortable says whether every program takes it for a name.
func isPortable(name string) bool {
	for i := range len(name) {
		if c := name[i]; !isLetter(c) && c != '_' && (i == 0 || !isDigit(c)) {
			return false
		}
	}
	return name != ""
}

// value reads what stands behind the =, and the rest of the line.
func (p *parser) value(e *Entry) error {
	blank := p.blanks()
	rest := p.rest()
	if blank && rest != "" {
		e.doubt("blanks stand behind the =")
	}
	switch {
	case rest != "" && (rest[0] == '\'' || rest[0] == '"'):
		return p.quoted(e, rest[0])
	case rest != "" && rest[0] == '#' && blank:
		e.comment = rest
		e.Value = secret.Of("")
	default:
		value, comment := cutComment(rest)
		value = strings.TrimRight(value, " \t\r")
		e.comment = comment
		if why := plainDoubt(value, rest); why != "" {
			e.doubt(why)
		}
		e.Value = secret.Of(value)
	}
	p.next()
	return nil
}

// cutComment divides an unquoted value from the comment behind it: a # begins one where a blank stands before it.
func cutComment(text string) (value, comment string) {
	for i := 1; i < len(text); i++ {
		if text[i] == '#' && (text[i-1] == ' ' || text[i-1] == '\t') {
			return text[:i], text[i:]
		}
	}
	return text, ""
}

// plainDoubt says why programs differ about an unquoted value, of which line is all with its comment.
func plainDoubt(value, line string) string {
	comment := line[len(value):]
	switch {
	case strings.Contains(comment, "\t"):
		return "a tab stands before the comment"
	case strings.Count(comment, "#") > 1:
		return "the comment holds another #"
	case strings.Contains(value, "$"):
		return "some programs expand what follows a $"
	case strings.Contains(value, "#"):
		return "some programs take the # for a comment"
	case strings.ContainsAny(value, " \t"):
		return "it is not quoted and has blanks in it"
	case strings.ContainsAny(value, "'\"\\`;&|<>()~") || strings.ContainsFunc(value, isControl[rune]):
		return "it is not quoted and has characters that mean something to a shell or a parser"
	}
	return ""
}

// quoted reads a value in quotes, which may go over several lines, and what may stand behind it.
func (p *parser) quoted(e *Entry, quote byte) error {
	var value []byte
	p.at++
	for p.at < len(p.text) {
		c := p.text[p.at]
		switch {
		case c == quote:
			// Only a shell and Node.js end a value at \' in single quotes. It is the end here where it can be.
			if escaped := quote == '\'' && p.text[p.at-1] == '\\' && len(value) > 0; escaped && !endsLine(p.text[p.at+1:]) {
				e.doubt(`\' is a quote to some programs and the end to others`)
				value[len(value)-1] = quote
				break
			} else if escaped {
				e.doubt(`\' is a quote to some programs and the end to others`)
			}
			p.at++
			e.Value = secret.Of(string(value))
			return p.behind(e)
		case c == '\n':
			p.line++
			value = append(value, c)
		case c == '\r' && strings.HasPrefix(p.text[p.at:], "\r\n"):
			e.doubt("its lines end as in Windows") // and in the value they end as elsewhere
		case c == '\\' && quote == '"' && p.at+1 < len(p.text):
			e.doubt(`programs differ about \ in double quotes`)
			p.at++
			value = p.escape(value)
		default:
			if doubt := insideDoubt(c, p.text[p.at:], quote); doubt != "" {
				e.doubt(doubt)
			}
			value = append(value, c)
		}
		p.at++
	}
	return p.refuse(e.Line, "a quoted value has no end")
}

// insideDoubt says why programs differ about a character between quotes.
func insideDoubt(c byte, from string, quote byte) string {
	switch {
	case quote == '"' && c == '$':
		return "some programs expand what follows a $"
	case quote == '"' && c == '`':
		return "a shell runs what stands between backquotes"
	case quote == '\'' && strings.HasPrefix(from, `\\`):
		return `python-dotenv takes \\ for one \`
	case isControl(c):
		return "it holds a control character"
	}
	return ""
}

// escape adds what \ and the character at hand stand for.
func (p *parser) escape(value []byte) []byte {
	switch c := p.text[p.at]; c {
	case 'n':
		return append(value, '\n')
	case 'r':
		return append(value, '\r')
	case 't':
		return append(value, '\t')
	case '"', '\\', '$', '`':
		return append(value, c)
	default:
		if c == '\n' {
			p.line++
		}
		return append(value, '\\', c)
	}
}

// endsLine says whether nothing but a comment follows on the line.
func endsLine(text string) bool {
	text = strings.TrimLeft(text, " \t")
	return text == "" || text[0] == '#' || text[0] == '\n' || text == "\r" || strings.HasPrefix(text, "\r\n")
}

// behind takes the comment that may follow a quoted value.
func (p *parser) behind(e *Entry) error {
	if !endsLine(p.text[p.at:]) {
		return p.refuse(p.line, "something other than a comment follows a quoted value")
	}
	blank := p.blanks()
	e.comment = p.rest()
	if e.comment != "" && !blank {
		e.doubt("no blank stands before the comment")
	}
	p.next()
	return nil
}

func isControl[T byte | rune](c T) bool { return c < ' ' && c != '\n' && c != '\t' || c == 0x7f }
