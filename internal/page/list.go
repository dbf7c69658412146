package page

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// List is a list at a path, as a request asks for it: searched, narrowed, in an order, at a page. The parameters are q, the ids of what
// narrows it, sort with order, and cursor.
type List struct {
	Path   string
	Search Search
	Sort   string // by which column
	Down   bool   // the last comes first
	Cursor string
	query  url.Values
	orders []string
}

// NewList reads how a list is asked for. label says what is searched, and by what; empty: nothing is. orders are what it can be sorted
// by, the usual one first; those that begin with - usually go down.
func NewList(path string, query url.Values, label string, orders ...string) List {
	l := List{Path: path, Search: Search{URL: path, Label: label, Query: strings.TrimSpace(query.Get("q"))}, Cursor: query.Get("cursor"), query: url.Values{}, orders: orders}
	for name, values := range query {
		if name != "cursor" && name != "done" && name != "of" {
			l.query[name] = values
		}
	}
	if len(orders) > 0 {
		l.Sort, l.Down = usual(orders[0])
	}
	for _, one := range orders {
		name, down := usual(one)
		if name != query.Get("sort") {
			continue
		}
		if l.Sort, l.Down = name, down; query.Get("order") != "" {
			l.Down = query.Get("order") == "desc"
		}
		l.Search.Hidden = []Hidden{{"sort", name}, {"order", direction(l.Down)}}
	}
	return l
}

// usual reads an order of NewList.
func usual(order string) (name string, down bool) {
	name = strings.TrimPrefix(order, "-")
	return name, name != order
}

func direction(down bool) string {
	if down {
		return "desc"
	}
	return "asc"
}

// Narrow adds a choice that narrows the list, as a parameter of that name: values and texts in turns, the first of them for all. It
// returns what was chosen; what cannot be chosen counts as nothing.
func (l *List) Narrow(name, label string, options ...string) string {
	f := Field{ID: name, Label: label, Type: "select"}
	chosen := ""
	for i := 0; i+1 < len(options); i += 2 {
		is := options[i] == l.query.Get(name)
		if is {
			chosen = options[i]
		}
		f.Options = append(f.Options, Option{options[i], options[i+1], is})
	}
	l.Search.Selects = append(l.Search.Selects, f)
	return chosen
}

// Where is all that narrows the list, by name.
func (l *List) Where() map[string]string {
	out := map[string]string{}
	for _, f := range l.Search.Selects {
		for _, o := range f.Options {
			if o.Chosen && o.Value != "" {
				out[f.ID] = o.Value
			}
		}
	}
	return out
}

// Head is the head of a column that the list can be sorted by.
func (l *List) Head(text, by string) Head {
	h := Head{Text: text}
	down := slices.Contains(l.orders, "-"+by)
	if by == l.Sort {
		h.Sorted, down = map[bool]string{false: "ascending", true: "descending"}[l.Down], !l.Down
	}
	h.URL = l.at("sort", by, "order", direction(down))
	return h
}

// at is the list as it is asked for, with other parameters: names and values in turns.
func (l *List) at(with ...string) string {
	query := url.Values{}
	for name, values := range l.query {
		query[name] = values
	}
	for i := 0; i+1 < len(with); i += 2 {
		query.Set(with[i], with[i+1])
	}
	return withQuery(l.Path, query)
}

func withQuery(path string, query url.Values) string {
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// Pages are the cursors of the pages beside one, empty where there is none.
type Pages struct {
	Previous, Next string
	Short          bool // the page ends before it is full, since enough was looked through
}

// Listed is a list as the partial "list" shows it.
type Listed struct {
	Search Search
	Table  Table
	Pager  Pager
}

// Show is the list with its rows. Where there is none it says whether there is nothing at all, in the words of the table, or nothing that
// was searched for.
func (l *List) Show(t Table, pages Pages) Listed {
	out := Listed{Search: l.Search, Table: t, Pager: l.Pager(pages)}
	switch {
	case pages.Short && len(t.Rows) == 0:
		out.Table.Empty = Empty{Title: "Nothing so far", Text: "Much was looked through, and there is more. Look further, or search for something more common.", Link: Link{"Look further", out.Pager.Next}}
		out.Pager.Next = ""
	case l.Search.Narrowed():
		out.Table.Empty = Empty{Title: "Nothing matches", Text: "Search for less, or for something else.", Link: Link{"Clear the search", l.Path}}
	case l.Cursor != "":
		out.Table.Empty = Empty{Title: "Nothing more", Text: "The list ends before.", Link: Link{"First page", l.Path}}
	}
	return out
}

// Pager leads to the pages beside one.
func (l *List) Pager(pages Pages) Pager {
	p := Pager{Short: pages.Short}
	if l.Cursor != "" {
		p.First = l.at()
	}
	if pages.Previous != "" {
		p.Previous = l.at("cursor", pages.Previous)
	}
	if pages.Next != "" {
		p.Next = l.at("cursor", pages.Next)
	}
	return p
}

// Cut takes the page that a list is at of rows that are at hand whole. Its cursors are how many come before.
func Cut[T any](l List, all []T, size int) ([]T, Pages) {
	from := l.Skipped()
	if from > len(all) {
		from, l.Cursor = 0, ""
	}
	return Leaf(l, all[from:min(from+size+1, len(all))], size)
}

// Skipped is how many rows come before the page that a list is at, where its cursors say that.
func (l List) Skipped() int {
	from, err := strconv.Atoi(l.Cursor)
	if err != nil || from < 0 {
		return 0
	}
	return from
}

// Leaf is Cut for rows that were read from there on: one more than a page has, if there are more.
func Leaf[T any](l List, read []T, size int) ([]T, Pages) {
	var pages Pages
	from := l.Skipped()
	if from > 0 {
		pages.Previous = strconv.Itoa(max(from-size, 0))
	}
	if len(read) > size {
		read, pages.Next = read[:size], strconv.Itoa(from+size)
	}
	return read, pages
}

// Holds reports whether a text holds what was typed, whatever the case.
func (s Search) Holds(text string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(s.Query))
}

// Search narrows a list, as the partial "search" shows it: a form that only asks.
type Search struct {
	URL     string // the list's path
	Label   string // what is searched, and by what: "Apps by name"; empty: there are only Selects
	Query   string // what was typed; the field's name is q
	Selects []Field
	Hidden  []Hidden
}

// Narrowed reports whether the list shows less than there is.
func (s Search) Narrowed() bool {
	for _, f := range s.Selects {
		for _, o := range f.Options {
			if o.Chosen && o.Value != "" {
				return true
			}
		}
	}
	return s.Query != ""
}

// Pager leads through a list that has more than a page, as the partial "pager" shows it. All empty: there is only this page.
type Pager struct {
	First, Previous, Next string
	Short                 bool // Next goes on looking
}
