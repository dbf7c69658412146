package leak

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

const (
	// refetchAfter is the least time between two looks at a list of keys, whoever asks: signatures that name keys which do not exist must
	// not make us ask more. GitHub answers an address that does not say who it is 60 times an hour.
	refetchAfter = 2 * time.Minute
	freshFor     = time.Hour      // how long a list is taken for what it is
	staleFor     = 24 * time.Hour // how long it serves when no newer one can be had

	answered      = 200 // the status of a list
	maxKeys       = 100
	maxIdentifier = 200 // characters
	maxSignature  = 200 // characters; 96 are the most that a signature needs
)

// Signers checks signatures of reports against the keys that a service publishes (GitHub's secret scanning partner programme; GitLab.com
// does likewise): ECDSA on P-256 over SHA-256 of the body as it came. Keys are looked up when they are needed, and kept.
// Safe for concurrent use.
type Signers struct {
	Service string // for people: "GitHub"
	// Get fetches the list of keys: {"public_keys": [{"key_identifier", "key": PEM}]}.
	Get func(ctx context.Context) (status int, body []byte, err error)
	Now func() time.Time

	mu     sync.Mutex
	keys   map[string]*ecdsa.PublicKey
	read   time.Time     // when keys were read; zero: never
	tried  time.Time     // when they were last asked for; zero: never
	failed error         // why the last try did not succeed
	flight chan struct{} // closed when the try that is under way has ended; nil: none is
}

// Later is a failure that passes by itself (web.Retry).
type Later struct {
	Fault *fault.Error
	After time.Duration
}

func (l *Later) Error() string { return l.Fault.Error() }

// RetryAfter says when to come again.
func (l *Later) RetryAfter() time.Duration { return l.After }

// Unwrap returns the fault.
func (l *Later) Unwrap() error { return l.Fault }

// Known says whether a key of an identifier may have signed: fault.Unauthenticated if there is no such key, and fault.Unavailable if
// that cannot be told now, so that the sender comes again. Ask it before a body is read.
func (s *Signers) Known(ctx context.Context, identifier string) error {
	_, err := s.key(ctx, identifier)
	return err
}

// Check says why a body was not signed by the key that its sender names, or nil. The kinds are those of Known.
func (s *Signers) Check(ctx context.Context, identifier, signature string, body []byte) error {
	if len(signature) > maxSignature || strings.ContainsAny(signature, "\r\n") { // line breaks, which the decoder passes over
		return s.forged()
	}
	der, err := base64.StdEncoding.Strict().DecodeString(signature)
	if err != nil {
		return s.forged()
	}
	key, err := s.key(ctx, identifier)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(body)
	if !ecdsa.VerifyASN1(key, digest[:], der) {
		return s.forged()
	}
	return nil
}

func (s *Signers) forged() error {
	return fault.New(fault.Unauthenticated, "the signature is not one of %s over this body; nothing was done", s.Service)
}

// key finds a key, and reads the list anew where it is old or does not have it.
func (s *Signers) key(ctx context.Context, identifier string) (*ecdsa.PublicKey, error) {
	if identifier == "" || len(identifier) > maxIdentifier {
		return nil, fault.New(fault.Unauthenticated, "the request does not name the key of %s that signed it; nothing was done", s.Service)
	}
	asked := s.Now()
	for {
		s.mu.Lock()
		now := s.Now()
		key, age := s.keys[identifier], now.Sub(s.read)
		switch {
		case key != nil && age < freshFor:
			s.mu.Unlock()
			return key, nil
		case s.flight != nil: // somebody looks already
		case !s.tried.IsZero() && now.Sub(s.tried) < refetchAfter:
			failed, tried, read := s.failed, s.tried, s.read
			s.mu.Unlock()
			switch {
			case key != nil && age < staleFor:
				return key, nil
			case failed == nil && !read.Before(asked): // the list was read for this very question
				return nil, fault.New(fault.Unauthenticated, "%s publishes no key of the identifier that the request names; nothing was done", s.Service)
			}
			return nil, &Later{Fault: fault.Down(failed, "the keys of %s cannot be asked for now, so its signature cannot be checked; send the report again", s.Service), After: tried.Add(refetchAfter).Sub(now)}
		default:
			s.flight, s.tried = make(chan struct{}), now
			go s.look(context.WithoutCancel(ctx), s.flight) // who asked may go: others wait for it too
		}
		flight := s.flight
		s.mu.Unlock()
		select {
		case <-flight:
		case <-ctx.Done():
			return nil, fault.Down(ctx.Err(), "the keys of %s did not come in time; send the report again", s.Service)
		}
	}
}

// look reads the list.
func (s *Signers) look(ctx context.Context, flight chan struct{}) {
	status, body, err := s.Get(ctx)
	var keys map[string]*ecdsa.PublicKey
	switch {
	case err != nil:
	case status != answered:
		err = fault.New(fault.Unavailable, "the list of keys was answered with status %d", status)
	default:
		keys, err = ParseKeys(body)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed = err; err == nil {
		s.keys, s.read = keys, s.Now()
	}
	s.flight = nil
	close(flight)
}

// ParseKeys reads a list of keys, by their identifiers. Keys of another kind than ECDSA on P-256 are left out; a list without any is an
// error.
func ParseKeys(body []byte) (map[string]*ecdsa.PublicKey, error) {
	var list struct {
		Keys []struct {
			Identifier string `json:"key_identifier"`
			Key        string `json:"key"`
		} `json:"public_keys"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, errors.New("the list of keys is no JSON of the form that was agreed")
	}
	if len(list.Keys) > maxKeys {
		return nil, errors.New("the list of keys is longer than any that was seen")
	}
	keys := map[string]*ecdsa.PublicKey{}
	for _, k := range list.Keys {
		block, _ := pem.Decode([]byte(k.Key))
		if block == nil || k.Identifier == "" || len(k.Identifier) > maxIdentifier {
			continue
		}
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			continue
		}
		if key, is := parsed.(*ecdsa.PublicKey); is && key.Curve == elliptic.P256() {
			keys[k.Identifier] = key
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("the list of keys holds none that can be used")
	}
	return keys, nil
}
