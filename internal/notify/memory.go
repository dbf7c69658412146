package notify

import (
	"context"
	"slices"
	"sync"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// Nowhere is the Sender of a server without a mail server. It keeps nothing and says what is missing.
type Nowhere struct{}

// Send implements Sender. It always fails.
func (Nowhere) Send(context.Context, Mail) error {
	return fault.New(fault.Unavailable, "this server sends no mail: set LANYARD_SMTP_URL and LANYARD_MAIL_FROM")
}

const maxKept = 100

// Memory is a Sender that keeps the last 100 mails to be read, for the demo and for tests. The zero value is ready. Safe
// for concurrent use.
type Memory struct {
	mu    sync.Mutex
	mails []Mail // oldest first
}

// Send implements Sender. It never fails.
func (m *Memory) Send(_ context.Context, mail Mail) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.mails) == maxKept {
		m.mails = slices.Delete(m.mails, 0, 1)
	}
	m.mails = append(m.mails, mail)
	return nil
}

// List returns the mails that are kept, newest first.
func (m *Memory) List() []Mail {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := slices.Clone(m.mails)
	slices.Reverse(all)
	return all
}
