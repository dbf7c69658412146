package verify

import (
	"context"
	"time"

	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/quota"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// Quotas keep how much is used in a period. quota.Keeper is the one.
type Quotas interface {
	// Take spends every ask's cost, or nothing when one is refused, whose index is denied, else -1.
	Take(ctx context.Context, now time.Time, asks []quota.Ask) (denied int, err error)
	// Check answers as Take would, as far as this node knows, and spends nothing.
	Check(ctx context.Context, now time.Time, asks []quota.Ask) (denied int, err error)
	// Release gives back what an allowed Take spent.
	Release(asks []quota.Ask)
}

// How denials call a quota.
const (
	planQuota  = "quota"
	keyQuota   = "key-quota"
	spendLimit = "spend-limit"
)

// wantKeys notes that the call has to fit into the quotas of the keys that make it.
func (d *Decision) wantKeys(first, beside *holder) {
	for _, h := range [2]*holder{first, beside} {
		if h.key == nil || h.key.quota == nil || d.unmetered {
			continue
		}
		period := billing.PeriodAt(h.key.quota.Period, time.Time{}, d.At)
		d.want(keyQuota, quota.Ask{Subject: quota.Subject(h.key.id), Start: period.Start, End: period.End, Limit: h.key.quota.Units})
	}
}

func (d *Decision) want(name string, ask quota.Ask) {
	d.asks, d.quotaNames = append(d.asks, ask), append(d.quotaNames, name)
}

// wantPlan notes that the call has to fit into the plan's quota. What is tried out in test mode has one of its own.
func (d *Decision) wantPlan(plan planEntry, api string) {
	if plan.quota.Units == 0 || d.unmetered {
		return
	}
	period := billing.PeriodAt(plan.quota.Period, plan.since, d.At)
	d.want(planQuota, quota.Ask{
		Subject: quota.OnAPI(plan.owner, api, string(d.Mode)), Start: period.Start, End: period.End, Limit: plan.quota.Units,
	})
}

// wantSpend notes that the open bill has to stay within the plan's spend limit. What is tried out in test mode costs nothing.
func (d *Decision) wantSpend(plan planEntry, api string) {
	if plan.bound == nil || d.unmetered || d.Mode != secret.Live {
		return
	}
	for _, meter := range plan.bound.meters {
		d.want(spendLimit, quota.Ask{
			Subject: quota.Spend(plan.owner, api, string(meter)), Start: plan.bound.Start, End: plan.bound.End, Limit: quota.Unbounded, PerCall: meter == billing.Requests,
		})
	}
}

// reserve takes the cost from the quotas, or refuses.
func (v *Verifier) reserve(ctx context.Context, d *Decision, cost int64) error {
	if len(d.asks) == 0 {
		return nil
	}
	denied, err := v.Quotas.Take(ctx, d.At, d.askingFor(cost, 1))
	if err != nil {
		return err
	}
	d.used(denied)
	return nil
}

// foresee says what reserve would, and takes nothing.
func (v *Verifier) foresee(ctx context.Context, d *Decision, cost, calls int64) error {
	if len(d.asks) == 0 {
		return nil
	}
	denied, err := v.Quotas.Check(ctx, d.At, d.askingFor(cost, calls))
	if err != nil {
		return err
	}
	d.used(denied)
	return nil
}

func (d *Decision) askingFor(cost, calls int64) []quota.Ask {
	for i := range d.asks {
		d.asks[i].Cost = cost
		if d.asks[i].PerCall {
			d.asks[i].Cost = calls
		}
	}
	return d.asks
}

// used notes how the quotas stand. The answer shows the one that refused, else the one with the least left; a spend limit has no units to show.
func (d *Decision) used(denied int) {
	d.Quota = quota.Status{}
	for i := range d.asks {
		if d.quotaNames[i] == spendLimit {
			continue
		}
		if s := d.asks[i].Status(); i == denied || denied < 0 && (d.Quota.Limit == 0 || s.Remaining < d.Quota.Remaining) {
			d.Quota = s
		}
	}
	if denied >= 0 {
		d.refuse(policy.QuotaExceeded, d.quotaNames[denied])
		d.RetryAfter = d.asks[denied].Status().ResetsAt.Sub(d.At)
	}
}
