// Package secret is the bytes of Lanyard's credentials: making, parsing, checking and hiding them.
//
// A credential reads
//
//	lyd_key_live_8fK2mQz7Lr0Xc41Z…
//	<prefix>_<kind>_<mode>_<id 16><secret 32><check 6>
//
// in base62 (0-9A-Za-z). The prefix is the provider's. The id is public and safe to show. The secret is 32 characters by
// rejection sampling, 190 bits. The check is the CRC-32 of all before it: it refuses typing errors without I/O and serves
// scanners; it is not security, since anybody can compute it.
//
// Opaque access tokens (kind at) are longer: in the place of the secret stands what package token seals, in base62. One-time
// secrets for links, device codes and cookies are tickets, without prefix and check.
//
// The package knows neither keys, databases nor MACs: who holds a credential and whether it still works is package key's
// and package verify's.
package secret

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted is what every printer shows in place of a secret.
const redacted = "[redacted]"

// Secret holds a text that must not be shown: a whole credential, a password, a key. It prints `[redacted]` under every
// verb of package fmt, in JSON, as text and in slog; Reveal is the one way out.
//
// The text stands behind a pointer because fmt does not call methods on values in unexported fields but prints what they
// are made of: an address instead of the secret. It also makes == useless, on purpose: compare MACs, in constant time.
// The zero value holds no secret.
type Secret struct {
	text *string
}

// Of hides a text.
func Of(text string) Secret { return Secret{text: &text} }

// Reveal returns the text. Call it only where the secret leaves for its owner or enters a MAC.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero says whether there is no text, or an empty one.
func (s Secret) IsZero() bool { return s.Reveal() == "" }

// Format implements fmt.Formatter for every verb and flag, %#v and %x included.
func (Secret) Format(f fmt.State, _ rune) { writeRedacted(f) }

// String returns `[redacted]`.
func (Secret) String() string { return redacted }

// GoString returns `[redacted]`.
func (Secret) GoString() string { return redacted }

// MarshalText returns `[redacted]`; JSON, XML and YAML encoders use it too.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// writeRedacted ignores the writer's error because fmt.Formatter has no way to return it.
func writeRedacted(w io.Writer) { _, _ = io.WriteString(w, redacted) }
