package rest

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lanyard-auth/lanyard"
)

const (
	exportPage  = 200              // rows read at a time
	exportWrite = 30 * time.Second // for a page to be taken
)

type exportQuery struct {
	UsageFilter
	Format string `query:"format" enum:"csv,jsonl,cloudevents" default:"csv" doc:"csv with a header line, one JSON object a line, or one CloudEvent (JSON format, structured) a line"`
}

func (a *api) addExport() {
	text := &huma.Schema{Type: huma.TypeString}
	addStream(a, route{
		id: "export-usage", method: http.MethodGet, path: "/v1/usage/export", tag: "usage", scopes: []string{usageRead},
		summary: "Export counted calls", description: "Streamed, of any length. An export that breaks off ends with a broken connection, never with a whole answer.",
		responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{"text/csv": {Schema: text}, "application/jsonl": {Schema: text}}}},
	}, a.export)
}

// export writes all rows.
func (a *api) export(c *call, in *exportQuery) error {
	q := in.query()
	q.Limit = exportPage
	out := bufio.NewWriterSize(c.w, 32<<10)
	var rows rowWriter
	return a.writePages(c, out, func(cursor string) (func() error, string, error) {
		q.Cursor = cursor
		page, err := a.Service.UsageRows(c.r.Context(), c.actor, q)
		if err != nil {
			return nil, "", err
		}
		if cursor == "" {
			rows = newRowWriter(c.w.Header(), out, in.Format)
			if in.Format == "cloudevents" {
				rows.events = &eventSource{a.Service.PublicURL + "/v1/usage", cmp.Or(in.Granularity, "day")}
			}
		}
		return func() error { return rows.write(page.Items) }, page.NextCursor, nil
	})
}

// writePages writes a list of any length to out, a page at a time. The first page is read before anything is written, so that a refusal is still
// a problem document.
func (a *api) writePages(c *call, out *bufio.Writer, read func(cursor string) (write func() error, next string, err error)) error {
	control := http.NewResponseController(c.w)
	defer func() { _ = control.SetWriteDeadline(time.Time{}) }() // the connection may be used again
	cursor := ""
	for first := true; first || cursor != ""; first = false {
		write, next, err := read(cursor)
		if err != nil {
			return err
		}
		_ = control.SetWriteDeadline(a.Now().Add(exportWrite)) // a writer without deadlines is one of a test
		if err := write(); err != nil {
			return gone(c, err)
		}
		cursor = next
	}
	return gone(c, out.Flush())
}

// gone is the error of a write: nobody's fault, but the rest must not be written either.
func gone(c *call, err error) error {
	if err != nil && c.r.Context().Err() == nil {
		return err
	}
	return nil
}

// rowWriter writes usage rows in one format.
type rowWriter struct {
	csv    *csv.Writer
	json   *json.Encoder
	events *eventSource // rows are wrapped in events of it
}

// eventSource makes CloudEvents of usage rows.
type eventSource struct{ source, granularity string }

// usageEvent is a CloudEvents 1.0 event in JSON format. Its id follows from what the row is about, so that who gets one twice knows it again; a
// row of a period that has not ended grows under its id.
type usageEvent struct {
	SpecVersion     string           `json:"specversion"`
	ID              string           `json:"id"`
	Source          string           `json:"source"`
	Type            string           `json:"type"`
	Subject         string           `json:"subject,omitempty"`
	Time            time.Time        `json:"time"`
	DataContentType string           `json:"datacontenttype"`
	Data            lanyard.UsageRow `json:"data"`
}

func (s *eventSource) of(r lanyard.UsageRow) usageEvent {
	about := strings.Join([]string{s.granularity, r.Start.UTC().Format(time.RFC3339), r.Team, r.App, r.Key, r.API, r.Operation, r.Outcome, r.Mode}, "\n")
	sum := sha256.Sum256([]byte(about))
	return usageEvent{
		SpecVersion: "1.0", ID: hex.EncodeToString(sum[:16]), Source: s.source, Type: "lanyard.usage." + s.granularity, Subject: cmp.Or(r.Team, r.App, r.Key), Time: r.Start.UTC(),
		DataContentType: "application/json", Data: r,
	}
}

func newRowWriter(h http.Header, out io.Writer, format string) rowWriter {
	if format != "csv" {
		h.Set("Content-Type", "application/jsonl")
		enc := json.NewEncoder(out)
		enc.SetEscapeHTML(false)
		return rowWriter{json: enc}
	}
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="usage.csv"`)
	w := csv.NewWriter(out)
	_ = w.Write([]string{"start", "team", "app", "key", "api", "operation", "outcome", "mode", "count", "units"}) // kept for write
	return rowWriter{csv: w}
}

func (w rowWriter) write(rows []lanyard.UsageRow) error {
	for _, r := range rows {
		if w.json != nil {
			var one any = r
			if w.events != nil {
				one = w.events.of(r)
			}
			if err := w.json.Encode(one); err != nil {
				return err
			}
			continue
		}
		if err := w.csv.Write([]string{
			r.Start.UTC().Format(time.RFC3339), r.Team, r.App, r.Key, r.API, r.Operation, r.Outcome, r.Mode,
			strconv.FormatInt(r.Count, 10), strconv.FormatInt(r.Units, 10),
		}); err != nil {
			return err
		}
	}
	if w.csv == nil {
		return nil
	}
	w.csv.Flush()
	return w.csv.Error()
}
