package manage

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// Audit lists who did what, newest first; action and target narrow the list unless "". It needs lanyard.audit.read.
func (s *Service) Audit(ctx context.Context, actor audit.Actor, action, target string, list List) (lanyard.Page[lanyard.AuditEvent], error) {
	return s.SearchAudit(ctx, actor, AuditSearch{Action: action, Target: target}, list)
}

// AuditSearch narrows the audit log; what is empty narrows nothing.
type AuditSearch struct {
	Action, Target, Actor string    // as the lines have them
	From, To              time.Time // From is inclusive, To exclusive
}

// filters are what a cursor is bound to.
func (q AuditSearch) filters() []string {
	if q.Actor == "" && q.From.IsZero() && q.To.IsZero() {
		return []string{q.Action, q.Target}
	}
	return []string{q.Action, q.Target, q.Actor, q.From.String(), q.To.String()}
}

// SearchAudit lists the lines of the audit log that a search finds, newest first. It needs lanyard.audit.read.
func (s *Service) SearchAudit(ctx context.Context, actor audit.Actor, q AuditSearch, list List) (lanyard.Page[lanyard.AuditEvent], error) {
	none := lanyard.Page[lanyard.AuditEvent]{}
	reach, err := s.may(actor, auditRead)
	if err != nil {
		return none, err
	}
	for _, given := range []struct{ field, text string }{{"action", q.Action}, {"target", q.Target}, {"actor", q.Actor}} {
		if err := checkText(given.field, given.text, maxFilter); err != nil {
			return none, err
		}
	}
	return s.auditPage(ctx, reach, "audit", q, list)
}

// auditPage reads a page of a list of audit lines.
func (s *Service) auditPage(ctx context.Context, reach audit.Reach, name string, q AuditSearch, list List) (lanyard.Page[lanyard.AuditEvent], error) {
	if list.Oldest {
		name += " from the oldest"
	}
	return readPage(s, list, lister[audit.Event, lanyard.AuditEvent]{
		name: name, filters: q.filters(),
		fetch: func(before time.Time, beforeID string, limit int) ([]audit.Event, error) {
			return s.Log.Audit(ctx, reach, audit.Filter{Action: q.Action, Target: q.Target, Actor: q.Actor, From: q.From, To: q.To, Oldest: list.Oldest, Before: before, BeforeID: beforeID, Limit: limit})
		},
		place: func(ev audit.Event) (time.Time, string) { return ev.At, string(ev.ID) },
		wire:  wireEvent,
	})
}

// Attempts lists credentials that nobody issued by source and hour, newest first. It needs lanyard.audit.read for the
// whole server.
func (s *Service) Attempts(ctx context.Context, actor audit.Actor, list List) (lanyard.Page[lanyard.Attempt], error) {
	if err := s.mayOnServer(actor, auditRead); err != nil {
		return lanyard.Page[lanyard.Attempt]{}, err
	}
	return readPage(s, list, lister[usage.Attempt, lanyard.Attempt]{
		name: "attempts",
		fetch: func(before time.Time, beforeSource string, limit int) ([]usage.Attempt, error) {
			return s.Usage.Attempts(ctx, before, beforeSource, limit)
		},
		place: func(a usage.Attempt) (time.Time, string) { return a.Start, a.Source + " " + a.Code },
		wire:  wireAttempt,
	})
}

const maxChanges = 1000

// fromNow as a cursor is behind the newest entry: for who remembers nothing yet.
const fromNow = "now"

// ChangesAfter lists entries of the log of changes, oldest first, that came after a cursor; "" is before the oldest kept, "now" behind the
// newest.
// A cursor carries the revision it stands at and that entry's tag: if the entry is gone, or the database was put back and
// another entry took its number, the answer is fault.ChangesReset and whoever follows the log starts over. limit is at most
// 1,000; 0 is 1,000. It needs lanyard.changes.read for the whole server.
func (s *Service) ChangesAfter(ctx context.Context, actor audit.Actor, cursor string, limit int) (lanyard.Changes, error) {
	answer := lanyard.Changes{Items: []lanyard.Change{}}
	if err := s.mayOnServer(actor, changesRead); err != nil {
		return answer, err
	}
	if limit < 0 || limit > maxChanges {
		return answer, fault.Field("limit", "must be between 1 and %d", maxChanges)
	}
	if limit == 0 {
		limit = maxChanges
	}
	if cursor == fromNow {
		head, err := s.Changes.NewestChange(ctx)
		answer.Cursor, answer.Revision = placeText(head), head.Revision.String()
		return answer, err
	}
	last, err := parsePlace(cursor)
	if err != nil {
		return answer, err
	}
	after := last.Revision
	if after > 0 {
		after-- // the entry that the cursor stands at is read again, to see that it is still the same
		limit++
	}
	entries, err := s.Changes.ChangesAfter(ctx, after, limit)
	if err != nil {
		return answer, err
	}
	if last.Revision > 0 {
		if len(entries) == 0 || entries[0].Revision != last.Revision || entries[0].Tag != last.Tag {
			return answer, reset()
		}
		entries = entries[1:]
	} else if cursor != "" && len(entries) > 0 && entries[0].Revision != 1 {
		return answer, reset() // it stood before the first change, and that is not kept any more
	}
	for _, e := range entries {
		answer.Items = append(answer.Items, lanyard.Change{Revision: e.Revision.String(), Kind: string(e.Kind), ID: e.ID, At: e.At})
		last = e
	}
	answer.Cursor, answer.Revision = placeText(last), last.Revision.String()
	return answer, nil
}

func reset() error {
	return fault.New(fault.ChangesReset, "the log of changes does not continue from this cursor: forget what you cached and start without a cursor")
}

// placeText is the cursor that stands at an entry: base64url of revision and tag.
func placeText(e changes.Entry) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(e.Revision)) // #nosec G115 -- not negative
	b = binary.BigEndian.AppendUint64(b, uint64(e.Tag))         // #nosec G115 -- bits, not a number
	return base64.RawURLEncoding.EncodeToString(b)
}

// parsePlace reads a cursor of ChangesAfter. What was never one is as unknown as one that is gone.
func parsePlace(cursor string) (changes.Entry, error) {
	if cursor == "" {
		return changes.Entry{}, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) != 16 || base64.RawURLEncoding.EncodeToString(b) != cursor {
		return changes.Entry{}, reset()
	}
	e := changes.Entry{Revision: id.Revision(binary.BigEndian.Uint64(b)), Tag: int64(binary.BigEndian.Uint64(b[8:]))} // #nosec G115 -- compared with what is kept
	if e.Revision < 0 || e.Revision == 0 && e.Tag != 0 {
		return changes.Entry{}, reset()
	}
	return e, nil
}
