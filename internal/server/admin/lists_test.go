package admin_test

import (
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// link is where a link of a page with this text leads, or "".
func link(p *servertest.Page, text string) string {
	found := regexp.MustCompile(`<a [^>]*href="([^"]*)"[^>]*>` + regexp.QuoteMeta(text) + `</a>`).FindStringSubmatch(p.Body)
	if found == nil {
		return ""
	}
	return html.UnescapeString(found[1])
}

var firstCell = regexp.MustCompile(`<tr role="row"><td role="cell"[^>]*><a [^>]*>([^<]*)</a>`)

// names are the first cells of a page's table.
func names(p *servertest.Page) (out []string) {
	for _, m := range firstCell.FindAllStringSubmatch(p.Body, -1) {
		out = append(out, html.UnescapeString(m[1]))
	}
	return out
}

// Lists are searched by part of a name, sorted by their heads, narrowed, and leafed through both ways; a search stays what it is
// meanwhile.
func TestLists(t *testing.T) {
	w := newWorld(t)
	b, operator := w.adminsees, audit.Command("test")
	for i := range 120 {
		if _, err := w.Manage.CreateApp(t.Context(), operator, lanyard.AppInput{Name: fmt.Sprintf("Robot %03d", i), TeamID: w.shop.Team.ID}); err != nil {
			t.Fatal(err)
		}
	}
	first := b.Get("/admin/apps?sort=name&q=OBOT")
	if got := names(first); len(got) != 50 || got[0] != "Robot 000" || !strings.Contains(first.Body, `aria-sort="ascending"`) || link(first, "Previous") != "" {
		t.Fatalf("apps like OBOT by name = %d %v…, want the first 50, told as ascending", len(got), got[:min(len(got), 3)])
	}
	second := b.Get(link(first, "Next"))
	third := b.Get(link(second, "Next"))
	if got := names(third); len(got) != 20 || got[19] != "Robot 119" || link(third, "Next") != "" {
		t.Errorf("the third page = %d, %v", len(got), got[max(len(got)-1, 0):])
	}
	back := b.Get(link(third, "Previous"))
	if got, want := names(back), names(second); strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("back from the third page = %v, want %v", got, want)
	}
	if got := names(b.Get(link(back, "First page"))); len(got) == 0 || got[0] != "Robot 000" {
		t.Errorf("the first page again = %v", got)
	}
	down := b.Get(link(first, "App"))
	if got := names(down); len(got) != 50 || got[0] != "Robot 119" || !strings.Contains(down.Body, `aria-sort="descending"`) {
		t.Errorf("sorted by the head = %d %v…, want the last first", len(got), got[:min(len(got), 3)])
	}
	if got := names(b.Get("/admin/apps?sort=name&order=asc")); got[0] != "Lanyard command line" {
		t.Errorf("apps by name begin with %s", got[0])
	}
	if got := names(b.Get("/admin/people?q=DA@exam")); len(got) != 1 || got[0] != "Ada" {
		t.Errorf("people like DA@exam = %v, want Ada", got)
	}
	if got := names(b.Get("/admin/people?role=admin")); len(got) != 1 || got[0] != "Root" {
		t.Errorf("admins = %v, want Root", got)
	}
	if got := names(b.Get("/admin/teams?q=unn")); len(got) != 1 || got[0] != "Sunny" {
		t.Errorf("teams like unn = %v, want Sunny", got)
	}
	oldest := b.Get("/admin/audit?sort=at&order=asc")
	if next := b.Get(link(oldest, "Next")); next.Status != http.StatusOK || strings.Contains(next.Body, `aria-sort="descending"`) {
		t.Errorf("the log from the oldest on = %d", next.Status)
	}
	for path, says := range map[string]string{
		"/admin/apps?q=nothing": "Nothing matches", "/admin/grants": "Nobody has handed out a badge", "/admin/grants?q=x": "Nothing matches", "/admin/teams?state=suspended": "Nothing matches",
		"/admin/apps?sort=secret&state=%27": "WeatherDashboard|Robot", // what there is no choice for counts as nothing
	} {
		p := b.Get(path)
		if !regexp.MustCompile(says).MatchString(p.Text()) || p.Status != http.StatusOK {
			t.Errorf("GET %s = %d, does not say %q", path, p.Status, says)
		}
	}
	// A cursor is good for the list, the search and the order that it was made for.
	cursor := regexp.MustCompile(`cursor=[^&]*`).FindString(link(first, "Next"))
	for _, path := range []string{"/admin/apps?" + cursor, "/admin/apps?sort=name&order=desc&q=OBOT&" + cursor, "/admin/teams?sort=name&q=OBOT&" + cursor, "/admin/apps?sort=name&q=OBOT&cursor=x"} {
		if p := b.Get(path); p.Status != http.StatusBadRequest {
			t.Errorf("GET %s with another's cursor = %d, want 400", path, p.Status)
		}
	}
}
