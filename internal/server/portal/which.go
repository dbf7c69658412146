package portal

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/page"
)

type whichPage struct {
	page.Frame
	Table     comparison
	Questions []question
	Unclear   *page.Alert // one question at least has no answer, and one at least has
	Answer    *answer     // nil until all three are answered
	All       []outcome
}

// comparison is advice.Comparison with its heads taken apart.
type comparison struct {
	Card, Key    string // "ID card", "API key"
	Badge, Token string
	Rows         []advice.Row
	Between      string
}

type question struct {
	advice.Question
	Given string // the answer given; none of the options' values: none
}

type answer struct {
	advice.Recommendation
	Pass page.Pass
}

// outcome is one way to answer all three questions, with what comes of it.
type outcome struct {
	Options []string
	Title   string
	URL     string
}

// which serves GET /which: the comparison and the three questions, answered once the query holds all three.
func (p *portal) which(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	given := advice.Answers{Whose: query.Get("whose"), Where: query.Get("where"), Leak: query.Get("leak")}
	view := whichPage{Frame: p.frame(w, r, "Which do I need?", "/which"), Table: compare(advice.Table()), All: outcomes()}
	for i, value := range []string{given.Whose, given.Where, given.Leak} {
		view.Questions = append(view.Questions, question{advice.Questions()[i], value})
	}
	if given == (advice.Answers{}) {
		return p.pages.Render(w, r, http.StatusOK, "which", view)
	}
	advised, err := advice.Which(given)
	var unclear *fault.Error
	switch {
	case errors.As(err, &unclear):
		for i := range view.Questions {
			if view.Questions[i].ID == unclear.Field {
				view.Unclear = &page.Alert{ID: "answer", Title: "One question has no answer yet:", Link: page.Link{Text: view.Questions[i].Text, URL: "#" + unclear.Field}}
			}
		}
		return p.pages.Render(w, r, http.StatusBadRequest, "which", view)
	case err != nil:
		return err
	}
	view.Answer = &answer{advised, recommended(advised.Kind, given.Leak == advice.LeakEnds)}
	return p.pages.Render(w, r, http.StatusOK, "which", view)
}

func compare(table advice.Comparison) comparison {
	c := comparison{Rows: table.Rows, Between: table.Between}
	c.Card, c.Key, _ = strings.Cut(table.Key, ": ")
	c.Badge, c.Token, _ = strings.Cut(table.Token, ": ")
	c.Badge = page.Upper(c.Badge)
	return c
}

// outcomes lists every way to answer, in the order of the questions.
func outcomes() []outcome {
	var all []outcome
	questions := advice.Questions()
	for _, whose := range questions[0].Options {
		for _, where := range questions[1].Options {
			for _, leak := range questions[2].Options {
				advised, err := advice.Which(advice.Answers{Whose: whose.Value, Where: where.Value, Leak: leak.Value})
				if err != nil {
					continue // never: the options are its own
				}
				query := url.Values{"whose": {whose.Value}, "where": {where.Value}, "leak": {leak.Value}}
				all = append(all, outcome{
					Options: []string{whose.Text, where.Text, leak.Text},
					Title:   page.Upper(advised.Kind.Name()), URL: "/which?" + query.Encode() + "#answer",
				})
			}
		}
	}
	return all
}
