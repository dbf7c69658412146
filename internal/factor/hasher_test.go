package factor

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// peppers is a keyring of a few versions, the current one first. It counts what it was asked.
type peppers struct {
	versions []int
	asked    []string
}

func (p *peppers) macWith(version int, text string) (digest [32]byte, known bool) {
	for _, v := range p.versions {
		if v == version {
			m := hmac.New(sha256.New, []byte{byte(v)})
			_, _ = io.WriteString(m, text)
			return [32]byte(m.Sum(nil)), true
		}
	}
	return digest, false
}

func (p *peppers) mac(text string) (version int, digest [32]byte) {
	p.asked = append(p.asked, text)
	digest, _ = p.macWith(p.versions[0], text)
	return p.versions[0], digest
}

// zeros is randomness that a test can foresee.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func newHasher(versions ...int) (*Hasher, *peppers) {
	p := &peppers{versions: versions}
	return New(p.mac, p.macWith, zeros{}, 1), p
}

const ada id.User = "user_AdaAdaAdaAdaAda1"

func TestHashRefuses(t *testing.T) {
	for name, password := range map[string]string{"empty": "", "one byte too long": strings.Repeat("x", 1025), "a megabyte": strings.Repeat("x", 1<<20)} {
		h, ring := newHasher(1)
		_, _, err := h.Hash(t.Context(), ada, password)
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("Hash(%s) = %v, want invalid_request", name, err)
		}
		for who, p := range map[string]*Password{"known": {User: ada, Hash: "unread"}, "unknown": nil} {
			if _, _, err = h.Verify(t.Context(), p, password); !fault.Is(err, fault.Invalid) {
				t.Errorf("Verify(%s user, %s) = %v, want invalid_request", who, name, err)
			}
		}
		if len(ring.asked) != 0 {
			t.Errorf("%s: %d MACs were computed, want none", name, len(ring.asked))
		}
	}
}

func TestVerify(t *testing.T) {
	h, ring := newHasher(2, 1)
	older, _ := newHasher(1)
	long := strings.Repeat("p", 72)
	kept := func(h *Hasher, password string) Password {
		t.Helper()
		hash, pepper, err := h.Hash(t.Context(), ada, password)
		if err != nil {
			t.Fatal(err)
		}
		return Password{User: ada, Hash: hash, Pepper: pepper}
	}
	now, before := kept(h, long+"a"), kept(older, long+"a")
	moved, cheap := now, now
	moved.User = "user_EveEveEveEveEve1"
	cheap.Hash = cheaper(t, h, long+"a")
	for _, tc := range []struct {
		name         string
		p            *Password
		password     string
		ok, outdated bool
	}{
		{"right", &now, long + "a", true, false},
		{"another byte after the 72nd", &now, long + "b", false, false},
		{"no byte after the 72nd", &now, long, false, false},
		{"in another user's row", &moved, long + "a", false, false},
		{"older pepper", &before, long + "a", true, true},
		{"older pepper, wrong", &before, "wrong", false, true},
		{"cheaper", &cheap, long + "a", true, true},
		{"nobody", nil, long + "a", false, false},
	} {
		ok, outdated, err := h.Verify(t.Context(), tc.p, tc.password)
		if ok != tc.ok || outdated != tc.outdated || err != nil {
			t.Errorf("Verify(%s) = %v, %v, %v, want %v, %v", tc.name, ok, outdated, err, tc.ok, tc.outdated)
		}
	}
	if last := ring.asked[len(ring.asked)-1]; last != "password\x00"+string(nobody)+"\x00"+long+"a" {
		t.Errorf("for nobody the MAC covers %q, want the dummy's name and the password", last)
	}
}

// cheaper is a hash as an earlier version with smaller settings might have made it.
func cheaper(t *testing.T, h *Hasher, password string) string {
	t.Helper()
	p := phc{cost: cost{memory: 64, time: 1, threads: 1}}
	_, digest := h.mac(text(ada, password))
	tag, err := h.derive(t.Context(), p, digest)
	if err != nil {
		t.Fatal(err)
	}
	p.tag = tag
	return p.format()
}

// An unknown user waits for a turn and works as a known one does, instead of getting an early answer.
func TestVerifyNobodyWorks(t *testing.T) {
	for name, p := range map[string]*Password{"known": {User: ada, Hash: golden, Pepper: 1}, "unknown": nil} {
		h, _ := newHasher(1)
		h.waiting.Store(maxWaiting)
		h.slots <- struct{}{}
		if _, _, err := h.Verify(t.Context(), p, "password"); !fault.Is(err, fault.Unavailable) {
			t.Errorf("Verify of a %s user without a turn = %v, want unavailable", name, err)
		}
	}
}

// golden is what "correct horse" of ada becomes with pepper 1 and a salt of zeros. It holds the settings and the text
// under the MAC: if either changes, every password in use stops working.
const golden = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$mcKd6WWlIvN2gtlmJAnz4ZdDOAClM+qHKUpBOyXf8uQ"

func TestHashStays(t *testing.T) {
	h, _ := newHasher(1)
	got, pepper, err := h.Hash(t.Context(), ada, "correct horse")
	if got != golden || pepper != 1 || err != nil {
		t.Errorf("Hash = %q, %d, %v, want %q, 1", got, pepper, err, golden)
	}
}

func TestVerifyFails(t *testing.T) {
	h, _ := newHasher(1)
	_, _, err := h.Verify(t.Context(), &Password{User: ada, Hash: golden, Pepper: 9}, "correct horse")
	if !fault.Is(err, fault.Unavailable) {
		t.Errorf("Verify with an unknown pepper = %v, want unavailable", err)
	}
	huge := strings.Replace(golden, "m=19456", "m=4194304", 1)
	if _, _, err = h.Verify(t.Context(), &Password{User: ada, Hash: huge, Pepper: 1}, "correct horse"); !errors.Is(err, errPHC) || fault.KindOf(err) != "" {
		t.Errorf("Verify of a row that asks for 4 GiB = %v, want errPHC without a kind", err)
	}
	broken := New(h.mac, h.macWith, strings.NewReader("short"), 1)
	if hash, _, err := broken.Hash(t.Context(), ada, "correct horse"); err == nil {
		t.Errorf("Hash without randomness = %q, want an error", hash)
	}
}

// TestQueue: one at work, 64 waiting, the next refused at once; who goes away makes room.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := newHasher(1)
		h.slots <- struct{}{} // somebody is at work
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		entered, gone := 0, 0
		var mu sync.Mutex
		wait := func(ctx context.Context) {
			err := h.enter(ctx)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				entered++
				return
			}
			gone++
		}
		for i := range maxWaiting {
			with := t.Context()
			if i == 0 {
				with = ctx
			}
			all.Go(func() { wait(with) })
		}
		synctest.Wait()
		if err := h.enter(t.Context()); !fault.Is(err, fault.Unavailable) {
			t.Errorf("enter behind %d waiting = %v, want unavailable", maxWaiting, err)
		}
		cancel()
		synctest.Wait()
		if gone != 1 {
			t.Errorf("%d left when one was cancelled, want 1", gone)
		}
		all.Go(func() { wait(t.Context()) })
		synctest.Wait()
		if gone != 1 {
			t.Error("enter after one left was refused, want it to wait")
		}
		for range maxWaiting {
			<-h.slots
			synctest.Wait()
		}
		all.Wait()
		if entered != maxWaiting || h.waiting.Load() != 0 {
			t.Errorf("%d came in, %d wait, want %d and none", entered, h.waiting.Load(), maxWaiting)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	h, _ := newHasher(1)
	for b.Loop() {
		if _, _, err := h.Verify(b.Context(), nil, "correct horse"); err != nil {
			b.Fatal(err)
		}
	}
}
