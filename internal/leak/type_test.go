package leak

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// TestType: what has a policy has a name, no two have the same, and the names stay: they stand in the patterns that services were given.
func TestType(t *testing.T) {
	want := []string{"acme_api_key", "acme_publishable_key", "acme_client_secret", "acme_personal_access_token"}
	if diff := cmp.Diff(want, Types("acme")); diff != "" {
		t.Errorf("Types (-want +got):\n%s", diff)
	}
	for _, kind := range append(secret.Kinds(), secret.Access, "") {
		if got := Type("acme", kind); (got != "") != (Rules{}.Of(kind).Policy != "") {
			t.Errorf("Type(acme, %s) = %q with the policy %q", kind, got, Rules{}.Of(kind).Policy)
		}
	}
}
