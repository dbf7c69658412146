package billing

import (
	"fmt"
	"regexp"
	"strconv"
)

// Quota is how many units may be used in each period; further calls of the period are refused.
type Quota struct {
	Units  int64 // at least 1
	Period PeriodKind
}

var quotaPattern = regexp.MustCompile(`^([1-9][0-9]{0,14})/(day|month|cycle)$`)

// ParseQuota reads the form of lanyard.yaml: "1000/month", "100/day", or "1000/cycle" for months that begin when the team
// subscribed. Its errors say what is wanted, for a fault.Field to name the place.
func ParseQuota(text string) (Quota, error) {
	m := quotaPattern.FindStringSubmatch(text)
	if m == nil {
		return Quota{}, fmt.Errorf("%.40q is no quota: write units per day, month or cycle, such as 1000/month", text)
	}
	units, err := strconv.ParseInt(m[1], 10, 64)
	return Quota{units, PeriodKind(m[2])}, err
}

// String returns the form that ParseQuota reads; "" where there is no quota.
func (q Quota) String() string {
	if q.Units == 0 {
		return ""
	}
	return strconv.FormatInt(q.Units, 10) + "/" + string(q.Period)
}
