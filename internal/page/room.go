package page

import "net/http"

// Room is a page with a navigation of its own beside it: the account, a team's desk, the administration. A page's struct embeds one
// in place of a Frame.
type Room struct {
	Frame
	Label string // what the navigation leads through, for readers of screens: "Account"
	Tabs  []Tab
	Done  *Alert // what the request before this one did; nil: nothing
}

// Tab is an entry of a room's own navigation.
type Tab struct {
	Text, URL string
	Here      bool
}

// NewRoom begins a page of a room for somebody who is signed in. here is the navigation's entry the room belongs to, tab the URL of
// the entry of tabs the page belongs to.
func (k *Kit) NewRoom(r *http.Request, title, here string, who Person, label, tab string, tabs []Tab) Room {
	made := Room{Frame: k.Frame(r, title, here), Label: label}
	made.Private, made.User, made.Live = true, &who, true
	for _, one := range tabs {
		one.Here = one.URL == tab
		made.Tabs = append(made.Tabs, one)
	}
	return made
}

// SetupSteps are the steps of setting up a server, of which now is under way: 0, 1 or 2.
func SetupSteps(now int) Steps {
	return Steps{Label: "Setting up", Texts: []string{"You", "Your API", "First call"}, Now: now}
}

// Ask is an act that breaks something: the button opens what it will break and asks once, as the partial "ask" shows it. It needs no
// script.
type Ask struct {
	ID     string // of the button that opens it; the one that does it is <ID>-yes
	Text   string // on the button that opens it: "Revoke"
	Warn   string // what it will break, and for whom
	Fields []Field
	Act    Act // what is done then; its ID is not used
}

// Number is a figure with what it counts, as the partial "numbers" shows a row of them.
type Number struct {
	Text string // "1,000"
	What string // "requests this month"
	Tone string // "", "good", "warn" or "bad"
	Link Link   // where more of it stands
}
