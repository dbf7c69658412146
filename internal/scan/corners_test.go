package scan

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// TestCornersOfArchives: what a reader of archives passes over may hold a credential as well.
func TestCornersOfArchives(t *testing.T) {
	key := issue(t, dice(6), "lyd", secret.Key, secret.Live)
	packed := func(header *tar.Header, text string) []byte {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		header.Size, header.Mode = int64(len(text)), 0o600
		if err := w.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte(text))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	clean := packed(&tar.Header{Name: "a", Typeflag: tar.TypeReg}, "clean")
	var commented bytes.Buffer
	z := zip.NewWriter(&commented)
	if _, err := z.Create("a"); err != nil {
		t.Fatal(err)
	}
	if err := z.SetComment("the key is " + key); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"two.tar":     slices.Concat(clean, packed(&tar.Header{Name: "b", Typeflag: tar.TypeReg}, "key="+key)),
		"after.tar":   slices.Concat(clean, []byte("key="+key)),
		"link.tar":    packed(&tar.Header{Name: "c", Typeflag: tar.TypeSymlink, Linkname: "/" + key}, ""),
		"comment.zip": commented.Bytes(),
	} {
		var found []string
		totals, err := (&Scanner{Finder: finder(t, "lyd")}).Walk(t.Context(), fstest.MapFS{name: {Data: data}}, Receiver{
			Found: func(f Finding) error { found = append(found, f.Credential.Reveal()); return nil },
		})
		if err != nil || !slices.Equal(found, []string{key}) || totals.Files > 2 {
			t.Errorf("%s: found %d in %d files, %v, want one", name, len(found), totals.Files, err)
		}
	}
}
