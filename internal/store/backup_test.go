package store

import (
	"bytes"
	"compress/gzip"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// FuzzCheckBackup: whatever the lines, checking ends in an answer or a refusal that says so, and what is accepted has rows
// that can be read.
func FuzzCheckBackup(f *testing.F) {
	whole := strings.Join([]string{
		`{"format":"lanyard-backup","version":1,"schema":1,"engine":"sqlite","created_at":"2026-11-02T12:00:00Z","revision":7}`,
		`{"table":"team","columns":["id","system"]}`, `["team_x",0]`, `["team_y",null]`,
		`{"table":"keyring","columns":["wrapped"]}`, `[{"b64":"AP8="}]`,
	}, "\n") + "\n"
	f.Add(whole + `{"rows":{"keyring":1,"team":2},"sha256":"` + sumOf(whole) + `"}` + "\n")
	f.Add(whole)
	f.Add("")
	f.Add("{}\n\n[")
	f.Fuzz(func(t *testing.T, lines string) {
		var out bytes.Buffer
		sum, err := checkBackup(zip(t, lines), &out)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("checkBackup(%q) = %v, want invalid_request", lines, err)
			}
			return
		}
		if out.String() != lines {
			t.Errorf("checkBackup(%q) passed on %q", lines, out.String())
		}
		b, err := spool(zip(t, lines))
		if err != nil {
			t.Fatalf("spool(%q) = %v, after it was found sound", lines, err)
		}
		var rows int64
		if err := b.each(func(backupTable) error { return nil }, func([]any) error { rows++; return nil }); err != nil {
			t.Errorf("each of %q = %v", lines, err)
		}
		for _, n := range sum.Rows {
			rows -= n
		}
		if rows != 0 {
			t.Errorf("each of %q visits %d rows more than it says", lines, rows)
		}
		if err := b.remove(); err != nil {
			t.Error(err)
		}
	})
}

func TestParseRow(t *testing.T) {
	for _, line := range []string{``, `{}`, `[1.5]`, `[9223372036854775808]`, `[true]`, `[[1]]`, `[{"b64":"?"}]`, `[{"b64":"AA"}]`, `[{"b64":1}]`, `[{"b64":"","x":1}]`, `[{}]`, `[1] [2]`, `[1`} {
		if got, err := parseRow([]byte(line)); err == nil {
			t.Errorf("parseRow(%q) = %v, want an error", line, got)
		}
	}
	got, err := parseRow([]byte(`[-9223372036854775808,"a\u0000b",null,{"b64":""}]`))
	if err != nil || len(got) != 4 || got[0] != int64(-1<<63) || got[1] != "a\x00b" || got[2] != nil || got[3] == nil {
		t.Errorf("parseRow = %#v, %v", got, err)
	}
}

// A restoration locks what it replaces.
func TestLockOrder(t *testing.T) {
	got, want := slices.Sorted(slices.Values(lockOrder)), slices.Sorted(slices.Values(slices.Concat(backedUp, perishable, derived)))
	if !slices.Equal(got, want) {
		t.Errorf("lockOrder = %v, want those of a backup, what is under way and what is derived: %v", got, want)
	}
}

func zip(t *testing.T, lines string) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, lines); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func sumOf(lines string) string {
	w := newBackupWriter(io.Discard)
	_, _ = w.digest.Write([]byte(lines))
	return w.sum()
}
