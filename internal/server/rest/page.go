package rest

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/manage"
)

// Paging is the query of every list. It is exported for huma, which passes over embedded types that are not.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" doc:"How many at most; absent: 50"`
	Cursor string `query:"cursor" maxLength:"400" doc:"next_cursor of the page before"`
}

func (p Paging) list() manage.List { return manage.List{Limit: p.Limit, Cursor: p.Cursor} }

// pageOf cuts a page out of a list that is short enough to be read whole. Its cursor is the number of items before it.
func pageOf[T any](items []T, p Paging) (lanyard.Page[T], error) {
	const head = "after:"
	page := lanyard.Page[T]{Items: []T{}}
	start := 0
	if p.Cursor != "" {
		text, err := base64.RawURLEncoding.Strict().DecodeString(p.Cursor)
		digits, ok := strings.CutPrefix(string(text), head)
		n, notNumber := strconv.ParseUint(digits, 10, 31)
		if err != nil || !ok || notNumber != nil || strconv.FormatUint(n, 10) != digits {
			return page, fault.Field("cursor", "is not a cursor of this list: start without one")
		}
		start = min(int(n), len(items)) // #nosec G115 -- 31 bits
	}
	size := p.Limit
	if size == 0 {
		size = 50
	}
	end := min(start+size, len(items))
	page.Items = append(page.Items, items[start:end]...)
	if end < len(items) {
		page.NextCursor = base64.RawURLEncoding.EncodeToString([]byte(head + strconv.Itoa(end)))
	}
	return page, nil
}
