package mail

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// Message is one mail.
type Message struct {
	ID      string    `json:"id"`
	From    string    `json:"from"`
	Subject string    `json:"subject"`
	Text    string    `json:"text"`
	At      time.Time `json:"at"`
	Unread  bool      `json:"unread"`
}

// Messages is the answer to GET /v1/messages, the newest first.
type Messages struct {
	Messages []Message `json:"messages"`
}

var invented = []Message{
	{From: "Grandma", Subject: "Sunday", Text: "Lunch at one. Bring nothing but yourself, and perhaps that lemon cake."},
	{From: "City library", Subject: "Your book is here", Text: "“The Left Hand of Darkness” waits for you at the front desk until Friday."},
	{From: "Kofi", Subject: "The photos from the lake", Text: "All 214 of them. You blink in most."},
	{From: "Dr. Okafor's practice", Subject: "Your appointment", Text: "We see you on Tuesday at 8:40. Please come ten minutes early."},
	{From: "Landlord", Subject: "The boiler", Text: "The plumber comes on Thursday between nine and noon. Somebody has to be in."},
	{From: "Mei", Subject: "I know it's late", Text: "Can I borrow your bicycle tomorrow? Mine has a flat again."},
	{From: "Bank", Subject: "Your statement", Text: "Your statement for this month is ready. Nothing in it is unusual."},
	{From: "Chess club", Subject: "Round four", Text: "You play black against Tomasz. He has been practising."},
}

const inboxSize = 5

// inbox makes up somebody's mail. Chance is seeded by the user, so the same person always finds the same.
func inbox(userID string, now time.Time) []Message {
	seed := fnv.New64a()
	_, _ = seed.Write([]byte(userID))                // cannot fail
	chance := rand.New(rand.NewPCG(seed.Sum64(), 0)) // #nosec G404 -- small talk, not a secret
	var out []Message
	for i, n := range chance.Perm(len(invented))[:inboxSize] {
		m := invented[n]
		m.ID, m.Unread = fmt.Sprintf("msg_%d", n+1), i < 2
		m.At = now.UTC().Truncate(24*time.Hour).AddDate(0, 0, -i).Add(-time.Duration(chance.IntN(14*60)) * time.Minute)
		out = append(out, m)
	}
	return out
}
