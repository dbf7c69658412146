package portal

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/policy"
)

type errorPage struct {
	page.Frame
	Text   advice.Text
	Status int // what a door answers; 0: no door answers this code
}

// errorJSON is the same for a program.
type errorJSON struct {
	Code     string `json:"code"`
	Title    string `json:"title"`
	Sentence string `json:"sentence"`
	Who      string `json:"who"`
	How      string `json:"how"`
	Example  string `json:"example"`
	Also     string `json:"also,omitempty"`
}

// explainError serves GET /errors/{code}, with 200 whatever status the code goes with: the page was found.
func (p *portal) explainError(w http.ResponseWriter, r *http.Request) error {
	text, ok := advice.Pages()[r.PathValue("code")]
	if !ok {
		return fault.New(fault.NotFound, "there is no error of this name; %s/errors/ lists them all", p.PublicURL)
	}
	w.Header().Set("Vary", "Accept")
	if page.WantsJSON(r) {
		return writeJSON(w, errorJSON{text.Code, text.Title, text.Sentence, text.Who, text.How, text.Example, text.Also})
	}
	view := errorPage{Frame: p.frame(w, r, text.Title, "/errors/"), Text: text}
	if code := policy.Code(text.Code); slices.Contains(policy.Codes(), code) {
		view.Status = code.HTTPStatus()
	}
	return p.pages.Render(w, r, http.StatusOK, "error", view)
}

func writeJSON(w http.ResponseWriter, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("write an error's text as JSON: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // who does not read it has gone
	return nil
}

type errorsPage struct {
	page.Frame
	Groups []errorGroup
}

// errorGroup is the errors that one sort of people can mend.
type errorGroup struct {
	ID, Short, Title, Text string
	Errors                 []advice.Text
	begins                 []string // how the sentences of who can mend it begin
}

// listErrors serves GET /errors/.
func (p *portal) listErrors(w http.ResponseWriter, r *http.Request) error {
	return p.pages.Render(w, r, http.StatusOK, "errors", errorsPage{p.frame(w, r, "Errors", "/errors/"), groupErrors(advice.Pages())})
}

// groupErrors puts every text into the group of who can mend it, first things first.
func groupErrors(texts map[string]advice.Text) []errorGroup {
	groups := []errorGroup{
		{ID: "you", Short: "You", Title: "You can mend it", Text: "Whoever sends the request, alone or with the ones named on its page.", begins: []string{"You can mend it"}},
		{ID: "app", Short: "The app’s owner", Title: "The app’s owner can mend it", Text: "Whoever made the app and its keys.", begins: []string{"Whoever owns the app"}},
		{ID: "team", Short: "A team owner", Title: "A team owner can mend it", Text: "Whoever chooses the team’s plans and members.", begins: []string{"An owner of the team", "A team owner"}},
		{ID: "user", Short: "The user", Title: "The user can mend it", Text: "The person the app acts for, at the next login.", begins: []string{"The user"}},
		{ID: "admin", Short: "An admin", Title: "An admin can mend it", Text: "Whoever runs this server, or the API behind it.", begins: []string{"An admin", "Whoever runs this server", "Whoever runs the API"}},
		{ID: "nobody", Short: "Nobody", Title: "Nothing to mend", Text: "Not an error, but it has a code too.", begins: []string{"There is nothing"}},
	}
	for _, code := range slices.Sorted(maps.Keys(texts)) {
		if i := slices.IndexFunc(groups, func(g errorGroup) bool { return g.has(texts[code]) }); i >= 0 {
			groups[i].Errors = append(groups[i].Errors, texts[code])
		}
	}
	return slices.DeleteFunc(groups, func(g errorGroup) bool { return len(g.Errors) == 0 })
}

func (g errorGroup) has(text advice.Text) bool {
	return slices.ContainsFunc(g.begins, func(begin string) bool { return strings.HasPrefix(text.Who, begin) })
}
