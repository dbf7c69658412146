package token

import (
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// layout is the first byte of a sealed token's content: another one is refused.
const layout = 1

// Opaque makes an access token that tells nobody but this server anything: `<prefix>_at_<mode>_<id><sealed><check>`. One
// that would have more than secret.MaxToken characters is secret.ErrTooLong: too many scopes for one token.
func (m *Minter) Opaque(c *Claims, prefix string) (secret.Secret, error) {
	b := pool.Get().(*buffers)
	defer b.done()
	b.payload = appendContent(b.payload[:0], c)
	var head [80]byte
	aad := append(head[:0], prefix...)
	aad = append(aad, "_at_"...)
	aad = append(aad, c.Mode...)
	aad = append(aad, '_')
	aad = append(aad, c.ID...)
	b.text = m.Keys.SealToken(b.text[:0], aad, b.payload)
	return secret.AssembleToken(prefix, c.Mode, c.ID, b.text)
}

// OpenOpaque reads a token that Opaque made into c, which is left empty on an error: ErrForged, or ErrUnknownKey. It does not
// look at the time.
func (m *Minter) OpenOpaque(text string, c *Claims) error {
	*c = Claims{}
	b := pool.Get().(*buffers)
	defer b.done()
	public, sealed, err := secret.ParseToken(text, b.text[:0])
	if err != nil {
		return ErrForged
	}
	b.text = sealed[:0]
	// What the seal is bound to is the text up to the sealed part.
	head := len(public.Prefix) + len("_at_") + len(public.Mode) + len("_") + id.Length
	content, err := m.Keys.OpenToken(b.payload[:0], []byte(text[:head]), sealed)
	if errors.Is(err, keyring.ErrUnknownVersion) {
		return ErrUnknownKey
	}
	if err != nil {
		return ErrForged
	}
	b.payload = content[:0]
	*c = Claims{ID: strings.Clone(public.ID), Mode: secret.Test}
	if public.Mode == secret.Live {
		c.Mode = secret.Live
	}
	if err := readContent(content, c); err != nil {
		*c = Claims{}
		return err
	}
	return nil
}

// appendContent writes the claims in the order of the fields: texts with their length, numbers as varints.
func appendContent(out []byte, c *Claims) []byte {
	out = append(out, layout)
	out = appendText(out, id.Chars(c.App))
	out = appendText(out, c.ClientID)
	out = appendText(out, id.Chars(c.Grant))
	out = appendText(out, c.Family)
	out = appendText(out, id.Chars(c.User))
	if c.Subject == string(c.User) || c.User == "" && c.Subject == string(c.App) {
		out = appendText(out, "")
	} else {
		out = appendText(out, c.Subject)
	}
	out = appendText(out, c.Audience)
	out = binary.AppendUvarint(out, uint64(len(c.Scopes)))
	for _, scope := range c.Scopes {
		out = appendText(out, scope)
	}
	out = binary.AppendVarint(out, c.IssuedAt.Unix())
	out = binary.AppendVarint(out, c.ExpiresAt.Unix()-c.IssuedAt.Unix())
	auth := int64(0)
	if !c.AuthTime.IsZero() {
		auth = c.AuthTime.Unix()
	}
	out = binary.AppendVarint(out, auth)
	out = appendText(out, c.ACR)
	out = binary.AppendUvarint(out, uint64(len(c.AMR)))
	for _, method := range c.AMR {
		out = appendText(out, method)
	}
	out = appendText(out, c.JKT)
	out = appendText(out, c.X5T)
	for act := c.Act; act != nil; act = act.Act {
		out = appendText(append(out, 1), act.Sub)
	}
	out = append(out, 0)
	for _, epoch := range [3]int{c.Epochs.User, c.Epochs.App, c.Epochs.Grant} {
		out = binary.AppendVarint(out, int64(epoch))
	}
	return out
}

func appendText(out []byte, text string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(text))), text...)
}

// reader takes the content apart. The first thing that does not fit spoils it.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) number() int64 {
	n, size := binary.Varint(r.rest)
	if size <= 0 {
		r.bad = true
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) length() int {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > uint64(len(r.rest)-size) { // #nosec G115 -- size is at most len(r.rest)
		r.bad = true
		return 0
	}
	r.rest = r.rest[size:]
	return int(n) // #nosec G115 -- at most len(r.rest)
}

func (r *reader) text() string {
	n := r.length()
	if r.bad {
		return ""
	}
	text := string(r.rest[:n])
	r.rest = r.rest[n:]
	return text
}

func (r *reader) texts() []string {
	n := r.length()
	if r.bad || n == 0 {
		return nil
	}
	out := make([]string, 0, n)
	for range n {
		out = append(out, r.text())
	}
	return out
}

func (r *reader) mark() byte {
	if len(r.rest) == 0 {
		r.bad = true
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

// readContent is the inverse of appendContent. The seal vouches for who wrote it; a content that does not fit is of
// another version of this program.
func readContent(content []byte, c *Claims) error {
	r := &reader{rest: content}
	if r.mark() != layout {
		return ErrForged
	}
	c.App = id.Of[id.App](r.text())
	c.ClientID = r.text()
	if chars := r.text(); chars != "" {
		c.Grant = id.Of[id.Grant](chars)
	}
	c.Family = r.text()
	if chars := r.text(); chars != "" {
		c.User = id.Of[id.User](chars)
	}
	if c.Subject = r.text(); c.Subject == "" {
		c.Subject = string(c.User)
		if c.User == "" {
			c.Subject = string(c.App)
		}
	}
	c.Audience = r.text()
	c.Scopes = r.texts()
	issued := r.number()
	c.IssuedAt, c.ExpiresAt = seconds(issued), seconds(issued+r.number())
	if auth := r.number(); auth != 0 {
		c.AuthTime = time.Unix(auth, 0).UTC()
	}
	c.ACR = r.text()
	c.AMR = r.texts()
	c.JKT, c.X5T = r.text(), r.text()
	for last := &c.Act; !r.bad && r.mark() == 1; last = &(*last).Act {
		*last = &Act{Sub: r.text()}
	}
	c.Epochs = Epochs{int(r.number()), int(r.number()), int(r.number())}
	if r.bad || len(r.rest) != 0 {
		return ErrForged
	}
	return nil
}
