package main

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/advice"
)

// warningsShown is how many warnings about keys the doctor lists one by one.
const warningsShown = 20

// checkKeys lists what the server has to say of keys, in its own words: the same that the portal shows. A token that may not read keys leaves
// them out.
func (p *program) checkKeys(ctx context.Context) []finding {
	const about = "keys"
	c, err := p.client()
	if err != nil {
		return nil // checkToken says so
	}
	var all []lanyard.Warning
	for w, err := range c.AllWarnings(ctx, lanyard.WarningQuery{ListQuery: lanyard.ListQuery{Limit: 200}}) {
		var problem *lanyard.ProblemError
		switch {
		case errors.As(err, &problem) && (problem.Status == http.StatusForbidden || problem.Status == http.StatusUnauthorized):
			return nil
		case err != nil:
			return []finding{fail(about, sentence(err))}
		}
		all = append(all, w)
	}
	if len(all) == 0 {
		return []finding{fine(about, "there is nothing to say of them")}
	}
	slices.SortStableFunc(all, func(a, b lanyard.Warning) int {
		switch x, y := advice.Gravity(a.Gravity), advice.Gravity(b.Gravity); {
		case x == y:
			return 0
		case x.AtLeast(y):
			return -1
		}
		return 1
	})
	var found []finding
	for _, w := range all[:min(len(all), warningsShown)] {
		found = append(found, warn(about, w.String()+" "+w.URL))
	}
	if more := len(all) - len(found); more > 0 {
		found = append(found, warn(about, "there "+areMore(more)+": look at the portal, or ask GET /v1/warnings"))
	}
	return found
}

func areMore(n int) string {
	if n == 1 {
		return "is 1 warning more"
	}
	return "are " + count(int64(n), "warning") + " more"
}
