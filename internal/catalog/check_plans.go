package catalog

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
)

var (
	planPattern  = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)
	meterPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)
)

// checkMeters checks what the API counts beside requests and units. Events of a type feed one meter, so that nothing is due twice.
func checkMeters(a *lanyard.API) error {
	fed := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(a.Meters)) {
		m, field := a.Meters[name], "meters."+name
		if !meterPattern.MatchString(name) {
			return fault.Field(field, "a meter's name must match %s", meterPattern)
		}
		if name == string(billing.Requests) || name == string(billing.Units) {
			return fault.Field(field, "every API has the meter %s already; name it otherwise", name)
		}
		if err := fault.CheckName(field+".text", m.Text, 120); err != nil {
			return err
		}
		if err := fault.CheckName(field+".event", m.Event, 200); err != nil {
			return err
		}
		if other, taken := fed[m.Event]; taken {
			return fault.Field(field+".event", "the meter %s counts these events already", other)
		}
		fed[m.Event] = name
	}
	return nil
}

// maxStripeName is how long the event name of a meter at Stripe may be.
const maxStripeName = 100

// checkStripe checks which meters are told to Stripe, and as what. What two meters count is never added up there.
func checkStripe(a *lanyard.API) error {
	fed := map[string]string{}
	for _, meter := range slices.Sorted(maps.Keys(a.Stripe)) {
		event, field := a.Stripe[meter], "stripe."+meter
		builtin := meter == string(billing.Requests) || meter == string(billing.Units)
		if _, declared := a.Meters[meter]; !declared && !builtin {
			return fault.Field(field, "is no meter of this API: there are requests, units and those under meters")
		}
		if builtin && a.Metering == "none" {
			return fault.Field(field, "%s are not counted where metering is none, so there is nothing to tell", meter)
		}
		if err := fault.CheckName(field, event, maxStripeName); err != nil {
			return err
		}
		if other, taken := fed[event]; taken {
			return fault.Field(field, "the meter %s goes by this name already", other)
		}
		fed[event] = meter
	}
	return nil
}

func checkPlans(a *lanyard.API) error {
	defaultPlan := ""
	for _, name := range slices.Sorted(maps.Keys(a.Plans)) {
		p, field := a.Plans[name], "plans."+name
		if !planPattern.MatchString(name) {
			return fault.Field(field, "a plan's name must match %s", planPattern)
		}
		if p.Text != "" {
			if err := fault.CheckName(field+".text", p.Text, 200); err != nil {
				return err
			}
		}
		if p.Default {
			if defaultPlan != "" {
				return fault.Field(field+".default", "plan %q is the default already; there can be one", defaultPlan)
			}
			defaultPlan = name
		}
		if err := checkLimits(field+".limits", p.Limits); err != nil {
			return err
		}
		if p.Quota != "" {
			if _, err := billing.ParseQuota(p.Quota); err != nil {
				return fault.Field(field+".quota", "%s", err)
			}
		}
		charged, err := checkPrices(a, p)
		if err != nil {
			return placed(field, err)
		}
		a.Plans[name] = charged
	}
	return nil
}

// checkAPILimits checks the limits of all callers together, and of each user.
func checkAPILimits(a *lanyard.API) error {
	if err := checkLimits("limits", a.Limits); err != nil {
		return err
	}
	return checkLimits("user_limits", a.UserLimits)
}

func checkLimits(field string, limits []string) error {
	seen := map[time.Duration]bool{}
	for i, text := range limits {
		l, err := ratelimit.ParseLimit(text)
		if err != nil {
			return fault.Field(fmt.Sprintf("%s[%d]", field, i), "%s", err)
		}
		if seen[l.Window] {
			return fault.Field(fmt.Sprintf("%s[%d]", field, i), "there is a limit for this window already")
		}
		seen[l.Window] = true
	}
	return nil
}

// checkPrices returns the plan with what it charges in the canonical form.
func checkPrices(a *lanyard.API, p lanyard.Plan) (lanyard.Plan, error) {
	version, err := billing.ParsePlan(p, a.Meters)
	if err != nil {
		return p, err
	}
	for i, price := range version.Prices {
		if builtin := price.Meter == billing.Requests || price.Meter == billing.Units; builtin && a.Metering == "none" {
			return p, fault.Field(fmt.Sprintf("prices[%d].meter", i), "%s are not counted where metering is none, so nothing would ever be due", price.Meter)
		}
	}
	return version.Declare(p), nil
}
