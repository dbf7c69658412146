package lanyard

import "time"

// Invoice is what a team is to pay for one stretch of a plan, or what an adjustment adds to that. Amounts are decimal text.
type Invoice struct {
	ID          string           `json:"id,omitempty" doc:"Absent from a preview"`
	Number      int64            `json:"number,omitempty" doc:"Of final ones, counted from 1 without a gap"`
	State       string           `json:"state" enum:"open,draft,final" doc:"Open: the period is under way, or this is a preview. A draft takes in what arrives late, a final one never changes"`
	TeamID      string           `json:"team_id"`
	API         string           `json:"api"`
	Plan        string           `json:"plan"`
	PlanVersion int              `json:"plan_version" doc:"Counted from 1 for each plan; another declaration makes another version"`
	Adjustment  int              `json:"adjustment,omitempty" doc:"Counted from 1: this adds to the bill of the same start what arrived after it was final"`
	Start       time.Time        `json:"start"`
	End         time.Time        `json:"end" doc:"Exclusive"`
	PeriodStart time.Time        `json:"period_start" doc:"Of the plan's whole period, of which start to end is a part where the plan changed within it"`
	PeriodEnd   time.Time        `json:"period_end"`
	Used        map[string]int64 `json:"used" doc:"Units by meter: all that is billed with this and before it"`
	Lines       []InvoiceLine    `json:"lines"`
	Currency    string           `json:"currency"`
	Total       string           `json:"total"`
	Problem     string           `json:"problem,omitempty" doc:"Why it cannot be computed; then it has no lines"`
	SpendLimit  string           `json:"spend_limit,omitempty" doc:"What a period may cost"`
	Forecast    *Forecast        `json:"forecast,omitempty" doc:"Of an open one"`
	CreatedAt   *time.Time       `json:"created_at,omitempty"`
	FinalAt     *time.Time       `json:"final_at,omitempty" doc:"Of a draft: when it becomes final"`
}

// InvoiceLine is one line of an invoice. Where it has a quantity, its amount is that times the price.
type InvoiceLine struct {
	Text     string `json:"text" doc:"For people: requests: 500 at 0.002 USD"`
	Kind     string `json:"kind" enum:"fee,included,units,flat,packages,minimum,cap,limit,rounding,adjustment"`
	Meter    string `json:"meter,omitempty"`
	Tier     int    `json:"tier,omitempty"`
	Units    int64  `json:"units,omitempty"`
	Quantity int64  `json:"quantity,omitempty"`
	Price    string `json:"price,omitempty"`
	Amount   string `json:"amount"`
}

// Forecast is what the period will have cost when it ends, if use goes on as it did on average so far.
type Forecast struct {
	Used  map[string]int64 `json:"used"`
	Total string           `json:"total"`
}

// InvoicePreview asks what a team would have to pay.
type InvoicePreview struct {
	TeamID string    `json:"team_id,omitempty" doc:"Absent: the only team within reach"`
	API    string    `json:"api,omitempty" doc:"Absent: every API whose plan charges something"`
	At     time.Time `json:"at,omitzero" doc:"The period that this lies in; absent: the one under way"`
}

// CloudEvent is something that happened outside and is counted on a meter of an API: a CloudEvent 1.0 in JSON. Attributes that do
// not stand here are passed over.
type CloudEvent struct {
	SpecVersion string         `json:"specversion" enum:"1.0"`
	ID          string         `json:"id" minLength:"1" maxLength:"200" doc:"With the source it names the event: one that comes again is not counted again"`
	Source      string         `json:"source" minLength:"1" maxLength:"200"`
	Type        string         `json:"type" minLength:"1" maxLength:"200" doc:"The event of a meter in lanyard.yaml"`
	Subject     string         `json:"subject" doc:"Who used it: team_…, app_… or key_…"`
	Time        time.Time      `json:"time,omitzero" doc:"When it happened, within the last 35 days; absent: now"`
	Data        CloudEventData `json:"data,omitzero"`
}

// CloudEventData says how much was used.
type CloudEventData struct {
	Units *int64 `json:"units,omitempty" minimum:"0" maximum:"1000000000000" doc:"Absent: 1"`
	API   string `json:"api,omitempty" doc:"Needed where several APIs have a meter of this type"`
}

// EventsCounted says what became of events.
type EventsCounted struct {
	Counted  int `json:"counted"`
	Repeated int `json:"repeated" doc:"Of these the source and id were known; they were counted before"`
}
