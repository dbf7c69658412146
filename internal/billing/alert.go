package billing

import (
	"time"

	"github.com/lanyard-auth/lanyard/internal/id"
)

// Alert says that what a team may use or spend in a period is used up to a mark. Each is told once in a period: by mail to the
// team's owners, and to its webhooks, which get it as it is encoded here.
type Alert struct {
	About   string  `json:"id"` // the API, or the key
	Team    id.Team `json:"team_id,omitempty"`
	User    id.User `json:"user_id,omitempty"` // whose personal tokens use it; then there is no team
	API     string  `json:"api,omitempty"`
	Key     id.Key  `json:"key_id,omitempty"`
	Percent int     `json:"percent,omitempty"` // of the limit; 0: an amount that the team chose
	Limit   int64   `json:"limit,omitempty"`   // units of a quota

	SpendLimit string    `json:"spend_limit,omitempty"`
	Amount     string    `json:"amount,omitempty"` // that the team chose
	Total      string    `json:"total,omitempty"`  // of the open bill
	Currency   Currency  `json:"currency,omitempty"`
	Start      time.Time `json:"period_start"`
	End        time.Time `json:"period_end"`
}

// MarkReached is the highest mark that a part of a whole has come to: 80 or 100 hundredths; 0: none.
func MarkReached(part, whole int64) int {
	switch {
	case whole <= 0:
	case part >= whole:
		return 100
	case part >= whole-whole/5:
		return 80
	}
	return 0
}

// MostSpendAlerts is how many amounts a team can be told of on an API.
const MostSpendAlerts = 10
