//go:build !race

package keyring

import "testing"

// The race detector makes sync.Pool drop things at random, so what the pool keeps is looked at without it.

func TestMACAndMatchesDoNotAllocate(t *testing.T) {
	r := open(t, &memory{}, Masters{Current: master(t, 1, 'a')})
	version, digest := r.MAC(credential)
	for name, f := range map[string]func(){
		"MAC":     func() { r.MAC(credential) },
		"Matches": func() { r.Matches(version, digest, credential) },
	} {
		if got := testing.AllocsPerRun(1000, f); got != 0 {
			t.Errorf("%s allocates %v times, want 0", name, got)
		}
	}
}

func TestPoolKeepsNoCredential(t *testing.T) {
	p := newPepper(1, make([]byte, keySize))
	p.mac(credential)
	if kept := p.states.Get().(*macState).scratch; kept != [len(kept)]byte{} {
		t.Errorf("after mac the pool keeps %q, want nothing", kept[:])
	}
}
