package lanyard

// MemberInput says what a member of a team may do.
type MemberInput struct {
	Role string `json:"role" enum:"owner,developer,billing"`
}

// SubscriptionInput names the plan a team is to have.
type SubscriptionInput struct {
	Plan string `json:"plan" minLength:"1" maxLength:"64"`
}

// NamedPlan is a plan in a list.
type NamedPlan struct {
	Name string `json:"name"`
	Plan
}
