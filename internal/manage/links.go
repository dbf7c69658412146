package manage

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/signin"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// LinkView is what a page may say of a link before its button is pressed.
type LinkView struct {
	Purpose factor.Purpose
	Email   string // "" for the setup link
	Onward  Onward
}

// Onward is what a browser was on its way to when a link was asked for in it: an authorization request, else a local path. It
// is kept with the link and known to that browser alone: elsewhere a link continues nothing.
type Onward struct {
	Request string `json:"request,omitempty"`
	Next    string `json:"next,omitempty"`
}

// onward reads what a link goes on to in a browser.
func onward(l *factor.Link, browser []byte) (to Onward, err error) {
	if len(l.Data) == 0 || !here(l, browser) {
		return to, nil
	}
	if err = json.Unmarshal(l.Data, &to); err != nil {
		err = fmt.Errorf("read what %s goes on to: %w", l.ID, err)
	}
	return to, err
}

// Used is what a link led to.
type Used struct {
	User        *user.User
	SameBrowser bool // it was asked for in this browser, or is bound to none: this one may go on as the user
	Onward      Onward
}

// Limits on mails and on guessing at links. They count on this node alone and never open.
const (
	mailsPerAddress = 5
	mailsPerNetwork = 30
	triesPerLink    = 10
	triesPerUser    = 10
)

func mailAddressLimit() ratelimit.Limit {
	return ratelimit.Limit{Name: "mail_address", N: mailsPerAddress, Window: time.Hour}
}

func mailNetworkLimit() ratelimit.Limit {
	return ratelimit.Limit{Name: "mail_network", N: mailsPerNetwork, Window: time.Hour}
}

// mayMail counts a mail that a visitor asks for. The network's refusal says nothing of the address; that the address had
// enough is told to nobody, and the mail is not sent.
func (s *Service) mayMail(from netip.Addr, email string) (send bool, err error) {
	now := s.now()
	if !s.spend(now, mailNetworkLimit(), signin.Network(from)) {
		return false, fault.New(fault.TooMany, "too many mails were asked for from your network; try again in an hour")
	}
	return s.spend(now, mailAddressLimit(), user.EmailKey(email)), nil
}

func (s *Service) spend(now time.Time, limit ratelimit.Limit, subject string) bool {
	return s.Tries.Spend(now, []ratelimit.Request{{Limit: limit, Subject: subject, Cost: 1}}, nil).Allowed
}

// linkText is what is kept a MAC of. No credential holds a NUL, so this is never the digest of one.
func linkText(text string) string { return "link\x00" + text }

// newLink makes a link for a purpose and the ticket that opens it.
func (s *Service) newLink(purpose factor.Purpose, life time.Duration) (*factor.Link, secret.Secret, error) {
	chars, text, err := secret.NewTicket(s.random())
	if err != nil {
		return nil, secret.Secret{}, err
	}
	now := s.now()
	pepper, digest := s.MAC(linkText(text.Reveal()))
	return &factor.Link{ID: id.Of[id.Link](chars), Digest: digest[:], Pepper: pepper, Purpose: purpose, CreatedAt: now, ExpiresAt: now.Add(life)}, text, nil
}

// LinkAddress is where a link leads. The ticket stands in the query, since forms work without JavaScript; no log holds a
// query, and the page sends no referrer.
func (s *Service) LinkAddress(text secret.Secret) string {
	return s.PublicURL + "/link?t=" + text.Reveal()
}

// keepLink keeps a link and posts the mail that carries it, in one step. name is that of whom it is for; "" for nobody yet.
func (s *Service) keepLink(ctx context.Context, kind string, l *factor.Link, text secret.Secret, name string, data map[string]string) error {
	var letter *factor.Letter
	if s.Letters != nil {
		var err error
		if letter, err = s.Letters(kind, l.Email, name, s.LinkAddress(text), data); err != nil {
			return fmt.Errorf("write a mail of kind %s: %w", kind, err)
		}
	}
	return s.LinkStore.CreateLink(ctx, l, letter)
}

// deadLink is what everybody is told whose link does not work: unknown, wrong, used, expired or another browser's.
func deadLink() error {
	return fault.New(fault.NotFound, "this link does not work, or not any more: it works once and for a short time; ask for a new one")
}

// link finds the link that a text opens, whatever became of it.
func (s *Service) link(ctx context.Context, text string) (*factor.Link, error) {
	chars, ok := secret.TicketID(text)
	if !ok {
		return nil, deadLink()
	}
	l, err := s.LinkStore.Link(ctx, id.Of[id.Link](chars))
	if fault.Is(err, fault.NotFound) {
		return nil, deadLink()
	}
	if err != nil {
		return nil, err
	}
	if err := s.opens(string(l.ID), linkText(text), l.Pepper, l.Digest); err != nil {
		return nil, err
	}
	return l, nil
}

// opens reports nothing where a text is the one that was sent. Wrong ones under one id are counted, and after ten the right one
// is refused too for a day (SECURITY-CASES 96).
func (s *Service) opens(subject, text string, pepper int, digest []byte) error {
	now := s.now()
	wrong := []ratelimit.Request{{Limit: ratelimit.Limit{Name: "link", N: triesPerLink, Window: 24 * time.Hour}, Subject: subject, Cost: 1}}
	if !s.Tries.Check(now, wrong, nil).Allowed {
		return deadLink()
	}
	made, known := s.MACWith(pepper, text)
	if !known {
		return fault.New(fault.Unavailable, "this server has not read its newest keys yet; try again in a moment")
	}
	if subtle.ConstantTimeCompare(made[:], digest) != 1 {
		s.Tries.Spend(now, wrong, nil)
		return deadLink()
	}
	return nil
}

// bound reports whether only the browser that asked for the link may use it. A sign-up is: its password is known to who
// asked, so the address's owner must not confirm a stranger's. A reset is not: who opens it chooses the password.
func bound(l *factor.Link) bool {
	return l.Purpose == factor.SignUp || len(l.Browser) > 0 && l.Purpose == factor.Login
}

// here reports whether the link was asked for in this browser. Only then it may go on with what was begun there.
func here(l *factor.Link, browser []byte) bool {
	return len(l.Browser) > 0 && subtle.ConstantTimeCompare(l.Browser, browser) == 1
}

// LinkState says what a link's button would do, or why it does nothing. It consumes nothing: mail programs open links by
// themselves.
func (s *Service) LinkState(ctx context.Context, text string, browser []byte) (LinkView, error) {
	l, err := s.usable(ctx, text, browser)
	if err != nil {
		return LinkView{}, err
	}
	to, err := onward(l, browser)
	return LinkView{Purpose: l.Purpose, Email: l.Email, Onward: to}, err
}

// usable is link for one that would do something in this browser.
func (s *Service) usable(ctx context.Context, text string, browser []byte) (*factor.Link, error) {
	l, err := s.link(ctx, text)
	switch {
	case err != nil:
		return nil, err
	case !l.ConsumedAt.IsZero() || !s.now().Before(l.ExpiresAt):
		return nil, deadLink()
	case bound(l) && !here(l, browser):
		return nil, fault.New(fault.NotFound, "open this link in the browser in which you asked for it: whoever asked chose the password")
	}
	return l, nil
}

// working is usable for a purpose. The link is not consumed yet: what else can refuse is looked at before.
func (s *Service) working(ctx context.Context, text string, browser []byte, purpose factor.Purpose) (*factor.Link, error) {
	l, err := s.usable(ctx, text, browser)
	if err == nil && l.Purpose != purpose {
		err = deadLink()
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

// unlessDead is the error of a step that a link began: one whose link was used a moment ago, or whose user was disabled, is
// told what everybody is told whose link does not work.
func unlessDead(link id.Link, err error) error {
	if link != "" && (fault.Is(err, fault.NotFound) || fault.Is(err, fault.Unauthenticated)) {
		return deadLink()
	}
	return err
}

// waiting is the account that a sign-up link makes.
type waiting struct {
	User   id.User `json:"user"`
	Name   string  `json:"name,omitempty"`
	Hash   string  `json:"hash"`
	Pepper int     `json:"pepper"`
	Onward
}

func (w waiting) encode() (json.RawMessage, error) { return json.Marshal(w) }

func waitingIn(l *factor.Link) (w waiting, err error) {
	if err = json.Unmarshal(l.Data, &w); err != nil {
		err = fmt.Errorf("read the account that waits under %s: %w", l.ID, err)
	}
	return w, err
}
