package billing

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// at reads a time as the tests below write it: "01-15 10:30" of 2026, or a date alone.
func at(t *testing.T, text string) time.Time {
	t.Helper()
	if len(text) == len("01-02") {
		text += " 00:00"
	}
	parsed, err := time.Parse("2006-01-02 15:04", "2026-"+text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// history reads lines such as "01-15 10:30 pro" (a change of the team's), "01-01 pro v1 USD month" and "01-01 free v1 default".
func history(t *testing.T, lines ...string) (h History) {
	t.Helper()
	for _, line := range lines {
		words := strings.Fields(line)
		when := words[0]
		if strings.Contains(words[1], ":") {
			when += " " + words[1]
			words = words[1:]
		}
		moment, plan := at(t, when), words[1]
		if plan == "-" {
			plan = ""
		}
		if len(words) == 2 {
			h.Subscription.Changes = append(h.Subscription.Changes, Change{At: moment, Plan: plan})
			continue
		}
		v := Version{Plan: plan, Since: moment}
		if _, err := fmt.Sscanf(words[2], "v%d", &v.Number); err != nil {
			t.Fatal(err)
		}
		for _, word := range words[3:] {
			switch word {
			case "default":
				v.Default = true
			case "gone":
				v.Gone = true
			case "USD":
				v.Charges.Currency = "USD"
			default:
				v.Charges.Period = PeriodKind(word)
			}
		}
		h.Versions = append(h.Versions, v)
	}
	return h
}

func TestStretches(t *testing.T) {
	free := "01-01 free v1 default"
	for _, tc := range []struct {
		name     string
		history  []string
		from, to string
		want     []string // the plan, its version, from, to, and how much of the period where that is not all of it
	}{
		{"nothing was ever declared", nil, "01-01", "03-01", nil},
		{"no default and no choice", []string{"01-01 pro v1 USD month"}, "01-01", "03-01", nil},
		{"the default plan", []string{free}, "02-03", "03-01", []string{"free v1 02-01..03-01"}},
		{"what only touches is not in it", []string{free}, "02-01", "03-01", []string{"free v1 02-01..03-01"}},
		{
			"a plan chosen within a month",
			[]string{free, "01-01 pro v1 USD month", "02-15 pro"},
			"02-01", "04-01",
			[]string{"free v1 02-01..02-15 14/28", "pro v1 02-15..03-01 14/28", "pro v1 03-01..04-01"},
		},
		{
			"cycles begin when a plan was first chosen",
			[]string{free, "01-01 pro v1 USD cycle", "01-31 10:30 pro"},
			"01-15", "04-01",
			[]string{"free v1 01-01..01-31 10:30 730/744", "pro v1 01-31 10:30..02-28 10:30", "pro v1 02-28 10:30..03-31 10:30", "pro v1 03-31 10:30..04-30 10:30"},
		},
		{
			"and stay when it changes",
			[]string{"01-01 pro v1 USD cycle", "01-01 max v1 USD cycle", "01-10 pro", "01-20 max"},
			"01-10", "02-11",
			[]string{"pro v1 01-10..01-20 10/31", "max v1 01-20..02-10 21/31", "max v1 02-10..03-10"},
		},
		{
			"another price bites with the next period",
			[]string{"01-01 pro v1 USD month", "01-01 pro", "02-10 pro v2 USD month"},
			"02-01", "04-01",
			[]string{"pro v1 02-01..03-01", "pro v2 03-01..04-01"},
		},
		{
			"and another length of period too",
			[]string{"01-01 pro v1 USD month", "01-01 pro", "01-10 pro v2 USD day"},
			"01-31", "02-03",
			[]string{"pro v1 01-01..02-01", "pro v2 02-01..02-02", "pro v2 02-02..02-03"},
		},
		{
			"a change within the period takes the version of its moment",
			[]string{"01-01 pro v1 USD month", "01-01 max v1 USD month", "02-05 max v2 USD month", "01-01 pro", "02-10 max"},
			"02-01", "03-01",
			[]string{"pro v1 02-01..02-10 9/28", "max v2 02-10..03-01 19/28"},
		},
		{
			"a change to come cuts the period already",
			[]string{"01-01 pro v1 USD month", "01-01 pro", "02-10 -"},
			"02-01", "02-02",
			[]string{"pro v1 02-01..02-10 9/28"},
		},
		{
			"back to the default",
			[]string{free, "01-01 pro v1 USD month", "01-01 pro", "02-01 -"},
			"01-20", "02-20",
			[]string{"pro v1 01-01..02-01", "free v1 02-01..03-01"},
		},
		{
			"a choice of what one has is an edge all the same",
			[]string{"01-01 pro v1 USD month", "01-01 pro", "01-11 pro"},
			"01-01", "01-31",
			[]string{"pro v1 01-01..01-11 10/31", "pro v1 01-11..02-01 21/31"},
		},
		{
			"the default becomes another plan",
			[]string{free, "01-01 pro v1 USD month", "02-08 free v2", "02-08 pro v2 USD month default"},
			"02-01", "03-01",
			[]string{"free v1 02-01..02-08 7/28", "pro v2 02-08..03-01 21/28"},
		},
		{
			"which is nothing to who chose",
			[]string{free, "01-01 pro v1 USD month", "01-01 pro", "02-08 free v2", "02-08 pro v2 USD month default"},
			"02-01", "03-01",
			[]string{"pro v1 02-01..03-01"},
		},
		{
			"the default is taken away and comes back",
			[]string{free, "02-08 free v2 gone", "02-15 free v3 default"},
			"02-01", "03-01",
			[]string{"free v1 02-01..02-08 7/28", "free v3 02-15..03-01 14/28"},
		},
		{
			"what was chosen before it had a version is billed from its first one",
			[]string{"02-15 pro v1 USD month", "01-01 pro"},
			"01-01", "03-01",
			[]string{"pro v1 02-15..03-01 14/28"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for _, s := range history(t, tc.history...).Stretches(at(t, tc.from), at(t, tc.to)) {
				text := fmt.Sprintf("%s v%d %s..%s", s.Version.Plan, s.Version.Number, short(s.Held.Start), short(s.Held.End))
				if share := s.Share(); share.Part < share.Whole {
					unit := int64(24 * time.Hour / time.Microsecond)
					if share.Part%unit > 0 {
						unit = int64(time.Hour / time.Microsecond)
						share.Part -= share.Part % unit
					}
					text += fmt.Sprintf(" %d/%d", share.Part/unit, share.Whole/unit)
				}
				got = append(got, text)
			}
			if strings.Join(got, "\n") != strings.Join(tc.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
			}
		})
	}
}

func short(t time.Time) string {
	return strings.TrimSuffix(t.Format("01-02 15:04"), " 00:00")
}

// Whatever happens, stretches do not overlap, each lies within its period, each moment of one finds it again, and what has ended stays
// as it is when something is changed after it.
func TestStretchesStay(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	plans := []string{"free", "pro", "max"}
	kinds := []PeriodKind{Day, Month, Cycle, ""}
	start := at(t, "01-01")
	for range 300 {
		h, numbers := History{}, map[string]int{}
		now := start
		var ended []Stretch
		for range 12 {
			if random.IntN(3) > 0 { // else within the same minute
				now = now.Add(time.Duration(random.IntN(60*24*20)) * time.Minute)
			}
			plan := plans[random.IntN(len(plans))]
			switch random.IntN(3) {
			case 0:
				c := &h.Subscription.Changes
				if n := len(*c); n > 0 && (*c)[n-1].At.Equal(now) {
					*c = (*c)[:n-1]
				}
				*c = append(*c, Change{At: now, Plan: append(plans, "")[random.IntN(4)]})
			default:
				numbers[plan]++
				v := Version{Plan: plan, Number: numbers[plan], Since: now, Default: random.IntN(3) == 0, Gone: random.IntN(6) == 0}
				v.Charges.Period = kinds[random.IntN(len(kinds))]
				for i := len(h.Versions) - 1; v.Default && i >= 0; i-- { // there is one default
					if old := h.Versions[i]; old.Default && old.Plan != plan && h.last(old.Plan).Default {
						numbers[old.Plan]++
						h.Versions = append(h.Versions, Version{Plan: old.Plan, Number: numbers[old.Plan], Since: now, Charges: old.Charges})
					}
				}
				h.Versions = append(h.Versions, v)
			}
			all := h.Stretches(start, now)
			for i, s := range all {
				if i > 0 && s.Held.Start.Before(all[i-1].Held.End) {
					t.Fatalf("%v overlaps %v", s.Held, all[i-1].Held)
				}
				if !s.Held.Start.Before(s.Held.End) || s.Held.Start.Before(s.Whole.Start) || s.Held.End.After(s.Whole.End) {
					t.Fatalf("%v does not lie in its period %v", s.Held, s.Whole)
				}
				if again, found := h.At(s.Held.Start); !found || again.Held != s.Held {
					t.Fatalf("At(%v) = %v, %v, want %v", s.Held.Start, again.Held, found, s.Held)
				}
			}
			for i, s := range ended {
				if i >= len(all) || all[i].Held != s.Held || all[i].Version.ID != s.Version.ID || all[i].Whole != s.Whole {
					t.Fatalf("what ended before %v was altered: %v", now, s.Held)
				}
			}
			ended = ended[:0]
			for _, s := range all {
				if !s.Held.End.After(now) {
					ended = append(ended, s)
				}
			}
		}
	}
}

func (h History) last(plan string) (v Version) {
	v, _ = h.versionAt(plan, forever())
	return v
}

func TestSubscription(t *testing.T) {
	s := Subscription{Changes: []Change{{At: at(t, "02-10"), Plan: "pro"}, {At: at(t, "03-10")}}}
	for _, tc := range []struct {
		when, plan string
		anchor     time.Time
		next       string
	}{
		{"02-01", "", time.Time{}, "02-10"},
		{"02-10", "pro", at(t, "02-10"), "03-10"},
		{"03-09", "pro", at(t, "02-10"), "03-10"},
		{"03-10", "", at(t, "02-10"), ""},
	} {
		next, some := s.Next(at(t, tc.when))
		if got := s.PlanAt(at(t, tc.when)); got != tc.plan || s.Anchor(at(t, tc.when)) != tc.anchor || some != (tc.next != "") || some && !next.At.Equal(at(t, tc.next)) {
			t.Errorf("on %s: plan %q, anchor %v, next %+v, %v; want %+v", tc.when, got, s.Anchor(at(t, tc.when)), next, some, tc)
		}
	}
	if s := (Subscription{}); s.PlanAt(time.Now()) != "" || !s.Anchor(time.Now()).IsZero() {
		t.Error("who never chose has a plan")
	}
}
