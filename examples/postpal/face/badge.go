package face

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// Scopes are what PostPal asks for: who the person is, and what its buttons do.
func Scopes() []string { return []string{"openid", "profile.read", "messages.read", "posts.write"} }

// Pass is the visitor badge of somebody who is signed in.
type Pass struct {
	User    string        // the provider's id of the person: the one thing about them that never changes
	Profile []byte        // what the API says of the person; it may have refused
	Token   *oauth2.Token // nil: there is none any more
	Gone    bool          // taken back
	Result  *Result       // of the last button; nil: none was pressed
}

// badge is a pass as the page shows it; what changes by the second is what the script on the page is told.
type badge struct {
	Alive bool   `json:"alive"`
	Text  string `json:"text"`
	Left  string `json:"left"` // 12:40
	Dash  string `json:"dash"` // of the ring: what is drawn and the gap

	Name, User  string   `json:"-"` // of the person; Name may be ""
	May, MayNot []string `json:"-"`
	Stolen      string   `json:"-"` // what a thief would get
}

// draw shows a pass at a time. What was asked for and not given stands there too: it is half of the truth.
func (p *Pass) draw(now time.Time) *badge {
	b := &badge{Alive: !p.Gone, Name: p.name(), User: p.User}
	lifetime, left := time.Duration(0), time.Duration(0)
	if p.Token != nil {
		lifetime = time.Duration(p.Token.ExpiresIn) * time.Second
		left = min(max(p.Token.Expiry.Sub(now), 0), lifetime)
		b.May, b.MayNot = p.may()
	}
	seconds := int(math.Ceil(left.Seconds()))
	b.Left, b.Dash = fmt.Sprintf("%02d:%02d", seconds/60, seconds%60), fmt.Sprintf("%.1f 175.9", 175.9*left.Seconds()/max(lifetime.Seconds(), 1))
	if b.Alive {
		b.Text, b.Stolen = "The badge works.", "works "+atMost(lifetime)+", and not a second after you take it back."
		return b
	}
	who := "You"
	if b.Name != "" {
		who = b.Name
	}
	b.Text, b.Stolen = who+" took the badge back. Sign in again.", "worth nothing: it opens no door any more."
	return b
}

// name is that of the person, or "" while the API does not say.
func (p *Pass) name() string {
	var me struct {
		Name string `json:"name"`
	}
	if json.Unmarshal(p.Profile, &me) != nil {
		return ""
	}
	return me.Name
}

// may says what the badge opens and what it does not, in the words that stand after "PostPal may". The token's answer names its
// scopes only where they differ from those asked (RFC 6749 section 5.1).
func (p *Pass) may() (may, mayNot []string) {
	texts := map[string]string{"openid": "", "profile.read": "read your profile", "messages.read": "read your mail", "posts.write": "post for you"}
	granted := Scopes()
	if scope, ok := p.Token.Extra("scope").(string); ok {
		granted = strings.Fields(scope)
	}
	for _, scope := range slices.Compact(slices.Concat(Scopes(), granted)) {
		text, known := texts[scope]
		if !known {
			text = scope
		}
		switch {
		case text == "", slices.Contains(may, text), slices.Contains(mayNot, text):
		case slices.Contains(granted, scope):
			may = append(may, text)
		default:
			mayNot = append(mayNot, text)
		}
	}
	return may, mayNot
}

func atMost(d time.Duration) string {
	if d < 2*time.Minute {
		return fmt.Sprintf("%.0f seconds at most", math.Ceil(d.Seconds()))
	}
	return fmt.Sprintf("%.0f minutes at most", math.Ceil(d.Minutes()))
}
