package scan

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"
)

// others returns some real text files of others, of at most 32 KiB: sources of Go, of the module cache, of npm and its packages.
func others(t *testing.T, each int) [][]byte {
	t.Helper()
	roots := othersTrees(t)
	roots = append(roots, npmTrees()...)
	var all [][]byte
	for _, root := range roots {
		tree, n, seen := os.DirFS(root), 0, 0
		err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() || strings.HasPrefix(name, "cache/") {
				return nil //nolint:nilerr // what cannot be read is left out
			}
			if seen++; seen%7 != 0 { // not the first folder alone
				return nil
			}
			text, err := fs.ReadFile(tree, name)
			if err != nil || len(text) == 0 || len(text) > 32<<10 || !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
				return nil //nolint:nilerr // as above
			}
			if all, n = append(all, text), n+1; n == each {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return all
}

// TestRecallInOthersTrees: credentials in every language and encoding, each planted in a real file of somebody, are all found, each
// once, and nothing beside them.
func TestRecallInOthersTrees(t *testing.T) {
	if testing.Short() {
		return
	}
	random := dice(5)
	all := issueAll(t, random, "lyd")
	texts := others(t, 900)
	if len(texts) < 1000 {
		t.Fatalf("only %d files of others were found", len(texts))
	}
	tree, planted := fstest.MapFS{}, map[string]string{}
	encodings := files()
	n := 0
	for language, literal := range literals {
		for _, w := range written {
			for name, encode := range encodings {
				if w.encoding != Plain && !strings.HasPrefix(name, "utf-8") { // as in TestRecall
					continue
				}
				text, secret := texts[n%len(texts)], all[n%len(all)]
				cut := bytes.LastIndexByte(text[:int(random.Uint64()%uint64(len(text)))], '\n') + 1 // a line somewhere
				file := encode(string(text[:cut]) + fmt.Sprintf(literal, w.write(secret)) + string(text[cut:]))
				at := path.Join(language, fmt.Sprintf("%05d", n))
				tree[at], planted[at] = &fstest.MapFile{Data: file}, secret
				if n++; language == "" || name == "" || w.name == "" {
					t.Fatal("a form without a name")
				}
			}
		}
	}
	found := map[string][]string{}
	totals, err := (&Scanner{Finder: finder(t, "lyd")}).Walk(t.Context(), tree, Receiver{Found: func(f Finding) error {
		found[f.Path] = append(found[f.Path], f.Credential.Reveal())
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	missed := 0
	for at, secret := range planted {
		if !slices.Equal(found[at], []string{secret}) {
			if missed++; missed < 6 {
				t.Errorf("%s: found %q, want %q", at, found[at], secret)
			}
		}
	}
	if len(found) > len(planted) || missed > 0 {
		t.Errorf("%d of %d were missed, or found with more", missed, len(planted))
	}
	t.Logf("%d files of %d texts, %d MB", len(planted), len(texts), totals.Bytes>>20)
}
