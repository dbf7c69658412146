package manage

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/policy"
)

// Bounds of inputs, as the wire types' tags promise them.
const (
	maxScopes      = 100
	maxNetworks    = 100
	maxOrigins     = 50
	maxOperations  = 200
	maxAPIs        = 100
	maxMetadata    = 20
	maxMetaName    = 64
	maxMetaValue   = 500
	maxDescription = 500
	maxReason      = 200
	maxFilter      = 300
)

func checkCount(field string, n, most int) error {
	if n > most {
		return fault.Field(field, "must have at most %d entries", most)
	}
	return nil
}

// checkText refuses text that is too long, is no UTF-8 or holds control characters other than tab and line break. Either
// database would trip over some of these.
func checkText(field, text string, most int) error {
	if utf8.RuneCountInString(text) > most {
		return fault.Field(field, "must have at most %d characters", most)
	}
	odd := func(r rune) bool { return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0x7f }
	if !utf8.ValidString(text) || strings.ContainsFunc(text, odd) {
		return fault.Field(field, "must be text without control characters")
	}
	return nil
}

// quotaFrom reads a key's quota; no units: none. What cannot be is refused by key.Validate.
func quotaFrom(in lanyard.Quota) billing.Quota {
	if in.Units == 0 {
		return billing.Quota{}
	}
	return billing.Quota{Units: in.Units, Period: cmp.Or(billing.PeriodKind(in.Period), billing.Month)}
}

func metadataFrom(in lanyard.Metadata) (map[string]string, error) {
	if err := checkCount("metadata", len(in), maxMetadata); err != nil {
		return nil, err
	}
	for name, value := range in {
		if err := fault.CheckName("metadata", name, maxMetaName); err != nil {
			return nil, err
		}
		if err := checkText("metadata."+name, value, maxMetaValue); err != nil {
			return nil, err
		}
	}
	return in, nil
}

func networksInto(r *policy.Restrictions, in []string) error {
	r.IPs = nil
	for i, text := range in {
		network, err := policy.ParseNetwork(text)
		if err != nil {
			return fault.Field(fmt.Sprintf("ip_allow[%d]", i), "%s", err)
		}
		if !slices.Contains(r.IPs, network) {
			r.IPs = append(r.IPs, network)
		}
	}
	return checkCount("ip_allow", len(in), maxNetworks)
}

func originsInto(r *policy.Restrictions, in []string) error {
	r.Origins = nil
	for i, text := range in {
		origin, err := policy.ParseOrigin(text)
		if err != nil {
			return fault.Field(fmt.Sprintf("origins[%d]", i), "%s", err)
		}
		if !slices.Contains(r.Origins, origin) {
			r.Origins = append(r.Origins, origin)
		}
	}
	return checkCount("origins", len(in), maxOrigins)
}

// distinct returns the entries in order, each once.
func distinct(in []string) []string {
	out := slices.Clone(in)
	slices.Sort(out)
	return slices.Compact(out)
}

// future refuses an end that is over already.
func future(field string, t *time.Time, now time.Time) error {
	if t != nil && !t.After(now) {
		return fault.Field(field, "must lie in the future")
	}
	return nil
}

// moment is a time from outside in the precision that is kept, or zero for none. It is cut off, not rounded: an end never
// moves later.
func moment(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}
