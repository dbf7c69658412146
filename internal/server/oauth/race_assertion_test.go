package oauth_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// TestRaceAssertion: of 64 uses of one client assertion, on whichever server, one proves the client (DESIGN promise 5;
// PROTOCOLS OAuth 16).
func TestRaceAssertion(t *testing.T) {
	deployments(t, func(t *testing.T, w *world, nodes []string) {
		key := newSigner(t, jose.ES256, "")
		c := w.signing("Signer", key)
		for range rounds() {
			form := itself(url.Values{"client_assertion": {key.sign(c.claims(time.Now(), nil), nil)}, "client_assertion_type": {assertionType}})
			won := 0
			for _, r := range atOnce(t, nodes, "/oauth/token", form, nil) {
				switch {
				case r.status == http.StatusOK:
					won++
				case r.status != http.StatusUnauthorized || r.text("error") != "invalid_client":
					t.Fatalf("a loser got %d %s", r.status, r.raw)
				}
			}
			if won != 1 {
				t.Fatalf("%d of %d uses of one assertion won, want 1", won, racers)
			}
		}
	})
}

// TestRaceBearer: of 64 uses of one assertion as a grant, on whichever server, one brings a token (RFC 7521 section 5.2;
// PROTOCOLS OAuth 16, 20).
func TestRaceBearer(t *testing.T) {
	deployments(t, func(t *testing.T, w *world, nodes []string) {
		key := newSigner(t, jose.ES256, "")
		c := w.away("Away", key)
		c.code(nil) // Ada allows the app
		for range rounds() {
			form := url.Values{"grant_type": {bearerGrant}, "assertion": {key.sign(c.claims(time.Now(), map[string]any{"sub": w.ada.ID}), nil)}}
			won := 0
			for _, r := range atOnce(t, nodes, "/oauth/token", form, basicHeader(c.id, c.secret)) {
				switch {
				case r.status == http.StatusOK:
					won++
				case r.status != http.StatusBadRequest || r.text("error") != "invalid_grant":
					t.Fatalf("a loser got %d %s", r.status, r.raw)
				}
			}
			if won != 1 {
				t.Fatalf("%d of %d uses of one assertion won, want 1", won, racers)
			}
		}
	})
}
