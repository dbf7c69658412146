// Package id holds the typed identifiers of everything Lanyard stores.
//
// An identifier reads `app_8fK2mQz7Lr0Xc41Z`: a word for its kind, an underscore and 16 base62 characters (95 bits) from
// a cryptographic source. It is public: it may be shown, logged and sent in URLs. The 16 characters of a key's id are the
// same 16 that stand inside the credential, so a key found in the wild names its own row.
//
// Every kind is a type of its own, so that an App cannot be passed where a User is wanted.
package id

import (
	"crypto/rand"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Length is the number of base62 characters after the underscore.
const Length = 16

// The kinds. The zero value of each is "no such thing" and is never stored.
type (
	App        string // app_…: software that calls APIs
	Key        string // key_…: an app's API key
	Team       string // team_…: who owns apps and is billed
	User       string // user_…: a person
	Grant      string // grant_…: what one user allowed one app
	Plan       string // plan_…: one immutable version of a plan
	Node       string // node_…: one running server
	Event      string // event_…: a line of the audit log
	Message    string // msg_…: something the outbox has to deliver
	Session    string // sess_…: a browser in which somebody is logged in
	Request    string // req_…: an authorization request under way
	Family     string // fam_…: a chain of refresh tokens
	Code       string // code_…: an authorization code
	Device     string // dev_…: a device that asks to be let in
	Link       string // link_…: a link in a mail
	Invitation string // inv_…: an invitation into a team
	Token      string // tok_…: one access token, by its jti
	Leak       string // leak_…: a credential that was found where it does not belong
	Webhook    string // hook_…: an address that is told of a team's events
	Invoice    string // invoice_…: a bill, or an adjustment of one
)

func (App) word() string        { return "app" }
func (Key) word() string        { return "key" }
func (Team) word() string       { return "team" }
func (User) word() string       { return "user" }
func (Grant) word() string      { return "grant" }
func (Plan) word() string       { return "plan" }
func (Node) word() string       { return "node" }
func (Event) word() string      { return "event" }
func (Message) word() string    { return "msg" }
func (Session) word() string    { return "sess" }
func (Request) word() string    { return "req" }
func (Family) word() string     { return "fam" }
func (Code) word() string       { return "code" }
func (Device) word() string     { return "dev" }
func (Link) word() string       { return "link" }
func (Invitation) word() string { return "inv" }
func (Token) word() string      { return "tok" }
func (Leak) word() string       { return "leak" }
func (Webhook) word() string    { return "hook" }
func (Invoice) word() string    { return "invoice" }

// Kind is any of the identifier types of this package.
type Kind interface {
	~string
	word() string
}

// New returns a fresh identifier from the system's random source, which does not fail (crypto/rand).
func New[K Kind]() K {
	k, err := NewFrom[K](rand.Reader)
	if err != nil {
		panic("id: the system's random source failed: " + err.Error())
	}
	return k
}

// NewFrom is New with its randomness given; it fails only if r does.
func NewFrom[K Kind](r io.Reader) (K, error) {
	chars, err := Base62(r, Length)
	if err != nil {
		return "", err
	}
	return Of[K](chars), nil
}

// Of makes an identifier of its 16 characters, such as those inside a credential. It does not look at them.
func Of[K Kind](chars string) K {
	var k K
	return K(k.word() + "_" + chars)
}

// Parse accepts only the canonical text of the kind asked for.
func Parse[K Kind](text string) (K, error) {
	var k K
	chars, ok := strings.CutPrefix(text, k.word()+"_")
	if !ok || len(chars) != Length || !IsBase62(chars) {
		return "", fmt.Errorf("%.40q is no %s id: want %s_ and %d letters or digits", text, k.word(), k.word(), Length)
	}
	return K(text), nil
}

// Chars returns the 16 characters after the underscore, or "" for the zero value.
func Chars[K Kind](k K) string {
	_, chars, _ := strings.Cut(string(k), "_")
	return chars
}

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// Base62 returns n characters drawn evenly from 0-9A-Za-z by rejection sampling.
func Base62(r io.Reader, n int) (string, error) {
	// 248 = 4*62: bytes from 248 up would favour the first letters, so they are drawn again.
	const even = 248
	out := make([]byte, 0, n)
	buf := make([]byte, n+n/4+4)
	for len(out) < n {
		if _, err := io.ReadFull(r, buf); err != nil {
			return "", fmt.Errorf("read randomness: %w", err)
		}
		for _, b := range buf {
			if b < even && len(out) < n {
				out = append(out, alphabet[b%62])
			}
		}
	}
	return string(out), nil
}

// IsBase62 says whether s consists of 0-9A-Za-z alone. The empty string does.
func IsBase62(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// Revision is a position in the log of changes. On the wire it is opaque text; 0 is before every change.
type Revision int64

// String returns the wire form.
func (r Revision) String() string { return "r" + strconv.FormatInt(int64(r), 10) }

// ParseRevision reads the wire form.
func ParseRevision(text string) (Revision, error) {
	digits, ok := strings.CutPrefix(text, "r")
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n < 0 || Revision(n).String() != text {
		return 0, fmt.Errorf("%.40q is no revision", text)
	}
	return Revision(n), nil
}
