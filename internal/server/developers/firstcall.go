package developers

import (
	"net/http"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// firstCallPart is the part of a page that waits for a key's first call.
type firstCallPart struct {
	From  string // where it is read anew
	Text  string // what arrived; empty: it waits
	Never bool   // there is nothing to wait for: the key was used before
}

// firstCall looks whether a key was used in the last hour. One that was used before that waits for nothing.
func (p *rooms) firstCall(r *http.Request, d *desk, k *lanyard.Key) (firstCallPart, error) {
	made := firstCallPart{From: d.path("keys", k.ID, "first-call"), Never: gone(k) != ""}
	now := p.Now()
	found, err := p.Manage.UsageRows(r.Context(), d.Actor, manage.UsageQuery{
		From: now.Add(-time.Hour), To: now, Granularity: string(usage.Minute), GroupBy: []string{"operation", "outcome"}, Filter: map[string][]string{"key": {k.ID}}, Limit: 1,
	})
	if err != nil || len(found.Items) == 0 {
		made.Never = made.Never || k.LastUsed != nil
		return made, err
	}
	row := found.Items[0]
	made.Text = row.Operation
	switch {
	case row.Outcome == string(policy.Valid):
	case row.Operation == "": // it was none that is declared
		made.Text = "it was refused, " + row.Outcome
	default:
		made.Text += ", refused: " + row.Outcome
	}
	return made, nil
}

// firstCallPage is GET /developers/{team}/keys/{key}/first-call.
type firstCallPage struct {
	page.Room
	Back  page.Link
	First firstCallPart
}

// showFirstCall is GET /developers/{team}/keys/{key}/first-call.
func (p *rooms) showFirstCall(w http.ResponseWriter, r *http.Request, d *desk) error {
	k, err := p.key(r, d, r.PathValue("key"))
	if err != nil {
		return err
	}
	made := firstCallPage{Room: p.room(r, d, "keys", "First call"), Back: page.Link{Text: k.Name, URL: d.path("keys", k.ID)}}
	if made.First, err = p.firstCall(r, d, &k); err != nil {
		return err
	}
	return p.set.Render(w, r, http.StatusOK, "first-call", made)
}
