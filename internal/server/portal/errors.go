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
	decision "github.com/lanyard-auth/lanyard/internal/policy"
)

type errorPage struct {
	frame
	advice.Text
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
	if wantsJSON(r) {
		return writeJSON(w, errorJSON{text.Code, text.Title, text.Sentence, text.Who, text.How, text.Example, text.Also})
	}
	page := errorPage{frame: p.frame(r, text.Title, "/errors/"), Text: text}
	if code := decision.Code(text.Code); slices.Contains(decision.Codes(), code) {
		page.Status = code.HTTPStatus()
	}
	return p.render(w, http.StatusOK, "error", page)
}
