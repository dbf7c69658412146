package key

import (
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lanyard-auth/lanyard/internal/policy"
)

// works says whether a secret of the key passes at a time, as package verify asks.
func works(k *Key, v *Version, at time.Time) bool {
	return k.StatusAt(at) == policy.Valid && v.StatusAt(at) == policy.Valid
}

// horizon are the moments at which lives are compared: every end that stands in the key, the moments beside it, and some
// between.
func horizon(k *Key, now time.Time) []time.Time {
	points := []time.Time{now, now.Add(MaxOverlap), now.Add(10 * MaxOverlap)}
	for d := time.Minute; d < 40*24*time.Hour; d *= 3 {
		points = append(points, now.Add(d))
	}
	for _, end := range append([]time.Time{k.ExpiresAt, k.NotBefore}, ends(k)...) {
		if !end.IsZero() {
			points = append(points, end.Add(-1), end, end.Add(1))
		}
	}
	return slices.DeleteFunc(points, func(p time.Time) bool { return p.Before(now) })
}

func ends(k *Key) (all []time.Time) {
	for i := range k.Versions {
		all = append(all, k.Versions[i].EndsAt)
	}
	return all
}

// TestLives drives a key through any sequence of acts and holds its promises: a rotation lengthens no secret's life, an
// undo brings back only what still works, revoked stays revoked, and no secret works past the key's end.
func TestLives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := t0
		k := newKey(func(k *Key) {
			if rapid.Bool().Draw(t, "expires") {
				k.ExpiresAt = now.Add(time.Duration(rapid.Int64Range(1, int64(60*24*time.Hour)).Draw(t, "life")))
			}
			if rapid.Bool().Draw(t, "starts later") {
				k.NotBefore = now.Add(time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "start")))
			}
		})
		dead := map[int]bool{} // versions that were revoked, or whose time was over
		keyDead := false
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				if keyDead && k.StatusAt(now) != policy.Revoked {
					t.Fatalf("a revoked key is %s", k.StatusAt(now))
				}
				current := 0
				for i := range k.Versions {
					v := &k.Versions[i]
					if dead[v.Number] && v.StatusAt(now) == policy.Valid {
						t.Fatalf("version %d was over and works again: %+v", v.Number, k.Versions)
					}
					if v.StatusAt(now) != policy.Valid {
						dead[v.Number] = true
					}
					if v.RevokedAt.IsZero() && v.EndsAt.IsZero() {
						current++
					}
					if !k.ExpiresAt.IsZero() && works(k, v, k.ExpiresAt) {
						t.Fatalf("version %d works at the key's end", v.Number)
					}
				}
				if current > 1 {
					t.Fatalf("%d secrets without an end: %+v", current, k.Versions)
				}
			},
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.Int64Range(0, int64(3*24*time.Hour)).Draw(t, "for")))
			},
			"rotate": func(t *rapid.T) {
				overlap := time.Duration(rapid.Int64Range(-1, int64(MaxOverlap)+1).Draw(t, "overlap"))
				before := lives(k, now)
				good := 0
				for i := range k.Versions {
					if k.Versions[i].StatusAt(now) == policy.Valid {
						good++
					}
				}
				err := k.Rotate(now, overlap, Version{})
				wanted := overlap >= 0 && overlap <= MaxOverlap && k.StatusAt(now) != policy.Revoked && k.StatusAt(now) != policy.Expired && good < MaxVersions
				if (err == nil) != wanted {
					t.Fatalf("Rotate = %v, want success %v", err, wanted)
				}
				notLonger(t, k, before, k.Versions[len(k.Versions)-1].Number, err == nil)
			},
			"undo": func(t *rapid.T) {
				working := map[int]bool{}
				for i := range k.Versions {
					working[k.Versions[i].Number] = k.Versions[i].StatusAt(now) == policy.Valid
				}
				newest := k.Current()
				if err := k.UndoRotation(now); err != nil {
					return
				}
				if newest.RevokedAt.IsZero() {
					t.Fatalf("UndoRotation left version %d alive", newest.Number)
				}
				if current := k.Current(); !working[current.Number] || current.Number >= newest.Number {
					t.Fatalf("UndoRotation made version %d current, which did not work", current.Number)
				}
			},
			"revoke a version": func(t *rapid.T) {
				before := lives(k, now)
				if err := k.Revoke(now, "", rapid.IntRange(1, len(k.Versions)).Draw(t, "version")); err != nil {
					t.Fatal(err)
				}
				notLonger(t, k, before, 0, false)
			},
			"disable": func(t *rapid.T) {
				if (k.Disable(now) == nil) == keyDead {
					t.Fatal("Disable must succeed unless the key is revoked")
				}
			},
			"enable": func(t *rapid.T) {
				if (k.Enable() == nil) == keyDead {
					t.Fatal("Enable must succeed unless the key is revoked")
				}
			},
			"revoke": func(t *rapid.T) {
				if rapid.IntRange(0, 9).Draw(t, "rarely") > 0 {
					return
				}
				keyDead = true
				if err := k.Revoke(now, "", 0); err != nil {
					t.Fatal(err)
				}
			},
		})
	})
}

// life is a secret at a moment.
type life struct {
	version int
	at      time.Time
}

// lives are the secrets and moments at which they do not work, out of those on the horizon.
func lives(k *Key, now time.Time) map[life]bool {
	out := map[life]bool{}
	for _, at := range horizon(k, now) {
		for i := range k.Versions {
			out[life{k.Versions[i].Number, at}] = works(k, &k.Versions[i], at)
		}
	}
	return out
}

// notLonger wants no secret to work at a moment at which it did not before; fresh is the one just made.
func notLonger(t *rapid.T, k *Key, before map[life]bool, fresh int, made bool) {
	for l := range maps.Keys(before) {
		for i := range k.Versions {
			v := &k.Versions[i]
			if v.Number == l.version && works(k, v, l.at) && !before[l] && !(made && v.Number == fresh) {
				t.Fatalf("version %d works at %s and did not before: %+v", v.Number, l.at, k.Versions)
			}
		}
	}
}
