// Package key is the noun API key: an app's static credential. It owns a key's life (status, rotation, revocation,
// import) as pure functions that take the time, and what is kept of it. The bytes of a credential belong to package
// secret, its MAC to keyring, the decision to verify.
package key

import (
	"encoding/hex"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// Key is one API key. Its id stays through rotations; limits, quota and usage belong to the id.
type Key struct {
	ID           id.Key
	App          id.App
	Team         id.Team
	Name         string
	Kind         secret.Kind
	Mode         secret.Mode
	Prefix       string // of the credentials issued for it; "" for an imported key that was never rotated
	Scopes       []string
	Restrictions policy.Restrictions
	APIs         []string // narrows lanyard.verify; empty: every API
	Limits       []ratelimit.Limit
	Quota        billing.Quota // no units: none of its own
	Metadata     map[string]string
	RotateEvery  time.Duration // 0: never asked for
	CreatedAt    time.Time
	NotBefore    time.Time // zero: at once
	ExpiresAt    time.Time // zero: permanent
	DisabledAt   time.Time // zero: enabled
	RevokedAt    time.Time // zero: not revoked
	RevokeReason string
	DeletedAt    time.Time // zero: shown
	Versions     []Version // oldest first; the last is the current one, unless it was revoked
	LastUsed     LastUsed
}

// Version is one secret of a key.
type Version struct {
	Number    int
	Digest    []byte // 32 bytes: see Scheme
	Scheme    Scheme
	Pepper    int // version of the pepper
	Imported  bool
	CreatedAt time.Time
	EndsAt    time.Time // zero: current; else when a rotated secret stops working
	RevokedAt time.Time // zero: not revoked on its own
}

// Scheme is how a digest was made.
type Scheme string

// The schemes.
const (
	SchemeMAC      Scheme = "hmac-sha256"        // HMAC-SHA-256(pepper, whole credential)
	SchemeImported Scheme = "hmac-sha256-sha256" // HMAC-SHA-256(pepper, ImportText(SHA-256(whole credential)))
)

// ImportText is what is kept as a MAC of a credential that was made elsewhere. Both its text and another system's SHA-256
// of it lead here, so one credential stands once however it came, and no bare hash is ever kept.
func ImportText(sum [32]byte) string { return "sha256:" + hex.EncodeToString(sum[:]) }

// LastUsed is where a key was last accepted, as of the latest absorbed count.
type LastUsed struct {
	At        time.Time
	Network   string
	API       string
	Operation string
}

// MaxVersions is how many secrets of one key can be good at once.
const MaxVersions = 5

// MaxOverlap is how long a rotated secret may stay good.
const MaxOverlap = 31 * 24 * time.Hour

// StatusAt says whether the key as a whole may work: policy.Valid or the reason it may not.
func (k *Key) StatusAt(now time.Time) policy.Code {
	switch {
	case !k.RevokedAt.IsZero() || !k.DeletedAt.IsZero():
		return policy.Revoked
	case !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt):
		return policy.Expired
	case !k.DisabledAt.IsZero():
		return policy.Disabled
	case now.Before(k.NotBefore):
		return policy.NotYetValid
	}
	return policy.Valid
}

// StatusAt says whether this secret of a key may work.
func (v *Version) StatusAt(now time.Time) policy.Code {
	switch {
	case !v.RevokedAt.IsZero():
		return policy.Revoked
	case !v.EndsAt.IsZero() && !now.Before(v.EndsAt):
		return policy.Rotated
	}
	return policy.Valid
}

// Current is the newest version that was not revoked on its own, or nil if none is left.
func (k *Key) Current() *Version {
	for i := len(k.Versions) - 1; i >= 0; i-- {
		if k.Versions[i].RevokedAt.IsZero() {
			return &k.Versions[i]
		}
	}
	return nil
}

// Rotate makes next the current secret and lets the one before it work until the overlap ends, or until the key expires if
// that is sooner. next's Number is set here. A key that no longer works cannot be rotated into working again.
func (k *Key) Rotate(now time.Time, overlap time.Duration, next Version) error {
	if overlap < 0 || overlap > MaxOverlap {
		return fault.Field("overlap_seconds", "must be between 0 and %d", int64(MaxOverlap/time.Second))
	}
	if status := k.StatusAt(now); status == policy.Revoked || status == policy.Expired {
		return k.conflict("is %s and cannot be rotated; create a new key", status)
	}
	good := 0
	for i := range k.Versions {
		if k.Versions[i].StatusAt(now) == policy.Valid {
			good++
		}
	}
	if good >= MaxVersions {
		return k.conflict("has %d secrets that still work; wait for an overlap to end or revoke a version", good)
	}
	if current := k.Current(); current != nil {
		// A version that is already ending (undo left none current) keeps its earlier end: rotation never lengthens a life.
		if ends := k.notAfterExpiry(now.Add(overlap)); current.EndsAt.IsZero() || ends.Before(current.EndsAt) {
			current.EndsAt = ends
		}
	}
	next.Number = k.newest() + 1
	next.CreatedAt = now
	next.EndsAt, next.RevokedAt = time.Time{}, time.Time{}
	k.Versions = append(k.Versions, next)
	return nil
}

// UndoRotation takes the newest secret back and makes the one before it current again. It works only while the older
// secret still does: what has ended stays ended.
func (k *Key) UndoRotation(now time.Time) error {
	if status := k.StatusAt(now); status == policy.Revoked || status == policy.Expired {
		return k.conflict("is %s; there is nothing to undo", status)
	}
	current := k.Current()
	if current == nil || !current.EndsAt.IsZero() {
		return k.conflict("has no rotation to undo")
	}
	var previous *Version
	for i := len(k.Versions) - 1; i >= 0; i-- {
		if v := &k.Versions[i]; v.Number < current.Number && v.RevokedAt.IsZero() {
			previous = v
			break
		}
	}
	if previous == nil || previous.StatusAt(now) != policy.Valid {
		return k.conflict("has no older secret that still works; the overlap is over")
	}
	current.RevokedAt = now
	previous.EndsAt = time.Time{}
	return nil
}

// Revoke ends the key for good, or with version > 0 one secret of it. Revoking again changes nothing and is no error.
func (k *Key) Revoke(now time.Time, reason string, version int) error {
	if version == 0 {
		if k.RevokedAt.IsZero() {
			k.RevokedAt, k.RevokeReason = now, reason
		}
		return nil
	}
	for i := range k.Versions {
		if v := &k.Versions[i]; v.Number == version {
			if v.RevokedAt.IsZero() {
				v.RevokedAt = now
			}
			return nil
		}
	}
	return fault.Field("version", "key %s has no version %d", k.ID, version)
}

// Disable stops the key until Enable.
func (k *Key) Disable(now time.Time) error {
	if !k.RevokedAt.IsZero() {
		return k.conflict("is revoked already")
	}
	if k.DisabledAt.IsZero() {
		k.DisabledAt = now
	}
	return nil
}

// Enable lets a disabled key work again. Revoked stays revoked.
func (k *Key) Enable() error {
	if !k.RevokedAt.IsZero() {
		return k.conflict("is revoked, and revoked stays revoked; create a new key")
	}
	k.DisabledAt = time.Time{}
	return nil
}

// Delete revokes the key and hides it. Its usage stays on the books.
func (k *Key) Delete(now time.Time) {
	if k.RevokedAt.IsZero() {
		k.RevokedAt, k.RevokeReason = now, "deleted"
	}
	if k.DeletedAt.IsZero() {
		k.DeletedAt = now
	}
}

// Validate reports the first field that cannot be. Whether the scopes exist and may be granted is package manage's to say.
func (k *Key) Validate() error {
	if err := fault.CheckName("name", k.Name, 100); err != nil {
		return err
	}
	if k.Kind != secret.Key && k.Kind != secret.Publishable && k.Kind != secret.Client {
		return fault.Field("kind", `must be "key", "pub" or "cs"`)
	}
	if k.Kind == secret.Client && (len(k.Scopes) > 0 || len(k.APIs) > 0) {
		return fault.Field("scopes", "a client secret holds none: what the app may do stands in its registration")
	}
	if k.Mode != secret.Live && k.Mode != secret.Test {
		return fault.Field("mode", `must be "live" or "test"`)
	}
	if k.Kind == secret.Publishable {
		if len(k.Restrictions.IPs) == 0 && len(k.Restrictions.Origins) == 0 {
			return fault.Field("origins", "a publishable key stands in public code, so it needs origins or ip_allow to be of use to you alone")
		}
		for _, s := range k.Scopes {
			if strings.HasPrefix(s, "lanyard.") {
				return fault.Field("scopes", "a publishable key cannot hold %q: whoever reads your page could manage your server", s)
			}
		}
	}
	if !k.NotBefore.IsZero() && !k.ExpiresAt.IsZero() && !k.NotBefore.Before(k.ExpiresAt) {
		return fault.Field("expires_at", "must be after not_before")
	}
	if err := k.checkQuota(); err != nil {
		return err
	}
	if k.RotateEvery < 0 || k.RotateEvery > 730*24*time.Hour {
		return fault.Field("rotate_every_days", "must be between 0 and 730")
	}
	return nil
}

// maxQuota bounds a key's quota, as billing.ParseQuota bounds a plan's.
const maxQuota = 1e15 - 1

// checkQuota refuses what no key can have: cycles belong to subscriptions, and keys have none.
func (k *Key) checkQuota() error {
	q := k.Quota
	switch {
	case q == (billing.Quota{}):
		return nil
	case k.Kind == secret.Client:
		return fault.Field("quota", "a client secret calls no API, so it has no quota")
	case q.Units < 1 || q.Units > maxQuota:
		return fault.Field("quota.units", "must be between 1 and %d", int64(maxQuota))
	case q.Period != billing.Day && q.Period != billing.Month:
		return fault.Field("quota.period", `must be "day" or "month", not %.20q`, q.Period)
	}
	return nil
}

// RotationDueAt is when the current secret should be rotated by the key's schedule, or zero for never.
func (k *Key) RotationDueAt() time.Time {
	current := k.Current()
	if k.RotateEvery == 0 || current == nil {
		return time.Time{}
	}
	return current.CreatedAt.Add(k.RotateEvery)
}

func (k *Key) newest() int {
	newest := 0
	for i := range k.Versions {
		newest = max(newest, k.Versions[i].Number)
	}
	return newest
}

func (k *Key) notAfterExpiry(t time.Time) time.Time {
	if !k.ExpiresAt.IsZero() && k.ExpiresAt.Before(t) {
		return k.ExpiresAt
	}
	return t
}

func (k *Key) conflict(format string, args ...any) error {
	err := fault.New(fault.Conflict, "key "+string(k.ID)+" "+format, args...)
	err.ID = string(k.ID)
	return err
}
