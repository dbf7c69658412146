package verify_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// TestVerifyReuse: an answer may be given again where nothing is counted, nothing is limited and nothing was shown that counts once; it says
// what it depends on.
func TestVerifyReuse(t *testing.T) {
	w := newWorld(t)
	at := netip.MustParseAddr("203.0.113.7")
	home := policy.Restrictions{IPs: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}}
	page := policy.Restrictions{Origins: []string{"https://app.example"}}
	limited := []ratelimit.Limit{{Name: "slow", N: 10, Window: time.Minute}}
	for _, test := range []struct {
		name string
		spec keySpec
		api  string
		want verify.Reuse
	}{
		{"nothing counted", keySpec{}, "open", verify.Reuse{OK: true}},
		{"for an address", keySpec{restrict: home}, "open", verify.Reuse{OK: true, IP: true}},
		{"for an origin", keySpec{restrict: page}, "open", verify.Reuse{OK: true, Origin: true}},
		{"counted", keySpec{scopes: []string{"forecast.read"}}, "weather", verify.Reuse{}},
		{"limited", keySpec{limits: limited}, "open", verify.Reuse{}},
	} {
		d := w.ask(verify.Request{API: test.api, Credential: w.key(test.spec).credential, IP: at, Origin: "https://app.example"})
		if !d.Allowed() || d.Reuse != test.want {
			t.Errorf("%s: Verify = %s, reuse %+v, want valid, %+v", test.name, d.Code, d.Reuse, test.want)
		}
	}
	if d := w.ask(verify.Request{API: "open", Credential: w.key(keySpec{restrict: home}).credential}); d.Allowed() || d.Reuse.OK {
		t.Errorf("refused: Verify = %s, reuse %+v, want neither", d.Code, d.Reuse)
	}
}

// TestVerifyPlanEnds: an answer that rests on a plan ends when another takes its place, though that was decided long before.
func TestVerifyPlanEnds(t *testing.T) {
	w := newWorld(t)
	k, now := w.key(keySpec{}), w.clock.Now()
	at := now.Add(time.Hour).UTC().Truncate(time.Minute)
	for _, c := range []billing.Change{{Plan: "gold"}, {Plan: "free", At: at}} {
		w.must(w.st.Subscribe(context.Background(), w.team, "paid", c, w.event("subscription.set")))
	}
	w.sync()
	if d := w.ask(verify.Request{API: "paid", Credential: k.credential}); !d.Allowed() || !d.Until.Equal(at) {
		t.Errorf("Verify = %s until %s, want valid until %s", d.Code, d.Until, at)
	}
}
