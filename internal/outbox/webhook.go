package outbox

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// Ping is the kind of a message that only tries an endpoint out.
const Ping Kind = "webhook.test"

// Event is a kind that webhooks can be told of, with its sentence for people.
type Event struct {
	Kind Kind
	Text string
	acts []string // the actions of the audit log that it is; none: it is no act
}

// Events lists what webhooks can be told of, in the order in which it can be chosen.
func Events() []Event {
	return []Event{
		{"key.created", "A key was made", []string{"key.create"}},
		{"key.updated", "A key was changed", []string{"key.update"}},
		{"key.rotated", "A key got a new secret", []string{"key.rotate"}},
		{"key.rotation_undone", "A rotation was taken back", []string{"key.undo_rotation"}},
		{KeyRotationDue, "A key is due for a rotation", nil},
		{KeyExpiring, "A key ends soon", nil},
		{KeyStale, "A key was not used for 90 days, or not at all in its first 30", nil},
		{"key.disabled", "A key was disabled", []string{"key.disable"}},
		{"key.enabled", "A key was enabled", []string{"key.enable"}},
		{"key.revoked", "A key, or one secret of it, was revoked", []string{"key.revoke"}},
		{"key.leaked", "A key was found where it does not belong", []string{"key.leak"}},
		{"key.deleted", "A key was deleted", []string{"key.delete"}},
		{"app.created", "An app was made", []string{"app.create", "app.register"}},
		{"app.updated", "An app was changed", []string{"app.update", "app.document"}},
		{"app.deleted", "An app was deleted", []string{"app.delete"}},
		{"member.joined", "Somebody joined the team", []string{"member.join"}},
		{"member.role_set", "A member got a role", []string{"member.set"}},
		{"member.left", "Somebody left the team", []string{"member.leave"}},
		{"member.removed", "Somebody was removed from the team", []string{"member.remove"}},
		{QuotaReached, "A quota is used up to 80 % or wholly", nil},
		{SpendReached, "An open bill has come to 80 % or all of its spend limit, or to an amount that you chose", nil},
		{"invoice.final", "An invoice became final", []string{"invoice.finalize"}},
		{"grant.allowed", "Somebody gave an app a badge", []string{"grant.allow"}},
		{"grant.revoked", "A badge was taken back", []string{"grant.revoke"}},
	}
}

// KindOf is the kind of message that an act of the audit log is told as; false: nobody is told of it.
func KindOf(action string) (Kind, bool) {
	at := slices.IndexFunc(Events(), func(e Event) bool { return slices.Contains(e.acts, action) })
	if at < 0 {
		return "", false
	}
	return Events()[at].Kind, true
}

// OfAct is the message that tells of an act. Its id follows from the event's: the same act is the same message to everybody.
func OfAct(ev audit.Event, kind Kind) (Message, error) {
	data, err := json.Marshal(struct {
		ID      string            `json:"id"`
		Team    id.Team           `json:"team_id"`
		By      string            `json:"by"`
		Details map[string]string `json:"details,omitempty"`
	}{ev.Target, ev.Team, ev.Actor, ev.Details})
	if err != nil {
		return Message{}, fmt.Errorf("encode the message about %s: %w", ev.ID, err)
	}
	return Message{ID: id.Of[id.Message](id.Chars(ev.ID)), Kind: kind, Subject: ev.Target, Team: ev.Team, Body: string(data), CreatedAt: ev.At}, nil
}

// Payload is what goes over the wire: type, timestamp and data, as Standard Webhooks recommends. A credential that somebody wrote
// into a name or a reason is cut down to its public part.
func (m Message) Payload() (string, error) {
	text, err := json.Marshal(struct {
		Type      Kind            `json:"type"`
		Timestamp time.Time       `json:"timestamp"`
		Data      json.RawMessage `json:"data"`
	}{m.Kind, m.CreatedAt, json.RawMessage(secret.Redact(m.Body))})
	if err != nil {
		return "", fmt.Errorf("encode the payload of %s: %w", m.ID, err)
	}
	return string(text), nil
}

// Endpoint is an address at which a team is told of its events.
type Endpoint struct {
	ID           id.Webhook
	Team         id.Team
	URL          string
	Description  string
	Events       []Kind // empty: all there are
	Secrets      []byte // what messages are signed with, sealed: see JoinSecrets
	OldUntil     time.Time
	CreatedAt    time.Time
	DisabledAt   time.Time
	Stopped      Stop
	FailingSince time.Time // the first failure since something arrived
	DeletedAt    time.Time
}

// Takes reports whether the endpoint is told anything.
func (e *Endpoint) Takes() bool { return e.DisabledAt.IsZero() && e.DeletedAt.IsZero() }

// Wants reports whether the endpoint is to be told of a kind.
func (e *Endpoint) Wants(kind Kind) bool {
	return len(e.Events) == 0 || slices.Contains(e.Events, kind)
}

// Stop says why an endpoint is disabled.
type Stop string

// The reasons.
const (
	ByHand  Stop = "disabled" // somebody did it
	Gone    Stop = "gone"     // it answered 410
	Failing Stop = "failing"  // nothing arrived for days
	// Restored is one that came back with a backup, after it was forgotten.
	Restored Stop = "restored"
)

// State is where a delivery stands.
type State string

// The states.
const (
	Waits     State = "waiting"
	Delivered State = "delivered"
	Failed    State = "failed"
)

// Delivery is one message on its way to one endpoint, or what became of it. ID is the same in every attempt.
type Delivery struct {
	ID        id.Message
	Webhook   id.Webhook
	Kind      Kind
	Payload   string
	State     State
	Attempts  int // in all
	Tries     int // since it was made, or sent again by somebody
	NextAt    time.Time
	CreatedAt time.Time
	History   []Attempt // newest first
}

// Attempt is one try to deliver.
type Attempt struct {
	Number int
	At     time.Time
	Took   time.Duration
	Status int    // of the answer; 0: there was none
	Error  string // why not; empty: it arrived
	Answer string // the beginning of the answer
}

// Sending is a message with where it goes.
type Sending struct {
	Delivery
	To Endpoint
}

// Outcome is what an attempt leads to.
type Outcome struct {
	ID         id.Message
	Webhook    id.Webhook
	Attempt    Attempt
	State      State
	NextAt     time.Time // of one that waits
	PauseUntil time.Time // until when the endpoint's other messages wait too; zero: they need not
	Stop       Stop      // the endpoint is disabled; empty: it is not
	Letters    []Mail    // to whom it concerns, if this outcome disables it
	Event      audit.Event
}

// WebhookStore keeps endpoints and what is on its way to them. Messages are written by the steps that they tell of.
type WebhookStore interface {
	// CreateWebhook keeps a new endpoint. fault.Conflict: the team has as many as it may have, or is gone.
	CreateWebhook(ctx context.Context, e *Endpoint, most int, ev audit.Event) error
	Webhook(ctx context.Context, reach audit.Reach, hook id.Webhook) (*Endpoint, error)
	// Webhooks lists endpoints, newest first.
	Webhooks(ctx context.Context, reach audit.Reach, f WebhookFilter) ([]*Endpoint, error)
	// UpdateWebhook changes an endpoint. What waits for one that is disabled by it is given up, and all that
	// was sent to one that is deleted is forgotten.
	UpdateWebhook(ctx context.Context, reach audit.Reach, hook id.Webhook, ev audit.Event, alter func(*Endpoint) error) (*Endpoint, error)
	// Deliveries lists what was to be told to an endpoint, newest first, with all attempts.
	Deliveries(ctx context.Context, reach audit.Reach, hook id.Webhook, before time.Time, beforeID string, limit int) ([]*Delivery, error)
	// SendWebhook queues a message for one endpoint, whatever kinds that wants. fault.Conflict: it is disabled, or one of that kind waits for
	// it already.
	SendWebhook(ctx context.Context, reach audit.Reach, d *Delivery, ev audit.Event) error
	// SendAgain queues a message again under its id. fault.Conflict: its endpoint is disabled.
	SendAgain(ctx context.Context, reach audit.Reach, hook id.Webhook, message id.Message, ev audit.Event) (*Delivery, error)
}

// WebhookFilter narrows a list of endpoints; what is empty narrows nothing.
type WebhookFilter struct {
	Team     id.Team
	Before   time.Time
	BeforeID string
	Limit    int
}
