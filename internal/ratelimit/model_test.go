package ratelimit

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is the limit stated without a bucket: a list of what was admitted and when. Units may pass while, counted from
// any earlier admission on, no more than N + elapsed/interval have.
type model struct {
	latest map[uint64]int64 // by shard, as Memory keeps it
	lists  map[cellKey][]admission
	loose  map[cellKey]bool // after a late release Memory may refuse more than the list asks
	ids    int
}

type admission struct {
	at, cost int64
	id       int
}

// wait returns how long until cost more units pass, 0 or less when they do now.
func (d *model) wait(key cellKey, l Limit, at, cost int64) int64 {
	interval := (int64(l.Window) + l.N - 1) / l.N
	list, sum := d.lists[key], cost
	longest := (sum - l.N) * interval
	for i := len(list) - 1; i >= 0; i-- {
		sum += list[i].cost
		longest = max(longest, (sum-l.N)*interval-(at-list[i].at))
	}
	return longest
}

func (d *model) advance(m *Memory, reqs []Request, at int64) int64 {
	for _, r := range reqs {
		at = max(at, d.latest[m.shardOf(r.Subject)])
	}
	for _, r := range reqs {
		d.latest[m.shardOf(r.Subject)] = at
	}
	return at
}

func (d *model) remove(key cellKey, id int) {
	var kept []admission
	for _, a := range d.lists[key] {
		if a.id != id {
			kept = append(kept, a)
		}
	}
	d.lists[key] = kept
}

func keyOf(r Request) cellKey { return cellKey{r.Subject, r.Limit.Name, r.Limit.Window} }

// Any sequence of spending, releasing and clock movement: Memory answers as the list does, and never admits more.
func TestMemoryAgreesWithAList(t *testing.T) {
	limits := []Limit{{Name: "a", N: 1, Window: time.Second}, {Name: "b", N: 7, Window: time.Second}, {Name: "c", N: 10, Window: time.Minute}, {Name: "d", N: 3, Window: 2 * time.Second}}
	subjects := []string{"x", "y", "z"}
	rapid.Check(t, func(t *rapid.T) {
		m := NewMemory(start)
		d := &model{latest: map[uint64]int64{}, lists: map[cellKey][]admission{}, loose: map[cellKey]bool{}}
		now := int64(0)
		type spending struct {
			at   int64
			reqs []Request
			ids  []int
		}
		var spent []spending

		t.Repeat(map[string]func(*rapid.T){
			"tick": func(t *rapid.T) { now += rapid.Int64Range(0, int64(3*time.Second)).Draw(t, "forward") },
			"back": func(t *rapid.T) { now -= rapid.Int64Range(0, int64(time.Second)).Draw(t, "back") },
			"spend": func(t *rapid.T) {
				var reqs []Request
				for range rapid.IntRange(1, 4).Draw(t, "requests") {
					reqs = append(reqs, Request{rapid.SampledFrom(limits).Draw(t, "limit"), rapid.SampledFrom(subjects).Draw(t, "subject"), rapid.Int64Range(0, 4).Draw(t, "cost")})
				}
				got := m.Spend(start.Add(time.Duration(now)), reqs, nil)
				at := d.advance(m, reqs, now)
				denied, loose := -1, false
				var ids []int
				for i, r := range reqs {
					key := keyOf(r)
					wait := d.wait(key, r.Limit, at, r.Cost)
					loose = loose || d.loose[key]
					d.ids++
					ids = append(ids, d.ids)
					if r.Cost > 0 && wait > 0 {
						if denied < 0 {
							denied = i
						}
						if have := int64(got.Statuses[i].RetryAfter); r.Cost <= r.Limit.N && !loose && have != wait {
							t.Fatalf("RetryAfter of request %d = %d, want %d", i, have, wait)
						}
					} else if r.Cost > 0 {
						d.lists[key] = append(d.lists[key], admission{at, r.Cost, d.ids})
					}
				}
				if got.Allowed && denied >= 0 {
					t.Fatalf("Spend(%v) allowed, the list refuses %d", reqs, denied)
				}
				if !loose && got.Denied != denied {
					t.Fatalf("Spend(%v) denied by %d, want %d", reqs, got.Denied, denied)
				}
				if !got.Allowed {
					for i, r := range reqs {
						d.remove(keyOf(r), ids[i])
					}
				} else {
					spent = append(spent, spending{now, reqs, ids})
				}
				for i, r := range reqs {
					key, remaining := keyOf(r), int64(0)
					for remaining < r.Limit.N && d.wait(key, r.Limit, at, remaining+1) <= 0 {
						remaining++
					}
					if have := got.Statuses[i].Remaining; have > remaining || have != remaining && !d.loose[key] {
						t.Fatalf("Remaining of request %d = %d, want %d", i, have, remaining)
					}
					reset := max(0, d.wait(key, r.Limit, at, r.Limit.N))
					if have := int64(got.Statuses[i].ResetAfter); have < reset || have != reset && !d.loose[key] {
						t.Fatalf("ResetAfter of request %d = %d, want %d", i, have, reset)
					}
				}
			},
			"release": func(t *rapid.T) {
				if len(spent) == 0 {
					return
				}
				n := rapid.IntRange(0, len(spent)-1).Draw(t, "which")
				s := spent[n]
				spent = append(spent[:n:n], spent[n+1:]...)
				m.Release(start.Add(time.Duration(s.at)), s.reqs)
				at := d.advance(m, s.reqs, s.at)
				for i, r := range s.reqs {
					d.remove(keyOf(r), s.ids[i])
					if at != s.at {
						d.loose[keyOf(r)] = true
					}
				}
			},
		})
	})
}
