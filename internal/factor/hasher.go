package factor

import (
	"context"
	"crypto/subtle"
	"fmt"
	"io"
	"sync/atomic"

	"golang.org/x/crypto/argon2"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// maxWaiting is how many may wait for their turn. On two cores the last of them waits about a second.
const maxWaiting = 64

// Hasher hashes and compares passwords: argon2id over the password's MAC, so that a stolen table cannot be guessed at
// without the pepper. The MAC covers the user too: a hash that is copied to another user's row opens nothing.
//
// Only so many hashes are computed at a time, and only so many callers wait; all others are refused at once, so that a
// flood of logins takes neither all memory nor the time of other requests. Safe for concurrent use.
type Hasher struct {
	mac     func(text string) (version int, digest [32]byte)
	macWith func(version int, text string) (digest [32]byte, known bool)
	random  io.Reader
	slots   chan struct{}
	waiting atomic.Int64
}

// New makes a Hasher. mac is the keyring's MAC and macWith the same under an older pepper, random gives salts, and parallel
// is how many hashes are computed at a time (at least one): about the number of cores.
func New(
	mac func(text string) (version int, digest [32]byte), macWith func(version int, text string) (digest [32]byte, known bool), random io.Reader, parallel int,
) *Hasher {
	return &Hasher{mac: mac, macWith: macWith, random: random, slots: make(chan struct{}, max(parallel, 1))}
}

// nobody stands for the user in the work done where there is none.
const nobody id.User = "user_0000000000000000"

// text is what the MAC of a password covers.
func text(user id.User, password string) string {
	return "password\x00" + string(user) + "\x00" + password
}

// Hash returns what to keep of a user's password, and the version of the pepper under it. It refuses an empty password or
// one that is too long as fault.Invalid, and answers fault.Unavailable when too many wait.
func (h *Hasher) Hash(ctx context.Context, user id.User, password string) (hash string, pepper int, err error) {
	if err := checkLength(password); err != nil {
		return "", 0, err
	}
	p := phc{cost: current}
	if _, err := io.ReadFull(h.random, p.salt[:]); err != nil {
		return "", 0, fmt.Errorf("make a password's salt: %w", err)
	}
	pepper, digest := h.mac(text(user, password))
	if p.tag, err = h.derive(ctx, p, digest); err != nil {
		return "", 0, err
	}
	return p.format(), pepper, nil
}

// Verify says whether a password is the one kept in p, and whether p was made with an older pepper or cost, so that Hash
// should be called again. With p nil it does the same work and answers no: an unknown user takes as long as a known one
// (SECURITY-CASES 84). The errors are those of Hash, fault.Unavailable where this node does not know the pepper yet,
// and one without a kind where p is damaged.
func (h *Hasher) Verify(ctx context.Context, p *Password, password string) (ok, outdated bool, err error) {
	if err := checkLength(password); err != nil {
		return false, false, err
	}
	user, kept, version := nobody, phc{cost: current}, 0
	if p != nil {
		if kept, err = parsePHC(p.Hash); err != nil {
			return false, false, fmt.Errorf("read the password of %s: %w", p.User, err)
		}
		user, version = p.User, p.Pepper
	}
	newest, digest := h.mac(text(user, password))
	if p == nil {
		version = newest
	}
	if version != newest {
		var known bool
		if digest, known = h.macWith(version, text(user, password)); !known {
			return false, false, fault.New(fault.Unavailable, "this server has not read its newest keys yet; try again in a moment")
		}
	}
	tag, err := h.derive(ctx, kept, digest)
	if err != nil {
		return false, false, err
	}
	same := subtle.ConstantTimeCompare(tag[:], kept.tag[:]) == 1
	return same && p != nil, version != newest || kept.cost != current, nil
}

// derive computes argon2id when it is its turn.
func (h *Hasher) derive(ctx context.Context, p phc, digest [32]byte) (tag [tagSize]byte, err error) {
	if err := h.enter(ctx); err != nil {
		return tag, err
	}
	defer func() { <-h.slots }()
	copy(tag[:], argon2.IDKey(digest[:], p.salt[:], p.time, p.memory, p.threads, tagSize))
	return tag, nil
}

// enter waits for a slot, in the order of asking.
func (h *Hasher) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fault.Down(err, "the request ended before its password was looked at")
	}
	select {
	case h.slots <- struct{}{}:
		return nil
	default:
	}
	defer h.waiting.Add(-1)
	if h.waiting.Add(1) > maxWaiting {
		return fault.New(fault.Unavailable, "too many people sign in at this moment; try again in a few seconds")
	}
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fault.Down(ctx.Err(), "too many people sign in at this moment; try again in a few seconds")
	}
}
