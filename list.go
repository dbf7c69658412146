package lanyard

import (
	"errors"
	"iter"
	"net/url"
	"strconv"
)

// ListQuery asks for a page of a list.
type ListQuery struct {
	Limit  int    // 1–200; 0: the server's default, 50
	Cursor string // NextCursor of the page before; "": the first page
}

func (q ListQuery) values() url.Values {
	v := url.Values{}
	if q.Limit != 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	set(v, "cursor", q.Cursor)
	return v
}

// set adds a parameter that is not empty.
func set(v url.Values, name, value string) {
	if value != "" {
		v.Set(name, value)
	}
}

// all goes through a list page by page. The first error is the last thing it yields.
func all[T any](q ListQuery, page func(ListQuery) (Page[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		for q := q; ; {
			p, err := page(q)
			if err != nil {
				yield(none, err)
				return
			}
			for _, item := range p.Items {
				if !yield(item, nil) {
					return
				}
			}
			switch p.NextCursor {
			case "":
				return
			case q.Cursor:
				yield(none, errors.New("the list does not go on: the server gave the same cursor twice"))
				return
			}
			q.Cursor = p.NextCursor
		}
	}
}
