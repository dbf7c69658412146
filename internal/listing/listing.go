// Package listing is how a page of a long list is asked for and found: searched by part of a name, narrowed, in an order that an index
// serves, from a place on, forwards or back. What a row shows is its noun's.
package listing

import "github.com/lanyard-auth/lanyard/internal/id"

// Look is how many rows one page looks through at most for what a search wants. Whoever finds too little looks further from there.
const Look = 10_000

// List is what is listed.
type List string

// The lists.
const (
	Apps   List = "apps"
	Keys   List = "keys"
	Teams  List = "teams"
	People List = "people"
	Grants List = "grants"
)

// Query asks for a page of a list.
type Query struct {
	Of    List
	Team  id.Team           // "": of every team within reach; Teams and People have none
	Like  string            // part of a name or a mail address, whatever the case of its letters; "": any
	Where map[string]string // what else narrows it, such as state: works; "" is any
	Sort  string            // "created", "name", …; "": created
	Down  bool              // the last comes first
	Back  bool              // the page before a place, not the one after it
	From  *Place            // nil: the list's beginning
	Now   int64             // for states that depend on it, in microseconds UTC
	Limit int
	Look  int // rows looked through at most; 0: Look
}

// Place is a row in an order: what it is ordered by, a number or a text, and its id.
type Place struct {
	Number int64
	Text   string
	ID     string
}

// Found is a page of a list.
type Found struct {
	IDs []string
	// Where the pages before and after this one are asked from; nil: there is none.
	Previous, Next *Place
	// Short says that the page ended because Look rows were looked through, so that more may follow.
	Short bool
}
