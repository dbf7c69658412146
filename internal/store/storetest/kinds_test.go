package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// Client secrets live among the keys, with their life, and lists tell them apart.
func TestKeyKinds(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		server := audit.ServerReach()
		made := map[secret.Kind]id.Key{secret.Key: w.ourKey}
		for _, kind := range []secret.Kind{secret.Publishable, secret.Client} {
			k := aKey(w.ourApp, w.ours)
			k.Kind, k.Scopes, made[kind] = kind, nil, k.ID
			must(t, second(w.CreateKeys(ctx, []*key.Key{k}, event("key.create"))))
			got, err := w.Key(ctx, server, k.ID)
			if diff := cmp.Diff(k, got); err != nil || diff != "" {
				t.Errorf("Key of kind %s: %v, -want +got:\n%s", kind, err, diff)
			}
		}
		for _, kinds := range [][]secret.Kind{
			{secret.Personal}, {secret.Key}, {secret.Client}, {secret.Key, secret.Publishable}, {secret.Key, secret.Publishable, secret.Client}, nil,
		} {
			keys, err := w.Keys(ctx, server, key.Filter{App: w.ourApp, Kinds: kinds, Limit: 10})
			must(t, err)
			var got, want []id.Key
			for _, k := range keys {
				got = append(got, k.ID)
			}
			for kind, keyID := range made {
				if kinds == nil || slices.Contains(kinds, kind) {
					want = append(want, keyID)
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Keys of kinds %v -want +got:\n%s", kinds, diff)
			}
		}
		must(t, third(w.UpdateKey(ctx, server, made[secret.Client], event("key.rotate"), func(k *key.Key) error {
			return k.Rotate(t0, time.Hour, key.Version{Digest: digest("second secret"), Scheme: key.SchemeMAC, Pepper: 1})
		})))
		if k, err := w.KeyForDecision(ctx, made[secret.Client]); err != nil || len(k.Versions) != 2 || k.Kind != secret.Client {
			t.Errorf("KeyForDecision of a rotated client secret = %+v, %v, want both versions", k, err)
		}
	})
}

// Rotations are told of in portions, client secrets among them; revoked keys are passed over and do not come again.
func TestRotationsDueInPortions(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		const portion, more = 500, 3
		var keys []*key.Key
		for range portion + more {
			k := aKey(w.ourApp, w.ours)
			k.Kind, k.Scopes, k.RotateEvery = secret.Client, nil, time.Hour
			keys = append(keys, k)
		}
		keys[0].RotateEvery = time.Minute // the first due
		must(t, second(w.CreateKeys(ctx, keys, event("key.create"))))
		must(t, third(w.UpdateKey(ctx, audit.ServerReach(), keys[0].ID, event("key.revoke"), func(k *key.Key) error { return k.Revoke(t0, "", 0) })))
		for i, want := range []int{portion - 1, more, 0} {
			if got, err := w.RotationsDue(ctx, t0.Add(time.Hour)); err != nil || got != want {
				t.Errorf("RotationsDue, call %d = %d, %v, want %d", i+1, got, err, want)
			}
		}
		messages, err := w.Outbox(ctx, 1000)
		if err != nil || len(messages) != portion+more-1 || !strings.Contains(messages[0].Body, `"kind":"cs"`) {
			t.Errorf("Outbox = %d, %v, want %d that name their kind", len(messages), err, portion+more-1)
		}
		for _, m := range messages {
			if strings.HasPrefix(m.Subject, string(keys[0].ID)) {
				t.Error("somebody is told to rotate a key that was revoked")
			}
		}
	})
}

// Nodes learn of new keys of our own by an entry; the founding has none, and who lost the race leaves none.
func TestKeyringEntries(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		before := head(t, st)
		replaceKeyring(t, st, 1, "check", 1)
		if got := since(t, st, before); len(got) > 0 {
			t.Errorf("the founding left entries %v", got)
		}
		for revision := 2; revision < 4; revision++ {
			before = head(t, st)
			replaceKeyring(t, st, revision, "check", revision)
			if diff := cmp.Diff([]string{entry(changes.Keyring, "")}, since(t, st, before)); diff != "" {
				t.Errorf("ReplaceKeyring: entries -want +got:\n%s", diff)
			}
			entries, err := st.ChangesAfter(ctx, before, 1)
			must(t, err)
			snap, err := st.ChangesSnapshot(ctx)
			must(t, err)
			if age := snap.Now.Sub(entries[0].At); age < 0 || age > time.Hour {
				t.Errorf("the entry is of %s, want the database's time, %s", entries[0].At, snap.Now)
			}
		}
		before = head(t, st)
		for _, revision := range []int{1, 3, 5} {
			if won, err := st.ReplaceKeyring(ctx, keyring.State{Revision: revision}); won || err != nil {
				t.Errorf("ReplaceKeyring at revision %d = %t, %v, want false", revision, won, err)
			}
		}
		if got := since(t, st, before); len(got) > 0 {
			t.Errorf("lost races left entries %v", got)
		}
	})
}
