package usage

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkRecord reports the throughput and the latencies of Record for callers that do nothing else.
func BenchmarkRecord(b *testing.B) {
	for _, mode := range []string{"memory", "disk", "fsync"} {
		for _, callers := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%s/callers=%d", mode, callers), func(b *testing.B) {
				s := openSpool(b, b.TempDir(), func(o *Options) {
					o.Fsync = mode == "fsync"
					if mode == "memory" {
						o.create = func(string) (file, error) { return nowhere{}, nil }
						o.MaxSegment = largestSegment
					}
				})
				bench(b, s, callers)
				st := s.Stats()
				b.ReportMetric(float64(st.Records)/float64(max(st.Groups, 1)), "records/write")
			})
		}
	}
}

// nowhere is a segment file that takes everything and keeps nothing.
type nowhere struct{}

func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) Sync() error                 { return nil }
func (nowhere) Truncate(int64) error        { return nil }
func (nowhere) Close() error                { return nil }

func bench(b *testing.B, r Recorder, callers int) {
	b.Helper()
	b.ReportAllocs()
	var left atomic.Int64
	left.Store(int64(b.N))
	took := make([][]time.Duration, callers)
	for i := range took {
		took[i] = make([]time.Duration, 0, b.N/callers*2+1)
	}
	b.ResetTimer()
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			ev := randomEvent()
			for left.Add(-1) >= 0 {
				began := time.Now()
				if err := r.Record(ev); err != nil {
					b.Error(err)
					return
				}
				if len(took[c]) < cap(took[c]) {
					took[c] = append(took[c], time.Since(began))
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	all := slices.Concat(took...)
	slices.Sort(all)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(all[len(all)/2].Nanoseconds()), "p50-ns")
	b.ReportMetric(float64(all[len(all)*99/100].Nanoseconds()), "p99-ns")
}

func BenchmarkAppendRecord(b *testing.B) {
	ev := randomEvent()
	buf := make([]byte, 0, 2*maxEvent)
	b.ReportAllocs()
	for b.Loop() {
		if err := ev.Check(); err != nil {
			b.Fatal(err)
		}
		buf = appendRecord(buf[:0], 1, ev)
	}
}

func BenchmarkAggregate(b *testing.B) {
	var records []byte
	const n = 10_000
	for range n {
		records = appendRecord(records, 1, event(1))
	}
	b.ReportAllocs()
	for b.Loop() {
		sums := newAggregator()
		if _, err := eachRecord(records, 1, func(ev *Event) error {
			sums.add(ev)
			return nil
		}); err != nil {
			b.Fatal(err)
		}
		if len(sums.batch().Rows) != 1 {
			b.Fatal("want one row")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/event")
}
