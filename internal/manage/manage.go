// Package manage does every management act once: who may do it and to whose things (rights.go), which scopes may be handed
// on (grant.go), what the input must look like, and what the audit log says about it. The JSON API, the portal and the
// commands all call it, so that a rule cannot be forgotten on one of them.
//
// Every method of Service takes the asking audit.Actor and begins with its rights. It takes and returns the wire types of
// package lanyard; ids are text, and a malformed one is fault.NotFound like one out of reach. What an act means for a thing
// stays with the noun's package, how it is kept with package store.
package manage

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/leak"
	"github.com/lanyard-auth/lanyard/internal/outbox"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/session"
	"github.com/lanyard-auth/lanyard/internal/stripe"
	"github.com/lanyard-auth/lanyard/internal/team"
	"github.com/lanyard-auth/lanyard/internal/usage"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// Service does the acts. Fill in every field that is not said to be optional.
type Service struct {
	AppStore     app.Store
	KeyStore     key.Store
	TeamStore    team.Store
	UserStore    user.Store
	CatalogStore catalog.Store
	BillingStore billing.Store
	StripeStore  stripe.Store
	StripeOn     bool // this server tells Stripe what is counted
	Usage        usage.Reader
	Log          AuditLog
	Lists        Lists
	Changes      ChangeLog

	// What visitor badges and accounts need.
	GrantStore    grant.Store
	PersonalStore key.PersonalStore
	SessionStore  session.Store
	LinkStore     factor.LinkStore
	Passwords     factor.Store
	Accounts      Accounts
	// InvitationStore keeps who is asked into which team.
	InvitationStore factor.InvitationStore

	// KeyLeaks keeps what was found where it does not belong, and LeakRules says what follows; nil: the usual rules.
	KeyLeaks  LeakStore
	LeakRules leak.Rules

	// Watch keeps what warnings about keys follow from.
	Watch Watch

	// WebhookStore keeps addresses that are told of events; SealSecrets and OpenSecrets hide their signing secrets in their rows.
	WebhookStore outbox.WebhookStore
	Outbox       outbox.Store
	SealSecrets  func(hook id.Webhook, text []byte) ([]byte, error)
	OpenSecrets  func(hook id.Webhook, sealed []byte) ([]byte, error)

	// MAC is the digest that a credential is kept as, with its pepper's version (keyring.Ring.MAC). Cursors are
	// authenticated by it too.
	MAC func(credential string) (pepper int, digest [32]byte)
	// MACWith is MAC under an older version of the pepper; not known: this node has not read it (keyring.Ring.MACWith).
	MACWith func(pepper int, text string) (digest [32]byte, known bool)
	// Lookups are the digests under which a credential may stand already: one for each pepper.
	Lookups func(credential string) [][]byte
	// Flush absorbs this node's waiting usage before it is shown; may be nil.
	Flush func(ctx context.Context) error
	// Wait returns true once every node has applied the revision (changes.Tail.Wait); nil for commands on the database. The
	// service itself never waits; it carries Wait for the surfaces that answer ?wait=.
	Wait func(ctx context.Context, rev id.Revision, atMost time.Duration) (bool, error)
	// Prefix is that of new credentials.
	Prefix func(ctx context.Context) string
	// CheckFetch says why this server must not fetch or call an address that an app names; nil: it may.
	CheckFetch func(address string) error

	// Hash makes what is kept of a password, Prove says whether one is a user's, and CheckPassword why one will not do, given
	// what guessers try first: the user's address and name.
	Hash          func(ctx context.Context, user id.User, password string) (factor.Password, error)
	Prove         func(ctx context.Context, user id.User, password string) (bool, error)
	CheckPassword func(password string, personal ...string) error
	// Letters seals a mail; nil, or no letter: none is sent.
	Letters func(kind, to, name, link string, data map[string]string) (*factor.Letter, error)
	// Tries counts mails and wrong links, on this node.
	Tries *ratelimit.Memory

	PublicURL  string // where links in mails lead, and never what a request says (SECURITY-CASES 76)
	SignupMode string // closed, invite or open; "" is closed

	Management *policy.API      // catalog.Management
	Now        func() time.Time // nil: the system's clock
	Random     io.Reader        // nil: the system's source
}

// Accounts are the steps that touch an account and something else of its user's at once: all of it is done or nothing.
type Accounts interface {
	// Register makes an account with its password, and consumes the link that it is made by, if there is one. fault.NotFound: the
	// link does not work any more. fault.Conflict: somebody has the address.
	Register(ctx context.Context, u *user.User, p factor.NewPassword, ev audit.Event) (id.Revision, error)
	// UseLink consumes a link and changes its user as alter does, which may refuse. fault.NotFound: the link does not work any more.
	UseLink(ctx context.Context, link id.Link, ev audit.Event, alter func(*user.User) error) (*user.User, error)
	// WarnPersonal posts a letter about a personal token's end in so many days, unless somebody was told that it is so near
	// before, or it was revoked: then false.
	WarnPersonal(ctx context.Context, token id.Key, days int, letter factor.Letter, now time.Time) (bool, error)
}

// AuditLog reads what was written down.
type AuditLog interface {
	Audit(ctx context.Context, reach audit.Reach, filter audit.Filter) ([]audit.Event, error)
}

// ChangeLog reads the log of changes.
type ChangeLog interface {
	// NewestChange is the newest entry: its revision and tag. Both are 0 where there is none.
	NewestChange(ctx context.Context) (changes.Entry, error)
	// ChangesAfter lists entries after a revision, oldest first.
	ChangesAfter(ctx context.Context, after id.Revision, limit int) ([]changes.Entry, error)
}

// now is the time of an act, in the precision that is kept.
func (s *Service) now() time.Time {
	clock := s.Now
	if clock == nil {
		clock = time.Now //nolint:forbidigo // the clock field's zero value is the real clock
	}
	return clock().UTC().Truncate(time.Microsecond)
}

func (s *Service) random() io.Reader {
	if s.Random == nil {
		return rand.Reader
	}
	return s.Random
}

// details are what an audit line says of an act. Entries with an empty value are left out by said.
type details map[string]string

// said returns the details that say something.
func said(d details) map[string]string {
	for name, value := range d {
		if value == "" {
			delete(d, name)
		}
	}
	return d
}

// parseID reads an id from outside. One that is malformed names nothing, so it is as missing as a foreign one. What was
// pasted in its place may have been a credential: the answer does not repeat it.
func parseID[K id.Kind](what, text string) (K, error) {
	parsed, err := id.Parse[K](text)
	if err != nil {
		return "", fault.Missing(what, secret.Redact(text))
	}
	return parsed, nil
}

// under puts the field of an Invalid error, or of another fault about an input, below a prefix: "name" under "limits[0]"
// is "limits[0].name".
func under(prefix string, err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	moved := *f
	switch {
	case moved.Field == "":
		moved.Field = prefix
	case prefix != "":
		moved.Field = prefix + "." + moved.Field
	}
	return &moved
}

// below is the way back from under: it takes a prefix off the field.
func below(prefix string, err error) error {
	var f *fault.Error
	if !errors.As(err, &f) || f.Field == "" {
		return err
	}
	moved := *f
	if rest, inside := strings.CutPrefix(f.Field+".", prefix+"."); inside {
		moved.Field = strings.TrimSuffix(rest, ".")
	}
	return &moved
}
