package leak

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

func TestParseRulesRefuses(t *testing.T) {
	for text, says := range map[string]string{
		"key": "revoke_after:24h", "key=": "revoke_after:24h", "key=ignore": "ignore", "key=revoke:1h": "revoke:1h", "key=revoke_after": "such as revoke_after:24h",
		"key=revoke_after:1s": "between 1m and 720h", "key=revoke_after:721h": "between 1m and 720h", "key=revoke_after:soon": "between 1m and 720h", "key=revoke_after:-24h": "between",
		"rt=revoke": "none of key, pub, cs and pat", "=revoke": "none of key", "key=revoke,key=notify": "key twice", "key=revoke;pub=notify": "revoke;pub=notify",
	} {
		if got, err := ParseRules(text); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("ParseRules(%q) = %v, %v, want invalid_request that says %q", text, got, err, says)
		}
	}
}

func TestRules(t *testing.T) {
	usual := map[secret.Kind]Rule{
		secret.Key: {Policy: Revoke}, secret.Client: {Policy: Revoke}, secret.Personal: {Policy: Revoke}, secret.Publishable: {Policy: Notify},
		secret.Refresh: {}, secret.Code: {}, secret.Access: {}, "": {},
	}
	for text, change := range map[string]Rules{
		"": {}, " , ": {}, "key=revoke_after:24h, pub = revoke ,": {secret.Key: {Policy: RevokeAfter, After: 24 * time.Hour}, secret.Publishable: {Policy: Revoke}},
		"cs=notify,pat=revoke_after:1m": {secret.Client: {Policy: Notify}, secret.Personal: {Policy: RevokeAfter, After: time.Minute}},
	} {
		rules, err := ParseRules(text)
		if diff := cmp.Diff(change, rules); err != nil || diff != "" {
			t.Errorf("ParseRules(%q) error %v (-want +got):\n%s", text, err, diff)
		}
		for kind, want := range usual {
			if changed, is := change[kind]; is {
				want = changed
			}
			if got := rules.Of(kind); got != want {
				t.Errorf("after %q Of(%s) = %v, want %v", text, kind, got, want)
			}
		}
	}
	found := time.Unix(1000, 0)
	if got := (Rule{Policy: RevokeAfter, After: time.Hour}).Due(found); !got.Equal(found.Add(time.Hour)) {
		t.Errorf("Due = %s, want an hour later", got)
	}
	for _, p := range []Policy{Revoke, Notify} {
		if got := (Rule{Policy: p, After: time.Hour}).Due(found); !got.IsZero() {
			t.Errorf("Due under %s = %s, want never", p, got)
		}
	}
}
