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
	"github.com/lanyard-auth/lanyard/internal/token"
)

// Foreign credentials that can have been imported: what package manage accepts.
const (
	foreignMin = 16
	foreignMax = 512
)

// resolve is steps 1 to 3: it finds what the credential proves, and its status now. Without that it returns false, with
// d.Code saying missing, malformed, not_found or rate_limited. d and h are filled in otherwise, with d.Code the status.
func (v *Verifier) resolve(ctx context.Context, credential string, req *Request, d *Decision, h *holder) (bool, error) {
	switch {
	case credential == "":
		d.refuse(policy.Missing, "credential")
		return false, nil
	case token.IsJWT(credential):
		ok, err := v.resolveToken(ctx, credential, KindJWT, req, d, h)
		if ok || err != nil || d.Code != policy.NotFound {
			return ok, err
		}
		// Other systems hand out JWTs as keys, and those can have been imported.
		ok, err = v.resolveKey(ctx, credential, apiKeys, req, d, h)
		if !ok && d.Code == policy.Malformed {
			d.Code = policy.NotFound
		}
		return ok, err
	case secret.KindOf(credential) == secret.Access:
		ok, err := v.resolveToken(ctx, credential, secret.Access, req, d, h)
		if ok || err != nil || d.Code != policy.Malformed {
			return ok, err
		}
		// What only looks like a token may be an imported key.
	case secret.KindOf(credential) == secret.Personal:
		if c, err := secret.Parse(credential); err == nil {
			return v.resolvePersonal(ctx, credential, c.ID, req, d, h)
		}
	}
	return v.resolveKey(ctx, credential, apiKeys, req, d, h)
}

// Which kinds of static credentials of apps are looked for.
type keyKinds uint8

const (
	apiKeys keyKinds = iota
	clientSecrets
)

func (k keyKinds) admit(kind secret.Kind) bool {
	if k == clientSecrets {
		return kind == secret.Client
	}
	return kind == secret.Key || kind == secret.Publishable
}

// resolveKey is resolve for the static credentials of apps.
func (v *Verifier) resolveKey(ctx context.Context, credential string, kinds keyKinds, req *Request, d *Decision, h *holder) (bool, error) {
	var keyChars string
	c, err := secret.Parse(credential)
	switch {
	case err == nil && kinds.admit(c.Kind):
		keyChars = c.ID
	case err == nil:
		// Well formed, but nothing that is presented here (a code, a refresh token).
		d.refuse(policy.NotFound, "credential")
		return false, nil
	case kinds == clientSecrets:
		d.refuse(policy.Malformed, "credential")
		return false, nil
	default:
		if keyChars, err = v.foreign(ctx, credential, req, d); err != nil || keyChars == "" {
			return false, err
		}
	}
	e, err := v.key(ctx, keyChars, req, d)
	if err != nil || e == nil {
		return false, err
	}
	version, err := v.prove(ctx, e, credential)
	if err != nil {
		return false, err
	}
	if version == nil {
		d.refuse(policy.NotFound, "credential")
		return false, nil
	}
	h.key = e
	return true, v.identify(ctx, h, version, d)
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
		if err := v.knowPepper(ctx, int(ver.pepper)); err != nil {
			return nil, err
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

// knowPepper reads the keyring if something was made under a pepper that this node has not read yet.
func (v *Verifier) knowPepper(ctx context.Context, pepper int) error {
	if v.Ring.KnowsPepper(pepper) {
		return nil
	}
	if err := v.readRing(ctx); err != nil {
		return err
	}
	if !v.Ring.KnowsPepper(pepper) {
		return fault.New(fault.Unavailable, "pepper version %d is missing from the keyring", pepper)
	}
	return nil
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
	v.enqueue(upgradeJob{
		key: e, version: ver, pepper: pepper, digest: digest, scheme: scheme,
	})
}

func (v *Verifier) enqueue(job upgradeJob) {
	select {
	case v.upgrades <- job:
	default:
		job.again()
	}
}

// identify fills in who it is and says whether it works now.
func (v *Verifier) identify(ctx context.Context, h *holder, ver *version, d *Decision) error {
	e := h.key
	app, err := v.app(ctx, e.app)
	if err != nil {
		return err
	}
	team, err := v.team(ctx, e.team)
	if err != nil {
		return err
	}
	h.app, h.team, h.owner = app, e.team, team
	d.Code, d.DeniedBy = v.statusAt(e, ver, app, team, d.At)
	if d.Code == policy.Valid && ver.ends != 0 {
		d.Warnings = append(d.Warnings, "This secret was rotated and stops working at "+time.UnixMicro(ver.ends).UTC().Format(time.RFC3339)+".")
	}
	d.ends(e.expiresAt())
	if ver.ends != 0 {
		d.ends(time.UnixMicro(ver.ends))
	}
	d.Key = e.id
	if d.Token != "" {
		return nil // it came beside a token, which is what the decision is about
	}
	d.app = app
	d.Identified = true
	d.Kind, d.Mode, d.Version = e.kind, e.mode, int(ver.number)
	d.App, d.AppName, d.AppMetadata, d.Team = e.app, app.name, app.metadata, e.team
	d.ExpiresAt = e.expiresAt()
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

// Upgrade runs until ctx ends, writes upgraded digests, and reads the keyring when it changed.
func (v *Verifier) Upgrade(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-v.ring.soon:
			if _, err := v.ringNow(ctx); err != nil && ctx.Err() == nil {
				v.Log.Warn("could not read the keyring after it changed; the next token tries again", "error", err)
			}
		case job := <-v.upgrades:
			what, err := v.write(ctx, job)
			if err != nil && !errors.Is(err, context.Canceled) {
				v.Log.Warn("could not upgrade a digest; the next use tries again", "credential", what, "error", err)
			}
		}
	}
}

func (v *Verifier) write(ctx context.Context, job upgradeJob) (id.Key, error) {
	if p := job.personal; p != nil {
		err := v.Store.UpgradePersonal(ctx, p.id, p.digest[:], job.pepper, job.digest[:])
		v.personals.drop(id.Chars(p.id))
		return p.id, err
	}
	err := v.Store.UpgradeDigest(ctx, job.key.id, int(job.version.number), append([]byte(nil), job.version.digest[:]...),
		key.Version{Digest: job.digest[:], Scheme: job.scheme, Pepper: job.pepper})
	v.keys.drop(id.Chars(job.key.id))
	return job.key.id, err
}

// upgradeJob is a digest to be replaced: of a version of a key, or of a personal token.
type upgradeJob struct {
	key      *keyEntry
	version  *version
	personal *personalEntry
	pepper   int
	digest   [32]byte
	scheme   key.Scheme
}

// again lets a later use try.
func (j *upgradeJob) again() {
	if j.personal != nil {
		j.personal.upgrading.Store(false)
		return
	}
	j.version.upgrading.Store(false)
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
