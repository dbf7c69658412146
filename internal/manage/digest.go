package manage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/outbox"
)

const (
	lookEvery   = day      // the keys of a team are looked over
	networksFor = 90 * day // networks are remembered that a key is not used from any more
	looksAtOnce = 100      // teams of one look into the database
	mostTold    = 15       // warnings in a mail
	digestHour  = 6        // of a Monday, UTC
	foundAtMost = 10_000   // warnings of a team that are looked at
)

// LookOver looks over the keys of every team whose turn it is: it tells webhooks once of those that end soon or are not used, and writes to the
// team's owners and developers on Monday mornings. It returns how many teams it looked at. It is a chore: no actor, no rights. Of
// several nodes that do it at once one tells.
func (s *Service) LookOver(ctx context.Context) (int, error) {
	if s.Letters == nil {
		return 0, nil
	}
	now, total := s.now(), 0
	for {
		due, err := s.Watch.LooksDue(ctx, now, looksAtOnce)
		if err != nil {
			return total, err
		}
		var failed error
		for _, l := range due {
			if err := s.lookAt(ctx, l, now); err != nil {
				failed = errors.Join(failed, fmt.Errorf("look over the keys of %s: %w", l.Team, err))
			}
		}
		total += len(due)
		if len(due) < looksAtOnce || failed != nil {
			return total, failed
		}
	}
}

func (s *Service) lookAt(ctx context.Context, due outbox.Look, now time.Time) error {
	all, err := s.find(ctx, audit.ServerReach(), key.WatchFilter{Team: due.Team}, "", now, foundAtMost)
	if err != nil {
		return err
	}
	sortFound(all)
	next := outbox.Looked{Look: due, Was: due.At, Forget: now.Add(-networksFor)}
	if next.Messages, err = s.tellOf(all, now); err != nil {
		return err
	}
	switch {
	case due.DigestAt.IsZero():
		next.DigestAt = nextDigest(now)
	case !due.DigestAt.After(now):
		if !due.Off && worthAMail(all, due.Told) {
			if next.Letters, err = s.digest(ctx, due.Team, all); err != nil {
				return err
			}
		}
		next.Told = nil
		for _, f := range all {
			next.Told = append(next.Told, f.name())
		}
		next.DigestAt = nextDigest(now)
	}
	if next.At = now.Add(lookEvery); next.DigestAt.Before(next.At) {
		next.At = next.DigestAt
	}
	_, err = s.Watch.Looked(ctx, next, now)
	return err
}

// worthAMail reports whether there is something that the last mail did not say, or that is grave.
func worthAMail(all []found, told []string) bool {
	return slices.ContainsFunc(all, func(f found) bool { return f.Gravity == advice.Grave || !slices.Contains(told, f.name()) })
}

// nextDigest is the Monday morning after a time.
func nextDigest(now time.Time) time.Time {
	at := time.Date(now.Year(), now.Month(), now.Day(), digestHour, 0, 0, 0, time.UTC)
	at = at.AddDate(0, 0, (int(time.Monday)-int(at.Weekday())+7)%7)
	if !at.After(now) {
		at = at.AddDate(0, 0, 7)
	}
	return at
}

// eventOf is the kind of event that a warning is told as; "": none.
func eventOf(code string) outbox.Kind {
	switch code {
	case advice.CodeExpiring:
		return outbox.KeyExpiring
	case advice.CodeStale, advice.CodeNeverUsed:
		return outbox.KeyStale
	}
	return ""
}

// tellOf are the messages for webhooks. Each is about one key and one reason, and is told once.
func (s *Service) tellOf(all []found, now time.Time) (messages []outbox.Message, err error) {
	for _, f := range all {
		kind := eventOf(f.Code)
		if kind == "" {
			continue
		}
		newID, err := id.NewFrom[id.Message](s.random())
		if err != nil {
			return nil, err
		}
		k := f.of
		data := map[string]any{
			"id": k.ID, "team_id": k.Team, "key_id": k.ID, "app_id": k.App, "name": k.Name, "kind": k.Kind, "code": f.Code, "text": f.Text,
		}
		for name, t := range map[string]time.Time{"expires_at": k.ExpiresAt, "last_used_at": k.LastUsed.At} {
			if !t.IsZero() {
				data[name] = t.UTC().Format(time.RFC3339)
			}
		}
		body, err := json.Marshal(data)
		if err != nil {
			return nil, fmt.Errorf("encode the message about %s: %w", k.ID, err)
		}
		messages = append(messages, outbox.Message{ID: newID, Kind: kind, Subject: f.name(), Team: k.Team, Body: string(body), CreatedAt: now})
	}
	return messages, nil
}

// toldWarning is a line of the mail, as package notify reads it.
type toldWarning struct {
	Of   string `json:"of"`
	Text string `json:"text"`
	Link string `json:"link"`
}

// digest writes to the owners and developers of a team.
func (s *Service) digest(ctx context.Context, teamID id.Team, all []found) ([]outbox.Mail, error) {
	var lines []toldWarning
	for _, f := range all[:min(len(all), mostTold)] {
		w := s.wireWarning(f)
		lines = append(lines, toldWarning{Of: w.Of(), Text: w.Text, Link: w.URL})
	}
	list, err := json.Marshal(lines)
	if err != nil {
		return nil, fmt.Errorf("encode the warnings of %s: %w", teamID, err)
	}
	words := details{"warnings": string(list), "count": strconv.Itoa(len(all))}
	if left := len(all) - len(lines); left > 0 {
		words["more"] = strconv.Itoa(left)
	}
	return s.toRoles(ctx, teamID, "key_warnings", "/warnings", words, audit.RoleOwner, audit.RoleDeveloper)
}
