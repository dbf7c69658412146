package lanyard

import "time"

// MemberInput says what a member of a team may do.
type MemberInput struct {
	Role string `json:"role" enum:"owner,developer,billing"`
}

// SubscriptionInput names the plan a team is to have, and when.
type SubscriptionInput struct {
	Plan string `json:"plan" minLength:"1" maxLength:"64"`
	When string `json:"when,omitempty" enum:"now,period_end" doc:"Absent: now. At the end of the period under way nothing is prorated; until then the change can be replaced by another"`
}

// NamedPlan is a plan in a list.
type NamedPlan struct {
	Name string `json:"name"`
	Plan
}

// Invitation asks somebody into a team, by a link that was mailed to them. It can be taken once, until it expires.
type Invitation struct {
	ID        string    `json:"id"`
	TeamID    string    `json:"team_id"`
	Email     string    `json:"email"`
	Role      string    `json:"role" enum:"owner,developer,billing"`
	InvitedBy string    `json:"invited_by" doc:"As the audit log names them"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// InvitationInput says who is asked into a team, and as what.
type InvitationInput struct {
	Email string `json:"email" minLength:"3" maxLength:"254"`
	Role  string `json:"role" enum:"owner,developer,billing"`
}
