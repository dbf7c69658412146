package rest

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/fault"
)

// FuzzReadEvents: whatever the bytes, reading ends in events or in a refusal that says so.
func FuzzReadEvents(f *testing.F) {
	for _, body := range []string{
		`{"specversion":"1.0","id":"1","source":"s","type":"t","subject":"team_x","time":"2026-11-02T12:00:00Z","data":{"units":3},"traceparent":"00"}`,
		`[{"specversion":"1.0","id":"1"},{}]`, `[]`, `{}`, ``, `null`, `[null]`, `{"data":{"units":1.5}}`, `{"id":1}`, `{"time":"yesterday"}`, `{"id":"a","id":"b"}`, "\xff", `[[]]`,
	} {
		for _, media := range []string{cloudEvent, cloudEvents, "application/json"} {
			f.Add(media, body)
		}
	}
	f.Fuzz(func(t *testing.T, media, body string) {
		events, err := readEvents(media, []byte(body))
		if err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("readEvents(%q, %q) = %v, want invalid_request", media, body, err)
		}
		if err == nil && media == cloudEvent && len(events) != 1 {
			t.Errorf("readEvents(%q, %q) = %d events, want one", media, body, len(events))
		}
	})
}

func TestReadEventsRefuses(t *testing.T) {
	for _, tc := range []struct{ media, body string }{
		{cloudEvent, `[]`},
		{cloudEvents, `{}`},
		{"application/json", ``},
		{"application/json", `7`},
		{"application/json", `{"id":"a","id":"b"}`},
		{"application/json", `{"data":{"units":1.5}}`},
		{"application/json", `{"time":"yesterday"}`},
		{"application/json", `{} {}`},
		{"application/json", `[{"id":1}]`},
	} {
		if events, err := readEvents(tc.media, []byte(tc.body)); !fault.Is(err, fault.Invalid) {
			t.Errorf("readEvents(%s, %s) = %+v, %v, want a refusal", tc.media, tc.body, events, err)
		}
	}
}

// Events come in the media types of CloudEvents, with attributes that nobody here knows, and their invoices go out as CSV and JSON lines.
func TestEventsAndInvoices(t *testing.T) {
	w := newWorld(t)
	w.ok("PUT", "/v1/apis/stored", "admin", `{"takes":"key","meters":{"storage":{"text":"gigabytes","event":"com.acme.storage"}},
		"plans":{"paid":{"default":true,"currency":"USD","prices":[{"meter":"storage","per_unit":"0.5"}]}}}`, nil)
	one := `{"specversion":"1.0","id":"1","source":"https://store.example/","type":"com.acme.storage","subject":"` + w.a.team + `","data":{"units":5},"traceparent":"00-1"}`
	send := func(media, body, want string) {
		t.Helper()
		got := w.do("POST", "/v1/usage/events", "admin", body, "Content-Type", media)
		if got.Code != http.StatusOK || strings.TrimSpace(got.Body.String()) != want {
			t.Errorf("%s %s = %d %s, want %s", media, body, got.Code, got.Body, want)
		}
	}
	send("application/cloudevents+json; charset=utf-8", one, `{"counted":1,"repeated":0}`)
	send("application/cloudevents-batch+json", "["+one+","+strings.Replace(one, `"id":"1"`, `"id":"2"`, 1)+"]", `{"counted":1,"repeated":1}`)
	send("application/json", one, `{"counted":0,"repeated":1}`)
	send("application/json", "[]", `{"counted":0,"repeated":0}`)
	w.refused("text", w.do("POST", "/v1/usage/events", "admin", one, "Content-Type", "text/plain"), http.StatusBadRequest, "invalid_request")
	w.refused("a team's key", w.do("POST", "/v1/usage/events", "a", one), http.StatusForbidden, "insufficient_scope")

	now := w.clock.now()
	end := billing.PeriodAt(billing.Month, now, now).End
	if _, err := w.store.DraftInvoices(t.Context(), end, time.Hour, 10); err != nil {
		t.Fatal(err)
	}
	var list lanyard.Page[lanyard.Invoice]
	w.ok("GET", "/v1/invoices?state=draft&api=stored", "a", "", &list)
	if len(list.Items) != 1 || list.Items[0].Total != "5.00" || list.Items[0].Used["storage"] != 10 {
		t.Fatalf("invoices = %+v, want one of 5.00", list.Items)
	}
	draft := list.Items[0].ID
	w.refused("a team's key", w.do("POST", "/v1/invoices/"+draft+"/finalize", "a", ""), http.StatusForbidden, "insufficient_scope")
	var final lanyard.Invoice
	w.ok("POST", "/v1/invoices/"+draft+"/finalize", "admin", "", &final)
	if final.State != "final" || final.Number != 1 {
		t.Errorf("finalized = %+v, want the first number", final)
	}
	w.refused("again", w.do("POST", "/v1/invoices/"+draft+"/finalize", "admin", ""), http.StatusConflict, "conflict")

	text := w.ok("GET", "/v1/invoices/export", "a", "", nil).Body.String()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != 2 || rows[1][0] != draft || rows[1][11] != "storage: 10 at 0.50 USD" || rows[1][18] != "5.00" || rows[1][19] != "USD" {
		t.Errorf("CSV = %q, %v, want a head and one line", text, err)
	}
	lines := strings.Split(strings.TrimSpace(w.ok("GET", "/v1/invoices/export?format=jsonl&state=final", "a", "", nil).Body.String()), "\n")
	var exported lanyard.Invoice
	if err := json.Unmarshal([]byte(lines[0]), &exported); err != nil || len(lines) != 1 || exported.ID != draft {
		t.Errorf("JSON lines = %q, %v, want the invoice", lines, err)
	}
	if text := w.ok("GET", "/v1/invoices/export", "b", "", nil).Body.String(); strings.Count(text, "\n") != 1 {
		t.Errorf("another team's CSV = %q, want a head alone", text)
	}
}
