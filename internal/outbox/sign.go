package outbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// secretHead begins every signing secret, and secretBytes are behind it in base64 (Standard Webhooks 1.0, signature scheme).
const (
	secretHead  = "whsec_"
	secretBytes = 32
)

// NewSecret draws a signing secret.
func NewSecret(random io.Reader) (secret.Secret, error) {
	key := make([]byte, secretBytes)
	if _, err := io.ReadFull(random, key); err != nil {
		return secret.Secret{}, fmt.Errorf("draw a signing secret: %w", err)
	}
	return secret.Of(secretHead + base64.StdEncoding.EncodeToString(key)), nil
}

// JoinSecrets is what is sealed of an endpoint's secrets: the current one, and behind it the former, which may be none.
func JoinSecrets(current, former secret.Secret) []byte {
	return []byte(current.Reveal() + "\n" + former.Reveal())
}

// SplitSecrets reads what JoinSecrets made.
func SplitSecrets(text []byte) (current, former secret.Secret) {
	a, b, _ := strings.Cut(string(text), "\n")
	return secret.Of(a), secret.Of(b)
}

// Sign is the header webhook-signature: of `id.timestamp.payload`, by each secret in turn, so that a receiver may change from one
// to the other whenever it likes.
func Sign(message id.Message, at time.Time, payload string, secrets ...secret.Secret) (string, error) {
	var all []string
	for _, s := range secrets {
		text, ours := strings.CutPrefix(s.Reveal(), secretHead)
		key, err := base64.StdEncoding.DecodeString(text)
		if !ours || err != nil || len(key) == 0 {
			return "", errors.New("a signing secret does not read as one")
		}
		mac := hmac.New(sha256.New, key)
		_, _ = io.WriteString(mac, string(message)+"."+strconv.FormatInt(at.Unix(), 10)+"."+payload) // a hash takes everything
		all = append(all, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(all, " "), nil
}
