package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/outbox"
)

const (
	atOnce     = 8               // mails that are sent side by side: one slow server answer holds up seven others at most
	lease      = 2 * time.Minute // longer than a try takes
	firstPause = time.Minute
	longPause  = 6 * time.Hour
	giveUp     = 24 * time.Hour // after which a mail is of no use to anybody
	noteTime   = 10 * time.Second
	maxError   = 200 // characters of the last error that are kept
)

// Runner sends the mails of a queue, whenever its owner calls Once. Several nodes may have one each on the same queue.
type Runner struct {
	Queue  Queue
	Open   func(m id.Message, sealed []byte) ([]byte, error) // gives what Encode made
	Sender Sender
	Brand  func(context.Context) (lanyard.Brand, error)
	Now    func() time.Time
	Log    *slog.Logger
}

// Once sends every mail whose time has come. A mail that cannot be sent is put off and is no error; the queue's failures
// are.
func (r *Runner) Once(ctx context.Context) error {
	for {
		mails, err := r.Queue.ClaimMails(ctx, r.Now(), lease, atOnce)
		if err != nil {
			return fmt.Errorf("claim mails: %w", err)
		}
		failures := make([]error, len(mails))
		var all sync.WaitGroup
		for i, m := range mails {
			all.Go(func() { failures[i] = r.deliver(ctx, m) })
		}
		all.Wait()
		if err := errors.Join(failures...); err != nil || len(mails) < atOnce {
			return err
		}
	}
}

// deliver sends one mail and tells the queue what came of it.
func (r *Runner) deliver(ctx context.Context, m outbox.Mail) error {
	kind, err := r.send(ctx, m)
	if ctx.Err() != nil && err != nil {
		return ctx.Err() // the server stops; the lease runs out and somebody else sends it
	}
	// What happened is noted even if the server stops at this moment: else the mail would be sent twice.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	next := r.Now().Add(pause(m.Attempts))
	hopeless := errors.Is(err, errUnreadable) || fault.Is(err, fault.Invalid)
	switch {
	case err == nil:
		err = r.Queue.MailSent(ctx, m.ID)
	case hopeless || next.Sub(m.CreatedAt) > giveUp:
		r.Log.Error("a mail was given up", "message", m.ID, "kind", kind, "attempts", m.Attempts+1, "error", err)
		err = r.Queue.MailSent(ctx, m.ID)
	default:
		r.Log.Warn("a mail could not be sent and is tried again", "message", m.ID, "kind", kind, "next", next, "error", err)
		err = r.Queue.MailFailed(ctx, m.ID, next, fmt.Sprintf("%.*s", maxError, err))
	}
	if err != nil {
		return fmt.Errorf("note what became of mail %s: %w", m.ID, err)
	}
	return nil
}

// errUnreadable is a mail that no later try can read.
var errUnreadable = errors.New("it does not read as a mail")

func (r *Runner) send(ctx context.Context, m outbox.Mail) (Kind, error) {
	text, err := r.Open(m.ID, m.Sealed)
	if err != nil {
		return "", fmt.Errorf("open its seal: %w", err) // perhaps with a key that this node has not read yet
	}
	letter, err := Decode(text)
	if err != nil {
		return letter.Kind, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	brand, err := r.Brand(ctx)
	if err != nil {
		return letter.Kind, fmt.Errorf("find the provider's name: %w", err)
	}
	mail, err := Render(m.ID, letter, brand)
	if err != nil {
		return letter.Kind, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	return letter.Kind, r.Sender.Send(ctx, mail)
}

// pause is how long to wait after so many failures before this one: a minute, twice that each time, six hours at most.
func pause(before int) time.Duration {
	if before >= 9 { // 2^9 minutes are more than six hours
		return longPause
	}
	return min(firstPause<<max(before, 0), longPause)
}
