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

// Former is a secret that was rotated away. It signs beside the current one until its time ends.
type Former struct {
	Secret secret.Secret
	Until  time.Time
}

// JoinSecrets is what is sealed of an endpoint's secrets: the current one, and behind it the former, newest first, each with its end.
func JoinSecrets(current secret.Secret, former ...Former) []byte {
	text := current.Reveal()
	for _, f := range former {
		text += "\n" + f.Secret.Reveal() + " " + strconv.FormatInt(f.Until.Unix(), 10)
	}
	return []byte(text)
}

// SplitSecrets reads what JoinSecrets made, and leaves out the former whose time has ended.
func SplitSecrets(text []byte, now time.Time) (current secret.Secret, former []Former) {
	lines := strings.Split(string(text), "\n")
	for _, line := range lines[1:] {
		was, end, _ := strings.Cut(line, " ")
		seconds, err := strconv.ParseInt(end, 10, 64)
		if until := time.Unix(seconds, 0); err == nil && now.Before(until) {
			former = append(former, Former{secret.Of(was), until})
		}
	}
	return secret.Of(lines[0]), former
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
