package verify_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/quota"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// quotaAPI declares an API whose default plan has a quota of five units, and whose other plan has one of cycles.
func (w *world) quotaAPI() {
	w.tb.Helper()
	normal, err := catalog.Normalise("counted", lanyard.API{Takes: "key", Plans: map[string]lanyard.Plan{
		"free": {Default: true, Quota: "5/day", Limits: []string{"100/minute"}}, "more": {Quota: "8/day"}, "cycles": {Quota: "5/cycle"}, "endless": {},
		"capped": {Currency: "USD", SpendLimit: "3", Quota: "8/day", Prices: []lanyard.Price{{Meter: "requests", PerUnit: "1"}}},
	}})
	if err != nil {
		w.tb.Fatal(err)
	}
	w.must(w.st.UpdateCatalog(context.Background(), w.event("catalog.apply"), func(s *catalog.State) error {
		s.APIs["counted"] = normal
		return nil
	}))
	w.sync()
}

func (w *world) subscribe(plan string) {
	w.tb.Helper()
	w.must(w.st.Subscribe(context.Background(), w.team, "counted", billing.Change{Plan: plan}, w.event("subscription.set")))
	w.sync()
}

func TestQuota(t *testing.T) {
	w := newWorld(t)
	w.quotaAPI()
	live, test := w.key(keySpec{}), w.key(keySpec{mode: secret.Test})
	ask := func(m made, cost int64) verify.Decision {
		t.Helper()
		return w.ask(verify.Request{API: "counted", Credential: m.credential, Cost: cost})
	}
	want := func(what string, d verify.Decision, code policy.Code, used int64) {
		t.Helper()
		if d.Code != code || d.Quota.Used != used || d.Quota.Limit-d.Quota.Used != d.Quota.Remaining {
			t.Errorf("%s: %s with %+v, want %s with %d used", what, d.Code, d.Quota, code, used)
		}
	}
	want("a dry run before any call", w.ask(verify.Request{API: "counted", Credential: live.credential, Cost: 1, DryRun: true}), policy.Valid, 0)
	want("a dry run of too much", w.ask(verify.Request{API: "counted", Credential: live.credential, Cost: 6, DryRun: true}), policy.QuotaExceeded, 0)
	want("what is more than the whole", ask(live, 6), policy.QuotaExceeded, 0)
	want("three", ask(live, 3), policy.Valid, 3)
	d := ask(live, 3)
	want("three more", d, policy.QuotaExceeded, 3)
	if tomorrow := billing.PeriodAt(billing.Day, time.Time{}, d.At).End; d.DeniedBy != "quota" || d.RetryAfter != tomorrow.Sub(d.At) || !d.Quota.ResetsAt.Equal(tomorrow) {
		t.Errorf("a used up quota says %q, retry after %v, resets at %v, want the end of the day", d.DeniedBy, d.RetryAfter, d.Quota.ResetsAt)
	}
	if got := len(w.rec.added); got == 0 || w.rec.added[got-1].Outcome != string(policy.QuotaExceeded) || w.rec.added[got-1].Units != 0 {
		t.Errorf("the refusal was counted as %+v, want one of no units", w.rec.added)
	}
	want("two", ask(live, 2), policy.Valid, 5)
	want("in test mode", ask(test, 4), policy.Valid, 4)

	w.subscribe("more")
	want("a larger plan counts what was used", ask(live, 1), policy.Valid, 6)
	w.subscribe("endless")
	if d := ask(live, 100); d.Code != policy.Valid || d.Quota != (quota.Status{}) {
		t.Errorf("a plan without a quota: %s with %+v", d.Code, d.Quota)
	}
	w.subscribe("free")
	want("a smaller plan", ask(live, 1), policy.QuotaExceeded, 5)
	w.clock.Advance(24 * time.Hour)
	want("the next day", ask(live, 5), policy.Valid, 5)
}

// A key's own quota binds beside its plan's, on every API together; what is denied says which one it was.
func TestKeyQuota(t *testing.T) {
	w := newWorld(t)
	w.quotaAPI()
	k, other := w.key(keySpec{quota: billing.Quota{Units: 3, Period: billing.Month}}), w.key(keySpec{})
	ask := func(m made, cost int64) verify.Decision {
		return w.ask(verify.Request{API: "counted", Credential: m.credential, Cost: cost})
	}
	if d := ask(k, 2); d.Code != policy.Valid || d.Quota.Limit != 3 || d.Quota.Remaining != 1 {
		t.Errorf("two of three: %s with %+v, want the key's quota, which has the least left", d.Code, d.Quota)
	}
	d := ask(k, 2)
	if month := billing.PeriodAt(billing.Month, time.Time{}, d.At).End; d.Code != policy.QuotaExceeded || d.DeniedBy != "key-quota" || !d.Quota.ResetsAt.Equal(month) {
		t.Errorf("two more: %s by %q with %+v, want the key's quota until %v", d.Code, d.DeniedBy, d.Quota, month)
	}
	if d := ask(other, 3); d.Code != policy.Valid || d.Quota.Used != 5 {
		t.Errorf("another key: %s with %+v, want what the refusal took of the plan's quota to be there", d.Code, d.Quota)
	}
	if d := ask(k, 1); d.DeniedBy != "quota" {
		t.Errorf("one more of the key's, when the plan's are used up: denied by %q, want quota", d.DeniedBy)
	}
	w.clock.Advance(31 * 24 * time.Hour)
	if d := ask(k, 1); d.Code != policy.Valid || d.Quota.Limit != 3 || d.Quota.Remaining != 2 {
		t.Errorf("the next month: %s with %+v", d.Code, d.Quota)
	}
}

// A call that would make the bill cost more than the spend limit is refused, whatever its operation costs; trying out in test mode costs nothing.
func TestSpendLimit(t *testing.T) {
	w := newWorld(t)
	w.quotaAPI()
	w.subscribe("capped")
	live, test := w.key(keySpec{}), w.key(keySpec{mode: secret.Test})
	ask := func(m made, cost int64, dry bool) verify.Decision {
		return w.ask(verify.Request{API: "counted", Credential: m.credential, Cost: cost, DryRun: dry})
	}
	for i, cost := range []int64{2, 0, 2} {
		if d := ask(live, cost, false); d.Code != policy.Valid || d.Quota.Limit != 8 {
			t.Errorf("call %d of three: %s by %q with %+v, want the quota of the plan to be shown", i, d.Code, d.DeniedBy, d.Quota)
		}
	}
	for _, dry := range []bool{true, false} {
		d := ask(live, 1, dry)
		if month := billing.PeriodAt(billing.Month, time.Time{}, d.At).End; d.Code != policy.QuotaExceeded || d.DeniedBy != "spend-limit" || d.RetryAfter != month.Sub(d.At) || d.Quota.Limit != 0 {
			t.Errorf("a fourth (dry run: %t): %s by %q until %v with %+v", dry, d.Code, d.DeniedBy, d.RetryAfter, d.Quota)
		}
	}
	if d := ask(live, 5, false); d.DeniedBy != "quota" {
		t.Errorf("five units, of which four are left, denied by %q, want quota", d.DeniedBy)
	}
	if d := ask(test, 1, false); d.Code != policy.Valid {
		t.Errorf("in test mode: %s by %q", d.Code, d.DeniedBy)
	}
	w.subscribe("endless")
	if d := ask(live, 1, false); d.Code != policy.Valid {
		t.Errorf("with another plan: %s by %q", d.Code, d.DeniedBy)
	}
	w.subscribe("capped")
	w.clock.Advance(31 * 24 * time.Hour)
	if d := ask(live, 1, false); d.Code != policy.Valid {
		t.Errorf("in the next period: %s by %q", d.Code, d.DeniedBy)
	}
}

// What a call took of a quota is there again when a later step refuses it.
func TestQuotaIsGivenBack(t *testing.T) {
	w := newWorld(t)
	w.quotaAPI()
	k := w.key(keySpec{})
	req := verify.Request{API: "counted", Credential: k.credential, Cost: 5}
	w.rec.fail = fault.Down(errors.New("disk full"), "not now")
	if err := w.v.Verify(context.Background(), &req, &verify.Decision{}); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("Verify = %v, want unavailable", err)
	}
	w.rec.fail = nil
	limited := w.key(keySpec{limits: []ratelimit.Limit{{Name: "one", N: 1, Window: time.Minute}}})
	req.Credential, req.Cost = limited.credential, 2 // more than its own limit admits
	if d := w.ask(req); d.Code != policy.RateLimited {
		t.Fatalf("beyond the key's own limit: %s", d.Code)
	}
	req.Credential, req.Cost, req.IdempotencyKey = k.credential, 5, "once"
	for range 2 {
		if d := w.ask(req); d.Code != policy.Valid || d.Quota.Used != 5 {
			t.Errorf("all five, and once more with the same idempotency key: %s with %+v", d.Code, d.Quota)
		}
	}
}

// A cycle begins when the team chose a plan.
func TestQuotaCycle(t *testing.T) {
	w := newWorld(t)
	w.quotaAPI()
	chosen := w.clock.Now()
	w.subscribe("cycles")
	d := w.ask(verify.Request{API: "counted", Credential: w.key(keySpec{}).credential, Cost: 1})
	if want := billing.PeriodAt(billing.Cycle, chosen.Truncate(time.Minute), chosen).End; !d.Quota.ResetsAt.Equal(want) || d.Code != policy.Valid {
		t.Errorf("a cycle chosen at %v ends at %v (%s), want %v", chosen, d.Quota.ResetsAt, d.Code, want)
	}
}

// When what is left cannot be found out nothing is decided.
func TestQuotaUnknown(t *testing.T) {
	w := newWorld(t)
	w.quotaAPI()
	k := w.key(keySpec{})
	w.ask(verify.Request{API: "counted", Credential: k.credential, Cost: 1}) // remembered, but for a block
	w.quotas.Store = brokenQuotas{w.faulty}
	if err := w.v.Verify(context.Background(), &verify.Request{API: "counted", Credential: k.credential, Cost: 3}, &verify.Decision{}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Verify = %v, want unavailable", err)
	}
}

// brokenQuotas leases nothing.
type brokenQuotas struct{ quota.Store }

func (brokenQuotas) LeaseQuota(context.Context, quota.Lease) (quota.Leased, error) {
	return quota.Leased{}, errors.New("the database does not answer")
}
