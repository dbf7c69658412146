package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/outbound"
	"github.com/lanyard-auth/lanyard/internal/outbox"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// HookTimeout is how long an endpoint may take to answer (Standard Webhooks: between 15 and 30 s).
const HookTimeout = 15 * time.Second

const (
	hooksAtOnce = 16
	hookTurn    = 5 * time.Second // of one endpoint within a round: what is left of its messages waits for the next
	hookSlow    = 5 * time.Second // an attempt that takes longer holds up the others: the endpoint pauses
	hookLease   = 5 * time.Minute // longer than a round takes
	hookAnswer  = 1 << 10         // bytes of an answer that are read
	hookKept    = 300             // and characters that are kept
	tooOld      = 30 * time.Hour  // for another attempt: longer than the whole schedule
	failingFor  = 3 * 24 * time.Hour
	longestWait = 6 * time.Hour // that an endpoint may ask for
)

// HookQueue is the part of the store that webhook deliveries wait in.
type HookQueue interface {
	ClaimWebhooks(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]outbox.Sending, error)
	WebhookTried(ctx context.Context, o outbox.Outcome) error
	// Webhook is the endpoint as it is now. fault.NotFound: it was deleted.
	Webhook(ctx context.Context, reach audit.Reach, hook id.Webhook) (*outbox.Endpoint, error)
	// ReleaseWebhooks gives back what was claimed and not tried.
	ReleaseWebhooks(ctx context.Context, next time.Time, all ...outbox.Sending) error
}

// Hooks sends what waits for webhooks, whenever its owner calls Once. Several nodes may have one each on the same queue. Each message
// is sent at least once, under the same webhook-id.
type Hooks struct {
	Queue HookQueue
	Open  func(hook id.Webhook, sealed []byte) ([]byte, error) // gives what outbox.JoinSecrets made
	Tell  func(ctx context.Context, address string, body []byte, headers http.Header, keep int64) (*outbound.Response, error)
	// Warn writes to whom it concerns that an endpoint is disabled for a reason.
	Warn func(ctx context.Context, e *outbox.Endpoint, why outbox.Stop) ([]outbox.Mail, error)
	Now  func() time.Time
	Log  *slog.Logger
}

// Once sends every message whose time has come. One that does not arrive is put off and is no error; the queue's failures are.
func (h *Hooks) Once(ctx context.Context) error {
	for {
		due, err := h.Queue.ClaimWebhooks(ctx, h.Now(), hookLease, hooksAtOnce)
		if err != nil {
			return fmt.Errorf("claim webhook deliveries: %w", err)
		}
		byHook := map[id.Webhook][]outbox.Sending{}
		for _, d := range due {
			byHook[d.Webhook] = append(byHook[d.Webhook], d)
		}
		var all sync.WaitGroup
		var mu sync.Mutex
		var failures []error
		for _, mine := range byHook {
			all.Go(func() {
				if err := h.turn(ctx, mine); err != nil {
					mu.Lock()
					defer mu.Unlock()
					failures = append(failures, err)
				}
			})
		}
		all.Wait()
		if err := errors.Join(failures...); err != nil || len(due) == 0 {
			return err
		}
	}
}

// turn sends the messages of one endpoint, one after the other: until it does not answer, or the others have waited long enough.
func (h *Hooks) turn(ctx context.Context, due []outbox.Sending) error {
	began := h.Now()
	for i, d := range due {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case h.Now().Sub(began) > hookTurn:
			return h.Queue.ReleaseWebhooks(ctx, h.Now(), due[i:]...)
		}
		if i > 0 {
			to, err := h.Queue.Webhook(ctx, audit.ServerReach(), d.Webhook)
			if fault.Is(err, fault.NotFound) || err == nil && !to.Takes() {
				return nil // what waited for it was given up
			}
			if err != nil {
				return fmt.Errorf("read %s again: %w", d.Webhook, err)
			}
			d.To = *to
		}
		o, err := h.attempt(ctx, d)
		if err != nil {
			return err
		}
		noting, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
		err = h.Queue.WebhookTried(noting, o)
		if err == nil && !o.PauseUntil.IsZero() {
			err = h.Queue.ReleaseWebhooks(noting, o.PauseUntil, due[i+1:]...)
		}
		cancel()
		if err != nil {
			return fmt.Errorf("note what became of message %s to %s: %w", d.ID, d.Webhook, err)
		}
		if !o.PauseUntil.IsZero() || o.Stop != "" {
			return nil
		}
	}
	return nil
}

// attempt sends one message and says what follows from it.
func (h *Hooks) attempt(ctx context.Context, d outbox.Sending) (outbox.Outcome, error) {
	at := h.Now()
	answer, err := h.send(ctx, d, at)
	if ctx.Err() != nil && err != nil {
		return outbox.Outcome{}, ctx.Err() // the server stops; the lease runs out and somebody else sends it
	}
	now := h.Now()
	if err != nil {
		h.Log.Debug("a webhook could not be sent", "webhook", d.Webhook, "message", d.ID, "error", err)
	}
	o := judge(d, answer, err, now)
	o.Attempt.At, o.Attempt.Took = at, now.Sub(at)
	if o.Attempt.Took > hookSlow && o.PauseUntil.IsZero() {
		o.PauseUntil = now.Add(2 * o.Attempt.Took)
	}
	if o.State == outbox.Waits {
		h.Log.Info("a webhook did not arrive and is tried again", "webhook", d.Webhook, "message", d.ID, "kind", d.Kind, "next", o.NextAt, "error", o.Attempt.Error)
	}
	if o.Stop == "" {
		return o, nil
	}
	h.Log.Warn("a webhook is disabled", "webhook", d.Webhook, "why", o.Stop)
	o.Event.ID, o.Event.At, o.Event.Actor, o.Event.Action, o.Event.Target, o.Event.Team = id.New[id.Event](), now, "this server", "webhook.disable", string(d.Webhook), d.To.Team
	o.Event.Details = map[string]string{"reason": string(o.Stop)}
	if o.Letters, err = h.Warn(ctx, &d.To, o.Stop); err != nil {
		return outbox.Outcome{}, fmt.Errorf("write that %s is disabled: %w", d.Webhook, err)
	}
	return o, nil
}

// send is the request, signed as Standard Webhooks 1.0 has it.
func (h *Hooks) send(ctx context.Context, d outbox.Sending, at time.Time) (*outbound.Response, error) {
	opened, err := h.Open(d.Webhook, d.To.Secrets)
	if err != nil {
		return nil, fault.Down(err, "this server cannot read the signing secret yet") // perhaps its key is of another node
	}
	current, former := outbox.SplitSecrets(opened, at)
	secrets := []secret.Secret{current}
	for _, f := range former {
		secrets = append(secrets, f.Secret)
	}
	signature, err := outbox.Sign(d.ID, at, d.Payload, secrets...)
	if err != nil {
		return nil, err
	}
	header := http.Header{}
	header.Set("Webhook-Id", string(d.ID))
	header.Set("Webhook-Timestamp", strconv.FormatInt(at.Unix(), 10))
	header.Set("Webhook-Signature", signature)
	return h.Tell(ctx, d.To.URL, []byte(d.Payload), header, hookAnswer)
}

// why is what may be shown of a failure: what it says itself, and nothing of its cause, in which the house's own addresses may be.
func why(failed error) string {
	var known *fault.Error
	if errors.As(failed, &known) {
		return fmt.Sprintf("%.*s", maxError, known.Detail)
	}
	return "it could not be sent"
}

// schedule is how long to wait after each failure: about a day in all.
var schedule = [...]time.Duration{
	5 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 6 * time.Hour, 10 * time.Hour,
}

// judge says what follows from an answer, or from none. Only a status of 2xx is a success.
func judge(d outbox.Sending, answer *outbound.Response, failed error, now time.Time) outbox.Outcome {
	o := outbox.Outcome{ID: d.ID, Webhook: d.Webhook, State: outbox.Waits}
	throttled := failed != nil // nobody answered: what else waits for it would not arrive either
	var asked time.Duration
	if failed != nil {
		o.Attempt.Error = why(failed)
	} else {
		o.Attempt.Status, o.Attempt.Answer = answer.Status, kept(answer.Body)
		switch {
		case answer.Status >= 200 && answer.Status < 300:
			o.State = outbox.Delivered
			return o
		case answer.Status == http.StatusGone:
			o.State, o.Stop = outbox.Failed, outbox.Gone
			o.Attempt.Error = "it answered 410: it wants to hear no more"
			return o
		}
		o.Attempt.Error = "it answered " + strconv.Itoa(answer.Status)
		switch answer.Status {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			throttled, asked = true, retryAfter(answer.Header.Get("Retry-After"), now)
		}
	}
	failing := time.Duration(0)
	if !d.To.FailingSince.IsZero() {
		failing = now.Sub(d.To.FailingSince)
	}
	if throttled {
		o.PauseUntil = now.Add(max(asked, min(max(failing/8, 5*time.Second), 10*time.Minute)))
	}
	// One that does not answer is tried so seldom that its messages get old before their last try. What somebody sent again does not.
	old := d.Tries > 0 && d.Attempts == d.Tries && now.Sub(d.CreatedAt) >= tooOld
	if d.Tries >= len(schedule) || old {
		if o.State = outbox.Failed; failing >= failingFor {
			o.Stop = outbox.Failing
		}
		return o
	}
	wait := schedule[d.Tries]
	o.NextAt = now.Add(max(asked, wait+spread(d.ID, wait)))
	return o
}

// spread is up to a tenth more of a wait, another for each message: what failed together does not come back together.
func spread(message id.Message, wait time.Duration) time.Duration {
	sum := uint32(0)
	for _, c := range []byte(message) {
		sum = sum*31 + uint32(c)
	}
	return wait / 10 * time.Duration(sum%100) / 100
}

// retryAfter reads the header, in seconds or as a date; what makes no sense is none, and nobody may ask for more than six hours.
func retryAfter(text string, now time.Time) time.Duration {
	wait := time.Duration(0)
	if seconds, err := strconv.Atoi(text); err == nil && seconds > 0 && seconds < 1<<30 {
		wait = time.Duration(seconds) * time.Second
	} else if date, err := http.ParseTime(text); err == nil {
		wait = date.Sub(now)
	}
	return min(max(wait, 0), longestWait)
}

// kept is what may be shown of an answer: its beginning, as text in one line, without any credential.
func kept(body []byte) string { return secret.Redact(oneLine(string(body), hookKept)) }
