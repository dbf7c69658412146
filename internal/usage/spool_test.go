package usage

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

func TestOpenRefuses(t *testing.T) {
	if _, err := Open(Options{Dir: t.TempDir(), Node: "node_x"}); err == nil {
		t.Errorf("Open without a node id = nil, want an error")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: file, Node: testNode}); err == nil {
		t.Errorf("Open on a file = nil, want an error")
	}
	dir := t.TempDir()
	s := openSpool(t, dir, nil)
	if _, err := Open(Options{Dir: dir, Node: testNode}); err == nil || !strings.Contains(err.Error(), dir+" is in use") {
		t.Errorf("a second Open(%s) = %v, want an error that says it is in use", dir, err)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("Close = %v", err)
	}
	openSpool(t, dir, nil) // let go by Close
}

func TestRecordRefuses(t *testing.T) {
	s := openSpool(t, t.TempDir(), nil)
	if err := s.Record(&Event{}); !fault.Is(err, fault.Invalid) {
		t.Errorf("Record(empty event) = %v, want kind %s", err, fault.Invalid)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{"Record": s.Record(event(1)), "Seal": s.Seal(), "Close": s.Close()} {
		if !fault.Is(err, fault.Unavailable) {
			t.Errorf("%s after Close = %v, want kind %s", name, err, fault.Unavailable)
		}
	}
}

// failing is a segment file whose next calls fail as told.
type failing struct {
	file
	short    int // bytes of the next write that go through; -1 means all
	sync     error
	truncate error
}

var errDisk = errors.New("the disk says no")

func (f *failing) Write(b []byte) (int, error) {
	if f.short < 0 {
		return f.file.Write(b)
	}
	n, err := f.file.Write(b[:min(f.short, len(b))])
	return n, errors.Join(errDisk, err)
}

func (f *failing) Sync() error {
	return errors.Join(f.sync, f.file.Sync())
}

func (f *failing) Truncate(size int64) error {
	if f.truncate != nil {
		return f.truncate
	}
	return f.file.Truncate(size)
}

func TestAFailingDiskLosesOnlyItsGroup(t *testing.T) {
	for _, test := range []struct {
		name     string
		fail     failing
		segments int
	}{
		{"nothing written", failing{short: 0}, 1},
		{"half a head written", failing{short: 5}, 1},
		{"half a record written", failing{short: 40}, 1},
		{"all written, then an error", failing{short: 4096}, 1},
		{"sync fails", failing{short: -1, sync: errDisk}, 2},
		{"the cut fails after a part", failing{short: 40, truncate: errDisk}, 2},
		{"the cut fails after all", failing{short: 4096, truncate: errDisk}, 2},
		{"the sync fails and the cut", failing{short: -1, sync: errDisk, truncate: errDisk}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			var current *failing
			dir := t.TempDir()
			s := openSpool(t, dir, func(o *Options) {
				o.Fsync = true
				o.create = func(path string) (file, error) {
					f, err := createFile(path)
					current = &failing{file: f, short: -1}
					return current, err
				}
			})
			record(t, s, 1, 2)
			fail := test.fail
			fail.file = current.file
			*current = fail
			if err := s.Record(event(3)); !fault.Is(err, fault.Unavailable) || !errors.Is(err, errDisk) {
				t.Errorf("Record on a failing disk = %v, want kind %s with its cause", err, fault.Unavailable)
			}
			current.short, current.sync, current.truncate = -1, nil, nil
			record(t, s, 4)
			if err := s.Seal(); err != nil {
				t.Fatal(err)
			}
			if got := waiting(t, s); !slices.Equal(got, []int64{1, 2, 4}) {
				t.Errorf("the spool holds %v, want 1 2 4", got)
			}
			if n := len(s.Sealed()); n != test.segments {
				t.Errorf("there are %d segments, want %d", n, test.segments)
			}
			if diff := cmp.Diff(Stats{Records: 3, Groups: 3, Failed: 1}, s.Stats()); diff != "" {
				t.Errorf("Stats differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAFailingBeginLeavesNothing(t *testing.T) {
	for _, short := range []int{0, headSize - 1} {
		dir := t.TempDir()
		fail := true
		s := openSpool(t, dir, func(o *Options) {
			o.create = func(path string) (file, error) {
				f, err := createFile(path)
				if fail {
					return &failing{file: f, short: short}, err
				}
				return f, err
			}
		})
		if err := s.Record(event(1)); !fault.Is(err, fault.Unavailable) {
			t.Errorf("Record when no segment can begin = %v, want kind %s", err, fault.Unavailable)
		}
		if names, err := filepath.Glob(filepath.Join(dir, "0*")); err != nil || len(names) > 0 {
			t.Errorf("the directory holds %v, %v, want no segment", names, err)
		}
		fail = false
		record(t, s, 2)
		if err := s.Seal(); err != nil {
			t.Fatal(err)
		}
		if got := waiting(t, s); !slices.Equal(got, []int64{2}) {
			t.Errorf("the spool holds %v, want 2", got)
		}
	}
}

func TestSegmentsSealThemselvesBySize(t *testing.T) {
	s := openSpool(t, t.TempDir(), func(o *Options) { o.MaxSegment = 300 })
	record(t, s, 1, 2, 3, 4, 5, 6, 7, 8)
	if n := len(s.Sealed()); n < 2 {
		t.Errorf("after 8 records in segments of 300 bytes, %d are sealed, want several", n)
	}
	if err := s.Seal(); err != nil {
		t.Fatal(err)
	}
	if got, want := waiting(t, s), []int64{1, 2, 3, 4, 5, 6, 7, 8}; !slices.Equal(got, want) {
		t.Errorf("the spool holds %v, want %v", got, want)
	}
	for _, g := range s.Sealed() {
		if err := errors.Join(g.Remove(), g.Remove()); err != nil {
			t.Errorf("Remove, twice = %v", err)
		}
	}
	if n := len(s.Sealed()); n > 0 {
		t.Errorf("after Remove %d segments wait, want 0", n)
	}
}

func TestSealOfNothingMakesNoSegment(t *testing.T) {
	s := openSpool(t, t.TempDir(), nil)
	if err := s.Seal(); err != nil || len(s.Sealed()) > 0 {
		t.Errorf("Seal of nothing = %v and %v, want no segment", err, s.Sealed())
	}
}

func TestAddGoesAlongAndIsBounded(t *testing.T) {
	s := openSpool(t, t.TempDir(), nil)
	s.Add(&Event{}) // cannot be stored
	s.Add(event(1))
	record(t, s, 2)
	s.Add(event(3))
	if err := s.Seal(); err != nil {
		t.Fatal(err)
	}
	if got := waiting(t, s); !slices.Equal(got, []int64{1, 2, 3}) {
		t.Errorf("the spool holds %v, want 1 2 3", got)
	}
	if diff := cmp.Diff(Stats{Records: 3, Groups: 2, Dropped: 1}, s.Stats()); diff != "" {
		t.Errorf("Stats differ (-want +got):\n%s", diff)
	}
	const many = maxAdded / 50
	for range many {
		s.Add(event(4))
	}
	if err := s.Seal(); err != nil {
		t.Fatal(err)
	}
	st := s.Stats()
	if st.Dropped <= 1 || st.Records+st.Dropped != many+4 {
		t.Errorf("after %d adds Stats = %+v, want some dropped and none forgotten", many, st)
	}
}

func TestRecordInParallel(t *testing.T) {
	const callers, each = 32, 200
	for name, fsync := range map[string]bool{"disk": false, "fsync": true} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := openSpool(t, dir, func(o *Options) { o.MaxSegment, o.Fsync = 20_000, fsync })
			var wg sync.WaitGroup
			for c := range callers {
				wg.Go(func() {
					for i := range each {
						if err := s.Record(event(int64(c*each + i))); err != nil {
							t.Errorf("Record = %v", err)
						}
						if i%50 == 0 {
							if err := s.Seal(); err != nil {
								t.Errorf("Seal = %v", err)
							}
						}
					}
				})
			}
			wg.Wait()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			got := waiting(t, openSpool(t, dir, nil))
			slices.Sort(got)
			want := make([]int64, callers*each)
			for i := range want {
				want[i] = int64(i)
			}
			if !slices.Equal(got, want) {
				t.Errorf("recovered %d records, want each of %d once", len(got), len(want))
			}
			if st := s.Stats(); st.Records != callers*each || st.Groups > st.Records {
				t.Errorf("Stats = %+v, want %d records", st, callers*each)
			}
		})
	}
}

func TestRecordDoesNotAllocate(t *testing.T) {
	s := openSpool(t, t.TempDir(), func(o *Options) { o.MaxSegment = largestSegment })
	ev := randomEvent()
	record(t, s, 1)
	if n := testing.AllocsPerRun(1000, func() {
		if err := s.Record(ev); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("Record allocates %v times, want 0", n)
	}
}
