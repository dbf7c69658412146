package leak

import (
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// Policy says what follows when a credential of a kind is found.
type Policy string

// The policies.
const (
	Revoke      Policy = "revoke"       // it ends at once
	RevokeAfter Policy = "revoke_after" // its owners are told until when it works; then it ends
	Notify      Policy = "notify"       // its owners are told
)

// Bounds of what RevokeAfter waits.
const (
	MinNotice = time.Minute
	MaxNotice = 30 * 24 * time.Hour
)

// Rule is a policy with its notice.
type Rule struct {
	Policy Policy
	After  time.Duration // with RevokeAfter: how long it works on
}

// Due is when what was found at a time ends; zero: at once, or never.
func (r Rule) Due(found time.Time) time.Time {
	if r.Policy != RevokeAfter {
		return time.Time{}
	}
	return found.Add(r.After)
}

// Reported says whether reports of a kind lead to anything. Those of the other kinds end by themselves, within minutes or at their next
// use.
func Reported(kind secret.Kind) bool { return Type("x", kind) != "" }

// Rules are the rules of a deployment, by kind. A kind without one has the usual one.
type Rules map[secret.Kind]Rule

// Of is the rule for a kind; the zero Rule: reports of it are ignored. What is published by intent is not ended for being seen, unless a
// provider says so.
func (r Rules) Of(kind secret.Kind) Rule {
	if rule, set := r[kind]; set {
		return rule
	}
	switch {
	case !Reported(kind):
		return Rule{}
	case kind == secret.Publishable:
		return Rule{Policy: Notify}
	}
	return Rule{Policy: Revoke}
}

// ParseRules reads rules such as "key=revoke_after:24h,pub=notify". What is wrong is a fault of kind Invalid whose sentence goes on after
// the name of the setting.
func ParseRules(text string) (Rules, error) {
	rules := Rules{}
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		kind := secret.Kind(strings.TrimSpace(name))
		if !Reported(kind) {
			return nil, fault.New(fault.Invalid, "names %.20q, which is none of key, pub, cs and pat", string(kind))
		}
		if _, twice := rules[kind]; twice {
			return nil, fault.New(fault.Invalid, "names %s twice", kind)
		}
		rule, err := parseRule(strings.TrimSpace(value))
		if err != nil {
			return nil, err
		}
		rules[kind] = rule
	}
	return rules, nil
}

func parseRule(text string) (Rule, error) {
	word, notice, timed := strings.Cut(text, ":")
	rule := Rule{Policy: Policy(word)}
	switch {
	case !timed && (rule.Policy == Revoke || rule.Policy == Notify):
		return rule, nil
	case rule.Policy != RevokeAfter || !timed:
		return Rule{}, fault.New(fault.Invalid, "says %.40q, which is none of revoke, notify and revoke_after with its time, such as revoke_after:24h", text)
	}
	var err error
	if rule.After, err = time.ParseDuration(notice); err != nil || rule.After < MinNotice || rule.After > MaxNotice {
		return Rule{}, fault.New(fault.Invalid, "says revoke_after:%.20s, but the time must lie between 1m and 720h, such as 24h", notice)
	}
	return rule, nil
}
