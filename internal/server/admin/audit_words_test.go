package admin

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// written are the actions of audit lines as the code that writes them names them.
var written = regexp.MustCompile(`(?:(?:New|alterKey|changeCatalog)\([^"\n]*|[aA]ction: +)"([a-z]+\.[a-z_]+)"`)

// Every act that is written to the audit log has a word that fits the sentence that tells it.
func TestEveryActHasAWord(t *testing.T) {
	found := map[string]bool{}
	for _, glob := range []string{"../../manage/*.go", "../../store/*.go", "../*/*.go", "../*.go"} {
		files, err := filepath.Glob(glob)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range written.FindAllStringSubmatch(string(text), -1) {
				found[m[1]] = true
			}
		}
	}
	if len(found) < 30 || !found["key.disable"] || !found["catalog.apply"] || !found["member.leave"] {
		t.Fatalf("%d acts are found in the sources, want all: %v", len(found), found)
	}
	found["key.leak"], found["personal.leak"] = true, true // put together of a kind and a verb
	for action := range found {
		if _, verb, _ := strings.Cut(action, "."); verbs[verb] == "" {
			t.Errorf("%s has no word: %q", action, sentence(action, "it"))
		}
	}
}
