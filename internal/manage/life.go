package manage

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// defaultOverlap is how long a rotated secret stays good unless the request says otherwise (DESIGN section 8, lifetimes).
const defaultOverlap = day

// RotateKey gives a key a new secret under the same id; the old one works until the overlap ends, or until the key expires
// if that is sooner. A key made elsewhere gets one of this server's format. It needs lanyard.keys.write, and the
// management scopes that stand on the key.
func (s *Service) RotateKey(ctx context.Context, actor audit.Actor, keyID string, in lanyard.RotateInput) (lanyard.Rotated, error) {
	reach, err := s.may(actor, keysWrite)
	if err != nil {
		return lanyard.Rotated{}, err
	}
	k, err := s.keyWithin(ctx, reach, keyID)
	if err != nil {
		return lanyard.Rotated{}, err
	}
	if k.Kind == secret.Client {
		a, err := s.AppStore.App(ctx, reach, k.App)
		if err != nil {
			return lanyard.Rotated{}, err
		}
		if err := s.withholdsApp(actor, a); err != nil {
			return lanyard.Rotated{}, err
		}
	}
	overlap := defaultOverlap
	if in.OverlapSeconds != nil {
		// In seconds before it becomes a Duration, which a large number would overflow.
		if *in.OverlapSeconds < 0 || *in.OverlapSeconds > int64(key.MaxOverlap/time.Second) {
			return lanyard.Rotated{}, fault.Field("overlap_seconds", "must be between 0 and %d", int64(key.MaxOverlap/time.Second))
		}
		overlap = time.Duration(*in.OverlapSeconds) * time.Second
	}
	k.Prefix = s.Prefix(ctx)
	issued, version, err := s.issue(k) // kind, mode and id never change
	if err != nil {
		return lanyard.Rotated{}, err
	}
	now := s.now()
	ev := actor.New(now, "key.rotate", string(k.ID), k.Team, said(details{"overlap": overlap.String()}))
	prefix := k.Prefix
	rotated, _, err := s.KeyStore.UpdateKey(ctx, reach, k.ID, ev, func(k *key.Key) error {
		if err := s.withholds(actor, k); err != nil {
			return err
		}
		k.Prefix = prefix
		if err := k.Rotate(now, overlap, version); err != nil {
			return err
		}
		ev.Details["version"] = strconv.Itoa(k.Versions[len(k.Versions)-1].Number)
		return nil
	})
	if err != nil {
		return lanyard.Rotated{}, err
	}
	answer := lanyard.Rotated{ID: string(rotated.ID), Version: rotated.Versions[len(rotated.Versions)-1].Number, Secret: issued.Reveal()}
	if n := len(rotated.Versions); n > 1 {
		before := &rotated.Versions[n-2]
		if end := endOf(rotated, before); before.RevokedAt.IsZero() && end.After(now) {
			answer.OverlapUntil = at(end)
		}
	}
	return answer, nil
}

// UndoRotation takes the newest secret back and makes the one before it current again, while that still works. It needs
// lanyard.keys.write.
func (s *Service) UndoRotation(ctx context.Context, actor audit.Actor, keyID string) (lanyard.Key, error) {
	now := s.now()
	d := details{}
	k, _, err := s.alterKey(ctx, actor, keyID, "key.undo_rotation", d, func(k *key.Key) error {
		if err := k.UndoRotation(now); err != nil {
			return err
		}
		d["current_version"] = strconv.Itoa(k.Current().Number)
		return nil
	})
	if err != nil {
		return lanyard.Key{}, err
	}
	return wireKey(k, now), nil
}

// RevokeKey ends a key for good, or one version of it. Revoking again is no error. It needs lanyard.keys.write.
func (s *Service) RevokeKey(ctx context.Context, actor audit.Actor, keyID string, in lanyard.RevokeInput) (id.Revision, error) {
	now := s.now()
	_, rev, err := s.alterKey(ctx, actor, keyID, "key.revoke", revokeDetails(in), func(k *key.Key) error { return revoke(k, in, now) })
	return rev, err
}

func revoke(k *key.Key, in lanyard.RevokeInput, now time.Time) error {
	if err := checkText("reason", in.Reason, maxReason); err != nil {
		return err
	}
	if in.Version < 0 {
		return fault.Field("version", "must be the number of a version, or absent for the whole key")
	}
	return k.Revoke(now, in.Reason, in.Version)
}

// RevokeSelf ends the key or personal token that asks. It needs no scope: whoever holds it may end it, also who found it.
func (s *Service) RevokeSelf(ctx context.Context, actor audit.Actor, in lanyard.RevokeInput) (id.Revision, error) {
	if actor.Key == "" {
		return 0, fault.New(fault.InsufficientScope, "send the API key or personal token that is to be revoked as the credential; another kind of credential cannot revoke itself here")
	}
	now := s.now()
	d := revokeDetails(in)
	d["by"] = "its holder"
	if actor.User != "" {
		if err := checkText("reason", in.Reason, maxReason); err != nil {
			return 0, err
		}
		if in.Version != 0 {
			return 0, fault.Field("version", "a personal token has no versions")
		}
		_, rev, err := s.PersonalStore.RevokePersonal(ctx, actor.User, actor.Key, in.Reason, actor.New(now, "token.revoke", string(actor.Key), "", d))
		return rev, err
	}
	ev := actor.New(now, "key.revoke", string(actor.Key), "", d)
	_, rev, err := s.KeyStore.UpdateKey(ctx, audit.ServerReach(), actor.Key, ev, func(k *key.Key) error { return revoke(k, in, now) })
	return rev, err
}

func revokeDetails(in lanyard.RevokeInput) map[string]string {
	d := details{"reason": in.Reason}
	if in.Version != 0 {
		d["version"] = strconv.Itoa(in.Version)
	}
	return said(d)
}

// DisableKey stops a key until EnableKey. It needs lanyard.keys.write.
func (s *Service) DisableKey(ctx context.Context, actor audit.Actor, keyID string) (id.Revision, error) {
	now := s.now()
	_, rev, err := s.alterKey(ctx, actor, keyID, "key.disable", nil, func(k *key.Key) error { return k.Disable(now) })
	return rev, err
}

// EnableKey lets a disabled key work again; revoked stays revoked. It needs lanyard.keys.write, and the management scopes
// that stand on the key.
func (s *Service) EnableKey(ctx context.Context, actor audit.Actor, keyID string) (id.Revision, error) {
	_, rev, err := s.alterKey(ctx, actor, keyID, "key.enable", nil, func(k *key.Key) error {
		if err := s.withholds(actor, k); err != nil {
			return err
		}
		return k.Enable()
	})
	return rev, err
}

// DeleteKey revokes a key and hides it; its usage stays on the books. It needs lanyard.keys.write.
func (s *Service) DeleteKey(ctx context.Context, actor audit.Actor, keyID string) (id.Revision, error) {
	now := s.now()
	_, rev, err := s.alterKey(ctx, actor, keyID, "key.delete", nil, func(k *key.Key) error {
		k.Delete(now)
		return nil
	})
	return rev, err
}

// alterKey is the common course of the acts on a key's life. change may add to the details: the event is written after it.
func (s *Service) alterKey(ctx context.Context, actor audit.Actor, keyID, action string, d details, change func(*key.Key) error) (*key.Key, id.Revision, error) {
	reach, err := s.may(actor, keysWrite)
	if err != nil {
		return nil, 0, err
	}
	parsed, err := parseID[id.Key]("key", keyID)
	if err != nil {
		return nil, 0, err
	}
	k, rev, err := s.KeyStore.UpdateKey(ctx, reach, parsed, actor.New(s.now(), action, string(parsed), "", d), change)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", action, err)
	}
	return k, rev, nil
}
