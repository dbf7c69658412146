package advice

import (
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/policy"
)

// Card holds the facts about one credential that decide what it is worth to a thief.
type Card struct {
	Kind      Kind
	Status    policy.Code // Valid or "" while it works; Revoked, Rotated, Disabled, OwnerSuspended, Expired otherwise
	Now       time.Time
	NotBefore time.Time // zero: works already
	Expires   time.Time // zero: no end; the end of the overlap for a rotated secret that still works
	Test      bool      // mode test
	JWT       bool      // an access token others may check by signature alone
	Networks  []string  // where it may be used from; none: anywhere
	Origins   []string  // pages it may be used on; none: any
	May       []string  // texts of its scopes: "read your profile"
	MayNot    []string  // texts of the API's other scopes worth naming
	Person    string    // whom a token acts for: "Ada"
	Pronoun   string    // "her", "him" or "them", for the second time she is mentioned; empty repeats the name
}

// Worth is what a credential is worth to a thief, as a sentence. Bad asks for amber: it works from anywhere, without an end or for more than a day.
type Worth struct {
	Text string
	Bad  bool
}

const lead = "If stolen: "

// longLife is when a credential that works from anywhere becomes worrying.
const longLife = 24 * time.Hour

// IfStolen says in one line what a thief gets: "If stolen: works until you rotate it, from anywhere."
func IfStolen(c Card) Worth {
	if why := c.dead(); why != "" {
		if c.JWT && c.Status != policy.Expired && c.Expires.After(c.Now) {
			return Worth{Text: lead + "worth nothing here, " + why + "; whoever checks only its signature accepts it for " + More(c.Expires.Sub(c.Now)) + "."}
		}
		return Worth{Text: lead + "worth nothing, " + why + "."}
	}
	text := lead
	if c.NotBefore.After(c.Now) {
		text += "worth nothing for " + More(c.NotBefore.Sub(c.Now)) + ", then "
	}
	text += "works " + c.until() + c.where()
	if c.Test {
		text += ", in test mode only"
	}
	return Worth{Text: text + "." + c.rights(), Bad: c.bad()}
}

// Shorten names the one act that makes a stolen copy worth less, as a link's text without a full stop; "" when nothing obvious is left.
func Shorten(c Card) string {
	if c.dead() != "" {
		return ""
	}
	switch c.Kind {
	case Key:
		if len(c.Networks) == 0 {
			return "Limit it to your servers' addresses"
		}
	case Publishable:
		if len(c.Origins) == 0 && len(c.Networks) == 0 {
			return "Limit it to your website's origin"
		}
	case Personal:
		if c.Expires.IsZero() || c.Expires.Sub(c.Now) > 90*24*time.Hour {
			return "Give it an earlier end date"
		}
		if len(c.Networks) == 0 {
			return "Limit it to the addresses you work from"
		}
	case AccessToken, ClientCredentials:
		if c.Expires.IsZero() || c.Expires.Sub(c.Now) > time.Hour {
			return "Issue it for an hour at most"
		}
		return ""
	}
	if c.Expires.IsZero() {
		return "Give it an end date"
	}
	return ""
}

func (c Card) dead() string {
	switch c.Status {
	case policy.Revoked:
		return "it was revoked"
	case policy.Rotated:
		return "it was rotated"
	case policy.Disabled:
		return "it is disabled"
	case policy.OwnerSuspended:
		return "its owner is suspended"
	case policy.Expired:
		return "it has expired"
	default: // every other code is about a request, not about the credential
	}
	if !c.Expires.IsZero() && !c.Expires.After(c.Now) {
		return "it has expired"
	}
	return ""
}

func (c Card) until() string {
	switch {
	case c.Kind.IsToken() && c.Expires.IsZero():
		return "until you revoke it"
	case c.Kind == Personal:
		return More(c.Expires.Sub(c.Now)) + " unless you revoke it"
	case c.Kind.IsToken():
		return More(c.Expires.Sub(c.Now))
	case c.Expires.IsZero():
		return "until you rotate it"
	}
	return More(c.Expires.Sub(c.Now)) + " unless you rotate it"
}

// where speaks of origins with care: they bind browsers, and a program can claim any.
func (c Card) where() string {
	switch {
	case len(c.Networks) > 0 && len(c.Origins) > 0:
		return ", only from " + anyOf(c.Networks, "networks") + " and in browsers only on " + anyOf(c.Origins, "websites")
	case len(c.Networks) > 0:
		return ", only from " + anyOf(c.Networks, "networks")
	case len(c.Origins) > 0:
		return ", in browsers only on " + anyOf(c.Origins, "websites") + ", in programs from anywhere"
	case c.Kind == AccessToken || c.Kind == ClientCredentials:
		return "" // its life is short; the rights that follow say more
	}
	return ", from anywhere"
}

func (c Card) bad() bool {
	if c.Test || len(c.Networks) > 0 || c.Kind == Publishable && len(c.Origins) > 0 {
		return false
	}
	return c.Expires.IsZero() || c.Expires.Sub(c.Now) > longLife
}

func (c Card) rights() string {
	p := person{name: c.Person, pronoun: c.Pronoun}
	if p.name == "" {
		p.name, p.pronoun = "its user", ""
	}
	text := ""
	if may := p.phrases(c.May); len(may) > 0 {
		text = " May " + list(may, "and") + "."
	}
	if not := p.phrases(c.MayNot); len(not) > 0 {
		text += " Can NOT " + list(not, "or") + "."
	}
	return text
}

func anyOf(names []string, what string) string {
	if len(names) > 3 {
		return strconv.Itoa(len(names)) + " " + what
	}
	return list(names, "or")
}

// More says a remaining time in words, rounded up so that it never promises an earlier end: "41 more minutes", "3 more days".
func More(d time.Duration) string {
	const day, month, year = 24 * time.Hour, 30 * 24 * time.Hour, 365 * 24 * time.Hour
	up := func(unit time.Duration) int64 {
		n := int64(d / unit)
		if d%unit > 0 {
			n++
		}
		return max(n, 1)
	}
	// Below twice a unit the smaller one says more: 90 minutes, not 2 hours.
	switch {
	case up(time.Second) < 60:
		return more(up(time.Second), "second")
	case up(time.Minute) == 60:
		return more(1, "hour")
	case up(time.Minute) < 120:
		return more(up(time.Minute), "minute")
	case up(time.Hour) == 24:
		return more(1, "day")
	case up(time.Hour) < 48:
		return more(up(time.Hour), "hour")
	case up(day) < 60:
		return more(up(day), "day")
	case up(day) < 2*365:
		return more(up(month), "month")
	}
	return more(up(year), "year")
}

func more(n int64, unit string) string {
	if n != 1 {
		unit += "s"
	}
	return strconv.FormatInt(n, 10) + " more " + unit
}

func list(items []string, word string) string {
	if len(items) == 1 {
		return items[0]
	}
	last := len(items) - 1
	return strings.Join(items[:last], ", ") + " " + word + " " + items[last]
}
