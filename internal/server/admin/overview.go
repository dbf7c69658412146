package admin

import (
	"net/http"

	"github.com/lanyard-auth/lanyard/internal/page"
)

// overviewPage is GET /admin.
type overviewPage struct {
	page.Room
	Numbers []page.Number
}

// overview is GET /admin.
func (p *rooms) overview(w http.ResponseWriter, r *http.Request, d *desk) error {
	apis, err := p.Manage.APIs(r.Context(), d.Actor)
	if err != nil {
		return err
	}
	return p.set.Render(w, r, http.StatusOK, "overview", overviewPage{
		Room:    p.room(r, d, "/admin", "Overview"),
		Numbers: []page.Number{{Text: page.Count(int64(len(apis))), What: "APIs"}},
	})
}
