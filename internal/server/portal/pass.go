package portal

import (
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// samples makes one card and one badge of the comparison's columns.
func samples(table advice.Comparison) (key, token page.Pass) {
	cardName, keyName, _ := strings.Cut(table.Key, ": ")
	badgeName, tokenName, _ := strings.Cut(table.Token, ": ")
	key = page.Pass{Kind: page.Upper(keyName), Name: page.Upper(cardName), Bad: true}
	token = page.Pass{Badge: true, Kind: page.Upper(tokenName), Name: page.Upper(badgeName), Ring: page.NewRing("12:40", "For example, 12 minutes 40 seconds left", 760.0/900)}
	for _, row := range table.Rows {
		if row.Question == "If stolen" {
			key.Stolen, token.Stolen = row.Key+".", row.Token+"."
			continue
		}
		key.Facts = append(key.Facts, page.Fact{Term: row.Question, Text: row.Key})
		token.Facts = append(token.Facts, page.Fact{Term: row.Question, Text: row.Token})
	}
	return key, token
}

// recommended shows the credential of a recommendation as its command makes it, with the usual lifetimes.
func recommended(kind advice.Kind, ends bool) page.Pass {
	card := advice.Card{Kind: kind} // at time zero; only the distance to its end is told
	made := page.Pass{Badge: kind.IsToken()}
	facts := func(who, life, how string) []page.Fact {
		return []page.Fact{{Term: "Who is it?", Text: who}, {Term: "Life span", Text: life}, {Term: "Made", Text: how}}
	}
	switch kind {
	case advice.Key:
		card.Networks = []string{"203.0.113.0/24"}
		made.Kind, made.Name = "ID card", "API key"
		made.Facts = facts("the app", "until you rotate it", "once, by the app's team")
	case advice.Publishable:
		card.Origins = []string{"https://app.example"}
		made.Kind, made.Name = "ID card", "Publishable API key"
		made.Facts = facts("the app, for everybody to see", "until you rotate it", "once, by the app's team")
		if ends {
			card.Expires = card.Now.Add(90 * 24 * time.Hour)
			made.Facts[1].Text = "until the date you give it, or you rotate it"
		}
	case advice.AccessToken:
		card.Expires = card.Now.Add(15 * time.Minute)
		made.Kind, made.Name, made.Ring = "Visitor badge", "Access token", page.NewRing("15:00", "Lasts 15 minutes", 1)
		made.Facts = facts("the user, through an app", "minutes to an hour, then refreshed", "by a login (OAuth)")
	case advice.Personal:
		card.Expires = card.Now.Add(30 * 24 * time.Hour)
		made.Kind, made.Name, made.Ring = "Visitor badge of one's own", "Personal access token", page.NewRing("30 d", "Lasts 30 days", 1)
		made.Facts = facts("the user, without an app", "30 days unless said otherwise, a year at most", "by the user")
	case advice.ClientCredentials:
		card.Expires = card.Now.Add(15 * time.Minute)
		made.Kind, made.Name, made.Ring = "Visitor badge of the app's own", "Access token by client credentials", page.NewRing("15:00", "Lasts 15 minutes", 1)
		made.Facts = facts("the app, for itself", "minutes to an hour, then the app gets another", "by the app, with its client secret")
	}
	worth := advice.IfStolen(card)
	_, made.Stolen, _ = strings.Cut(worth.Text, ": ")
	made.Bad = worth.Bad
	return made
}
