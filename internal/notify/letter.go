package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/factor"
)

// Kind is what a mail is about. Each has a template of its name.
type Kind string

// The kinds, with the Data that each uses.
const (
	Verify          Kind = "verify"           // confirm your address
	Reset           Kind = "reset"            // set a new password
	Invite          Kind = "invite"           // by: who invites; team: into which team, may be absent
	Invitation      Kind = "invitation"       // into a team. by: who invites; team; role: what they are to be there; all may be absent
	PasswordChanged Kind = "password_changed" // when; from: the network address; both may be absent
	TokenExpiring   Kind = "token_expiring"   //nolint:gosec // no credential, but a kind; token: its name; days: until it ends
	AccountExists   Kind = "account_exists"   // somebody tried to sign up with this address
	WebhookDisabled Kind = "webhook_disabled" // url; why: gone or failing; team
	Leak            Kind = "leak"             // name; place; kind: key, pub, cs or pat; policy: revoke, notify, or revoke_after with until
	QuotaReached    Kind = "quota_reached"    // percent: 80 or 100; limit: units; api; key: its name, where the quota is a key's; team; until
	KeyWarnings     Kind = "key_warnings"     // warnings: a JSON list of them; count; more: how many are not in it; team
	SpendReached    Kind = "spend_reached"    // total; currency; percent and spend_limit, or amount: what the team chose; api; team; until
)

// kinds lists every kind with how long its link works; 0 where there need be none.
var kinds = map[Kind]time.Duration{
	Verify: factor.LinkLife, Reset: factor.LinkLife, Invite: factor.InviteLife, Invitation: factor.InviteLife,
	PasswordChanged: 0, TokenExpiring: 0, AccountExists: 0, WebhookDisabled: 0, Leak: 0, QuotaReached: 0, SpendReached: 0, KeyWarnings: 0,
}

// Letter is what is sealed in the outbox.
type Letter struct {
	Kind Kind              `json:"kind"`
	To   string            `json:"to"`             // one bare address
	Name string            `json:"name,omitempty"` // of who gets it
	Link string            `json:"link,omitempty"` // http or https; the only link in the mail, but for those of a list, which lead to the same host
	Data map[string]string `json:"data,omitempty"`
}

const maxLetter = 16 << 10

// item is a line of a list in a mail: what it is about, which a stranger may have named, what there is to say of it in our own words,
// and where it is answered.
type item struct {
	Of   string `json:"of"`
	Text string `json:"text"`
	Link string `json:"link"`
}

// list reads the list of a letter that has one.
func (l Letter) list() (items []item, err error) {
	text := l.Data["warnings"]
	if l.Kind != KeyWarnings || text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &items); err != nil {
		return nil, errors.New("the list of a mail cannot be read")
	}
	for i := range items {
		if !usableLink(items[i].Link) || hostOf(items[i].Link) != hostOf(l.Link) {
			return nil, errors.New("the list of a mail has a link that is none")
		}
		items[i].Of, items[i].Text = plainWords(items[i].Of, 2*maxName), oneLine(items[i].Text, maxText)
	}
	return items, nil
}

// Encode returns the text of a letter for sealing. It refuses what Decode would refuse.
func Encode(l Letter) ([]byte, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	text, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("encode a mail: %w", err)
	}
	if len(text) > maxLetter {
		return nil, errors.New("a mail has too much to say")
	}
	return text, nil
}

// Decode reads what Encode made. Errors hold nothing of the text but an unknown kind.
func Decode(text []byte) (Letter, error) {
	var l Letter
	if len(text) > maxLetter || json.Unmarshal(text, &l) != nil {
		return Letter{}, errors.New("a mail in the outbox cannot be read")
	}
	if err := l.check(); err != nil {
		return Letter{}, err
	}
	return l, nil
}

// check refuses letters that cannot become a mail. Names and data need no check: render takes of them what is harmless.
func (l Letter) check() error {
	life, known := kinds[l.Kind]
	switch {
	case !known:
		return fmt.Errorf("there are no mails of kind %.20q", l.Kind)
	case !bareAddress(l.To):
		return errors.New("a mail has no usable address")
	case l.Link == "" && life > 0:
		return fmt.Errorf("a mail of kind %s has no link", l.Kind)
	case l.Link != "" && !usableLink(l.Link):
		return fmt.Errorf("a mail of kind %s has a link that is none", l.Kind)
	}
	_, err := l.list()
	return err
}

// bareAddress accepts one address, without a name and without anything that a mail server might take for a command.
func bareAddress(text string) bool {
	a, err := mail.ParseAddress(text)
	return err == nil && len(text) <= 254 && a.Address == text && a.Name == "" && !strings.ContainsFunc(text, isOdd)
}

// isOdd finds what belongs in no address and no link: spaces, brackets and controls.
func isOdd(r rune) bool {
	return r <= ' ' || r == 0x7f || strings.ContainsRune(`<>"\`, r) || invisible(r)
}

// hostOf is where a link leads.
func hostOf(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

func usableLink(text string) bool {
	u, err := url.Parse(text)
	return err == nil && len(text) <= 2000 && slices.Contains([]string{"http", "https"}, u.Scheme) && u.Host != "" && u.User == nil && !strings.ContainsFunc(text, isOdd)
}
