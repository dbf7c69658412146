package verify

import (
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// TestTouchesSeesAll: whoever remembers decisions by lanyard.Change.Touches forgets at least what a node looks at again.
func TestTouchesSeesAll(t *testing.T) {
	key, other, app, team, person := id.New[id.Key](), id.New[id.Key](), id.New[id.App](), id.New[id.Team](), id.New[id.User]()
	tok, grant, family := id.New[id.Token](), id.New[id.Grant](), id.New[id.Family]()
	decisions := map[string]Decision{
		"a key":              {Key: key, App: app, Team: team},
		"a token":            {Token: tok, App: app, Team: team, User: person, Grant: grant, Family: family},
		"a key beside it":    {Token: tok, Key: key, App: app, Team: team, User: person, Grant: grant, Family: family},
		"a token of an app":  {Token: tok, App: app, Team: team},
		"a personal token":   {Key: key, User: person},
		"an app of no team":  {Token: tok, App: app, User: person, Grant: grant},
		"a key of nobody's":  {Key: key, App: app},
		"a token of no team": {Token: tok, App: app},
	}
	ids := []string{
		"", string(key), "pub_" + id.Chars(key), string(other), string(app), string(team), string(person), string(tok), string(grant), string(family), string(id.New[id.Family]()), "weather", "mail",
		string(team) + "/weather", string(key) + "#2", string(app) + "@3", string(person) + "@1", string(grant) + "@7", "brand",
	}
	kinds := []changes.Kind{
		changes.Key, changes.App, changes.Team, changes.User, changes.Grant, changes.API, changes.Subscription, changes.Brand, changes.Import, changes.Revocation, changes.Keyring, changes.Restored, "of the future",
	}
	seen, spared := 0, 0
	for name, d := range decisions {
		d.Identified = true
		w, wire := Watch{Request: &Request{API: "weather"}, Decision: &d}, d.Wire("weather")
		for _, kind := range kinds {
			for _, entity := range ids {
				touches := lanyard.Change{Kind: string(kind), ID: entity}.Touches("weather", &wire)
				if kind == changes.Subscription && d.Team != "" && entity != string(team)+"/weather" {
					continue // a node looks at all of them again
				}
				if w.restsOn(kind, entity) {
					seen++
					if !touches {
						t.Errorf("%s: a change of %s %q touches nothing, but a node looks again", name, kind, entity)
					}
				} else if !touches {
					spared++
				}
			}
		}
	}
	if seen < 100 || spared < 100 {
		t.Errorf("%d changes touched and %d did not: the table says little", seen, spared)
	}
}
