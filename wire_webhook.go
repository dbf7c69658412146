package lanyard

import "time"

// Webhook is an address at which a team is told of its events, signed as Standard Webhooks has it.
type Webhook struct {
	ID             string     `json:"id"`
	TeamID         string     `json:"team_id"`
	URL            string     `json:"url"`
	Description    string     `json:"description,omitempty"`
	Events         []string   `json:"events" doc:"What it is told of; empty: everything"`
	Disabled       bool       `json:"disabled"`
	DisabledReason string     `json:"disabled_reason,omitempty" enum:"disabled,gone,failing,restored" doc:"disabled: somebody did it. gone: it answered 410. failing: nothing arrived for days. restored: it came back with a backup after it was forgotten"`
	DisabledAt     *time.Time `json:"disabled_at,omitempty"`
	FailingSince   *time.Time `json:"failing_since,omitempty" doc:"Of the first failure since something arrived"`
	OldSecretUntil *time.Time `json:"old_secret_until,omitempty" doc:"Until when messages bear the former secret's signature too"`
	CreatedAt      time.Time  `json:"created_at"`
}

// WebhookInput makes a webhook.
type WebhookInput struct {
	TeamID      string   `json:"team_id,omitempty" doc:"Absent: the asker's team"`
	URL         string   `json:"url" minLength:"1" maxLength:"500" doc:"An https address that is reached from the internet"`
	Description string   `json:"description,omitempty" maxLength:"500"`
	Events      []string `json:"events,omitempty" maxItems:"100" doc:"Types such as key.revoked; absent: everything, also what comes later"`
}

// WebhookPatch changes what it names and leaves the rest.
type WebhookPatch struct {
	URL         *string   `json:"url,omitempty" minLength:"1" maxLength:"500"`
	Description *string   `json:"description,omitempty" maxLength:"500"`
	Events      *[]string `json:"events,omitempty" maxItems:"100"`
	Disabled    *bool     `json:"disabled,omitempty" doc:"What waits for a webhook that is disabled is given up"`
}

// NewWebhook is a webhook with its signing secret, which is in this answer and in none after it.
type NewWebhook struct {
	ID     string `json:"id"`
	Secret string `json:"secret,omitempty" doc:"whsec_…, shown once. Absent when an Idempotency-Key is repeated late"`
	Webhook
}

// WebhookDelivery is a message to a webhook, and what became of it.
type WebhookDelivery struct {
	ID            string           `json:"id" doc:"The header webhook-id, the same in every attempt"`
	WebhookID     string           `json:"webhook_id"`
	Type          string           `json:"type"`
	State         string           `json:"state" enum:"waiting,delivered,failed"`
	CreatedAt     time.Time        `json:"created_at"`
	NextAttemptAt *time.Time       `json:"next_attempt_at,omitempty"`
	Attempts      []WebhookAttempt `json:"attempts" doc:"Newest first"`
	Payload       string           `json:"payload" doc:"The body as it is signed and sent"`
}

// WebhookAttempt is one try to deliver.
type WebhookAttempt struct {
	Number         int       `json:"number"`
	At             time.Time `json:"at"`
	DurationMS     int64     `json:"duration_ms"`
	Status         int       `json:"status,omitempty" doc:"Of the answer; absent: there was none"`
	Error          string    `json:"error,omitempty" doc:"Absent: it arrived"`
	ResponseSample string    `json:"response_sample,omitempty" doc:"The beginning of the answer"`
}
