package usage

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// left writes three records, as a crash would leave them, and returns the file's name, its bytes and where each record ends.
func left(t *testing.T) (name string, data []byte, ends []int) {
	t.Helper()
	o := origin{node: testNode, epoch: [16]byte{1, 2, 3}}
	data = o.head(1)
	for units := range int64(3) {
		data = appendRecord(data, o.seed(), event(units+1))
		ends = append(ends, len(data))
	}
	return o.name(1, openEnd), data, ends
}

// recovered opens a spool on one file and returns the units found, the names in the directory afterwards, and what was logged.
func recovered(t *testing.T, name string, data []byte) (units []int64, names []string, logged string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s := openSpool(t, dir, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	units = waiting(t, s)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.Name() != lockName && entry.Name() != nameFile {
			names = append(names, entry.Name())
		}
	}
	return units, names, log.String()
}

func TestRecoverRefusesWhatIsNoSegment(t *testing.T) {
	name, data, _ := left(t)
	for _, test := range []struct {
		why  string
		name string
		data []byte
	}{
		{"another version", name, slices.Concat([]byte("LYDUSE\x00\x02"), data[8:])},
		{"a flipped bit in the head", name, slices.Concat(data[:20], []byte{data[20] ^ 1}, data[21:])},
		{"a name that the head denies", strings.Replace(name, "000000000001-", "000000000002-", 1), data},
		{"zeros", name, make([]byte, 4096)},
		{"a sealed file cut in its head", strings.TrimSuffix(name, openEnd) + sealedEnd, data[:30]},
	} {
		units, names, logged := recovered(t, test.name, test.data)
		if len(units) > 0 {
			t.Errorf("%s: recovered %v, want nothing", test.why, units)
		}
		if len(names) != 1 || !strings.HasSuffix(names[0], corruptEnd) {
			t.Errorf("%s: the directory holds %v, want one %s file", test.why, names, corruptEnd)
		}
		if !strings.Contains(logged, "level=ERROR") {
			t.Errorf("%s: logged %q, want an error", test.why, logged)
		}
	}
}

func TestRecoverCutsATornEndAtEveryByte(t *testing.T) {
	name, data, ends := left(t)
	for size := range len(data) + 1 {
		var want []int64
		for i, end := range ends {
			if size >= end {
				want = append(want, int64(i+1))
			}
		}
		units, names, logged := recovered(t, name, data[:size])
		if diff := cmp.Diff(want, units); diff != "" {
			t.Fatalf("cut at byte %d of %d: recovered (-want +got):\n%s", size, len(data), diff)
		}
		if strings.Contains(logged, "level=ERROR") {
			t.Fatalf("cut at byte %d: logged %q, want no error for a torn end", size, logged)
		}
		if wantFiles := min(1, len(want)); len(names) != wantFiles {
			t.Fatalf("cut at byte %d: the directory holds %v, want %d files", size, names, wantFiles)
		}
	}
}

func TestRecoverCutsZerosAtTheEnd(t *testing.T) {
	name, data, _ := left(t)
	units, names, _ := recovered(t, name, append(data, make([]byte, 5000)...))
	if !slices.Equal(units, []int64{1, 2, 3}) || len(names) != 1 {
		t.Errorf("recovered %v beside %v, want 1 2 3 in one file", units, names)
	}
}

func TestRecoverKeepsWhatFollowsAFlippedBit(t *testing.T) {
	name, data, ends := left(t)
	for at := ends[0]; at < ends[1]; at++ {
		bad := bytes.Clone(data)
		bad[at] ^= 0x10
		units, names, logged := recovered(t, name, bad)
		if !slices.Equal(units, []int64{1}) {
			t.Fatalf("bit flipped at %d: recovered %v, want 1 alone", at, units)
		}
		if len(names) != 2 || !strings.HasSuffix(names[0], corruptEnd) || !strings.HasSuffix(names[1], sealedEnd) {
			t.Fatalf("bit flipped at %d: the directory holds %v, want the segment and its %s rest", at, names, corruptEnd)
		}
		if !strings.Contains(logged, "level=ERROR") {
			t.Fatalf("bit flipped at %d: logged %q, want an error", at, logged)
		}
	}
}

func TestRepairOfASealedSegment(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, dir, nil)
	record(t, s, 1, 2, 3)
	if err := s.Seal(); err != nil {
		t.Fatal(err)
	}
	g := s.Sealed()[0]
	data, err := os.ReadFile(g.path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-1] ^= 1
	if err := os.WriteFile(g.path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Read(func(*Event) error { return nil }); err == nil {
		t.Errorf("Read of a damaged segment = nil, want ErrDamaged")
	}
	if left, err := s.Repair(g); !left || err != nil {
		t.Fatalf("Repair = %t, %v, want true", left, err)
	}
	if units := waiting(t, s); !slices.Equal(units, []int64{1, 2}) {
		t.Errorf("after Repair the segment holds %v, want 1 2", units)
	}
	if kept, err := filepath.Glob(filepath.Join(dir, "*"+corruptEnd)); err != nil || len(kept) != 1 {
		t.Errorf("after Repair there are %v, %v, want one %s file", kept, err, corruptEnd)
	}
}

func FuzzSegment(f *testing.F) {
	o := origin{node: testNode, epoch: [16]byte{1, 2, 3}}
	data := appendRecord(appendRecord(o.head(1), o.seed(), event(1)), o.seed(), randomEvent())
	f.Add(data)
	f.Add(data[:len(data)-3])
	f.Add(data[headSize:])
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, number, err := parseHead(b); err == nil && !bytes.Equal(got.head(number), b[:headSize]) {
			t.Errorf("parseHead(%x) = %+v, %d, which is written %x", b[:headSize], got, number, got.head(number))
		}
		var again []byte
		sound, err := eachRecord(b, o.seed(), func(ev *Event) error {
			again = appendRecord(again, o.seed(), ev)
			return nil
		})
		if err != nil || !bytes.Equal(again, b[:sound]) {
			t.Errorf("eachRecord(%x) read %d bytes, %v, which are written %x", b, sound, err, again)
		}
		holdsRecord(b, o.seed())
	})
}
