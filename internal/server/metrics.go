package server

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// newMetrics is /metrics, which stands on a listener of its own: it tells about everybody's traffic.
func (s *Server) newMetrics() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, code := range policy.Codes() {
		registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "lanyard_decisions_total", Help: "Decisions made by this node, by code.", ConstLabels: prometheus.Labels{"code": string(code)},
		}, func() float64 { return float64(s.Verifier.Decided(code)) }))
	}
	gauge := func(name, help string, value func() float64) {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	counter := func(name, help string, value func() float64) {
		registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, value))
	}
	gauge("lanyard_changes_applied_revision", "Newest revision of the log of changes that this node has applied.", func() float64 { return float64(s.Tail.Applied()) })
	gauge("lanyard_changes_age_seconds", "Time since the node last knew to be up to date.", func() float64 { return s.Tail.Age(s.opts.Now()).Seconds() })
	counter("lanyard_usage_records_total", "Uses made durable by this node.", func() float64 { return float64(s.recorder.Stats().Records) })
	counter("lanyard_usage_groups_total", "Writes that carried them.", func() float64 { return float64(s.recorder.Stats().Groups) })
	counter("lanyard_usage_failed_total", "Uses that could not be made durable; their calls were answered 503.", func() float64 { return float64(s.recorder.Stats().Failed) })
	counter("lanyard_usage_dropped_total", "Refusals that were not noted because too many came at once.", func() float64 { return float64(s.recorder.Stats().Dropped) })
	if s.Shared != nil {
		gauge("lanyard_redis_open", "1 while no call goes to Redis, because the last ones failed, and limits are counted by each node.", func() float64 {
			if s.Shared.Stats().Open {
				return 1
			}
			return 0
		})
		counter("lanyard_redis_calls_total", "Calls to Redis that count limits.", func() float64 { return float64(s.Shared.Stats().Calls) })
		counter("lanyard_redis_failures_total", "Of them, those that were not answered in time.", func() float64 { return float64(s.Shared.Stats().Failures) })
	}
	if s.stripe != nil {
		counter("lanyard_stripe_sent_total", "Events that Stripe took from this node.", func() float64 { return float64(s.stripe.Stats().Sent) })
		counter("lanyard_stripe_refused_total", "Events that it refused, or that have to be looked at by somebody.", func() float64 { return float64(s.stripe.Stats().Refused) })
		counter("lanyard_stripe_unanswered_total", "Tries that have to be repeated.", func() float64 { return float64(s.stripe.Stats().Unanswered) })
		gauge("lanyard_stripe_behind_seconds", "Time since the earliest hour ended of which something waits to be sent, as of the last minute.", func() float64 { return s.stripe.Stats().Behind.Seconds() })
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return mux
}

// serveMetrics serves /metrics until ctx ends, if a listener is configured. The channel tells how it ended.
func (s *Server) serveMetrics(ctx context.Context) (<-chan error, error) {
	done := make(chan error, 1)
	if s.Settings.MetricsListen == "" {
		done <- nil
		return done, nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.Settings.MetricsListen)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "cannot listen on %s: %s; set LANYARD_METRICS_LISTEN to a free address", s.Settings.MetricsListen, plainNet(err))
	}
	go func() {
		if err := web.Serve(ctx, web.NewServer(s.metrics, s.log), l, 0); err != nil {
			done <- fmt.Errorf("serve metrics: %w", err)
			return
		}
		done <- nil
	}()
	return done, nil
}
