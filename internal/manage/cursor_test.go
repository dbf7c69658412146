package manage

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// TestCursorsRefused is SECURITY-CASES 104: garbage, another list's cursor, an edited one: 400, and nothing of it in SQL.
func TestCursorsRefused(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.newApp(w.a.team)
	}
	page, err := w.svc.Apps(t.Context(), w.admin, "", "", List{Limit: 1})
	if err != nil || page.NextCursor == "" {
		t.Fatalf("Apps = %+v, %v, want a cursor", page, err)
	}
	good := page.NextCursor
	keys, err := w.svc.Keys(t.Context(), w.admin, KeysFilter{}, List{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	named, err := w.svc.Apps(t.Context(), w.admin, "", "app", List{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	counted := w.svc.cursor(make([]byte, 8), "usage", nil)
	bad := []string{
		"x", "null", "0", "-1", " ", "\x00", "'; DROP TABLE app; --", "{}", "eyJpZCI6MX0", "AAAA", strings.Repeat("A", 48), strings.Repeat("A", 5000), "r5",
		keys.NextCursor, named.NextCursor, counted, good + "=", good + "A", good[:len(good)-1], good[1:], " " + good, good + "\n", strings.ToUpper(good), good + good,
		base64.StdEncoding.EncodeToString([]byte(good)),
	}
	raw, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		edited := slices.Clone(raw)
		edited[i] ^= 1
		bad = append(bad, base64.RawURLEncoding.EncodeToString(edited))
	}
	for i := range len(good) {
		if good[i] != 'B' {
			bad = append(bad, good[:i]+"B"+good[i+1:]) // stray bits of the last character among them
		}
	}
	for _, cursor := range bad {
		_, err := w.svc.Apps(t.Context(), w.admin, "", "", List{Limit: 1, Cursor: cursor})
		wantFault(t, fmt.Sprintf("Apps with cursor %.60q", cursor), err, fault.Invalid, "cursor")
	}
	for _, cursor := range []string{"x", good} {
		lists := map[string]func() error{
			"Keys": func() error {
				_, err := w.svc.Keys(t.Context(), w.admin, KeysFilter{}, List{Cursor: cursor})
				return err
			},
			"Teams": func() error {
				_, err := w.svc.Teams(t.Context(), w.admin, "", List{Cursor: cursor})
				return err
			},
			"Users": func() error {
				_, err := w.svc.Users(t.Context(), w.admin, "", List{Cursor: cursor})
				return err
			},
			"Audit": func() error {
				_, err := w.svc.Audit(t.Context(), w.admin, "", "", List{Cursor: cursor})
				return err
			},
			"Attempts": func() error {
				_, err := w.svc.Attempts(t.Context(), w.admin, List{Cursor: cursor})
				return err
			},
			"UsageRows": func() error {
				_, err := w.svc.UsageRows(t.Context(), w.admin, UsageQuery{Cursor: cursor})
				return err
			},
		}
		for name, list := range lists {
			wantFault(t, fmt.Sprintf("%s with cursor %.10q", name, cursor), list(), fault.Invalid, "cursor")
		}
	}
	for _, limit := range []int{-1, 201, 1 << 40} {
		_, err := w.svc.Apps(t.Context(), w.admin, "", "", List{Limit: limit})
		wantFault(t, fmt.Sprintf("Apps with limit %d", limit), err, fault.Invalid, "limit")
	}
	if _, err := w.svc.Apps(t.Context(), w.admin, "", "", List{Cursor: good}); err != nil {
		t.Errorf("Apps with its own cursor and another limit = %v, want success", err)
	}
}

// TestPaging walks a list in pages of every size: each item once, newest first, also where many were made in one moment.
func TestPaging(t *testing.T) {
	w := newWorld(t)
	w.clock.per = 0
	for range 7 {
		w.newApp(w.a.team)
	}
	all, err := w.svc.Apps(t.Context(), w.admin, w.a.team, "", List{Limit: 200})
	if err != nil || len(all.Items) != 9 || all.NextCursor != "" {
		t.Fatalf("Apps = %d items, cursor %q, %v, want 9 and none", len(all.Items), all.NextCursor, err)
	}
	for size := 1; size <= 10; size++ {
		var got []lanyard.App
		list := List{Limit: size}
		for {
			page, err := w.svc.Apps(t.Context(), w.admin, w.a.team, "", list)
			if err != nil || len(page.Items) > size {
				t.Fatalf("Apps(%+v) = %d items, %v", list, len(page.Items), err)
			}
			got = append(got, page.Items...)
			if list.Cursor = page.NextCursor; list.Cursor == "" {
				break
			}
		}
		if !slices.EqualFunc(got, all.Items, func(a, b lanyard.App) bool { return a.ID == b.ID }) {
			t.Errorf("pages of %d: %d apps, want the same %d in the same order", size, len(got), len(all.Items))
		}
	}
	if !slices.IsSortedFunc(all.Items, func(a, b lanyard.App) int { return b.CreatedAt.Compare(a.CreatedAt) }) {
		t.Errorf("Apps = %v, want newest first", all.Items)
	}
}

// TestAttemptsPaging: the attempts of one source within an hour stay on one page, and none is lost between pages.
func TestAttemptsPaging(t *testing.T) {
	w := newWorld(t)
	var attempts []usage.Attempt
	for i := range 5 {
		for _, code := range []string{"malformed", "not_found"} {
			attempts = append(attempts, usage.Attempt{Source: fmt.Sprintf("192.0.2.%d", i%3), Code: code, Start: usage.Hour.Start(begin), Count: 1, LastAt: begin})
		}
	}
	if err := w.store.AddAttempts(t.Context(), attempts); err != nil {
		t.Fatal(err)
	}
	for size := 1; size <= 7; size++ {
		seen := map[string]int{}
		list := List{Limit: size}
		for {
			page, err := w.svc.Attempts(t.Context(), w.admin, list)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range page.Items {
				seen[a.Source+" "+a.Code]++
			}
			if list.Cursor = page.NextCursor; list.Cursor == "" {
				break
			}
		}
		if len(seen) != 6 {
			t.Errorf("pages of %d: saw %v, want 6 rows", size, seen)
		}
		for row, n := range seen {
			if n != 1 {
				t.Errorf("pages of %d: saw %s %d times, want once", size, row, n)
			}
		}
	}
}

// FuzzCursor: no text but one this server made opens, and none makes the list fail otherwise.
func FuzzCursor(f *testing.F) {
	s := &Service{MAC: func(text string) (int, [32]byte) {
		var sum [32]byte
		for i := range len(text) { // good enough to bind; the real one is tested with the keyring
			sum[i%32] = sum[i%32]*31 + text[i]
		}
		return 1, sum
	}}
	good := s.cursor([]byte("12345678app_x"), "apps", []string{"a"})
	for _, seed := range []string{"", good, good[1:], "null", "AAAA", "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		payload, err := s.openCursor(text, "apps", []string{"a"})
		if err != nil {
			if f := faultOf(err); f.Kind != fault.Invalid || f.Field != "cursor" {
				t.Errorf("openCursor(%q) = %v, want invalid_request about cursor", text, err)
			}
			return
		}
		if text != "" && s.cursor(payload, "apps", []string{"a"}) != text {
			t.Errorf("openCursor(%q) = %q, which is not what cursor makes of it", text, payload)
		}
	})
}
