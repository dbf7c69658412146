package verify

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

const (
	failuresPerMinute = 60     // unknown or malformed credentials from one source
	attemptsKept      = 10_000 // sources remembered between two writes; further ones are counted together
	elsewhere         = "elsewhere"
)

// guard counts credentials that belong to nobody, by source, and bars sources that keep guessing. IPv6 sources count by
// /64, since one host commands all of it (SECURITY-CASES 92).
type guard struct {
	limits *ratelimit.Memory
	mu     sync.Mutex
	seen   map[attemptKey]*usage.Attempt
}

type attemptKey struct {
	source string
	code   policy.Code
	hour   int64
}

func newGuard(now time.Time) *guard {
	return &guard{limits: ratelimit.NewMemory(now), seen: map[attemptKey]*usage.Attempt{}}
}

// source is who is counted: the caller's address or network, else whoever the surface says asked.
func (r *Request) source() string {
	if ip := r.IP.Unmap().WithZone(""); ip.IsValid() {
		if ip.Is4() {
			return ip.String()
		}
		p, err := ip.Prefix(64)
		if err == nil {
			return p.String()
		}
	}
	if r.Source != "" {
		return r.Source
	}
	return "unknown"
}

func guardRequest(source string, cost int64) [1]ratelimit.Request {
	return [1]ratelimit.Request{{Limit: ratelimit.Limit{Name: "failures", N: failuresPerMinute, Window: time.Minute}, Subject: source, Cost: cost}}
}

// barred refuses, before any look-up, a source that has failed too often lately.
func (g *guard) barred(req *Request, d *Decision) bool {
	if req.trusted {
		return false
	}
	var into [1]ratelimit.Status
	ask := guardRequest(req.source(), 1)
	out := g.limits.Check(d.At, ask[:], into[:0])
	if !out.Allowed {
		d.refuse(policy.RateLimited, "source")
		d.RetryAfter = out.Statuses[0].RetryAfter
	}
	return !out.Allowed
}

// unknown counts a credential that belongs to nobody; a source over its limit learns only that.
func (v *Verifier) unknown(req *Request, d *Decision) {
	if d.Code == policy.Missing || req.trusted {
		return
	}
	source, code := req.source(), d.Code
	if code == policy.RateLimited {
		code = policy.NotFound
	}
	sample := req.Credential
	if d.DeniedBy == "api_key" {
		sample = req.APIKey
	}
	v.guard.note(source, code, sample, d.At)
	if d.Code == policy.RateLimited || req.DryRun {
		return
	}
	var into [1]ratelimit.Status
	ask := guardRequest(source, 1)
	if out := v.guard.limits.Spend(d.At, ask[:], into[:0]); !out.Allowed {
		d.refuse(policy.RateLimited, "source")
		d.RetryAfter = out.Statuses[0].RetryAfter
	}
}

func (g *guard) note(source string, code policy.Code, credential string, at time.Time) {
	hour := at.UTC().Truncate(time.Hour)
	k := attemptKey{source: source, code: code, hour: hour.Unix()}
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.seen[k]
	if a == nil {
		if len(g.seen) >= attemptsKept {
			k.source = elsewhere
			a = g.seen[k]
		}
		if a == nil {
			a = &usage.Attempt{Source: strings.Clone(k.source), Code: string(code), Start: hour}
			g.seen[attemptKey{source: a.Source, code: code, hour: k.hour}] = a
		}
	}
	a.Count++
	a.LastAt = at
	a.Sample = secret.Hint(credential)
}

// FlushAttempts writes what was counted since the last time. What cannot be written is kept for the next.
func (v *Verifier) FlushAttempts(ctx context.Context) error {
	v.guard.mu.Lock()
	seen := v.guard.seen
	v.guard.seen = map[attemptKey]*usage.Attempt{}
	v.guard.mu.Unlock()
	if len(seen) == 0 {
		return nil
	}
	list := make([]usage.Attempt, 0, len(seen))
	for _, a := range seen {
		list = append(list, *a)
	}
	err := v.Store.AddAttempts(ctx, list)
	if err == nil {
		return nil
	}
	v.guard.mu.Lock()
	defer v.guard.mu.Unlock()
	for k, a := range seen {
		if have := v.guard.seen[k]; have != nil {
			have.Count += a.Count
		} else if len(v.guard.seen) < 2*attemptsKept {
			v.guard.seen[k] = a
		}
	}
	return err
}

// RunGuard writes attempts every so often until ctx ends, and a last time then.
func (v *Verifier) RunGuard(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			if err := v.FlushAttempts(last); err != nil {
				v.Log.Warn("could not write the last unknown credentials' counts", "error", err)
			}
			return
		case <-ticker.C:
			if err := v.FlushAttempts(ctx); err != nil && !errors.Is(err, context.Canceled) {
				v.Log.Debug("could not write unknown credentials' counts; trying again", "error", err)
			}
		}
	}
}
