// Package token is the noun access token: what it says, and its two forms.
//
// A token is a JWT (RFC 9068), which an API may check by itself, or opaque, which is sealed and tells nobody but this server
// anything. Neither is a row: what a decision needs stands in the token, and what it hangs on (user, app, grant, family) is
// looked at by package verify at every use.
package token

import (
	"context"
	"crypto"
	"errors"
	"time"

	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// Claims are what an access token says. Times are whole seconds.
type Claims struct {
	ID        string // 16 base62 characters: the jti
	App       id.App
	ClientID  string   // the app's name on the wire where that is not App
	Grant     id.Grant // "": client credentials
	Family    string   // 16 base62 characters of the family it came from; "": none
	User      id.User  // "": the app itself
	Subject   string   // the name that the audience knows it by: user, app, or pairwise
	Audience  string
	Scopes    []string
	Mode      secret.Mode
	IssuedAt  time.Time
	ExpiresAt time.Time
	AuthTime  time.Time // when the user proved who they are; zero: not told
	ACR       string
	AMR       []string
	JKT       string // thumbprint of the key it is bound to (RFC 9449); "": none
	X5T       string // of the certificate (RFC 8705); "": none
	Act       *Act   // who acts (RFC 8693 section 4.1); nil: the subject itself
	Epochs    Epochs
}

// Act is who acts for the subject, and for whom that one acted before.
type Act struct {
	Sub string `json:"sub"`
	Act *Act   `json:"act,omitempty"`
}

// Epochs are those of user, app and grant when the token was made: raising one ends every token of an earlier one.
type Epochs struct{ User, App, Grant int }

// What Open… refuse. They hold nothing of the token.
var (
	// ErrForged is a text that was not made here, or was changed since.
	ErrForged = errors.New("the token was not issued here, or was changed")
	// ErrUnknownKey is a text that names a key this node does not have: another may have made it since.
	ErrUnknownKey = errors.New("the token names a key that is not known here")
)

// Keys are what tokens are made and read with.
type Keys interface {
	SealToken(dst, aad, plaintext []byte) []byte
	OpenToken(dst, aad, sealed []byte) ([]byte, error)
	Signer(ctx context.Context, alg string, now time.Time) (*keyring.Signer, error)
	AssertionSigner(ctx context.Context, now time.Time) (*keyring.Signer, error)
	PublicKey(kid string, now time.Time) (alg string, key crypto.PublicKey, ok bool)
}

// Minter makes and reads tokens. Every field is needed. It is safe for concurrent use.
type Minter struct {
	Keys   Keys
	Issuer string
	Now    func() time.Time
}
