package scan

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// walked is what a walk reports: `path offset`, and the paths of trouble.
func walked(t *testing.T, s *Scanner, tree fs.FS) (found, trouble []string, totals Totals) {
	t.Helper()
	totals, err := s.Walk(context.Background(), tree, Receiver{
		Found:   func(f Finding) error { found = append(found, fmt.Sprint(f.Path, " ", f.Offset)); return nil },
		Trouble: func(path string, _ error) { trouble = append(trouble, path) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return found, trouble, totals
}

func zipOf(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, text := range files {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func tarOf(t *testing.T, name string, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(text))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func gzipOf(t *testing.T, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// unreadable refuses to open one file.
type unreadable struct{ fs.FS }

func (u unreadable) Open(name string) (fs.File, error) {
	if name == "locked" {
		return nil, fs.ErrPermission
	}
	return u.FS.Open(name)
}

func TestWalk(t *testing.T) {
	key := []byte(issue(t, dice(40), "lyd", secret.Key, secret.Live))
	inner := tarOf(t, "in/b.txt", key)
	tree := unreadable{fstest.MapFS{
		".git/objects/x":   {Data: key},
		"a.jar":            {Data: zipOf(t, map[string][]byte{"b/c.txt": key})},
		"a.zip":            {Data: zipOf(t, map[string][]byte{"n.tgz": gzipOf(t, inner)})},
		"b.log.gz":         {Data: gzipOf(t, append([]byte("x="), key...))},
		"c.tar":            {Data: inner},
		"cut.gz":           {Data: gzipOf(t, bytes.Repeat(key, 2))[:60]},
		"ignored/k":        {Data: key},
		"locked":           {Data: key},
		"nolonger.zip":     {Data: append([]byte("PK\x03\x04"), key...)},
		"sub/.git/config":  {Data: key},
		"sub/deep/file.go": {Data: append([]byte("\n"), key...)},
		"z":                {Data: key},
	}}
	s := &Scanner{Finder: finder(t, "lyd"), Ignored: func(path string, folder bool) bool { return folder && path == "ignored" }}
	want := []string{
		"a.jar!b/c.txt 0", "a.zip!n.tgz!in/b.txt 0", "b.log.gz!b.log 2", "c.tar!in/b.txt 0",
		"nolonger.zip 4", "sub/deep/file.go 1", "z 0",
	}
	for range 5 {
		found, trouble, totals := walked(t, s, tree)
		if !slices.Equal(found, want) {
			t.Fatalf("Walk finds %q, want %q", found, want)
		}
		if wantTrouble := []string{"cut.gz!cut", "locked", "nolonger.zip"}; !slices.Equal(trouble, wantTrouble) || totals.Trouble != 3 {
			t.Fatalf("Walk has trouble with %q (%d), want %q", trouble, totals.Trouble, wantTrouble)
		}
	}
	stop := errors.New("enough")
	if _, err := s.Walk(context.Background(), tree, Receiver{Found: func(Finding) error { return stop }}); !errors.Is(err, stop) {
		t.Errorf("Walk after Found's error = %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Walk(ctx, tree, Receiver{Found: func(Finding) error { return nil }}); !errors.Is(err, context.Canceled) {
		t.Errorf("Walk with a context that is over = %v", err)
	}
}

func TestWalkFollowsNoLink(t *testing.T) {
	key := []byte(issue(t, dice(41), "lyd", secret.Key, secret.Live))
	outside, root := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "k"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"file": filepath.Join(outside, "k"), "folder": outside, "loop": "."} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	if found, trouble, _ := walked(t, &Scanner{Finder: finder(t, "lyd")}, os.DirFS(root)); found != nil || trouble != nil {
		t.Errorf("Walk finds %q beyond links, has trouble with %q", found, trouble)
	}
}

// What unpacks to too much, in whatever way, ends at the limit, and the next file is read.
func TestBombs(t *testing.T) {
	key := []byte(issue(t, dice(42), "lyd", secret.Key, secret.Live))
	zeros := make([]byte, 8<<20)
	nested := key
	for range 4 {
		nested = gzipOf(t, nested)
	}
	many := map[string][]byte{}
	for i := range 300 {
		many[fmt.Sprint(i)] = nil
	}
	tree := fstest.MapFS{
		"deep.gz":  {Data: nested},
		"many.zip": {Data: zipOf(t, many)},
		"one.gz":   {Data: gzipOf(t, zeros)},
		"two.zip":  {Data: zipOf(t, map[string][]byte{"a": gzipOf(t, zeros), "b": gzipOf(t, zeros)})},
		"held.gz":  {Data: gzipOf(t, zipOf(t, map[string][]byte{"random": noise(1 << 20)}))},
		"z":        {Data: key},
	}
	s := &Scanner{Finder: finder(t, "lyd"), Limits: Limits{Depth: 2, Entries: 100, Bytes: 4 << 20, Held: 256 << 10}}
	found, trouble, totals := walked(t, s, tree)
	if want := []string{"z 0"}; !slices.Equal(found, want) {
		t.Errorf("Walk finds %q, want %q", found, want)
	}
	if len(trouble) != 5 || totals.Bytes > 16<<20 {
		t.Errorf("Walk reads %d bytes and has trouble with %q, want each archive once", totals.Bytes, trouble)
	}
}

func noise(n int) []byte {
	data := make([]byte, n)
	_, _ = dice(43).Read(data)
	return data
}

// A credential is found once, and in its place, wherever the boundary of a window falls.
func TestWindows(t *testing.T) {
	random := dice(44)
	f := finder(t, "lyd")
	w := window{size: 64 << 10, ahead: maxWritten + 2*allowReach, behind: 4 << 10}
	buf := make([]byte, w.size)
	key, token := issue(t, random, "lyd", secret.Key, secret.Live), issue(t, random, "lyd", secret.Access, secret.Test)
	forms := []string{key, token, each(`\u%04x`, "")(token), string(wideOf(key)), string(inBase64At(1, b64(), bytesOf, wrap(64, "\n"))(key))}
	for n, form := range forms {
		for _, edge := range []int{w.size - w.ahead, w.size - w.ahead - w.behind, w.size} {
			step := 1 + len(form)/100
			for at := edge - len(form) - 2; at <= edge+2; at += step {
				data := []byte(strings.Repeat("line of text\n", at/13+1)[:at] + " " + form + strings.Repeat("\nmore", 30_000))
				var got []Finding
				if _, err := f.stream(bytes.NewReader(data), buf, 0, w, func(f Finding) error { got = append(got, f); return nil }); err != nil {
					t.Fatal(err)
				}
				want := f.Find(data)
				if len(want) != 1 || len(got) != 1 || got[0].Offset != want[0].Offset || got[0].Line != want[0].Line || got[0].Column != want[0].Column {
					t.Fatalf("form %d at %d: in windows %d findings, want one as without", n, at, len(got))
				}
			}
		}
	}
}

// How many bytes of others' files the test below reads: as many as it can in its time, but no fewer than least on a slow machine.
const (
	least  = 50 << 20
	enough = 1 << 30
)

// Nothing in what others have written is taken for ours.
func TestNoFalsePositives(t *testing.T) {
	if testing.Short() {
		return
	}
	s := &Scanner{Finder: finder(t, "lyd", "acme", "at", "go")}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	read, began := int64(0), time.Now()
	for _, root := range append(npmTrees(), othersTrees(t)...) {
		before := read
		_, err := s.Walk(ctx, os.DirFS(root), Receiver{
			Found: func(f Finding) error { t.Errorf("%s: %s", f.Path, brief(f)); return nil },
			Progress: func(sofar Totals) {
				if read = before + sofar.Bytes; read > least && time.Since(began) > patience {
					cancel()
				}
			},
		})
		if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if read > enough {
			break
		}
	}
	if read < least {
		t.Errorf("only %d bytes were read", read)
	}
	t.Logf("%d MB", read>>20)
}
