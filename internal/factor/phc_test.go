package factor

import (
	"strings"
	"testing"
)

// salt and tag of a hash, in base64.
const (
	salt22 = "AAAAAAAAAAAAAAAAAAAAAA"
	tag43  = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)

func TestParsePHC(t *testing.T) {
	for _, bad := range []string{
		"",
		"$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
		"$argon2i$v=19$m=19456,t=2,p=1$" + salt22 + "$" + tag43,
		"$argon2id$m=19456,t=2,p=1$" + salt22 + "$" + tag43,
		"$argon2id$v=16$m=19456,t=2,p=1$" + salt22 + "$" + tag43,
		"$argon2id$v=19$m=4194304,t=2,p=1$" + salt22 + "$" + tag43,
		"$argon2id$v=19$m=65537,t=2,p=1$" + salt22 + "$" + tag43,
		"$argon2id$v=19$m=4294986752,t=2,p=1$" + salt22 + "$" + tag43,
		"$argon2id$v=19$m=0,t=2,p=1$" + salt22 + "$" + tag43,
		"$argon2id$v=19$m=-1,t=2,p=1$" + salt22 + "$" + tag43,
		"$argon2id$v=19$m=7,t=2,p=1$" + salt22 + "$" + tag43,
		"$argon2id$v=19$m=31,t=2,p=4$" + salt22 + "$" + tag43,
		"$argon2id$v=19$m=19456,t=9,p=1$" + salt22 + "$" + tag43,
		"$argon2id$v=19$m=19456,t=0,p=1$" + salt22 + "$" + tag43,
		"$argon2id$v=19$m=19456,t=2,p=0$" + salt22 + "$" + tag43,
		"$argon2id$v=19$m=19456,t=2,p=257$" + salt22 + "$" + tag43,
		"$argon2id$v=19$m=019456,t=2,p=1$" + salt22 + "$" + tag43,
		"$argon2id$v=19$m=+19456,t=2,p=1$" + salt22 + "$" + tag43,
		"$argon2id$v=19$t=2,m=19456,p=1$" + salt22 + "$" + tag43,
		"$argon2id$v=19$m=19456,t=2,p=1,keyid=a$" + salt22 + "$" + tag43,
		"$argon2id$v=19$m=19456,t=2$" + salt22 + "$" + tag43,
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt22,
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt22 + "$" + tag43 + "$",
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt22 + "$" + tag43 + "=",
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt22 + "$" + tag43[1:] + "B", // bits after the last byte
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt22 + "$" + tag43[1:],
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt22[1:] + "\n$" + tag43,
		"$argon2id$v=19$m=19456,t=2,p=1$$" + tag43,
		" $argon2id$v=19$m=19456,t=2,p=1$" + salt22 + "$" + tag43,
		strings.Repeat("$argon2id$v=19$", 1000),
	} {
		if p, err := parsePHC(bad); err == nil {
			t.Errorf("parsePHC(%q) = %+v, want an error", bad, p.cost)
		}
	}
	for _, good := range []string{"m=19456,t=2,p=1", "m=65536,t=8,p=4", "m=8,t=1,p=1"} {
		whole := "$argon2id$v=19$" + good + "$" + salt22 + "$" + tag43
		if p, err := parsePHC(whole); err != nil || p.format() != whole {
			t.Errorf("parsePHC(%q) = %+v, %v, want it read", whole, p.cost, err)
		}
	}
}

func FuzzParsePHC(f *testing.F) {
	f.Add(golden)
	f.Add("$argon2id$v=19$m=8,t=1,p=1$" + salt22 + "$" + tag43)
	f.Add("$argon2id$v=19$m=4294967295,t=4294967295,p=255$$")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePHC(text)
		if err != nil {
			return
		}
		if p.format() != text {
			t.Errorf("parsePHC(%q) reads a text that format does not make", text)
		}
		if p.memory > maxMemory || p.time > maxTime || p.threads > maxThreads || p.memory < 8*uint32(p.threads) || p.time == 0 || p.threads == 0 {
			t.Errorf("parsePHC(%q) = %+v, beyond the bounds", text, p.cost)
		}
	})
}
