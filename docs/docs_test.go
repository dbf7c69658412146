// Package docs_test keeps the documents honest where a program can: what they link to and name is there.
package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

const root = ".."

// read returns a file of the module.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// documents returns every document by its path below the module's root.
func documents(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range append(files(t, "docs", ".md"), "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md") {
		all[name] = read(t, name)
	}
	if len(all) < 15 {
		t.Fatalf("found %d documents, want those of docs and the root", len(all))
	}
	return all
}

// files lists the files below a folder whose names end so, by their path below the module's root.
func files(t *testing.T, folder, end string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && len(entry.Name()) > 2 {
			return fs.SkipDir
		}
		if !entry.IsDir() && strings.HasSuffix(path, end) {
			rel, err := filepath.Rel(root, path)
			found = append(found, filepath.ToSlash(rel))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// all returns what the first group of a pattern matches, each once.
func all(pattern, text string) []string {
	var found []string
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		if !slices.Contains(found, match[1]) {
			found = append(found, match[1])
		}
	}
	return found
}

// withoutCode drops fenced blocks: what looks like a link or a heading there is none.
func withoutCode(text string) string {
	return regexp.MustCompile("(?ms)^```.*?^```").ReplaceAllString(text, "")
}

// anchors are those that GitHub gives the headings of a document.
func anchors(text string) []string {
	var found []string
	for _, heading := range all(`(?m)^#+ (.*)$`, withoutCode(text)) {
		found = append(found, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, heading))
	}
	return found
}

func TestAnchors(t *testing.T) {
	got := anchors("# One `two_three`: Four-five?\n```\n# none\n```\n## Ä 6\n")
	if want := []string{"one-two_three-four-five", "ä-6"}; !slices.Equal(got, want) {
		t.Errorf("anchors = %q, want %q", got, want)
	}
}

func TestLinks(t *testing.T) {
	all, links := documents(t), regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for name, text := range all {
		for _, match := range links.FindAllStringSubmatch(withoutCode(text), -1) {
			target, anchor, _ := strings.Cut(match[1], "#")
			if strings.HasPrefix(target, "https://") {
				continue
			}
			there := name
			if target != "" {
				there = filepath.ToSlash(filepath.Join(filepath.Dir(name), target))
			}
			if _, err := os.Stat(filepath.Join(root, there)); err != nil {
				t.Errorf("%s links to %s: %v", name, match[1], err)
				continue
			}
			if anchor != "" && !slices.Contains(anchors(read(t, there)), anchor) {
				t.Errorf("%s links to %s, but %s has no such heading", name, match[1], there)
			}
		}
	}
}

// Nothing in a document is of use on one machine only, or in one build environment, or unfinished.
func TestNoMachineSpeaks(t *testing.T) {
	forbidden := regexp.MustCompile(`(?i)(^|[\s"'(=` + "`" + `])/(work|tmp|root|home|users)/|\b(goproxy|artifactory|nexus|proxy\.golang|docker\.io|ghcr\.io|quay\.io)\b|\b(TODO|FIXME|XXX|TBD|lorem)\b`)
	for name, text := range documents(t) {
		for i, line := range strings.Split(text, "\n") {
			if found := forbidden.FindString(line); found != "" {
				t.Errorf("%s:%d holds %q", name, i+1, found)
			}
		}
	}
}

func TestNamedTestsExist(t *testing.T) {
	var sources strings.Builder
	for _, name := range files(t, ".", "_test.go") {
		sources.WriteString(read(t, name))
	}
	there := all(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`, sources.String())
	for name, text := range documents(t) {
		for _, test := range all(`\b((?:Test|Fuzz|Benchmark)[A-Z]\w+)`, text) {
			if !slices.Contains(there, test) {
				t.Errorf("%s names %s, which is no test here", name, test)
			}
		}
	}
}

func TestNamedFilesExist(t *testing.T) {
	for name, text := range documents(t) {
		for _, path := range all(`\b((?:internal|cmd|e2e|examples|deploy|tools)/[\w./-]*\w)`, text) {
			if path == "internal/" || strings.HasSuffix(path, "/v") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				t.Errorf("%s names %s, which is not here", name, path)
			}
		}
	}
}

// The table of settings is the table of package config: none is left out, none is made up.
func TestSettings(t *testing.T) {
	config := read(t, "internal/config/config.go")
	operations := read(t, "docs/operations.md")
	_, unbuilt, _ := strings.Cut(config, "var unbuilt = ")
	unbuilt, _, _ = strings.Cut(unbuilt, "}")
	for _, setting := range all(`(LANYARD_[A-Z_]*[A-Z])`, config) {
		if !strings.Contains(unbuilt, setting) && !strings.Contains(operations, "| `"+setting+"`") && !strings.Contains(operations, ", `"+setting+"` |") {
			t.Errorf("docs/operations.md has no row for %s", setting)
		}
	}
	known := append(all(`(LANYARD_[A-Z_]*[A-Z])`, config), "LANYARD_URL", "LANYARD_TOKEN", "LANYARD_RACE_ROUNDS", "LANYARD_GROWTH") // the last two are for tests
	for name, text := range documents(t) {
		for _, setting := range all(`(LANYARD_[A-Z_]*[A-Z])`, text) {
			if !slices.Contains(known, setting) && !slices.Contains(known, strings.TrimSuffix(setting, "_FILE")) {
				t.Errorf("%s names the setting %s, which is none", name, setting)
			}
		}
	}
}

func TestMetrics(t *testing.T) {
	const metric = `\b(lanyard_[a-z_]*[a-z])\b`
	there, told := all(metric, read(t, "internal/server/metrics.go")), all(metric, read(t, "docs/operations.md"))
	slices.Sort(there)
	slices.Sort(told)
	if len(there) == 0 || !slices.Equal(there, told) {
		t.Errorf("docs/operations.md has the metrics %q, the server %q", told, there)
	}
}

// The table of OAuth errors is what the endpoints answer: none is left out, none is made up.
func TestOAuthErrors(t *testing.T) {
	var sources strings.Builder
	for _, name := range append(files(t, "internal/server/oauth", ".go"), "internal/signin/next.go") {
		if !strings.HasSuffix(name, "_test.go") {
			sources.WriteString(read(t, name))
		}
	}
	var answered []string
	named := regexp.MustCompile(`(?m)^\t(\w+)\s+= "([a-z_]+)"`)
	for _, text := range []string{read(t, "internal/server/oauth/failure.go"), read(t, "internal/signin/next.go")} {
		for _, code := range named.FindAllStringSubmatch(text, -1) {
			if len(regexp.MustCompile(`\b`+code[1]+`\b`).FindAllString(sources.String(), 2)) == 2 {
				answered = append(answered, code[2])
			}
		}
	}
	answered = append(answered, all(`\bfail\("([a-z_]+)"`, sources.String())...)
	_, told, _ := strings.Cut(read(t, "docs/errors.md"), "\n## Errors of the OAuth endpoints\n")
	told, pages, _ := strings.Cut(told, "\n## Errors on pages\n")
	rows := all("(?m)^\\| `([a-z_]+)` \\|", told)
	slices.Sort(answered)
	slices.Sort(rows)
	if answered = slices.Compact(answered); len(rows) < 10 || !slices.Equal(rows, answered) {
		t.Errorf("docs/errors.md has the OAuth errors %q, the endpoints %q", rows, answered)
	}

	var everything strings.Builder
	for _, name := range files(t, "internal", ".go") {
		if !strings.HasSuffix(name, "_test.go") {
			everything.WriteString(read(t, name))
		}
	}
	said := regexp.MustCompile(`(?m)^\| ("[^"]+") \|`).FindAllStringSubmatch(pages, -1)
	if len(said) < 5 {
		t.Fatalf("docs/errors.md has %d sentences of pages, want a table", len(said))
	}
	for _, sentence := range said {
		if !strings.Contains(everything.String(), sentence[1]) {
			t.Errorf("docs/errors.md says that a page says %s, which none does", sentence[1])
		}
	}
}

// A command is quoted at the beginning of a line or in backticks.
func TestCommandsExist(t *testing.T) {
	var sources strings.Builder
	for _, name := range files(t, "cmd/lanyard", ".go") {
		sources.WriteString(read(t, name))
	}
	there := append(all(`Use:\s+"([a-z-]+)[ "]`, sources.String()), "yaml")
	for name, text := range documents(t) {
		for _, command := range all("(?m)(?:^ *|`)lanyard(?: --\\S+)? ([a-z][a-z-]+)", text) {
			if !slices.Contains(there, command) {
				t.Errorf("%s quotes lanyard %s, which is no command", name, command)
			}
		}
	}
}
