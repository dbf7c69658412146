package portal

import (
	"fmt"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/advice"
)

// pass is one of the two things on a lanyard, as the partials "card" and "badge" show it.
type pass struct {
	Badge  bool   // a visitor badge; else an ID card
	Kind   string // "ID card · API key"
	Name   string
	Facts  []fact
	Stolen string // what a thief gets, after "If stolen:"
	Bad    bool   // Stolen deserves amber
	Ring   ring   // of a badge: how much of its life is left
}

type fact struct{ Term, Text string }

// ring is a circle that runs out.
type ring struct {
	Text  string // inside it: "12:40"
	Label string // the same in words
	Dash  string // the drawn part and the gap, in units of the circle's length
}

// newRing draws share (0 to 1) of a circle of radius 28.
func newRing(text, label string, share float64) ring {
	const around = 175.9
	return ring{text, label, fmt.Sprintf("%.1f %.1f", share*around, around)}
}

// samples makes one card and one badge of the comparison's columns.
func samples(table advice.Comparison) (key, token pass) {
	cardName, keyName, _ := strings.Cut(table.Key, ": ")
	badgeName, tokenName, _ := strings.Cut(table.Token, ": ")
	key = pass{Kind: upper(keyName), Name: upper(cardName), Bad: true}
	token = pass{Badge: true, Kind: upper(tokenName), Name: upper(badgeName), Ring: newRing("12:40", "For example, 12 minutes 40 seconds left", 760.0/900)}
	for _, row := range table.Rows {
		if row.Question == "If stolen" {
			key.Stolen, token.Stolen = row.Key+".", row.Token+"."
			continue
		}
		key.Facts = append(key.Facts, fact{row.Question, row.Key})
		token.Facts = append(token.Facts, fact{row.Question, row.Token})
	}
	return key, token
}

// recommended shows the credential of a recommendation as its command makes it, with the usual lifetimes.
func recommended(kind advice.Kind, ends bool) pass {
	card := advice.Card{Kind: kind} // at time zero; only the distance to its end is told
	made := pass{Badge: kind.IsToken()}
	facts := func(who, life, how string) []fact {
		return []fact{{"Who is it?", who}, {"Life span", life}, {"Made", how}}
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
		made.Kind, made.Name, made.Ring = "Visitor badge", "Access token", newRing("15:00", "Lasts 15 minutes", 1)
		made.Facts = facts("the user, through an app", "minutes to an hour, then refreshed", "by a login (OAuth)")
	case advice.Personal:
		card.Expires = card.Now.Add(30 * 24 * time.Hour)
		made.Kind, made.Name, made.Ring = "Visitor badge of one's own", "Personal access token", newRing("30 d", "Lasts 30 days", 1)
		made.Facts = facts("the user, without an app", "30 days unless said otherwise, a year at most", "by the user")
	case advice.ClientCredentials:
		card.Expires = card.Now.Add(15 * time.Minute)
		made.Kind, made.Name, made.Ring = "Visitor badge of the app's own", "Access token by client credentials", newRing("15:00", "Lasts 15 minutes", 1)
		made.Facts = facts("the app, for itself", "minutes to an hour, then the app gets another", "by the app, with its client secret")
	}
	worth := advice.IfStolen(card)
	_, made.Stolen, _ = strings.Cut(worth.Text, ": ")
	made.Bad = worth.Bad
	return made
}
