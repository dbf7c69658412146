package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestScanSnippets: what docs/scan and .pre-commit-hooks.yaml say to run is run, as it stands there.
func TestScanSnippets(t *testing.T) {
	lines := map[string][]string{}
	for _, path := range []string{"../../docs/scan/github.yml", "../../docs/scan/gitlab.yml", "../../.pre-commit-hooks.yaml"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var any any
		if err := yaml.Unmarshal(text, &any); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		for _, found := range regexp.MustCompile(`(?m)(?:run|entry|-): *lanyard (scan .*)$|- lanyard (scan .*)$`).FindAllStringSubmatch(string(text), -1) {
			lines[path] = append(lines[path], found[1]+found[2])
		}
		if len(lines[path]) == 0 {
			t.Errorf("%s runs nothing", path)
		}
	}
	t.Chdir(t.TempDir())
	gitHere(t, "init", "-q")
	put(t, map[string]string{"a": "clean"})
	gitHere(t, "add", "a")
	gitHere(t, "commit", "-qm", "first")
	for path, commands := range lines {
		for _, line := range commands {
			if got := command(t, nil, "", append(strings.Fields(line), "--gitleaks", "off")...); got.code != exitDone {
				t.Errorf("%s: lanyard %s = %+v, want 0", path, line, got)
			}
			if _, to, ok := strings.Cut(line, "--to "); ok {
				if text, err := os.ReadFile(to); err != nil || len(text) == 0 {
					t.Errorf("%s: lanyard %s wrote nothing: %v", path, line, err)
				}
			}
		}
	}
}
