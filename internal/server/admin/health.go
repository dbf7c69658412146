package admin

import (
	"cmp"
	"errors"
	"net/http"
	"strconv"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// healthPage is GET /admin/health. Its part "state" is alive.
type healthPage struct {
	page.Room
	State  page.Alert
	Facts  []fact
	Nodes  page.Table
	Queues []queue
}

// queue is what waits to be delivered.
type queue struct {
	ID, Title string
	Table     page.Table
}

// health is GET /admin/health.
func (p *rooms) health(w http.ResponseWriter, r *http.Request, d *desk) error {
	ctx := r.Context()
	view := healthPage{Room: p.room(r, d, "/admin/health", "Health"), State: page.Alert{ID: "ready", Tone: "good", Title: "This server is ready.", Text: "Its database answers, it has applied the newest changes, and its clock agrees."}}
	if err := p.Ready(ctx); err != nil {
		text := "Its log says why."
		var f *fault.Error
		if errors.As(err, &f) {
			text = page.Upper(f.Detail) + "."
		}
		view.State = page.Alert{ID: "ready", Tone: "bad", Title: "This server is not ready.", Text: text}
	}
	known, has, err := p.Server.SchemaVersion(ctx)
	if err != nil {
		return err
	}
	engine := "SQLite"
	if p.Settings.Postgres() {
		engine = "PostgreSQL"
	}
	view.Facts = []fact{{"Program", p.Build}, {"Database", engine}, {"Schema", "version " + strconv.FormatInt(has, 10) + ", and this program knows " + strconv.FormatInt(known, 10)}}
	if view.Nodes, err = p.nodeTable(ctx); err != nil {
		return err
	}
	for _, kind := range []struct{ name, title string }{{"mail", "Mails that wait"}, {"logout", "Sign-outs that apps are still to be told"}} {
		waiting, err := p.Server.Waiting(ctx, kind.name, 20)
		if err != nil {
			return err
		}
		one := queue{kind.name, kind.title, page.Table{
			Caption: kind.title, Heads: []page.Head{{Text: "Since"}, {Text: "Tries", Number: true}, {Text: "Next"}, {Text: "What went wrong"}}, Empty: page.Empty{Title: "Nothing waits", Text: "What is to be sent is sent within seconds; what fails stands here with why."},
		}}
		for i := range waiting {
			m, next := &waiting[i], "now"
			if m.NextAt.After(p.Now()) {
				next = page.Ahead(p.Now(), m.NextAt)
			}
			one.Table.Rows = append(one.Table.Rows, page.Row{Cells: []page.Cell{{Text: page.Ago(p.Now(), m.CreatedAt), Note: m.ID}, {Text: strconv.Itoa(m.Attempts)}, {Text: next}, {Text: cmp.Or(m.LastError, "nothing yet")}}})
		}
		view.Queues = append(view.Queues, one)
	}
	return p.set.Render(w, r, http.StatusOK, "health", view)
}
