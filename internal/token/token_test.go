package token_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/token"
)

// memory is a keyring.Store in memory.
type memory struct{ state keyring.State }

func (m *memory) Keyring(context.Context) (keyring.State, error) { return m.state, nil }

func (m *memory) ReplaceKeyring(_ context.Context, next keyring.State) (bool, error) {
	if next.Revision != m.state.Revision+1 {
		return false, nil
	}
	m.state = next
	return true, nil
}

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func minter(tb testing.TB) *token.Minter {
	tb.Helper()
	master, err := keyring.GenerateMaster(1, rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	ring, err := keyring.Open(tb.Context(), &memory{}, keyring.Masters{Current: master}, now)
	if err != nil {
		tb.Fatal(err)
	}
	return &token.Minter{Keys: ring, Issuer: "https://auth.test", Now: func() time.Time { return now }}
}

func claims() *token.Claims {
	return &token.Claims{
		ID: "0123456789abcdef", App: id.Of[id.App]("AAAAAAAAAAAAAAAA"), Grant: id.Of[id.Grant]("BBBBBBBBBBBBBBBB"), Family: "CCCCCCCCCCCCCCCC", User: id.Of[id.User]("DDDDDDDDDDDDDDDD"),
		Subject: "user_DDDDDDDDDDDDDDDD", Audience: "https://api.test/mail", Scopes: []string{"openid", "profile.read"}, Mode: secret.Live, IssuedAt: now, ExpiresAt: now.Add(15 * time.Minute),
		AuthTime: now.Add(-time.Minute), ACR: "1", AMR: []string{"pwd"}, JKT: "thumb", Act: &token.Act{Sub: "app_1", Act: &token.Act{Sub: "app_2"}}, Epochs: token.Epochs{User: 1, App: 0, Grant: 2},
	}
}

func TestRoundTrip(t *testing.T) {
	m := minter(t)
	for name, c := range map[string]*token.Claims{
		"all":                claims(),
		"client credentials": {ID: "0123456789abcdef", App: id.Of[id.App]("AAAAAAAAAAAAAAAA"), Subject: "app_AAAAAAAAAAAAAAAA", Audience: "https://api.test/ö\"\\", Scopes: []string{"a.b"}, Mode: secret.Test, IssuedAt: now, ExpiresAt: now.Add(time.Hour)},
		"by address":         {ID: "0123456789abcdef", App: id.Of[id.App]("AAAAAAAAAAAAAAAA"), ClientID: "https://client.test/id", Subject: "app_AAAAAAAAAAAAAAAA", Audience: "a", Mode: secret.Live, IssuedAt: now, ExpiresAt: now.Add(time.Hour)},
	} {
		for _, alg := range []string{"ES256", "EdDSA", "RS256", "PS256", "opaque"} {
			var text secret.Secret
			var err error
			var got token.Claims
			if alg == "opaque" {
				if text, err = m.Opaque(c, "lyd"); err == nil {
					err = m.OpenOpaque(text.Reveal(), &got)
				}
			} else if text, err = m.JWT(t.Context(), c, alg); err == nil {
				err = m.OpenJWT(text.Reveal(), &got)
			}
			if err != nil {
				t.Errorf("%s as %s: %v", name, alg, err)
				continue
			}
			if diff := cmp.Diff(*c, got); diff != "" {
				t.Errorf("%s as %s (-want +got):\n%s", name, alg, diff)
			}
		}
	}
}

// TestForeignReader: what is signed here is read by somebody else's library.
func TestForeignReader(t *testing.T) {
	m := minter(t)
	text, err := m.JWT(t.Context(), claims(), "ES256")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jwt.ParseSigned(text.Reveal(), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	_, key, _ := m.Keys.PublicKey(parsed.Headers[0].KeyID, now)
	var got jwt.Claims
	if err := parsed.Claims(key, &got); err != nil || got.Subject != "user_DDDDDDDDDDDDDDDD" || got.Issuer != "https://auth.test" || parsed.Headers[0].ExtraHeaders[jose.HeaderType] != "at+jwt" {
		t.Errorf("go-jose reads %+v, %v", got, err)
	}
}

// TestForged: every one-character change of a token is refused (SECURITY-CASES 44, 156).
func TestForged(t *testing.T) {
	m := minter(t)
	signed, err := m.JWT(t.Context(), claims(), "ES256")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := m.Opaque(claims(), "lyd")
	if err != nil {
		t.Fatal(err)
	}
	var c token.Claims
	for _, text := range []string{signed.Reveal(), sealed.Reveal()} {
		open := m.OpenJWT
		if strings.HasPrefix(text, "lyd_") {
			open = m.OpenOpaque
		}
		for i := range text {
			for _, other := range []byte{'A', 'b', '0', '.', '='} {
				if text[i] == other {
					continue
				}
				if err := open(text[:i]+string(other)+text[i+1:], &c); err == nil {
					t.Fatalf("character %d changed to %q is accepted", i, other)
				}
			}
		}
		for _, bad := range []string{"", text[1:], text[:len(text)-1], text + "=", text + "\n", strings.ToUpper(text)} {
			if err := open(bad, &c); err == nil {
				t.Errorf("a text of %d bytes instead of %d is accepted", len(bad), len(text))
			}
		}
	}
}

// TestTooLong: what would be refused when it is presented is not made.
func TestTooLong(t *testing.T) {
	m := minter(t)
	for _, n := range []int{1, 50, 100, 200, 400} {
		c := claims()
		for i := range n {
			c.Scopes = append(c.Scopes, fmt.Sprintf("a.scope-of-many-words.n%d", i))
		}
		text, err := m.JWT(t.Context(), c, "ES256")
		if errors.Is(err, secret.ErrTooLong) && n >= 200 {
			continue
		}
		if err != nil {
			t.Fatalf("JWT with %d scopes: %v", n, err)
		}
		var read token.Claims
		if err := m.OpenJWT(text.Reveal(), &read); err != nil {
			t.Errorf("a JWT with %d scopes and %d characters cannot be read: %v", n, len(text.Reveal()), err)
		}
	}
}

func BenchmarkJWT(b *testing.B) {
	m, c := minter(b), claims()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.JWT(context.Background(), c, "ES256"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpaque(b *testing.B) {
	m, c := minter(b), claims()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Opaque(c, "lyd"); err != nil {
			b.Fatal(err)
		}
	}
}
