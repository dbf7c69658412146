package usage

import (
	"slices"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// Granularity is the length of the periods that usage is shown by. All begin and end in UTC.
type Granularity string

// The granularities of GET /v1/usage.
const (
	Minute Granularity = "minute"
	Hour   Granularity = "hour"
	Day    Granularity = "day"
	Month  Granularity = "month"
)

// ParseGranularity reads the query parameter of that name. Its errors are of kind fault.Invalid.
func ParseGranularity(text string) (Granularity, error) {
	switch g := Granularity(text); g {
	case Minute, Hour, Day, Month:
		return g, nil
	}
	return "", fault.Field("granularity", "%.40q is no granularity: want minute, hour, day or month", text)
}

// Start returns the beginning of the period that t lies in.
func (g Granularity) Start(t time.Time) time.Time {
	t = t.UTC()
	switch g {
	case Minute:
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), 0, 0, time.UTC)
	case Hour:
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), 0, 0, 0, time.UTC)
	case Day:
		return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	case Month:
		return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
	}
	panic("usage: no granularity: " + string(g))
}

// Next returns the beginning of the period after the one that t lies in.
func (g Granularity) Next(t time.Time) time.Time {
	start := g.Start(t)
	switch g {
	case Minute:
		return start.Add(time.Minute)
	case Hour:
		return start.Add(time.Hour)
	case Day:
		return start.AddDate(0, 0, 1)
	case Month:
		return start.AddDate(0, 1, 0)
	}
	panic("usage: no granularity: " + string(g))
}

// Dimension is one of the things usage can be grouped and filtered by.
type Dimension string

// The dimensions of GET /v1/usage.
const (
	ByTeam      Dimension = "team"
	ByApp       Dimension = "app"
	ByKey       Dimension = "key"
	ByUser      Dimension = "user"
	ByAPI       Dimension = "api"
	ByOperation Dimension = "operation"
	ByOutcome   Dimension = "outcome"
	ByMode      Dimension = "mode"
)

// ParseDimension reads one dimension. Its errors are of kind fault.Invalid.
func ParseDimension(text string) (Dimension, error) {
	switch d := Dimension(text); d {
	case ByTeam, ByApp, ByKey, ByUser, ByAPI, ByOperation, ByOutcome, ByMode:
		return d, nil
	}
	return "", fault.Field("group_by", "%.40q is nothing to group by: want team, app, key, user, api, operation, outcome or mode", text)
}

// ParseDimensions reads a comma-separated list such as "team,app", in which none may stand twice. "" is none.
func ParseDimensions(text string) ([]Dimension, error) {
	if text == "" {
		return nil, nil
	}
	var dims []Dimension
	for word := range strings.SplitSeq(text, ",") {
		d, err := ParseDimension(word)
		if err != nil {
			return nil, err
		}
		if slices.Contains(dims, d) {
			return nil, fault.Field("group_by", "%s stands there twice", d)
		}
		dims = append(dims, d)
	}
	return dims, nil
}
