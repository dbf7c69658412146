// Package notify sends what the outbox holds. Mails wait there sealed, since the links in them are credentials; here they
// are opened, put into words in the provider's name and handed to a mail server. Each is sent at least once: a server that
// dies between sending and saying so sends it again, under the same Message-ID.
//
// When a mail is written, and what its link does, is the business of those who seal it.
package notify

import (
	"context"
	"time"

	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/outbox"
)

// Queue is the part of the store that mails wait in.
type Queue interface {
	// ClaimMails returns mails whose time has come, oldest first. Nobody else gets them until the lease ends.
	ClaimMails(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]outbox.Mail, error)
	// MailSent forgets a mail: it was sent, or given up.
	MailSent(ctx context.Context, m id.Message) error
	// MailFailed counts an attempt and puts the next one off. lastError is for people and holds nothing of the mail.
	MailFailed(ctx context.Context, m id.Message, next time.Time, lastError string) error
}

// Mail is a mail as it is sent.
type Mail struct {
	ID       id.Message // for the Message-ID, so that a mail sent twice can be known as one; "": none
	FromName string     // shown where the server's own address has no name
	To       string     // one bare address
	Subject  string
	Text     string
	HTML     string
}

// Sender hands a mail to whoever delivers it. A fault.Invalid is for ever: the address was refused. After other errors a
// later try may succeed. No error holds anything of the mail.
type Sender interface {
	Send(ctx context.Context, m Mail) error
}
