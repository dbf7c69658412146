package advice

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/policy"
)

var warnNow = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

func daysAgo(n float64) time.Time { return warnNow.Add(-time.Duration(n * float64(day))) }

// quiet is a live key of which there is nothing to say.
func quiet(alter func(*Facts)) Facts {
	f := Facts{
		Kind: Key, Status: policy.Valid, Now: warnNow, CreatedAt: daysAgo(200), SecretSince: daysAgo(200), LastUsed: daysAgo(1), Narrowed: true,
		Networks: []Seen{{"203.0.113.0/24", daysAgo(150), daysAgo(1)}},
	}
	if alter != nil {
		alter(&f)
	}
	return f
}

// What needs no word: most of all, what works no more, is public or opens nothing.
func TestNoWarnings(t *testing.T) {
	bad := func(f *Facts) { // as bad as a key can be
		f.Narrowed, f.LastUsed, f.RotationDue, f.InQuery = false, daysAgo(100), daysAgo(40), daysAgo(1)
		f.Networks = append(f.Networks, Seen{"198.51.100.0/24", daysAgo(1), daysAgo(1)})
	}
	for name, f := range map[string]Facts{
		"a narrowed key in use": quiet(nil),
		"revoked":               quiet(func(f *Facts) { bad(f); f.Status = policy.Revoked }),
		"disabled":              quiet(func(f *Facts) { bad(f); f.Status = policy.Disabled }),
		"not yet valid":         quiet(func(f *Facts) { bad(f); f.Status = policy.NotYetValid }),
		"owner suspended":       quiet(func(f *Facts) { bad(f); f.Status = policy.OwnerSuspended }),
		"expired long ago": quiet(func(f *Facts) {
			bad(f)
			f.Status, f.ExpiresAt, f.LastUsed = policy.Expired, daysAgo(7.1), daysAgo(8)
		}),
		"expired, and unused before": quiet(func(f *Facts) { f.Status, f.ExpiresAt, f.LastUsed = policy.Expired, daysAgo(1), daysAgo(40) }),
		"expired, and never used":    quiet(func(f *Facts) { f.Status, f.ExpiresAt, f.LastUsed = policy.Expired, daysAgo(1), time.Time{} }),
		"expired test key":           quiet(func(f *Facts) { f.Status, f.ExpiresAt, f.Test = policy.Expired, daysAgo(1), true }),
		"made a moment ago":          {Kind: Key, Status: policy.Valid, Now: warnNow, CreatedAt: warnNow, SecretSince: warnNow},
		"made today, and used": quiet(func(f *Facts) {
			f.CreatedAt, f.SecretSince, f.Narrowed, f.Networks = daysAgo(0.9), daysAgo(0.9), false, []Seen{{"203.0.113.0/24", daysAgo(0.5), daysAgo(0)}}
		}),
		"not used for 89 days":     quiet(func(f *Facts) { f.LastUsed = daysAgo(89.9) }),
		"never used in 29 days":    quiet(func(f *Facts) { f.CreatedAt, f.LastUsed, f.Networks = daysAgo(29.9), time.Time{}, nil }),
		"ends in 15 days":          quiet(func(f *Facts) { f.ExpiresAt = daysAgo(-14.1) }),
		"made for a day, half way": quiet(func(f *Facts) { f.CreatedAt, f.ExpiresAt = daysAgo(0.5), daysAgo(-0.5) }),
		"rotation due tomorrow":    quiet(func(f *Facts) { f.RotationDue = daysAgo(-1) }),
		"test key": quiet(func(f *Facts) {
			bad(f)
			f.Test = true
		}),
		"test key that ends and is not used": quiet(func(f *Facts) { f.Test, f.ExpiresAt, f.LastUsed = true, daysAgo(-1), daysAgo(40) }),
		"publishable key": quiet(func(f *Facts) {
			bad(f)
			f.Kind, f.RotationDue = Publishable, time.Time{}
		}),
		"client secret that is never seen to be used": quiet(func(f *Facts) { f.Kind, f.LastUsed, f.Networks = ClientSecret, time.Time{}, nil }),
		"first network of an old key": quiet(func(f *Facts) {
			f.ExpiresAt = daysAgo(-100)
			f.Narrowed, f.Networks = false, []Seen{{"203.0.113.0/24", daysAgo(1), daysAgo(0)}}
		}),
		"second network of a narrowed key": quiet(func(f *Facts) { f.Networks = append(f.Networks, Seen{"198.51.100.0/24", daysAgo(1), daysAgo(1)}) }),
		"second network, eight days ago": quiet(func(f *Facts) {
			f.Narrowed, f.ExpiresAt = false, daysAgo(-100)
			f.Networks = append(f.Networks, Seen{"198.51.100.0/24", daysAgo(8), daysAgo(1)})
		}),
		"second network, before the current secret": quiet(func(f *Facts) {
			f.Narrowed, f.ExpiresAt, f.SecretSince = false, daysAgo(-100), daysAgo(1)
			f.Networks = append(f.Networks, Seen{"198.51.100.0/24", daysAgo(2), daysAgo(2)})
		}),
		"in the query 31 days ago":               quiet(func(f *Facts) { f.InQuery = daysAgo(30.1) }),
		"in the query before the current secret": quiet(func(f *Facts) { f.InQuery, f.SecretSince = daysAgo(2), daysAgo(1) }),
		"in no network's way, but it ends":       quiet(func(f *Facts) { f.Narrowed, f.ExpiresAt = false, daysAgo(-100) }),
	} {
		if got := Warnings(f); len(got) > 0 {
			t.Errorf("%s: Warnings = %+v, want none", name, got)
		}
	}
}

func TestWarnings(t *testing.T) {
	networks := func(n int, first float64) (all []Seen) {
		for i := range n {
			all = append(all, Seen{"10.0." + string(rune('0'+i)) + ".0/24", daysAgo(first), daysAgo(1)})
		}
		return all
	}
	for name, test := range map[string]struct {
		facts Facts
		want  []Warning
	}{
		"ends in two days": {quiet(func(f *Facts) { f.ExpiresAt = daysAgo(-2) }), []Warning{{
			CodeExpiring, Grave, "It ends in 2 days, on 3 December 2026. An end cannot be put off: make a new key and put it in place before that.", "See the key", daysAgo(-2), "1796299200",
		}}},
		"ends in ten days": {quiet(func(f *Facts) { f.ExpiresAt = daysAgo(-10) }), []Warning{{
			CodeExpiring, Warn, "It ends in 10 days, on 11 December 2026. An end cannot be put off: make a new key and put it in place before that.", "See the key", daysAgo(-10), "1796990400",
		}}},
		"ends tomorrow, unused": {quiet(func(f *Facts) { f.ExpiresAt, f.LastUsed = daysAgo(-1), daysAgo(50) }), []Warning{{
			CodeExpiring, Warn, "It ends in 1 day, on 2 December 2026, and was not used lately. If something needs it, make a new key before that.", "See the key", daysAgo(-1), "1796212800",
		}}},
		"made for a day, nearly over": {quiet(func(f *Facts) { f.CreatedAt, f.ExpiresAt = daysAgo(0.75), daysAgo(-0.25) }), []Warning{{
			CodeExpiring, Grave, "It ends in 6 hours, on 1 December 2026. An end cannot be put off: make a new key and put it in place before that.", "See the key", daysAgo(-0.25), "1796148000",
		}}},
		"test key that ends": {quiet(func(f *Facts) { f.Test, f.ExpiresAt = true, daysAgo(-1) }), []Warning{{
			CodeExpiring, Note, "It ends in 1 day, on 2 December 2026. An end cannot be put off: make a new key and put it in place before that.", "See the key", daysAgo(-1), "1796212800",
		}}},
		"client secret that ends": {quiet(func(f *Facts) { f.Kind, f.LastUsed, f.ExpiresAt = ClientSecret, time.Time{}, daysAgo(-1) }), []Warning{{
			CodeExpiring, Grave, "It ends in 1 day, on 2 December 2026. An end cannot be put off: make a new secret and put it in place before that.", "See the key", daysAgo(-1), "1796212800",
		}}},
		"ended yesterday": {quiet(func(f *Facts) { f.Status, f.ExpiresAt, f.LastUsed = policy.Expired, daysAgo(1), daysAgo(2) }), []Warning{{
			CodeExpired, Warn, "It ended 1 day ago, and whoever still sends it is refused. If something needs it, make a new one; if not, there is nothing to do.", "See the key", daysAgo(1), "1796040000",
		}}},
		"rotation due": {quiet(func(f *Facts) { f.RotationDue = daysAgo(5) }), []Warning{{
			CodeRotationDue, Warn, "Its schedule asked for a new secret 5 days ago. Rotate it: the old secret works on until yours is in place.", "Rotate it", daysAgo(5), "1795694400",
		}}},
		"rotation late": {quiet(func(f *Facts) { f.Kind, f.RotationDue = Publishable, daysAgo(30) }), []Warning{{
			CodeRotationDue, Grave, "Its schedule asked for a new secret 30 days ago. Rotate it: the old secret works on until yours is in place.", "Rotate it", daysAgo(30), "1793534400",
		}}},
		"stale": {quiet(func(f *Facts) { f.LastUsed, f.Narrowed = daysAgo(90), false }), []Warning{{
			CodeStale, Warn, "It was last used 90 days ago. If nothing needs it any more, revoke it: nobody would notice a thief's use of it.", "See the key", daysAgo(90), "1788350400",
		}}},
		"never used": {quiet(func(f *Facts) {
			f.LastUsed, f.Narrowed, f.Networks, f.CreatedAt = time.Time{}, false, nil, daysAgo(800)
		}), []Warning{{
			CodeNeverUsed, Warn, "It was made 2 years ago and never used. If nothing needs it, revoke it.", "See the key", daysAgo(800), "",
		}}},
		"a new network": {quiet(func(f *Facts) {
			f.Narrowed, f.ExpiresAt = false, daysAgo(-100)
			f.Networks = append(f.Networks, Seen{"2001:db8::/48", daysAgo(2), daysAgo(2)}, Seen{"198.51.100.0/24", daysAgo(1), daysAgo(1)})
		}), []Warning{{
			CodeNewNetwork, Warn, "It was used from 198.51.100.0/24 for the first time 1 day ago; until then it was used from 203.0.113.0/24. If that is not yours, rotate it now and let the old secret end at once.",
			"Rotate it", daysAgo(1), "198.51.100.0/24",
		}}},
		"a new network beside five": {quiet(func(f *Facts) {
			f.Narrowed, f.ExpiresAt = false, daysAgo(-100)
			f.Networks = append(networks(5, 30), Seen{"198.51.100.0/24", daysAgo(0.1), daysAgo(0)})
		}), []Warning{{
			CodeNewNetwork, Warn, "It was used from 198.51.100.0/24 for the first time 2 hours ago; until then it was used from 10.0.0.0/24, 10.0.1.0/24 and 3 more. If that is not yours, rotate it now and let the old secret end at once.",
			"Rotate it", daysAgo(0.1), "198.51.100.0/24",
		}}},
		"many networks": {quiet(func(f *Facts) {
			f.Narrowed, f.Networks = false, append(networks(8, 30), Seen{"198.51.100.0/24", daysAgo(1), daysAgo(1)})
		}), []Warning{{
			CodeManyNetworks, Note, "It is used from 9 networks, among which a thief's would not stand out. Give each place a key of its own, or name the networks that it may be used from.", "Narrow it", time.Time{}, "",
		}}},
		"in the query": {quiet(func(f *Facts) { f.InQuery, f.QueryAPI = daysAgo(3), "weather" }), []Warning{{
			CodeInQuery, Warn, "It stood in the address of a call to weather 3 days ago, and addresses end up in logs and histories. Send it in the header x-api-key, then rotate it.", "Rotate it", daysAgo(3), "1778846400",
		}}},
		"unrestricted": {quiet(func(f *Facts) { f.Narrowed = false }), []Warning{{
			CodeUnrestricted, Note, "Whoever has it can use it from anywhere, without an end. Let it work only from where it is used, which is 203.0.113.0/24, or give it an end.", "Narrow it", time.Time{}, "",
		}}},
		"unrestricted, from who knows where": {quiet(func(f *Facts) { f.Narrowed, f.Networks = false, nil }), []Warning{{
			CodeUnrestricted, Note, "Whoever has it can use it from anywhere, without an end. Name the networks that it may be used from, or give it an end.", "Narrow it", time.Time{}, "",
		}}},
	} {
		if diff := cmp.Diff(test.want, Warnings(test.facts)); diff != "" {
			t.Errorf("%s: Warnings (-want +got):\n%s", name, diff)
		}
	}
}

// Several of one key come with the gravest first, and every code is one that is listed.
func TestWarningsInOrder(t *testing.T) {
	got := Warnings(quiet(func(f *Facts) {
		f.Narrowed, f.RotationDue, f.InQuery = false, daysAgo(40), daysAgo(1)
		f.Networks = append(f.Networks, Seen{"198.51.100.0/24", daysAgo(1), daysAgo(1)})
	}))
	var codes []string
	for _, w := range got {
		codes = append(codes, w.Code)
		if !slices.Contains(WarningCodes(), w.Code) || !w.Gravity.Known() || !strings.HasSuffix(w.Text, ".") || w.Do == "" {
			t.Errorf("a warning is unfinished: %+v", w)
		}
	}
	if diff := cmp.Diff([]string{CodeRotationDue, CodeNewNetwork, CodeInQuery, CodeUnrestricted}, codes); diff != "" {
		t.Errorf("Warnings (-want +got):\n%s", diff)
	}
	if !Grave.AtLeast(Warn) || Note.AtLeast(Warn) || !Warn.AtLeast(Warn) || Gravity("x").AtLeast(Note) || Gravity("x").Known() {
		t.Error("gravities are out of order")
	}
}
