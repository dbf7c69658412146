package lanyard

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
)

// trouble is why decisions cannot be had.
type trouble int32

const (
	none        trouble = iota
	unreachable         // no answer, or one that is no decision
	failing             // the server says that it cannot
	tokenBad            // the server refuses our own token
	questionBad         // the server refuses our question
	throttled           // we ask more often than we may
)

// health logs when decisions stop and when they come again: a line for each change, not one for each request.
type health struct {
	log      *slog.Logger
	state    atomic.Int32
	question sync.Once
}

// troubleOf tells apart whose fault it is. None of them is the caller's.
func troubleOf(err error) trouble {
	var p *ProblemError
	switch {
	case !errors.As(err, &p):
		return unreachable
	case p.Status == http.StatusUnauthorized, p.Status == http.StatusForbidden:
		return tokenBad
	case p.Status == http.StatusTooManyRequests:
		return throttled
	case p.Status >= 500:
		return failing
	}
	return questionBad
}

func (h *health) bad(ctx context.Context, api string, err error) {
	t := troubleOf(err)
	why := []any{"api", api, "error", err.Error()}
	if t == questionBad {
		// Some callers can bring this about with a request of theirs; they shall not fill the log.
		h.question.Do(func() {
			h.log.ErrorContext(ctx, "lanyard refuses the question: check the name of the API and the options; requests like it are answered 503 (logged once)", why...)
		})
		return
	}
	if trouble(h.state.Swap(int32(t))) == t {
		return
	}
	switch t {
	case tokenBad:
		h.log.ErrorContext(ctx, "lanyard refuses LANYARD_TOKEN: give it a credential with the scope lanyard.verify for this API; all requests are answered 503", why...)
	case throttled:
		h.log.ErrorContext(ctx, "lanyard limits how often LANYARD_TOKEN may ask: raise its limits; requests beyond are answered 503", why...)
	case failing:
		h.log.ErrorContext(ctx, "lanyard cannot decide; requests are answered 503", why...)
	default:
		h.log.ErrorContext(ctx, "lanyard is out of reach; requests are answered 503", why...)
	}
}

func (h *health) good(ctx context.Context, api string) {
	if h.state.Load() != int32(none) && h.state.Swap(int32(none)) != int32(none) {
		h.log.InfoContext(ctx, "lanyard decides again", "api", api)
	}
}
