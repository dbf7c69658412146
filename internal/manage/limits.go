package manage

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
)

// maxLimits is how many limits one thing may have.
const maxLimits = 8

func limitsFrom(in []lanyard.Limit) ([]ratelimit.Limit, error) {
	if err := checkCount("limits", len(in), maxLimits); err != nil {
		return nil, err
	}
	var out []ratelimit.Limit
	seen := map[string]bool{}
	for i, l := range in {
		field := fmt.Sprintf("limits[%d]", i)
		if l.WindowSeconds < 1 || l.WindowSeconds > int64(ratelimit.MaxWindow/time.Second) {
			return nil, fault.Field(field+".window_seconds", "must be between 1 and %d", int64(ratelimit.MaxWindow/time.Second))
		}
		limit := limitFrom(l)
		if err := limit.Validate(); err != nil {
			return nil, under(field, err)
		}
		if seen[l.Name] {
			return nil, fault.Field(field+".name", "there is a limit %q already", l.Name)
		}
		seen[l.Name] = true
		out = append(out, limit)
	}
	return out, nil
}

func limitFrom(l lanyard.Limit) ratelimit.Limit {
	return ratelimit.Limit{Name: l.Name, N: l.Limit, Window: time.Duration(l.WindowSeconds) * time.Second, WhenUnavailable: l.WhenUnavailable}
}

func wireLimits(in []ratelimit.Limit) []lanyard.Limit {
	out := make([]lanyard.Limit, 0, len(in))
	for _, l := range in {
		out = append(out, lanyard.Limit{Name: l.Name, Limit: l.N, WindowSeconds: int64(l.Window / time.Second), WhenUnavailable: l.WhenUnavailable})
	}
	return out
}

// EditLimits reads limits as people write them, such as 60/minute or 100/90s closed, that are to stand in the place of others. One that
// stands there already keeps its name, and so does one that takes the place of the only one that goes of its window; another is named after its
// window, of which there can be one. What is refused is a fault.Invalid whose field is limits.
func EditLimits(before []lanyard.Limit, texts []string) ([]lanyard.Limit, error) {
	if len(texts) > maxLimits {
		return nil, fault.Field("limits", "there can be at most %d limits, not %d", maxLimits, len(texts))
	}
	gone, out := slices.Clone(before), []lanyard.Limit{}
	for _, text := range texts {
		parsed, err := ratelimit.ParseLimit(text)
		if err != nil {
			var f *fault.Error
			if errors.As(err, &f) {
				err = fault.Field("limits", "%s", f.Detail)
			}
			return nil, err
		}
		limit := wireLimits([]ratelimit.Limit{parsed})[0]
		limit.Name = ""
		if i := slices.IndexFunc(gone, func(l lanyard.Limit) bool { return LimitText(l) == LimitText(limit) }); i >= 0 {
			limit.Name = gone[i].Name
			gone = slices.Delete(gone, i, i+1)
		}
		out = append(out, limit)
	}
	fresh := slices.DeleteFunc(slices.Clone(out), func(l lanyard.Limit) bool { return l.Name != "" })
	for i := range out {
		if out[i].Name != "" {
			continue
		}
		window := func(l lanyard.Limit) bool { return l.WindowSeconds == out[i].WindowSeconds }
		if at := slices.IndexFunc(gone, window); at >= 0 && countOf(gone, window) == 1 && countOf(fresh, window) == 1 {
			out[i].Name = gone[at].Name
			continue
		}
		parsed, err := ratelimit.ParseLimit(LimitText(out[i]))
		if err != nil {
			return nil, err
		}
		out[i].Name = parsed.Name
	}
	for i := range out {
		if j := slices.IndexFunc(out[:i], func(l lanyard.Limit) bool { return l.Name == out[i].Name }); j >= 0 {
			return nil, fault.Field("limits", "%s and %s are for the same window: keep one of them", LimitText(out[j]), LimitText(out[i]))
		}
	}
	return out, nil
}

func countOf(limits []lanyard.Limit, is func(lanyard.Limit) bool) (n int) {
	for _, l := range limits {
		if is(l) {
			n++
		}
	}
	return n
}

// LimitText is a limit in the form that EditLimits reads.
func LimitText(l lanyard.Limit) string { return limitFrom(l).String() }

// LimitsText is limits for people to read: "60/minute, 5/second (burst)", with the names that say more than the window; "none".
func LimitsText(limits []lanyard.Limit) string {
	texts := make([]string, 0, len(limits))
	for _, l := range limits {
		text := LimitText(l)
		if window, err := ratelimit.ParseLimit(text); err != nil || window.Name != l.Name {
			text += " (" + l.Name + ")"
		}
		texts = append(texts, text)
	}
	return cmp.Or(strings.Join(texts, ", "), "none")
}

// LimitWords says what a limit lets through: "60 calls at once, then 1 a second".
func LimitWords(l lanyard.Limit) string {
	at := "1 call"
	if l.Limit != 1 {
		at = strconv.FormatInt(l.Limit, 10) + " calls at once"
	}
	perSecond := float64(l.Limit) / float64(l.WindowSeconds)
	for _, unit := range []struct {
		name    string
		seconds float64
	}{{"a second", 1}, {"a minute", 60}, {"an hour", 3600}, {"a day", 86400}} {
		if per := perSecond * unit.seconds; per > 0.999 {
			return at + ", then " + rough(per) + " " + unit.name
		}
	}
	return at + ", then 1 every " + rough(1/perSecond/86400) + " days"
}

// rough is a number with about as many digits as people read.
func rough(n float64) string {
	shown := math.Round(n*10) / 10
	if math.Abs(shown-n) < 1e-6*n {
		return strconv.FormatFloat(shown, 'f', -1, 64)
	}
	if n >= 10 {
		shown = math.Round(n)
	}
	return "about " + strconv.FormatFloat(shown, 'f', -1, 64)
}
