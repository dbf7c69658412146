package admin

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/manage"
)

// maxExport is how many lines one export holds: the newest of what was searched. Whoever needs more narrows by days.
const maxExport = 100_000

// exportAudit is GET /admin/audit/export?format=csv|jsonl, with what GET /admin/audit searches by. Lines are written as they are read, a
// page at a time. One that breaks off ends without its last chunk, which every client takes for an error.
func (p *rooms) exportAudit(w http.ResponseWriter, r *http.Request, d *desk) error {
	query := r.URL.Query()
	search, err := auditSearch(query)
	if err != nil {
		return err
	}
	var write func(lanyard.AuditEvent) error
	var flush func() error
	switch query.Get("format") {
	case "csv":
		write, flush = csvLines(w)
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	case "jsonl":
		enc := json.NewEncoder(w)
		write, flush = func(ev lanyard.AuditEvent) error { return enc.Encode(ev) }, func() error { return nil }
		w.Header().Set("Content-Type", "application/jsonl; charset=utf-8")
	default:
		return fault.Field("format", "must be csv or jsonl")
	}
	list := manage.List{Limit: 200}
	found, err := p.Manage.SearchAudit(r.Context(), d.Actor, search, list)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Disposition", `attachment; filename="audit-`+p.Now().UTC().Format(time.DateOnly)+"."+query.Get("format")+`"`)
	w.Header().Set("Cache-Control", "no-store")
	for written := 0; ; {
		for _, ev := range found.Items {
			if err := write(ev); err != nil {
				return brokenOff(err)
			}
		}
		if err := flush(); err != nil {
			return brokenOff(err)
		}
		if written += len(found.Items); found.NextCursor == "" || written >= maxExport {
			return nil
		}
		list.Cursor = found.NextCursor
		if found, err = p.Manage.SearchAudit(r.Context(), d.Actor, search, list); err != nil {
			return brokenOff(err)
		}
	}
}

// brokenOff ends an answer that has begun, in the one way that whoever reads it notices.
func brokenOff(error) error { panic(http.ErrAbortHandler) }

// csvLines writes lines under a head. What a spreadsheet would take for a formula is quoted (OWASP, CSV injection).
func csvLines(w io.Writer) (write func(lanyard.AuditEvent) error, flush func() error) {
	out, head := csv.NewWriter(w), false
	write = func(ev lanyard.AuditEvent) error {
		if !head {
			head = true
			if err := out.Write([]string{"at", "actor", "action", "target", "team_id", "details", "id"}); err != nil {
				return err
			}
		}
		details, err := json.Marshal(ev.Details)
		if err != nil {
			return err
		}
		line := []string{ev.At.UTC().Format(time.RFC3339Nano), ev.Actor, ev.Action, ev.Target, ev.TeamID, string(details), ev.ID}
		for i := range line {
			line[i] = inert(line[i])
		}
		return out.Write(line)
	}
	return write, func() error { out.Flush(); return out.Error() }
}

// inert keeps a text from being a formula.
func inert(text string) string {
	if text != "" && (text[0] == '=' || text[0] == '+' || text[0] == '-' || text[0] == '@' || text[0] == '\t' || text[0] == '\r') {
		return "'" + text
	}
	return text
}
