package advice

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/policy"
)

// Gravity says how much a warning matters.
type Gravity string

// The gravities, the least first.
const (
	Note  Gravity = "note"  // it could be better
	Warn  Gravity = "warn"  // somebody should look at it
	Grave Gravity = "grave" // something is about to stop, or was put off for long
)

// AtLeast reports whether a gravity is that of another or above it. What is none is below all.
func (g Gravity) AtLeast(other Gravity) bool { return g.rank() >= other.rank() }

func (g Gravity) rank() int { return slices.Index([]Gravity{Note, Warn, Grave}, g) }

// Known reports whether it is one of the gravities.
func (g Gravity) Known() bool { return g.rank() >= 0 }

// ClientSecret is an app's secret for the token endpoint. Its uses are not counted.
const ClientSecret = "cs"

// The codes of warnings. They do not change.
const (
	CodeExpiring     = "expiring"
	CodeExpired      = "expired"
	CodeRotationDue  = "rotation_due"
	CodeStale        = "stale"
	CodeNeverUsed    = "never_used"
	CodeNewNetwork   = "new_network"
	CodeManyNetworks = "many_networks"
	CodeInQuery      = "in_query"
	CodeUnrestricted = "unrestricted"
)

// WarningCodes lists the codes of warnings, in the order in which those of one key and gravity stand.
func WarningCodes() []string {
	return []string{CodeExpiring, CodeNewNetwork, CodeRotationDue, CodeInQuery, CodeExpired, CodeStale, CodeNeverUsed, CodeManyNetworks, CodeUnrestricted}
}

// DoNarrow is what to do about a key that could be used from fewer places, or for less long.
const DoNarrow = "Narrow it"

// When warnings begin and end.
const (
	StaleAfter     = 90 * day // since the last use
	NeverUsedAfter = 30 * day // since the key was made
	ExpiringWithin = 14 * day // before the end; of a key made for less than eight weeks, the last quarter of its life
	EndsSoon       = 3 * day  // before the end, it is grave
	ExpiredFor     = 7 * day  // after the end, somebody may still wonder
	LateRotation   = 30 * day // after it was due, it is grave
	NewFor         = 7 * day  // since a network was first seen
	QueryFor       = 30 * day // since a key last came in a query
	NewKey         = day      // of that age, nobody is told that it could be narrower
	ManyNetworks   = 8        // from so many on, one more says nothing
	day            = 24 * time.Hour
	fewNetworks    = ManyNetworks/2 - 1 // are named
)

// Seen is a network from which a key was used: /24 of IPv4 or /48 of IPv6.
type Seen struct {
	Network     string
	First, Last time.Time
}

// Facts are what is known of a credential of an app.
type Facts struct {
	Kind        Kind // Key, Publishable or ClientSecret
	Test        bool
	Status      policy.Code // at Now
	Now         time.Time
	CreatedAt   time.Time
	SecretSince time.Time // when its current secret was made
	ExpiresAt   time.Time // zero: never
	RotationDue time.Time // by its schedule; zero: it has none
	LastUsed    time.Time // zero: never
	Narrowed    bool      // to networks
	Networks    []Seen
	InQuery     time.Time // when it last came in the query of a call; zero: never
	QueryAPI    string    // of which API
}

// Warning is something about a credential that somebody should know, with what to do about it.
type Warning struct {
	Code    string
	Gravity Gravity
	Text    string    // sentences that speak of the key as "it"
	Do      string    // what to press, as a link's text
	Since   time.Time // when what it tells of begins or began
	Mark    string    // with the code, what tells it from an earlier one of the same key
}

// Warnings are what there is to say of a credential, the gravest first. What works no more needs none, but for one that has just
// expired. Test keys, publishable keys and client secrets have few: what becomes of a key that opens nothing, is public, or is not
// seen to be used.
func Warnings(f Facts) []Warning {
	var all []Warning
	add := func(w Warning, is bool) {
		if is {
			all = append(all, w)
		}
	}
	switch f.Status {
	case policy.Expired:
		add(f.expired())
		return all
	case policy.Valid:
	default:
		return nil
	}
	add(f.expiring())
	if f.Test {
		return all
	}
	add(f.rotationDue())
	if f.Kind != Key {
		return all
	}
	_, stale := f.stale()
	add(f.stale())
	add(f.neverUsed())
	add(f.newNetwork())
	add(f.inQuery())
	add(f.manyNetworks())
	if !stale {
		add(f.unrestricted())
	}
	codes := WarningCodes()
	slices.SortStableFunc(all, func(a, b Warning) int {
		return cmp.Or(cmp.Compare(b.Gravity.rank(), a.Gravity.rank()), cmp.Compare(slices.Index(codes, a.Code), slices.Index(codes, b.Code)))
	})
	return all
}

// used reports whether the credential was in use lately.
func (f Facts) used() bool {
	return f.Kind == ClientSecret || !f.LastUsed.IsZero() && f.LastUsed.After(f.Now.Add(-QueryFor))
}

func (f Facts) expiring() (Warning, bool) {
	left := f.ExpiresAt.Sub(f.Now)
	if f.ExpiresAt.IsZero() || left > min(ExpiringWithin, f.ExpiresAt.Sub(f.CreatedAt)/4) {
		return Warning{}, false
	}
	if f.Test && !f.used() {
		return Warning{}, false
	}
	w := Warning{
		Code: CodeExpiring, Gravity: Warn, Do: "See the key", Since: f.ExpiresAt, Mark: mark(f.ExpiresAt),
		Text: "It ends " + ahead(left) + ", on " + date(f.ExpiresAt) + ". An end cannot be put off: make a new key and put it in place before that.",
	}
	switch {
	case f.Test:
		w.Gravity = Note
	case f.Kind == ClientSecret:
		w.Text = "It ends " + ahead(left) + ", on " + date(f.ExpiresAt) + ". An end cannot be put off: make a new secret and put it in place before that."
	case !f.used():
		w.Text = "It ends " + ahead(left) + ", on " + date(f.ExpiresAt) + ", and was not used lately. If something needs it, make a new key before that."
		return w, true
	}
	if left <= EndsSoon && !f.Test {
		w.Gravity = Grave
	}
	return w, true
}

func (f Facts) expired() (Warning, bool) {
	past := f.Now.Sub(f.ExpiresAt)
	if f.ExpiresAt.IsZero() || past > ExpiredFor || f.Test || f.Kind != ClientSecret && f.LastUsed.Before(f.ExpiresAt.Add(-QueryFor)) {
		return Warning{}, false
	}
	return Warning{
		Code: CodeExpired, Gravity: Warn, Do: "See the key", Since: f.ExpiresAt, Mark: mark(f.ExpiresAt),
		Text: "It ended " + ago(past) + ", and whoever still sends it is refused. If something needs it, make a new one; if not, there is nothing to do.",
	}, true
}

func (f Facts) rotationDue() (Warning, bool) {
	late := f.Now.Sub(f.RotationDue)
	if f.RotationDue.IsZero() || late < 0 {
		return Warning{}, false
	}
	w := Warning{
		Code: CodeRotationDue, Gravity: Warn, Do: "Rotate it", Since: f.RotationDue, Mark: mark(f.RotationDue),
		Text: "Its schedule asked for a new secret " + ago(late) + ". Rotate it: the old secret works on until yours is in place.",
	}
	if late >= LateRotation {
		w.Gravity = Grave
	}
	return w, true
}

func (f Facts) stale() (Warning, bool) {
	idle := f.Now.Sub(f.LastUsed)
	if f.LastUsed.IsZero() || idle < StaleAfter {
		return Warning{}, false
	}
	return Warning{
		Code: CodeStale, Gravity: Warn, Do: "See the key", Since: f.LastUsed, Mark: mark(f.LastUsed),
		Text: "It was last used " + ago(idle) + ". If nothing needs it any more, revoke it: nobody would notice a thief's use of it.",
	}, true
}

func (f Facts) neverUsed() (Warning, bool) {
	age := f.Now.Sub(f.CreatedAt)
	if !f.LastUsed.IsZero() || age < NeverUsedAfter {
		return Warning{}, false
	}
	return Warning{
		Code: CodeNeverUsed, Gravity: Warn, Do: "See the key", Since: f.CreatedAt,
		Text: "It was made " + ago(age) + " and never used. If nothing needs it, revoke it.",
	}, true
}

// newNetwork tells of the latest network that is new while others were known. A key that is narrowed to networks is used from where it
// may be, one that moves about a lot says nothing by it, and what came before the current secret ended with the one before.
func (f Facts) newNetwork() (Warning, bool) {
	if f.Narrowed || len(f.Networks) >= ManyNetworks || f.Now.Sub(f.CreatedAt) < NewFor {
		return Warning{}, false
	}
	var latest Seen
	var known []string
	for _, n := range f.byUse() {
		switch isNew := f.Now.Sub(n.First) < NewFor; {
		case !isNew:
			known = append(known, n.Network)
		case n.First.After(latest.First):
			latest = n
		}
	}
	if len(known) == 0 || latest.Network == "" || latest.First.Before(f.SecretSince) {
		return Warning{}, false
	}
	return Warning{
		Code: CodeNewNetwork, Gravity: Warn, Do: "Rotate it", Since: latest.First, Mark: latest.Network,
		Text: "It was used from " + latest.Network + " for the first time " + ago(f.Now.Sub(latest.First)) + "; until then it was used from " + someOf(known) +
			". If that is not yours, rotate it now and let the old secret end at once.",
	}, true
}

func (f Facts) manyNetworks() (Warning, bool) {
	if f.Narrowed || len(f.Networks) < ManyNetworks {
		return Warning{}, false
	}
	return Warning{
		Code: CodeManyNetworks, Gravity: Note, Do: DoNarrow,
		Text: "It is used from " + strconv.Itoa(len(f.Networks)) + " networks, among which a thief's would not stand out. Give each place a key of its own, or name the networks that it may be used from.",
	}, true
}

func (f Facts) inQuery() (Warning, bool) {
	since := f.Now.Sub(f.InQuery)
	if f.InQuery.IsZero() || since > QueryFor || f.InQuery.Before(f.SecretSince) {
		return Warning{}, false
	}
	where := ""
	if f.QueryAPI != "" {
		where = " to " + f.QueryAPI
	}
	return Warning{
		Code: CodeInQuery, Gravity: Warn, Do: "Rotate it", Since: f.InQuery, Mark: mark(f.SecretSince),
		Text: "It stood in the address of a call" + where + " " + ago(since) + ", and addresses end up in logs and histories. Send it in the header x-api-key, then rotate it.",
	}, true
}

func (f Facts) unrestricted() (Warning, bool) {
	if f.Narrowed || !f.ExpiresAt.IsZero() || f.LastUsed.IsZero() || f.Now.Sub(f.CreatedAt) < NewKey || len(f.Networks) >= ManyNetworks {
		return Warning{}, false
	}
	w := Warning{Code: CodeUnrestricted, Gravity: Note, Do: DoNarrow, Text: "Whoever has it can use it from anywhere, without an end. Name the networks that it may be used from, or give it an end."}
	if from := f.byUse(); len(from) > 0 && len(from) <= fewNetworks {
		var names []string
		for _, n := range from {
			names = append(names, n.Network)
		}
		w.Text = "Whoever has it can use it from anywhere, without an end. Let it work only from where it is used, which is " + list(names, "and") + ", or give it an end."
	}
	return w, true
}

// byUse are the networks, the latest used first.
func (f Facts) byUse() []Seen {
	all := slices.Clone(f.Networks)
	slices.SortFunc(all, func(a, b Seen) int { return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Network, b.Network)) })
	return all
}

// someOf names the first of many.
func someOf(names []string) string {
	if len(names) > fewNetworks {
		return strings.Join(names[:fewNetworks-1], ", ") + " and " + strconv.Itoa(len(names)-fewNetworks+1) + " more"
	}
	return list(names, "and")
}

func mark(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

func date(t time.Time) string { return t.UTC().Format("2 January 2006") }

// ahead is how long something is away, never an earlier moment than the true one.
func ahead(d time.Duration) string { return "in " + strings.Replace(More(d), " more ", " ", 1) }

// ago is how long something is past, in its largest unit, rounded down.
func ago(d time.Duration) string {
	for _, unit := range []struct {
		of   time.Duration
		word string
	}{{2 * 365 * day, "year"}, {day, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if d < unit.of {
			continue
		}
		n := int64(d / unit.of)
		if unit.word == "year" {
			n = int64(d / (365 * day))
		}
		if n == 1 {
			return "1 " + unit.word + " ago"
		}
		return strconv.FormatInt(n, 10) + " " + unit.word + "s ago"
	}
	return "just now"
}
