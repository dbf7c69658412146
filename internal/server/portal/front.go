package portal

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/page"
)

type frontPage struct {
	page.Frame
	Key, Token page.Pass // the two things a call may carry
	APIs       []apiCard
	Signup     bool // accounts may be made here by oneself
}

// getKey is where one gets a key: it asks who one is, which API, and makes it.
const getKey = "/developers/get-key"

// NoAPIs stands where no API is declared.
func (p frontPage) NoAPIs() page.Empty {
	if p.User != nil && p.User.Admin {
		return page.Empty{Title: "No API is declared yet", Text: "Describe yours in a minute, or try with an example.", Link: page.Link{Text: "Set up an API", URL: "/setup"}}
	}
	return page.Empty{
		Title: "No API is declared yet", Text: "APIs, their scopes and plans are written in lanyard.yaml. If you run this server, the next command is:",
		Command: "lanyard apply -f lanyard.yaml", Note: "Add --dry-run to see first what it would change.",
	}
}

// apiCard is an API as the front shows it.
type apiCard struct {
	Name   string // as it is addressed
	Title  string
	Takes  takes
	Get    string   // where one gets a key for it; empty: it takes none
	Differ string   // how many operations take something else; empty: none
	Lets   []string // what its scopes let an app do
	More   int      // how many scopes are left out of Lets
}

// takes says in words what an API takes, and why.
type takes struct {
	Card, Badge bool
	Text, Why   string
}

// front serves GET /.
func (p *portal) front(w http.ResponseWriter, r *http.Request) error {
	declared, err := p.APIs(r.Context())
	if err != nil {
		return fmt.Errorf("list the APIs for the front: %w", err)
	}
	view := frontPage{Frame: p.frame(w, r, "", "/"), Signup: p.Signup}
	view.Title = "Build with " + view.Face.Name
	view.Key, view.Token = samples(advice.Table())
	for _, api := range declared {
		view.APIs = append(view.APIs, newAPICard(api))
	}
	return p.pages.Render(w, r, http.StatusOK, "front", view)
}

// maxLets is how many scopes a card names.
const maxLets = 4

func newAPICard(api lanyard.API) apiCard {
	card := apiCard{Name: api.Name, Title: api.Title, Takes: inWords(api.Takes)}
	if card.Title == "" {
		card.Title = page.Upper(api.Name)
	}
	differ, keys := 0, card.Takes.Card
	for _, operation := range api.Operations {
		if operation.Takes != "" && inWords(operation.Takes) != card.Takes {
			differ++
			keys = keys || inWords(operation.Takes).Card
		}
	}
	if keys {
		card.Get = getKey + "?api=" + url.QueryEscape(api.Name)
	}
	switch differ {
	case 0:
	case 1:
		card.Differ = "One operation takes something else; the refusal says what."
	default:
		card.Differ = fmt.Sprintf("%d operations take something else; the refusal says what.", differ)
	}
	for _, name := range slices.Sorted(maps.Keys(api.Scopes)) {
		if len(card.Lets) == maxLets {
			card.More = len(api.Scopes) - maxLets
			break
		}
		card.Lets = append(card.Lets, api.Scopes[name].Text)
	}
	return card
}

// inWords reads the takes of a declaration, whose silence means either.
func inWords(text string) takes {
	switch text {
	case "key":
		return takes{true, false, "Takes an ID card (API key)", "Public data: it only needs to know which app is calling."}
	case "token":
		return takes{false, true, "Takes a visitor badge (access token)", "Private user data: it needs to know for whom an app is calling, and what that person allowed."}
	case "both":
		return takes{true, true, "Takes an ID card and a visitor badge, together", "Private user data, counted by app: it needs to know who is calling and for whom."}
	}
	return takes{true, true, "Takes an ID card or a visitor badge", "An ID card for what belongs to the app; a visitor badge for what belongs to a person."}
}
