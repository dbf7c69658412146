package billing

import (
	"errors"
	"maps"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// Invoice is what a team is to pay for one stretch, or what an adjustment adds to that. A draft comes to what was counted so far; once
// it is final it never changes.
type Invoice struct {
	ID  id.Invoice
	API string
	Stretch
	Team      id.Team
	Sequence  int   // 0: the bill; counted from 1: its adjustments
	Number    int64 // of final ones, counted from 1 over all teams without a gap; 0: a draft
	Used      Usage // all that is billed with it and before it
	Statement Statement
	Problem   error // why a draft cannot be computed; then it has no lines
	CreatedAt time.Time
	DueAt     time.Time // when a draft becomes final
	FinalAt   time.Time // zero: a draft
}

// Final reports whether it never changes any more.
func (i *Invoice) Final() bool { return !i.FinalAt.IsZero() }

// Settle computes what the invoice comes to when so much was used. before is what was billed of it already, for an adjustment. What is
// too large to be computed is no error: the invoice has it as its Problem.
func (i *Invoice) Settle(used, before Usage) error {
	i.Used, i.Problem = used, nil
	err := i.settle(used, before)
	if errors.Is(err, ErrTooLarge) {
		i.Problem, i.Statement = ErrTooLarge, Statement{Currency: i.Version.Charges.Currency}
		return nil
	}
	return err
}

func (i *Invoice) settle(used, before Usage) (err error) {
	if i.Statement, err = i.Bill(used); err != nil || i.Sequence == 0 {
		return err
	}
	old, err := i.Bill(before)
	if err != nil {
		return err
	}
	lines, err := Adjust(old, i.Statement)
	i.Statement.Lines, i.Statement.Total = lines, i.Statement.Total-old.Total
	return err
}

// Meters are the API's own meters that a version charges for.
func (v Version) Meters() (own []Meter) {
	for _, p := range v.Charges.Prices {
		if p.Meter != Requests && p.Meter != Units {
			own = append(own, p.Meter)
		}
	}
	return own
}

// Foreseen is what a stretch will have cost when it ends, if use goes on as it did on average until now; false: it is too early to say.
func (s Stretch) Foreseen(used Usage, now time.Time) (Usage, Statement, bool) {
	elapsed, whole := now.Sub(s.Held.Start), s.Held.End.Sub(s.Held.Start)
	will := maps.Clone(used)
	for meter, units := range used {
		foreseen, ok := Forecast(units, elapsed, whole)
		if !ok {
			return nil, Statement{}, false
		}
		will[meter] = foreseen
	}
	statement, err := s.Bill(will)
	return will, statement, err == nil
}

// InvoiceFilter narrows a list of invoices; what is empty narrows nothing.
type InvoiceFilter struct {
	Team     id.Team
	API      string
	State    InvoiceState
	Before   time.Time
	BeforeID string
	Limit    int
}

// InvoiceState is where an invoice stands.
type InvoiceState string

// The states. Open is the stretch under way, of which nothing is kept.
const (
	Open  InvoiceState = "open"
	Draft InvoiceState = "draft"
	Final InvoiceState = "final"
)

// Difference is a quota of which more or less is leased than nodes hold and spent, or a final bill that does not come to what was counted.
type Difference struct {
	What    string // quota or invoice
	Of      string // the quota's subject, or the invoice
	Meter   Meter  // whose units differ; "": the total, in micro-units, or a quota's units
	Start   time.Time
	Counted int64
	Shown   int64
}

// Reason is why a step of billing is done, for the audit log.
type Reason func(i *Invoice) audit.Event

// MeterEvent is something that happened outside and is counted on one of an API's own meters.
type MeterEvent struct {
	Source, ID string // together they name it, everywhere and for ever
	Team       id.Team
	API        string
	Meter      Meter
	At         time.Time
	Units      int64
}

// EventWindow is how long after it happened an event is counted. Within it none is counted twice.
const EventWindow = 35 * 24 * time.Hour

// EventMemory is how long after it was received an event is known again.
const EventMemory = EventWindow + 24*time.Hour
