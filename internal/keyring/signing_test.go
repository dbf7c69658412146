package keyring

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

var algorithms = []string{"ES256", "RS256", "PS256", "EdDSA"}

func signer(t testing.TB, r *Ring, alg string, at time.Time) *Signer {
	t.Helper()
	s, err := r.Signer(t.Context(), alg, at)
	if err != nil {
		t.Fatalf("Signer(%s) = %v", alg, err)
	}
	return s
}

func TestSignerRefuses(t *testing.T) {
	store := &memory{}
	r := open(t, store, Masters{Current: master(t, 1, 'a')})
	for _, alg := range []string{"", "none", "HS256", "RS512", "es256", "RSA1_5", "dir"} {
		if s, err := r.Signer(t.Context(), alg, now); s != nil || !fault.Is(err, fault.Invalid) {
			t.Errorf("Signer(%q) = %v, %v, want %s", alg, s, err, fault.Invalid)
		}
	}
	store.writeErr = errGone
	if s, err := r.Signer(t.Context(), "EdDSA", now); s != nil || !errors.Is(err, errGone) {
		t.Errorf("Signer(store fails) = %v, %v, want %v", s, err, errGone)
	}
	if store.replaced != 1 {
		t.Errorf("after refusals the keyring was written %d times, want 1", store.replaced)
	}
}

// A row of a signing purpose that holds something else is damage, even if it was wrapped with the master key.
func TestOpenRefusesForeignSigningKeys(t *testing.T) {
	m := master(t, 1, 'a')
	pkcs8 := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		purpose Purpose
		key     []byte
	}{
		{"32 bytes", SignEdDSA, make([]byte, keySize)},
		{"nothing", SignEdDSA, nil},
		{"Edwards for ES256", SignES256, pkcs8(edwards)},
		{"Edwards for RS256", SignRS256, pkcs8(edwards)},
		{"RSA for EdDSA", SignEdDSA, pkcs8(weak)},
		{"short RSA", SignRS256, pkcs8(weak)},
		{"a pepper that signs", Pepper, pkcs8(edwards)},
	} {
		store := &memory{}
		open(t, store, Masters{Current: m})
		version := 2 // above the one that is there
		rows, err := wrap(m, []openKey{{Row: Row{Purpose: tt.purpose, Version: version, State: Current, CreatedAt: now}, key: tt.key}})
		if err != nil {
			t.Fatal(err)
		}
		for i := range store.state.Rows {
			if store.state.Rows[i].Purpose == tt.purpose {
				store.state.Rows[i].State = Retiring
			}
		}
		store.state.Rows = append(store.state.Rows, rows...)
		r, err := Open(t.Context(), store, Masters{Current: m}, now)
		if r != nil || !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), fmt.Sprintf("%s version 2", tt.purpose)) {
			t.Errorf("Open(%s) = %v, %v, want %s that names the row", tt.name, r, err, fault.Unavailable)
		}
	}
}

// What is signed here is good in the eyes of a library that others wrote, with the key out of the JWK set.
func TestSignaturesVerifyElsewhere(t *testing.T) {
	r := open(t, &memory{}, Masters{Current: master(t, 1, 'a')})
	for _, alg := range algorithms {
		s := signer(t, r, alg, now)
		var set jose.JSONWebKeySet
		if err := json.Unmarshal(r.JWKS(now), &set); err != nil {
			t.Fatal(err)
		}
		found := set.Key(s.KeyID())
		if len(found) != 1 || found[0].Algorithm != alg || found[0].Use != "sig" || !found[0].IsPublic() || !found[0].Valid() || s.Algorithm() != alg {
			t.Fatalf("JWKS has %+v for the key id of %s, want one public key of that algorithm", found, alg)
		}
		thumbprint, err := found[0].Thumbprint(crypto.SHA256)
		if err != nil || base64.RawURLEncoding.EncodeToString(thumbprint) != s.KeyID() {
			t.Errorf("KeyID(%s) = %s, want the thumbprint %x, %v", alg, s.KeyID(), thumbprint, err)
		}
		gotAlg, public, ok := r.PublicKey(s.KeyID(), now)
		if !ok || gotAlg != alg {
			t.Errorf("PublicKey(%s) = %s, %v, want it", alg, gotAlg, ok)
		}
		header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"` + alg + `","kid":"` + s.KeyID() + `"}`))
		for n := range 64 { // r or s of ES256 is short in one of 128
			input := header + "." + base64.RawURLEncoding.EncodeToString([]byte{'{', '}', byte(n)})
			out, err := s.Sign([]byte("before"), []byte(input))
			if err != nil || !bytes.HasPrefix(out, []byte("before")) {
				t.Fatalf("Sign(%s) = %q, %v, want it appended", alg, out, err)
			}
			text := input + "." + base64.RawURLEncoding.EncodeToString(out[len("before"):])
			parsed, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
			if err != nil {
				t.Fatalf("ParseSignedCompact(%s) = %v", alg, err)
			}
			if _, err := parsed.Verify(public); err != nil {
				t.Errorf("Verify(%s, message %d) = %v", alg, n, err)
			}
			if strings.HasSuffix(alg, "S256") && alg != "ES256" && n == 3 {
				break // RSA is slow, and its signatures all have one length
			}
		}
	}
}

func TestJWKSHoldsPublicMembersAlone(t *testing.T) {
	r := open(t, &memory{}, Masters{Current: master(t, 1, 'a')})
	for _, alg := range algorithms {
		signer(t, r, alg, now)
	}
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(r.JWKS(now), &set); err != nil || len(set.Keys) != len(algorithms) {
		t.Fatalf("JWKS = %s, %v, want %d keys", r.JWKS(now), err, len(algorithms))
	}
	allowed := []string{"kty", "use", "alg", "kid", "crv", "x", "y", "n", "e"}
	for _, key := range set.Keys {
		for member := range key {
			if !slices.Contains(allowed, member) {
				t.Errorf("JWKS: the %s key has the member %q", key["alg"], member)
			}
		}
	}
	if got := open(t, &memory{}, Masters{Current: master(t, 1, 'a')}).JWKS(now); !json.Valid(got) || bytes.Contains(got, []byte(`"d"`)) {
		t.Errorf("JWKS of a new database = %s", got)
	}
}

// RFC 7638 section 3.1, RFC 8037 appendix A.3.
func TestThumbprintVectors(t *testing.T) {
	var rsaKey, edwards jose.JSONWebKey
	for text, key := range map[string]*jose.JSONWebKey{
		`{"kty":"RSA","e":"AQAB","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"}`: &rsaKey,
		`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`: &edwards,
	} {
		if err := json.Unmarshal([]byte(text), key); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		alg, want string
		key       crypto.PublicKey
	}{
		{"RS256", "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", rsaKey.Key},
		{"EdDSA", "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", edwards.Key},
	} {
		if kid, _, err := describe(tt.alg, tt.key); err != nil || kid != tt.want {
			t.Errorf("describe(%s) = %s, %v, want %s", tt.alg, kid, err, tt.want)
		}
	}
	if _, _, err := describe("ES256", "no key"); err == nil {
		t.Error("describe(a string) = no error")
	}
}

// However many ask at once, on however many nodes, an algorithm gets one first key.
func TestFirstSignersInParallel(t *testing.T) {
	store := &memory{}
	masters := Masters{Current: master(t, 1, 'a')}
	const nodes = 8
	var wg sync.WaitGroup
	kids := make([]string, nodes)
	for i := range nodes {
		r := open(t, store, masters)
		wg.Go(func() {
			if s, err := r.Signer(t.Context(), "EdDSA", now); err != nil {
				t.Errorf("Signer = %v", err)
			} else {
				kids[i] = s.KeyID()
			}
		})
	}
	wg.Wait()
	if len(slices.Compact(kids)) != 1 {
		t.Errorf("%d nodes sign with the keys %q, want one", nodes, kids)
	}
	if store.replaced != 2 {
		t.Errorf("the keyring was written %d times, want 2", store.replaced)
	}
}

func BenchmarkSign(b *testing.B) {
	r := open(b, &memory{}, Masters{Current: master(b, 1, 'a')})
	input := bytes.Repeat([]byte("x"), 600)
	for _, alg := range algorithms {
		signer(b, r, alg, now)
		b.Run(alg, func(b *testing.B) {
			b.ReportAllocs()
			out := make([]byte, 0, 512)
			for b.Loop() {
				s, err := r.Signer(b.Context(), alg, now)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := s.Sign(out, input); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
