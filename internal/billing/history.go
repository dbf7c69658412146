package billing

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// Version is one version of a plan: what it charges from a time on. It never changes; another declaration makes another version.
type Version struct {
	ID      id.Plan
	Plan    string
	Number  int       // counted from 1 for each plan
	Since   time.Time // a whole minute
	Default bool      // the API's default plan
	Gone    bool      // the plan was taken away: it charges nothing, and is nobody's
	Charges PlanVersion
}

// Declaration is the version as a plan declares it, of which ReadPlan reads its charges again.
func (v Version) Declaration() lanyard.Plan {
	return v.Charges.Declare(lanyard.Plan{Default: v.Default})
}

// periodKind is what its bills are for. What charges nothing is cut into months, which nobody sees.
func (v Version) periodKind() PeriodKind { return cmp.Or(v.Charges.Period, Month) }

// Charged reports whether there is anything to pay at all.
func (v Version) Charged() bool { return v.Charges.Currency != "" }

// History is which plans a team had for an API, and what they charged.
type History struct {
	Subscription Subscription
	Versions     []Version // of all plans of the API, those of each in the order of their numbers
}

// Stretch is what one bill is for: the part of a period of a plan in which a team had it. Whole periods are the rule.
type Stretch struct {
	Version Version
	Whole   Period // of the plan
	Held    Period // the part of it
}

// Share is how much of the period it is.
func (s Stretch) Share() Fraction { return s.Held.ShareOf(s.Whole) }

// Bill is what the stretch costs.
func (s Stretch) Bill(used Usage) (Statement, error) { return Bill(s.Version.Charges, used, s.Share()) }

// forever is after every period that a bill can be written for.
func forever() time.Time { return time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }

// Stretches returns what [from, to) lies in, oldest first. A stretch is priced by the version that held when it began: another price
// bites with the next one. It ends with its period, or when the team gets another plan. Times before the plan had a version, and
// those in which the team has no plan, belong to no stretch.
//
// Stretches do not overlap, and what has ended stays as it is, whatever changes later.
func (h History) Stretches(from, to time.Time) (stretches []Stretch) {
	edges := append(h.edges(), forever())
	for i, edge := range edges[:len(edges)-1] {
		held := Period{edge, edges[i+1]}
		if !held.End.After(from) || !held.Start.Before(to) {
			continue
		}
		stretches = append(stretches, h.cut(held, from, to)...)
	}
	return stretches
}

// At returns the stretch that a time lies in; false: there is none.
func (h History) At(t time.Time) (Stretch, bool) {
	for _, s := range h.Stretches(t, t.Add(time.Microsecond)) {
		if s.Held.Contains(t) {
			return s, true
		}
	}
	return Stretch{}, false
}

// edges are the moments at which the team may have got another plan, the beginning of time first. They are a matter of record: that a
// change was undone within its minute does not take the edge away, up to which a bill may have been written.
func (h History) edges() []time.Time {
	edges := []time.Time{{}}
	for _, c := range h.Subscription.Changes {
		edges = append(edges, c.At)
	}
	isDefault := map[string]bool{}
	for _, v := range h.Versions {
		if v.Default != isDefault[v.Plan] && h.Subscription.PlanAt(v.Since) == "" {
			edges = append(edges, v.Since)
		}
		isDefault[v.Plan] = v.Default
	}
	slices.SortFunc(edges, time.Time.Compare)
	return slices.CompactFunc(edges, time.Time.Equal)
}

// cut returns the periods of the plan that was held, those that end after a time and begin before another.
func (h History) cut(held Period, after, before time.Time) (stretches []Stretch) {
	plan := cmp.Or(h.Subscription.PlanAt(held.Start), h.defaultAt(held.Start))
	for at := held.Start; at.Before(held.End) && at.Before(before); {
		v, next := h.versionAt(plan, at)
		if v.Number == 0 || v.Gone {
			at = next
			continue
		}
		whole := PeriodAt(v.periodKind(), h.Subscription.Anchor(at), at)
		end := whole.End
		if held.End.Before(end) {
			end = held.End
		}
		if end.After(after) {
			stretches = append(stretches, Stretch{Version: v, Whole: whole, Held: Period{at, end}})
		}
		at = end
	}
	return stretches
}

// defaultAt is the API's default plan at a time; "" where it had none.
func (h History) defaultAt(t time.Time) string {
	isDefault := map[string]bool{}
	for _, v := range h.Versions {
		if !v.Since.After(t) {
			isDefault[v.Plan] = v.Default
		}
	}
	for _, plan := range slices.Sorted(maps.Keys(isDefault)) {
		if isDefault[plan] {
			return plan
		}
	}
	return ""
}

// versionAt is the version of a plan that holds at a time, and when the next one comes; forever: none does.
func (h History) versionAt(plan string, t time.Time) (v Version, next time.Time) {
	for _, candidate := range h.Versions {
		switch {
		case candidate.Plan != plan:
		case candidate.Since.After(t):
			return v, candidate.Since
		default:
			v = candidate
		}
	}
	return v, forever()
}
