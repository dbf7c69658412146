package scan

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// dice is a random source with a fixed seed, so that a freak of chance cannot make a test fail now and then.
func dice(seed uint64) *rand.ChaCha8 {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	return rand.NewChaCha8(key)
}

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// issue makes a credential of a kind.
func issue(t testing.TB, random *rand.ChaCha8, prefix string, kind secret.Kind, mode secret.Mode) string {
	t.Helper()
	id := make([]byte, idLength)
	for i := range id {
		id[i] = base62[random.Uint64()%62]
	}
	if kind == secret.Access {
		sealed := make([]byte, 40+random.Uint64()%760)
		_, _ = random.Read(sealed)
		token, err := secret.AssembleToken(prefix, mode, string(id), sealed)
		if err != nil {
			t.Fatal(err)
		}
		return token.Reveal()
	}
	s, err := secret.New(prefix, kind, mode, string(id), random)
	if err != nil {
		t.Fatal(err)
	}
	return s.Reveal()
}

// issueAll makes one of every kind and mode.
func issueAll(t testing.TB, random *rand.ChaCha8, prefix string) []string {
	var all []string
	for _, h := range headsOf(prefix) {
		mode := secret.Live
		if h.text[len(h.text)-5:] == "test_" {
			mode = secret.Test
		}
		all = append(all, issue(t, random, prefix, h.kind, mode))
	}
	return all
}

func finder(t testing.TB, prefixes ...string) *Finder {
	t.Helper()
	f, err := NewFinder(prefixes...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// texts returns what was found, in words that a failed test may print: these credentials are nobody's.
func texts(found []Finding) []string {
	var all []string
	for _, f := range found {
		all = append(all, f.Credential.Reveal())
	}
	return all
}

func brief(f Finding) string {
	return fmt.Sprintf("%s %s %s at %d (%d:%d) %s", f.Kind, f.Mode, f.ID, f.Offset, f.Line, f.Column, f.Encoding)
}
