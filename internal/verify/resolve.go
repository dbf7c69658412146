package verify

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// Foreign credentials that can have been imported: what package manage accepts.
const (
	foreignMin = 16
	foreignMax = 512
)

// resolve is steps 1 to 3: it finds the key that the credential proves, and its status now. Without such a key it returns
// nil, with d.Code saying missing, malformed, not_found or rate_limited. d is filled in otherwise, with d.Code its status.
func (v *Verifier) resolve(ctx context.Context, credential string, req *Request, d *Decision) (*keyEntry, error) {
	if credential == "" {
		d.refuse(policy.Missing, "credential")
		return nil, nil
	}
	var keyChars string
	c, err := secret.Parse(credential)
	switch {
	case err == nil && (c.Kind == secret.Key || c.Kind == secret.Publishable):
		keyChars = c.ID
	case err == nil:
		// Well formed, but nothing that is presented to an API (a code, a refresh token), or not issued by this build.
		d.refuse(policy.NotFound, "credential")
		return nil, nil
	default:
		if keyChars, err = v.foreign(ctx, credential, req, d); err != nil || keyChars == "" {
			return nil, err
		}
	}
	e, err := v.key(ctx, keyChars, req, d)
	if err != nil || e == nil {
		return nil, err
	}
	version, err := v.prove(ctx, e, credential)
	if err != nil {
		return nil, err
	}
	if version == nil {
		d.refuse(policy.NotFound, "credential")
		return nil, nil
	}
	return e, v.identify(ctx, e, version, d)
}

// key finds the entry of a key. A look-up that is not in the cache costs the database something, so a source that keeps
// failing is refused before it.
func (v *Verifier) key(ctx context.Context, chars string, req *Request, d *Decision) (*keyEntry, error) {
	if e, ok := v.keys.peek(chars); ok {
		return e, nil
	}
	if v.guard.barred(req, d) {
		return nil, nil
	}
	e, err := v.keys.get(ctx, chars, func(ctx context.Context) (*keyEntry, error) {
		k, err := v.Store.KeyForDecision(ctx, id.Of[id.Key](chars))
		if err != nil {
			return nil, err
		}
		return newKeyEntry(k), nil
	})
	if fault.Is(err, fault.NotFound) {
		d.refuse(policy.NotFound, "credential")
		return nil, nil
	}
	return e, err
}

// foreign finds the key of a credential that was made elsewhere and imported. It holds no id, so its digests are looked
// up. On a server without imports, and for text that cannot have been imported, it costs nothing.
func (v *Verifier) foreign(ctx context.Context, credential string, req *Request, d *Decision) (string, error) {
	d.refuse(policy.Malformed, "credential")
	if len(credential) < foreignMin || len(credential) > foreignMax {
		return "", nil
	}
	imports, err := v.imports.get(ctx, "", func(ctx context.Context) (bool, error) { return v.Store.HasImports(ctx) })
	if err != nil || !imports {
		return "", err
	}
	sum := sha256.Sum256([]byte(credential))
	if chars, ok := v.aliases.peek(string(sum[:])); ok {
		d.Code, d.DeniedBy = "", ""
		return chars, nil
	}
	if v.guard.barred(req, d) {
		return "", nil
	}
	chars, err := v.aliases.get(ctx, string(sum[:]), func(ctx context.Context) (string, error) {
		var digests [][]byte
		for _, l := range v.Ring.Lookups(key.ImportText(sum)) {
			digests = append(digests, l.Digest[:])
		}
		found, err := v.Store.KeyByDigest(ctx, digests)
		return id.Chars(found), err
	})
	if fault.Is(err, fault.NotFound) {
		d.refuse(policy.NotFound, "credential")
		return "", nil
	}
	d.Code, d.DeniedBy = "", ""
	return chars, err
}

// prove finds the version of the key whose digest the credential meets, or nil. Comparison is in constant time; how many
// versions a key has is no secret.
func (v *Verifier) prove(ctx context.Context, e *keyEntry, credential string) (*version, error) {
	for i := len(e.versions) - 1; i >= 0; i-- {
		ver := &e.versions[i]
		text := credential
		if ver.imported {
			text = key.ImportText(sha256.Sum256([]byte(credential)))
		}
		if !v.Ring.KnowsPepper(int(ver.pepper)) {
			// Made under a pepper that this node has not read yet.
			if err := v.Ring.Reload(ctx); err != nil {
				return nil, fault.Down(err, "the keyring cannot be read")
			}
			if !v.Ring.KnowsPepper(int(ver.pepper)) {
				return nil, fault.New(fault.Unavailable, "pepper version %d is missing from the keyring", ver.pepper)
			}
		}
		if v.Ring.Matches(int(ver.pepper), ver.digest, text) {
			if int(ver.pepper) != v.Ring.CurrentPepper() {
				v.upgrade(e, ver, text)
			}
			return ver, nil
		}
	}
	return nil, nil
}

// upgrade replaces a digest that was made under an old pepper by one under the current pepper. It is done aside and once;
// if the queue is full, a later use does it. text is what the digest is the MAC of.
func (v *Verifier) upgrade(e *keyEntry, ver *version, text string) {
	if !ver.upgrading.CompareAndSwap(false, true) {
		return
	}
	pepper, digest := v.Ring.MAC(text)
	scheme := key.SchemeMAC
	if ver.imported {
		scheme = key.SchemeImported
	}
	job := upgradeJob{
		key: e.id, version: int(ver.number), old: append([]byte(nil), ver.digest[:]...),
		now: key.Version{Digest: digest[:], Scheme: scheme, Pepper: pepper},
	}
	select {
	case v.upgrades <- job:
	default:
		ver.upgrading.Store(false)
	}
}

// identify fills in who it is and says whether it works now.
func (v *Verifier) identify(ctx context.Context, e *keyEntry, ver *version, d *Decision) error {
	app, err := v.app(ctx, e.app)
	if err != nil {
		return err
	}
	team, err := v.team(ctx, e.team)
	if err != nil {
		return err
	}
	d.app = app
	d.Identified = true
	d.Key, d.Kind, d.Mode, d.Version = e.id, e.kind, e.mode, int(ver.number)
	d.App, d.AppName, d.AppMetadata, d.Team = e.app, app.name, app.metadata, e.team
	d.ExpiresAt = e.expiresAt()
	d.Code, d.DeniedBy = v.statusAt(e, ver, app, team, d.At)
	if d.Code == policy.Valid && ver.ends != 0 {
		d.Warnings = append(d.Warnings, "This secret was rotated and stops working at "+time.UnixMicro(ver.ends).UTC().Format(time.RFC3339)+".")
	}
	return nil
}

// statusAt is step 3. What the node remembers as revoked stays refused even where the row says otherwise: after a restore
// of an older backup the row does.
func (v *Verifier) statusAt(e *keyEntry, ver *version, app *appEntry, team teamEntry, now time.Time) (policy.Code, string) {
	if code := e.statusAt(now); code != policy.Valid {
		return code, "key"
	}
	if v.Tail.AnyRevoked() && (v.Tail.Revoked(string(e.id)) || v.Tail.Revoked(key.VersionSubject(e.id, int(ver.number)))) {
		return policy.Revoked, "key"
	}
	if code := ver.statusAt(now); code != policy.Valid {
		return code, "key.version"
	}
	switch {
	case app.gone:
		return policy.Disabled, "app"
	case team.suspended:
		return policy.OwnerSuspended, "team"
	}
	return policy.Valid, ""
}

// Upgrade runs until ctx ends and writes upgraded digests.
func (v *Verifier) Upgrade(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case job := <-v.upgrades:
			if err := v.Store.UpgradeDigest(ctx, job.key, job.version, job.old, job.now); err != nil && !errors.Is(err, context.Canceled) {
				v.Log.Warn("could not upgrade a digest; the next use tries again", "key", job.key, "error", err)
			}
			v.keys.drop(id.Chars(job.key))
		}
	}
}

type upgradeJob struct {
	key     id.Key
	version int
	old     []byte
	now     key.Version
}

// Ring is what Verify needs of the keyring.
type Ring interface {
	MAC(credential string) (version int, digest [32]byte)
	Matches(version int, digest [32]byte, credential string) bool
	KnowsPepper(version int) bool
	CurrentPepper() int
	Lookups(credential string) []keyring.Lookup
	Reload(ctx context.Context) error
}
