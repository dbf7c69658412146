package manage

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/outbox"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

func warningRows() map[string]row {
	return map[string]row{
		"Warnings": {want: ofDevelopers, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			_, byTeam := s.Warnings(ctx, as, WarningsFilter{Team: of.team}, List{})
			_, byKey := s.Warnings(ctx, as, WarningsFilter{Key: of.key}, List{})
			if fault.KindOf(byTeam) != fault.KindOf(byKey) {
				return fmt.Errorf("by team %w, by key %w", byTeam, byKey)
			}
			return byKey
		}},
		"GravestWarnings": {want: ofDevelopers, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			_, _, err := s.GravestWarnings(ctx, as, WarningsFilter{Team: of.team}, 10)
			return err
		}},
	}
}

// used has a key of a side be used.
func (w *world) used(of side, keyID, network string, inQuery bool) {
	w.t.Helper()
	ev := usage.Event{
		At: w.svc.now().UnixMicro(), Team: id.Team(of.team), App: id.App(of.app), Key: id.Key(keyID), API: "weather", Outcome: usage.Accepted, Mode: secret.Live, Units: 1,
		Network: network, InQuery: inQuery,
	}
	marker := usage.Marker{Node: id.New[id.Node](), Epoch: "e", Segment: 1}
	if _, err := w.store.AbsorbUsage(w.t.Context(), marker, usage.Aggregate([]usage.Event{ev})); err != nil {
		w.t.Fatal(err)
	}
}

func codesOf(list []lanyard.Warning) (codes []string) {
	for _, w := range list {
		codes = append(codes, w.Gravity+" "+w.Code)
	}
	return codes
}

func TestWarningsRefused(t *testing.T) {
	w := newWorld(t)
	_, err := w.svc.Warnings(t.Context(), w.admin, WarningsFilter{Gravity: "bad"}, List{})
	wantFault(t, "Warnings of a gravity that is none", err, fault.Invalid, "gravity")
	_, err = w.svc.Warnings(t.Context(), w.admin, WarningsFilter{Team: "team_x"}, List{})
	wantFault(t, "Warnings of no team", err, fault.NotFound, "")
	_, err = w.svc.Warnings(t.Context(), w.admin, WarningsFilter{}, List{Cursor: "x"})
	wantFault(t, "Warnings from a cursor that is none", err, fault.Invalid, "cursor")
	outsider := userActor(w.newUser("nobody"), "", everyScope()...)
	if got, err := w.svc.Warnings(t.Context(), outsider, WarningsFilter{}, List{}); err != nil || got.Items == nil || len(got.Items) > 0 {
		t.Errorf("Warnings of who is in no team = %v, %v, want an empty list", got.Items, err)
	}
	if got, err := w.svc.Warnings(t.Context(), w.admin, WarningsFilter{}, List{}); err != nil || len(got.Items) > 0 {
		t.Errorf("Warnings about keys made just now = %v, %v, want none", codesOf(got.Items), err)
	}
}

// The list is the same however it is asked for: page by page, the gravest of it, of one key.
func TestWarnings(t *testing.T) {
	w := newWorld(t)
	dev := userActor(w.a.developer, w.a.team, everyScope()...)
	w.used(w.a, w.a.key, "203.0.113.0/24", false)
	w.clock.advance(40 * day)
	ends := w.svc.now().Add(12 * day)
	made, err := w.svc.CreateKey(t.Context(), dev, w.a.app, lanyard.KeyInput{Name: "short", ExpiresAt: &ends, RotateEveryDays: 1})
	if err != nil {
		t.Fatal(err)
	}
	w.used(w.a, w.a.key, "198.51.100.0/24", true)
	w.clock.advance(10 * day)
	w.used(w.a, w.a.key, "192.0.2.0/24", false)
	w.used(w.a, made.ID, "192.0.2.0/24", false)

	all, more, err := w.svc.GravestWarnings(t.Context(), dev, WarningsFilter{Team: w.a.team}, 100)
	if err != nil || more {
		t.Fatal(err, more)
	}
	want := []string{"grave expiring", "warn new_network", "warn rotation_due", "warn in_query", "warn never_used", "note unrestricted"}
	if diff := cmp.Diff(want, codesOf(all)); diff != "" {
		t.Fatalf("GravestWarnings (-want +got):\n%s", diff)
	}
	first := all[0]
	if first.KeyID != made.ID || first.KeyName != "short" || first.AppName == "" || first.TeamID != w.a.team || first.Since == nil || !first.Since.Equal(ends) ||
		first.URL != "https://lanyard.example/developers/"+w.a.team+"/keys/"+made.ID {
		t.Errorf("a warning is %+v", first)
	}
	if last := all[len(all)-1]; !strings.HasSuffix(last.URL, w.a.key+"/edit") || !strings.Contains(last.Text, "192.0.2.0/24, 198.51.100.0/24 and 203.0.113.0/24") {
		t.Errorf("what narrows a key is %+v", last)
	}
	if few, more, err := w.svc.GravestWarnings(t.Context(), dev, WarningsFilter{Team: w.a.team, Gravity: "warn"}, 2); err != nil || !more || !slices.Equal(codesOf(few), want[:2]) {
		t.Errorf("the two gravest = %v, more %t, %v", codesOf(few), more, err)
	}

	var paged []lanyard.Warning
	for list := (List{Limit: 1}); ; {
		page, err := w.svc.Warnings(t.Context(), dev, WarningsFilter{Team: w.a.team}, list)
		if err != nil {
			t.Fatal(err)
		}
		paged = append(paged, page.Items...)
		if list.Cursor = page.NextCursor; list.Cursor == "" {
			break
		}
	}
	byLine := func(list []lanyard.Warning) (lines []string) {
		for _, w := range list {
			lines = append(lines, w.String())
		}
		slices.Sort(lines)
		return lines
	}
	if diff := cmp.Diff(byLine(all), byLine(paged)); diff != "" {
		t.Errorf("page by page the list is another (-gravest +paged):\n%s", diff)
	}
	if one, err := w.svc.Warnings(t.Context(), dev, WarningsFilter{Key: made.ID}, List{}); err != nil || !slices.Equal(codesOf(one.Items), []string{"grave expiring", "warn rotation_due"}) {
		t.Errorf("Warnings of one key = %v, %v", codesOf(one.Items), err)
	}
	server, err := w.svc.Warnings(t.Context(), w.admin, WarningsFilter{}, List{Limit: 200})
	if err != nil || len(server.Items) <= len(all) {
		t.Errorf("Warnings of the server = %d, %v, want those of both teams", len(server.Items), err)
	}
	if _, err := w.svc.RotateKey(t.Context(), dev, w.a.key, lanyard.RotateInput{}); err != nil {
		t.Fatal(err)
	}
	if left, err := w.svc.Warnings(t.Context(), dev, WarningsFilter{Key: w.a.key}, List{}); err != nil || !slices.Equal(codesOf(left.Items), []string{"note unrestricted"}) {
		t.Errorf("Warnings of a key after its rotation = %v, %v, want those that a rotation answers gone", codesOf(left.Items), err)
	}
}

func TestNextDigest(t *testing.T) {
	for from, want := range map[string]string{
		"2026-12-01T12:00:00Z": "2026-12-07T06:00:00Z", // a Tuesday
		"2026-12-06T23:59:59Z": "2026-12-07T06:00:00Z",
		"2026-12-07T05:59:59Z": "2026-12-07T06:00:00Z",
		"2026-12-07T06:00:00Z": "2026-12-14T06:00:00Z",
		"2026-12-28T07:00:00Z": "2027-01-04T06:00:00Z",
	} {
		at, err := time.Parse(time.RFC3339, from)
		if err != nil {
			t.Fatal(err)
		}
		if got := nextDigest(at).Format(time.RFC3339); got != want {
			t.Errorf("nextDigest(%s) = %s, want %s", from, got, want)
		}
	}
}

// digests are the mails about keys, by who gets them.
func (w *world) digests() (to []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.mails {
		if m.kind == "key_warnings" {
			to = append(to, m.to)
		}
	}
	slices.Sort(to)
	return to
}

func (w *world) lookOver() {
	w.t.Helper()
	if _, err := w.svc.LookOver(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// Owners and developers get a mail on a Monday when there is something new or grave, in the words of the list; webhooks are told once of a
// reason, on the day.
func TestDigest(t *testing.T) {
	w := newWorld(t)
	dev := userActor(w.a.developer, w.a.team, everyScope()...)
	w.lookOver()
	if got := w.digests(); len(got) > 0 {
		t.Fatalf("a first look writes to %v, want nobody", got)
	}
	monday := nextDigest(begin)
	w.clock.advance(monday.Sub(w.svc.now()) + time.Hour)
	w.lookOver()
	if got := w.digests(); len(got) > 0 {
		t.Fatalf("with nothing to say a mail goes to %v", got)
	}
	w.clock.advance(31 * day)
	w.clock.advance(nextDigest(w.svc.now()).Sub(w.svc.now()) - time.Hour)
	w.lookOver()
	if got := w.digests(); len(got) != 4 { // the Mondays between were missed
		t.Fatalf("what was missed is written to %v, want an owner and a developer of each team", got)
	}
	m := w.lastMail("key_warnings")
	var lines []toldWarning
	if err := json.Unmarshal([]byte(m.data["warnings"]), &lines); err != nil {
		t.Fatal(err)
	}
	team := strings.TrimSuffix(strings.TrimPrefix(m.link, "https://lanyard.example/developers/"), "/warnings")
	all, _, err := w.svc.GravestWarnings(t.Context(), w.admin, WarningsFilter{Team: team}, 100)
	if err != nil || len(all) == 0 {
		t.Fatal(err, len(all))
	}
	var want []toldWarning
	for _, one := range all {
		want = append(want, toldWarning{Of: one.Of(), Text: one.Text, Link: one.URL})
	}
	// The mail was written a moment ago.
	if diff := cmp.Diff(want, lines); diff != "" || m.data["count"] != fmt.Sprint(len(all)) || m.data["more"] != "" || m.data["team"] == "" {
		t.Errorf("the mail says other things than the list (-list +mail):\n%s%v", diff, m.data)
	}
	messages, err := w.store.Outbox(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	stale := 0
	for _, m := range messages {
		if m.Kind == outbox.KeyStale {
			stale++
		}
	}
	if stale == 0 || !strings.Contains(messages[len(messages)-1].Body, `"code":"never_used"`) {
		t.Errorf("%d messages tell of keys that are not used: %+v", stale, messages)
	}

	for range 2 { // nothing is new
		w.clock.advance(7 * day)
		w.lookOver()
	}
	if got := w.digests(); len(got) != 4 {
		t.Errorf("with nothing new a mail goes to %v", got[4:])
	}
	if again, err := w.store.Outbox(t.Context(), 100); err != nil || len(again) != len(messages) {
		t.Errorf("%d messages became %d, %v: a reason is told again", len(messages), len(again), err)
	}

	ends := w.svc.now().Add(60 * day)
	made, err := w.svc.CreateKey(t.Context(), dev, w.a.app, lanyard.KeyInput{Name: "ends", ExpiresAt: &ends})
	if err != nil {
		t.Fatal(err)
	}
	no := false
	if _, err := w.svc.UpdateTeam(t.Context(), w.admin, w.b.team, lanyard.TeamPatch{WarningMail: &no}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.svc.CreateKey(t.Context(), userActor(w.b.owner, w.b.team, everyScope()...), w.b.app, lanyard.KeyInput{Name: "ends", ExpiresAt: &ends}); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(nextDigest(ends.Add(-10*day)).Sub(w.svc.now()) + time.Minute)
	w.used(w.a, made.ID, "203.0.113.0/24", false)
	var nodes sync.WaitGroup
	for range 8 {
		nodes.Go(func() {
			if _, err := w.svc.LookOver(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}
	nodes.Wait()
	w.lookOver()
	mails, err := w.store.ClaimMails(t.Context(), w.svc.now().Add(time.Hour), time.Minute, 100)
	if err != nil || len(mails) != 4+2 { // several wrote it, one queued it
		t.Errorf("%d mails wait, %v, want the four and two more for the team that wants them", len(mails), err)
	}
}
