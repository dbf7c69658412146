package notify

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/outbox"
)

// row is a mail of the fake queue.
type row struct {
	outbox.Mail
	next  time.Time
	error string
}

// queue is a Queue in memory. It does what the interface says, once.
type queue struct {
	mu   sync.Mutex
	rows []*row
	down error
}

func (q *queue) ClaimMails(_ context.Context, now time.Time, lease time.Duration, limit int) ([]outbox.Mail, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var due []outbox.Mail
	for _, r := range q.rows {
		if !r.next.After(now) && len(due) < limit {
			r.next = now.Add(lease)
			due = append(due, r.Mail)
		}
	}
	return due, q.down
}

func (q *queue) MailSent(ctx context.Context, m id.Message) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.rows = slices.DeleteFunc(q.rows, func(r *row) bool { return r.ID == m })
	return errors.Join(q.down, ctx.Err())
}

func (q *queue) MailFailed(ctx context.Context, m id.Message, next time.Time, lastError string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range q.rows {
		if r.ID == m {
			r.next, r.error, r.Attempts = next, lastError, r.Attempts+1
		}
	}
	return errors.Join(q.down, ctx.Err())
}

// post puts letters into the queue, sealed by nobody.
func (q *queue) post(t *testing.T, at time.Time, letters ...Letter) {
	t.Helper()
	for _, l := range letters {
		text, err := Encode(l)
		if err != nil {
			t.Fatal(err)
		}
		q.rows = append(q.rows, &row{Mail: outbox.Mail{ID: id.New[id.Message](), Sealed: text, CreatedAt: at}, next: at})
	}
}

// senders is a Sender made of a function.
type senders func(ctx context.Context, m Mail) error

func (s senders) Send(ctx context.Context, m Mail) error { return s(ctx, m) }

var t0 = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// newRunner makes a Runner at t0 whose log is kept, and whose clock is *now.
func newRunner(q *queue, sender Sender) (r *Runner, now *time.Time, log *bytes.Buffer) {
	now, log = new(t0), new(bytes.Buffer)
	return &Runner{
		Queue: q, Sender: sender, Now: func() time.Time { return *now }, Log: slog.New(slog.NewTextHandler(log, nil)),
		Open:  func(_ id.Message, sealed []byte) ([]byte, error) { return sealed, nil },
		Brand: func(context.Context) (lanyard.Brand, error) { return lanyard.Brand{Name: "Acme"}, nil },
	}, now, log
}

func reset(to string) Letter {
	return Letter{Kind: Reset, To: to, Link: "https://auth.example/link/hush", Name: "Ada"}
}

func TestOnce(t *testing.T) {
	q, kept := &queue{}, &Memory{}
	r, _, log := newRunner(q, kept)
	q.post(t, t0, letters()...)
	for range 20 {
		q.post(t, t0, reset("ada@demo.test"))
	}
	if err := r.Once(t.Context()); err != nil || len(q.rows) != 0 || len(kept.List()) != 20+len(letters()) || log.Len() != 0 {
		t.Errorf("Once = %v, %d mails wait, %d were sent, log %q; want all of them sent", err, len(q.rows), len(kept.List()), log)
	}
	for _, m := range kept.List() {
		if m.ID == "" || m.FromName != "Acme" || m.To != "ada@demo.test" || !strings.Contains(m.Text, "https://auth.example/link/") {
			t.Errorf("sent %+v", m)
		}
	}
}

// TestBackOff: after a minute, twice that, six hours at most; after a day no more. Nothing of the mail is told.
func TestBackOff(t *testing.T) {
	q, tries := &queue{}, []string{}
	r, now, log := newRunner(q, nil)
	r.Sender = senders(func(context.Context, Mail) error {
		tries = append(tries, now.Sub(t0).String())
		return fault.New(fault.Unavailable, "the mail server sleeps")
	})
	q.post(t, t0, reset("ada@demo.test"))
	for now.Sub(t0) < 48*time.Hour {
		if err := r.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(q.rows) == 1 && !strings.Contains(q.rows[0].error, "sleeps") {
			t.Errorf("the row's error is %q", q.rows[0].error)
		}
		*now = now.Add(30 * time.Second)
	}
	want := "0s 1m0s 3m0s 7m0s 15m0s 31m0s 1h3m0s 2h7m0s 4h15m0s 8h31m0s 14h31m0s 20h31m0s"
	if got := strings.Join(tries, " "); got != want {
		t.Errorf("tried after %s, want %s", got, want)
	}
	if len(q.rows) != 0 || strings.Count(log.String(), "given up") != 1 || strings.Count(log.String(), "tried again") != len(tries)-1 {
		t.Errorf("%d mails wait; log:\n%s", len(q.rows), log)
	}
	for _, private := range []string{"hush", "demo.test", "Ada"} {
		if strings.Contains(log.String(), private) {
			t.Errorf("the log tells %q:\n%s", private, log)
		}
	}
}

// TestGiveUp: what no later try can mend is not tried again, and holds up nobody else.
func TestGiveUp(t *testing.T) {
	q, kept := &queue{}, &Memory{}
	r, _, log := newRunner(q, nil)
	r.Sender = senders(func(ctx context.Context, m Mail) error {
		if m.To == "gone@demo.test" {
			return fault.New(fault.Invalid, "the mail server refuses the address")
		}
		return kept.Send(ctx, m)
	})
	q.post(t, t0, reset("gone@demo.test"), reset("ada@demo.test"))
	q.rows = append(q.rows, &row{Mail: outbox.Mail{ID: "msg_1", Sealed: []byte(`{"to":"hush"`), CreatedAt: t0}})
	q.rows = append(q.rows, &row{Mail: outbox.Mail{ID: "msg_2", Sealed: []byte(`{"kind":"reset","to":"hush","link":"hush"}`), CreatedAt: t0}})
	if err := r.Once(t.Context()); err != nil || len(q.rows) != 0 || len(kept.List()) != 1 || strings.Count(log.String(), "given up") != 3 {
		t.Errorf("Once = %v, %d mails wait, %d were sent; log:\n%s", err, len(q.rows), len(kept.List()), log)
	}
	if strings.Contains(log.String(), "hush") || strings.Contains(log.String(), "demo.test") {
		t.Errorf("the log tells what the mail says:\n%s", log)
	}
}

// TestTryAgain: a seal that this node cannot open yet, a provider that cannot be read and a missing server are no reason
// to give up.
func TestTryAgain(t *testing.T) {
	for name, change := range map[string]func(*Runner){
		"seal": func(r *Runner) {
			r.Open = func(id.Message, []byte) ([]byte, error) { return nil, errors.New("unknown key") }
		},
		"brand": func(r *Runner) {
			r.Brand = func(context.Context) (b lanyard.Brand, err error) { return b, errors.New("gone") }
		},
		"server": func(r *Runner) { r.Sender = Nowhere{} },
		"long": func(r *Runner) {
			r.Sender = senders(func(context.Context, Mail) error { return errors.New(strings.Repeat("x", 1000)) })
		},
	} {
		q := &queue{}
		r, _, _ := newRunner(q, &Memory{})
		change(r)
		q.post(t, t0, reset("ada@demo.test"))
		if err := r.Once(t.Context()); err != nil || len(q.rows) != 1 || q.rows[0].Attempts != 1 || !q.rows[0].next.Equal(t0.Add(time.Minute)) {
			t.Errorf("%s: Once = %v, %d mails wait, want one that is tried again in a minute", name, err, len(q.rows))
		} else if e := q.rows[0].error; e == "" || len(e) > maxError {
			t.Errorf("%s: the row's error has %d characters", name, len(e))
		}
	}
}

func TestOnceFails(t *testing.T) {
	q := &queue{down: errors.New("database gone")}
	r, _, _ := newRunner(q, &Memory{})
	if err := r.Once(t.Context()); !errors.Is(err, q.down) {
		t.Errorf("Once without a queue = %v, want its error", err)
	}
	q.down = nil
	q.post(t, t0, reset("ada@demo.test"))
	r.Sender = senders(func(context.Context, Mail) error { q.down = errors.New("database gone"); return nil })
	if err := r.Once(t.Context()); !errors.Is(err, q.down) {
		t.Errorf("Once where the queue goes away = %v, want its error", err)
	}
}

// TestStopWhileSending: the end breaks off what hangs without losing it, or counting it as a try.
func TestStopWhileSending(t *testing.T) {
	q := &queue{}
	ctx, cancel := context.WithCancel(t.Context())
	r, _, _ := newRunner(q, senders(func(ctx context.Context, _ Mail) error { cancel(); <-ctx.Done(); return ctx.Err() }))
	q.post(t, t0, reset("ada@demo.test"))
	if err := r.Once(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Once = %v, want nothing but the end", err)
	}
	if len(q.rows) != 1 || q.rows[0].Attempts != 0 {
		t.Errorf("%d mails wait, want the one that was broken off, as if untried", len(q.rows))
	}
}

// A mail that was sent while the server stops is noted all the same.
func TestStopAfterSending(t *testing.T) {
	q := &queue{}
	ctx, cancel := context.WithCancel(t.Context())
	r, _, _ := newRunner(q, senders(func(context.Context, Mail) error { cancel(); return nil }))
	q.post(t, t0, reset("ada@demo.test"))
	if err := r.Once(ctx); err != nil || len(q.rows) != 0 {
		t.Errorf("Once = %v, %d mails wait, want none", err, len(q.rows))
	}
}

func TestMemory(t *testing.T) {
	var m Memory
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				_ = m.Send(t.Context(), Mail{Subject: "first"})
				_ = m.List()
			}
		})
	}
	all.Wait()
	for i := range 60 {
		_ = m.Send(t.Context(), Mail{Subject: strconv.Itoa(i)})
	}
	got := m.List()
	if len(got) != 100 || got[0].Subject != "59" || got[59].Subject != "0" || got[60].Subject != "first" {
		t.Errorf("List has %d mails, the newest %q", len(got), got[0].Subject)
	}
	got[0].Subject = "changed"
	if m.List()[0].Subject != "59" {
		t.Error("what List returns changes what is kept")
	}
	if err := (Nowhere{}).Send(t.Context(), Mail{Subject: "hush"}); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "LANYARD_SMTP_URL") {
		t.Errorf("Nowhere.Send = %v, want unavailable that names the setting", err)
	}
}
