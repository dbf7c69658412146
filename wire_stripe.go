package lanyard

import "time"

// StripeStatus is how far Stripe was told what was counted.
type StripeStatus struct {
	On        bool       `json:"on" doc:"Whether the server that was asked has a key of Stripe's; without one nothing is sent"`
	Behind    *time.Time `json:"behind,omitempty" doc:"The earliest hour of which something waits to be sent"`
	Hours     int64      `json:"hours" doc:"Hours that ended and were not looked at yet"`
	Waiting   int64      `json:"waiting" doc:"Events to be sent, perhaps again"`
	Failed    int64      `json:"failed" doc:"Events that Stripe refused"`
	Unsure    int64      `json:"unsure" doc:"Events that may have arrived, and are too old to be sent again by themselves"`
	TooLate   int64      `json:"too_late" doc:"Events of hours that Stripe takes no more"`
	Dismissed int64      `json:"dismissed" doc:"Events that somebody settled by hand"`
	LastError string     `json:"last_error,omitempty" doc:"Of an event that waits"`
}

// StripeEvent is what a team used of a meter in an hour, as Stripe was told or is to be told, or what was counted of that later.
type StripeEvent struct {
	Identifier string     `json:"identifier" doc:"What it is called at Stripe: lanyard-…"`
	TeamID     string     `json:"team_id"`
	API        string     `json:"api"`
	Meter      string     `json:"meter"`
	Hour       time.Time  `json:"hour" doc:"When it began; the timestamp at Stripe"`
	Sequence   int        `json:"sequence" doc:"0: the first of the hour; then what was counted late"`
	Customer   string     `json:"customer"`
	EventName  string     `json:"event_name"`
	Units      int64      `json:"units"`
	State      string     `json:"state" enum:"waiting,sent,failed,unsure,too_late,dismissed"`
	Tries      int        `json:"tries"`
	NextAt     *time.Time `json:"next_at,omitempty" doc:"Of one that waits"`
	SentAt     *time.Time `json:"sent_at,omitempty"`
	Error      string     `json:"error,omitempty" doc:"Of the last try"`
	CreatedAt  time.Time  `json:"created_at"`
}

// StripeRetried is how many events are sent again.
type StripeRetried struct {
	Retried int `json:"retried"`
}
