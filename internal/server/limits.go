package server

import (
	"context"

	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// newLimits makes what counts limits: Redis, for all nodes together, where the settings name one, else this node's memory.
func (s *Server) newLimits() (verify.Limits, error) {
	memory := ratelimit.NewMemory(s.opts.Now())
	if s.Settings.RedisURL.IsZero() {
		return ratelimit.Local{Memory: memory}, nil
	}
	var err error
	s.Shared, err = ratelimit.NewShared(ratelimit.SharedOptions{
		// The built-in team's id tells deployments apart that share a Redis.
		URL: s.Settings.RedisURL, Prefix: "lanyard:" + id.Chars(s.SystemTeam) + ":", Memory: memory, Nodes: s.Tail.Nodes, Timeout: s.opts.RedisTimeout, Log: s.log,
	})
	return s.Shared, err
}

// reachRedis connects. A Redis that does not answer is no reason not to start: it is tried again while the server runs.
func (s *Server) reachRedis(ctx context.Context) {
	if s.Shared == nil {
		return
	}
	if err := s.Shared.Probe(ctx); err != nil {
		s.log.Warn("Redis does not answer: until it does this node counts limits by itself, as each says in when_unavailable", "error", err)
	}
}

func (s *Server) runRedis(ctx context.Context) {
	if s.Shared != nil {
		s.Shared.Run(ctx)
	}
}

func (s *Server) closeRedis() {
	if s.Shared != nil {
		s.Shared.Close()
	}
}

// CheckRedis connects to the Redis of the settings and counts there once, in the time that a call has.
func CheckRedis(ctx context.Context, settings config.Settings) error {
	var opts Options
	opts.complete()
	shared, err := ratelimit.NewShared(ratelimit.SharedOptions{URL: settings.RedisURL, Prefix: "lanyard:doctor:", Log: opts.Log})
	if err != nil {
		return err
	}
	defer shared.Close()
	if err := shared.Probe(ctx); err != nil {
		return fault.Down(err, "Redis does not answer as it should")
	}
	return nil
}
