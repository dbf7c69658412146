package billing

import "time"

// PeriodKind says how time is cut into the periods that are billed and that quotas hold for. All are in UTC.
type PeriodKind string

// The kinds of period.
const (
	Day   PeriodKind = "day"   // from midnight
	Month PeriodKind = "month" // the calendar's, from midnight of its first day
	Cycle PeriodKind = "cycle" // months that begin at the minute of the subscription, its anchor
)

// Valid reports whether it is one of the kinds.
func (k PeriodKind) Valid() bool { return k == Day || k == Month || k == Cycle }

// Period is a stretch of time: Start belongs to it, End does not.
type Period struct {
	Start, End time.Time // UTC
}

// PeriodAt returns the period of a valid kind that t lies in. The periods of one kind and anchor leave no gap and do not overlap.
//
// Only cycles look at the anchor, of which they keep day, hour and minute, since usage is counted by the minute: one anchored on the 31st begins on the last day
// of a shorter month, and on the 31st again after it. There are cycles before the anchor too.
func PeriodAt(kind PeriodKind, anchor, t time.Time) Period {
	t = t.UTC()
	switch kind {
	case Day:
		start := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
		return Period{start, start.AddDate(0, 0, 1)}
	case Month:
		start := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
		return Period{start, start.AddDate(0, 1, 0)}
	case Cycle:
		anchor = anchor.UTC().Truncate(time.Minute)
		if start := inMonth(anchor, t.Year(), t.Month()); !t.Before(start) {
			return Period{start, inMonth(anchor, t.Year(), t.Month()+1)}
		}
		return Period{inMonth(anchor, t.Year(), t.Month()-1), inMonth(anchor, t.Year(), t.Month())}
	}
	panic("billing: no kind of period: " + string(kind))
}

// inMonth returns the moment of a month at which the cycle begins. The month may lie outside 1 to 12, as in time.Date.
func inMonth(anchor time.Time, year int, month time.Month) time.Time {
	last := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC)
	clock := anchor.Sub(time.Date(anchor.Year(), anchor.Month(), anchor.Day(), 0, 0, 0, 0, time.UTC))
	return time.Date(last.Year(), last.Month(), min(anchor.Day(), last.Day()), 0, 0, 0, 0, time.UTC).Add(clock)
}

// Next returns the period that follows p, which is one of the kind and anchor.
func (p Period) Next(kind PeriodKind, anchor time.Time) Period { return PeriodAt(kind, anchor, p.End) }

// Contains reports whether t lies in the period.
func (p Period) Contains(t time.Time) bool { return !t.Before(p.Start) && t.Before(p.End) }

// Without returns what is left of the period beside others, which are in order and do not overlap.
func (p Period) Without(others []Period) (left []Period) {
	for _, o := range others {
		if !o.Start.Before(p.End) || !p.Start.Before(o.End) {
			continue
		}
		if p.Start.Before(o.Start) {
			left = append(left, Period{p.Start, o.Start})
		}
		if p.Start = o.End; !p.Start.Before(p.End) {
			return left
		}
	}
	return append(left, p)
}

// ShareOf returns how much of the whole period lies in p.
func (p Period) ShareOf(whole Period) Fraction {
	start, end := p.Start, p.End
	if start.Before(whole.Start) {
		start = whole.Start
	}
	if end.After(whole.End) {
		end = whole.End
	}
	return Fraction{max(end.Sub(start), 0).Microseconds(), whole.End.Sub(whole.Start).Microseconds()}
}
