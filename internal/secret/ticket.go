package secret

import (
	"fmt"
	"io"

	"github.com/lanyard-auth/lanyard/internal/id"
)

// ticketLength is a ticket's: the id of a row, and the secret that proves it.
const ticketLength = id.Length + BodyLength

// NewTicket makes a one-time secret without a prefix, for what no scanner needs to know: links in mails, device codes,
// request URIs, cookies. It is 16 base62 characters of id, which name a row, and 32 of secret (190 bits), of which the row
// keeps a MAC of the whole text.
func NewTicket(random io.Reader) (idChars string, text Secret, err error) {
	chars, err := id.Base62(random, ticketLength)
	if err != nil {
		return "", Secret{}, fmt.Errorf("make a ticket: %w", err)
	}
	return chars[:id.Length], Of(chars), nil
}

// TicketID returns the id of a text that has the shape of a ticket.
func TicketID(text string) (idChars string, ok bool) {
	if len(text) != ticketLength || !id.IsBase62(text) {
		return "", false
	}
	return text[:id.Length], true
}
