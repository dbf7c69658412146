package developers

import (
	"net/http"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
)

const (
	warningsShown = 100 // on their page
	warningsAhead = 3   // on the overview
)

// warningsPage is GET /developers/{team}/warnings: what somebody should know of the team's keys, and who is sent it.
type warningsPage struct {
	page.Room
	List   []page.Warning
	More   bool // than are shown
	None   page.Empty
	Mail   string    // who is sent it
	Switch *page.Act // of the mail; nil: the role does not decide it
}

// showWarnings is GET /developers/{team}/warnings.
func (p *rooms) showWarnings(w http.ResponseWriter, r *http.Request, d *desk) error {
	list, more, err := p.warnings(r, d, manage.WarningsFilter{Team: d.Team.ID}, warningsShown)
	if err != nil {
		return err
	}
	view := warningsPage{
		Room: p.room(r, d, "warnings", "Warnings"), List: list, More: more,
		None: page.Empty{
			Title: "There is nothing to say of your keys", Text: "When one ends soon, waits for a rotation, is not used any more, or comes from where it never came from, it stands here with what to do.",
			Link: page.Link{Text: "See the keys", URL: d.path("keys")},
		},
		Mail: "When there is something new or grave, owners and developers of the team get a mail with this list on Monday morning.",
	}
	turn := page.Act{ID: "stop-mail", URL: d.path("warnings"), Text: "Send no such mail", Hidden: []page.Hidden{{Name: "mail", Value: "no"}}}
	if !d.Team.WarningMail {
		view.Mail = "Nobody is sent this list. Owners and developers of the team could get a mail with it on Monday mornings, when there is something new or grave."
		turn = page.Act{ID: "send-mail", URL: d.path("warnings"), Text: "Send that mail", Hidden: []page.Hidden{{Name: "mail", Value: "yes"}}}
	}
	if d.Role == audit.RoleOwner {
		view.Switch = &turn
	}
	switch done := r.URL.Query().Get("done"); {
	case done == "no" && !d.Team.WarningMail:
		view.Done = &page.Alert{Tone: "good", Title: "No mail about keys is sent any more.", Text: "The list stays here."}
	case done == "yes" && d.Team.WarningMail:
		view.Done = &page.Alert{Tone: "good", Title: "The mail comes on Monday mornings."}
	}
	return p.set.Render(w, r, http.StatusOK, "warnings", view)
}

// setWarningMail is POST /developers/{team}/warnings: field mail, yes or no.
func (p *rooms) setWarningMail(w http.ResponseWriter, r *http.Request, d *desk) error {
	wanted := r.PostForm.Get("mail") == "yes"
	if _, err := p.Manage.UpdateTeam(r.Context(), d.Actor, d.Team.ID, lanyard.TeamPatch{WarningMail: &wanted}); err != nil {
		return err
	}
	done := "no"
	if wanted {
		done = "yes"
	}
	return page.Redirect(w, r, d.path("warnings")+"?done="+done)
}

// warnings are the gravest warnings, as pages show them.
func (p *rooms) warnings(r *http.Request, d *desk, f manage.WarningsFilter, most int) (list []page.Warning, more bool, err error) {
	found, more, err := p.Manage.GravestWarnings(r.Context(), d.Actor, f, most)
	for _, w := range found {
		list = append(list, page.WarningOf(w, p.Manage.PublicURL))
	}
	return list, more, err
}

// warningsOfKey are the warnings about one key, as its own page shows them: it needs no name there, and no link to itself.
func (p *rooms) warningsOfKey(r *http.Request, d *desk, keyID, here string) ([]page.Warning, error) {
	list, _, err := p.warnings(r, d, manage.WarningsFilter{Team: d.Team.ID, Key: keyID}, warningsShown)
	for i := range list {
		list[i].Of = ""
		if list[i].Act.URL == here {
			list[i].Act = page.Link{}
		}
	}
	return list, err
}
