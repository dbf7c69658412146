package manage

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
)

// List says which page of a list is wanted.
type List struct {
	Limit  int    // 1 to 200; 0 is 50
	Cursor string // NextCursor of the page before; "" is the first
	Oldest bool   // of the audit log: the oldest first
}

const (
	defaultLimit = 50
	maxLimit     = 200
	cursorTag    = 16
	maxCursor    = 1000 // one that stands at a name holds it
)

func (l List) size() (int, error) {
	if l.Limit < 0 || l.Limit > maxLimit {
		return 0, fault.Field("limit", "must be between 1 and %d", maxLimit)
	}
	if l.Limit == 0 {
		return defaultLimit, nil
	}
	return l.Limit, nil
}

// A cursor is base64url of a tag and a payload. The tag is a MAC over payload, list and filters: a cursor that was made up,
// edited or taken from another list is refused before its contents are looked at, and none of it reaches SQL unread.

func (s *Service) cursor(payload []byte, list string, filters []string) string {
	return base64.RawURLEncoding.EncodeToString(append(s.cursorMAC(payload, list, filters), payload...))
}

func (s *Service) cursorMAC(payload []byte, list string, filters []string) []byte {
	// No credential holds a NUL, so this is never the digest of one.
	_, digest := s.MAC(fmt.Sprintf("cursor\x00%s\x00%q\x00%s", list, filters, payload))
	return digest[:cursorTag]
}

func (s *Service) openCursor(text, list string, filters []string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	refused := fault.Field("cursor", "is not a cursor of this list and these filters: start without one")
	if len(text) > maxCursor {
		return nil, refused
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	// Decoding skips line breaks, so the text is compared with what encoding makes of it.
	if err != nil || len(sealed) <= cursorTag || base64.RawURLEncoding.EncodeToString(sealed) != text {
		return nil, refused
	}
	payload := sealed[cursorTag:]
	if subtle.ConstantTimeCompare(sealed[:cursorTag], s.cursorMAC(payload, list, filters)) != 1 {
		return nil, refused
	}
	return payload, nil
}

// lister is how one list is read: what it is called, what narrows it, and how a row is fetched, placed and shown.
type lister[Row, Wire any] struct {
	name    string
	filters []string
	// fetch returns up to limit rows older than before, or of that age and a smaller id.
	fetch func(before time.Time, beforeID string, limit int) ([]Row, error)
	place func(Row) (time.Time, string)
	wire  func(Row) Wire
}

func readPage[Row, Wire any](s *Service, list List, l lister[Row, Wire]) (lanyard.Page[Wire], error) {
	page := lanyard.Page[Wire]{Items: []Wire{}}
	size, err := list.size()
	if err != nil {
		return page, err
	}
	payload, err := s.openCursor(list.Cursor, l.name, l.filters)
	if err != nil {
		return page, err
	}
	var before time.Time
	var beforeID string
	if len(payload) >= 8 {
		before = time.UnixMicro(int64(binary.BigEndian.Uint64(payload))).UTC() // #nosec G115 -- as written below
		beforeID = string(payload[8:])
	}
	rows, err := l.fetch(before, beforeID, size+1)
	if err != nil {
		return page, err
	}
	if len(rows) > size {
		at, last := l.place(rows[size-1])
		// A cursor cannot stand between rows of one place (the attempts of one source within an hour): they stay together.
		end := size
		for ; end < len(rows); end++ {
			if t, next := l.place(rows[end]); next != last || !t.Equal(at) {
				break
			}
		}
		rows = rows[:end]
		payload := binary.BigEndian.AppendUint64(nil, uint64(at.UnixMicro())) // #nosec G115 -- bits, not a number
		page.NextCursor = s.cursor(append(payload, last...), l.name, l.filters)
	}
	for _, row := range rows {
		page.Items = append(page.Items, l.wire(row))
	}
	return page, nil
}
