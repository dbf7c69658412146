package rest

import (
	"context"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

const longestWait = 10 * time.Second

// Waiting is the query of acts that can wait until every node knows. It is exported for huma, like Paging.
type Waiting struct {
	Wait string `query:"wait" doc:"Answer once every node has applied the change, at the latest after this time, such as 1s; at most 10s" example:"1s"`
}

// applied runs an act and waits as asked. What the act did stays done, whatever becomes of the waiting: then applied is
// false.
func (a *api) applied(ctx context.Context, q Waiting, act func() (id.Revision, error)) (lanyard.Applied, error) {
	var atMost time.Duration
	if q.Wait != "" {
		var err error
		if atMost, err = time.ParseDuration(q.Wait); err != nil || atMost < 0 || atMost > longestWait {
			return lanyard.Applied{}, fault.Field("wait", "must be a time such as 1s, at most %s", longestWait)
		}
	}
	rev, err := act()
	if err != nil {
		return lanyard.Applied{}, err
	}
	answer := lanyard.Applied{Revision: rev.String()}
	if atMost > 0 && a.Service.Wait != nil {
		done, err := a.Service.Wait(ctx, rev, atMost)
		answer.Applied = done && err == nil
	}
	return answer, nil
}
