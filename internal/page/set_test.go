package page

import (
	"os"
	"path/filepath"
	"testing"
)

// A page is parsed when it is first shown: here all are, so that one that does not parse breaks before somebody asks for it.
func TestPagesParse(t *testing.T) {
	dirs, err := filepath.Glob("../server/*/templates")
	if err != nil || len(dirs) < 5 {
		t.Fatalf("%d directories of templates, %v; want those of every surface", len(dirs), err)
	}
	k := New(acme())
	sets := []*Set{k.own}
	for _, dir := range dirs {
		sets = append(sets, k.Templates(os.DirFS(filepath.Dir(dir)), "templates/*.html"))
	}
	for _, set := range sets {
		for _, name := range set.Names() {
			if set.pages[name]().Lookup("content") == nil {
				t.Errorf("the page %s defines no content", name)
			}
		}
	}
}
