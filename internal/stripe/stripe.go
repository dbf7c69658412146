// Package stripe is the noun Event of Stripe: what a team used of one meter within one hour, told to Stripe as a meter event, so that a
// provider who bills there bills exactly what was counted here.
//
// It owns which states an event goes through and why (Judge), what it is called at Stripe (Identifier), the request (Client), and the round
// that looks, sends and notes (Exporter). What was counted, and the SQL that keeps events, are package store's. Every event is written down
// before it is sent, and is sent under one identifier however often it is tried: Stripe takes an identifier once within a day.
package stripe

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// What Stripe publishes about meter events (docs.stripe.com/api/billing/meter-event/create, …/usage-based/recording-usage-api).
const (
	MaxEventName = 100                 // characters of an event name
	Oldest       = 35 * 24 * time.Hour // how far back a timestamp may lie
	Remembered   = 24 * time.Hour      // how long an identifier is taken once, at least
)

const (
	// Settle is how long after its end an hour is looked at: what nodes count within it is in the database by then.
	Settle = 5 * time.Minute
	// unsureAfter is when a try of which it is not known what became is too old for another one: with time to spare before Stripe may forget.
	unsureAfter = Remembered - time.Hour
	// tooOld is when an hour is not sent any more.
	tooOld = Oldest - 10*time.Minute
)

// State is where an event stands.
type State string

// The states.
const (
	Waiting   State = "waiting"   // to be sent, perhaps again
	Sent      State = "sent"      // Stripe has it
	Failed    State = "failed"    // Stripe refused it
	Unsure    State = "unsure"    // Stripe may have it: it is not sent again by itself
	TooLate   State = "too_late"  // Stripe takes it no more
	Dismissed State = "dismissed" // somebody settled it by hand
)

// States lists them.
func States() []State { return []State{Waiting, Sent, Failed, Unsure, TooLate, Dismissed} }

// Event is what a team used of a meter in an hour, or what was counted of that later.
type Event struct {
	Identifier string
	Team       id.Team
	API        string
	Meter      billing.Meter
	Start      time.Time // of the hour, in UTC
	Sequence   int       // 0: the first of the hour
	Customer   string    // cus_…
	Name       string    // the event name of Stripe's meter
	Units      int64     // above 0
	State      State
	Tries      int
	NextAt     time.Time // of one that waits: when it is tried next, or until when somebody tries it
	UnknownAt  time.Time // the first try of which it is not known whether Stripe took it; zero: there is none
	CreatedAt  time.Time
	SentAt     time.Time
	Error      string // of the last try
}

// Identifier is what an event is called at Stripe: the same for the same event on every node, another for every other, and one that tells
// nothing. deployment tells servers apart that share a Stripe account.
func Identifier(deployment id.Team, e *Event) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%s\n%d\n%d", deployment, e.Team, e.API, e.Meter, e.Start.Unix(), e.Sequence))
	return "lanyard-" + hex.EncodeToString(sum[:20])
}

var (
	identifierPattern = regexp.MustCompile(`^lanyard-[0-9a-f]{40}$`)
	customerPattern   = regexp.MustCompile(`^cus_[A-Za-z0-9]{1,250}$`)
)

// CheckIdentifier refuses what is none of ours, as missing.
func CheckIdentifier(text string) error {
	if !identifierPattern.MatchString(text) {
		return fault.New(fault.NotFound, "there is no such event")
	}
	return nil
}

// CheckCustomer refuses what is no id of a Stripe customer.
func CheckCustomer(field, text string) error {
	if !customerPattern.MatchString(text) {
		return fault.Field(field, "must be the id of a Stripe customer, which begins cus_, not %.60q", text)
	}
	return nil
}

// From is the hour from which on a change counts that is made now: the next whole one that is at least a minute away, so that no hour
// belongs to two customers and all nodes know of it when it begins.
func From(now time.Time) time.Time {
	return now.Add(time.Minute + time.Hour - 1).UTC().Truncate(time.Hour)
}

// Queue keeps events while they are sent. Every step is one that of several nodes only one does.
type Queue interface {
	// LookAtHours compares hours in which something was counted with what Stripe was told of them, and writes events for what is more.
	// It returns how many it looked at; less than the limit: there are no more that are due.
	LookAtHours(ctx context.Context, now time.Time, deployment id.Team, limit int) (looked int, err error)
	// EndWaiting settles events that must not be sent any more: those whose first try of unknown end lies before unsure, and hours that began
	// before late.
	EndWaiting(ctx context.Context, now, unsure, late time.Time) error
	// ClaimEvents takes events that are due, oldest first, until the lease ends. Each comes with its UnknownAt as it was before; in the
	// database it is tried from now on.
	ClaimEvents(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]Event, error)
	// EventTried writes down what became of a try. claimed is the event as ClaimEvents gave it: who lost it to another node says nothing, unless
	// Stripe took it.
	EventTried(ctx context.Context, claimed Event, o Outcome) error
	// ReleaseEvents gives back what was claimed and not tried.
	ReleaseEvents(ctx context.Context, next time.Time, claimed ...Event) error
	// Progress says how far the export is.
	Progress(ctx context.Context, now time.Time) (Progress, error)
}

// Store is what people see of events, and do to them.
type Store interface {
	Progress(ctx context.Context, now time.Time) (Progress, error)
	// StripeEvents lists them, newest first.
	StripeEvents(ctx context.Context, f Filter) ([]*Event, error)
	StripeEvent(ctx context.Context, identifier string) (*Event, error)
	// RetryEvents has a failed or unsure event sent again, or with an empty identifier up to limit failed ones. What failed goes to the
	// customer and the meter that are set now. fault.Conflict: it is neither.
	RetryEvents(ctx context.Context, identifier string, now time.Time, limit int, why Reason) (int, error)
	// DismissEvent settles a failed, unsure or late event without sending it. fault.Conflict: it is none.
	DismissEvent(ctx context.Context, identifier string, why Reason) error
}

// Reason says what the audit log holds about an act on an event.
type Reason func(e *Event) audit.Event

// Filter narrows a list of events; what is empty narrows nothing.
type Filter struct {
	Team     id.Team
	State    State
	Before   time.Time
	BeforeID string
	Limit    int
}

// Progress is how far the export is.
type Progress struct {
	Counts    map[State]int64 // of every state but sent
	Oldest    time.Time       // the earliest hour of which something waits; zero: nothing does
	Unlooked  int64           // hours that are due to be looked at
	LastError string          // of an event that waits
}
