package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/id"
)

// samplesPerKind is how many credentials of every kind are shown to the scanner.
const samplesPerKind = 10_000

// config is gitleaks' own rule set without `generic-api-key`. That rule names no vendor: it matches any assignment of
// many different characters to a name like "key" or "token", ours as well as anybody's. The claim tested is that no rule
// of another *vendor* takes our credentials for its own, and so reports them to somebody who cannot revoke them.
const config = `title = "every vendor's rule"
[extend]
useDefault = true
disabledRules = ["generic-api-key"]
`

// No vendor's rule matches what we issue, be it bare, in a .env file or in JSON. The scanner is the real program, pinned
// in tools/go.mod; where it cannot be run the test fails.
//
// A GitHub token at the end of every file shows that the scan can find something and read each file to its end.
func TestGitleaksTakesNoneForAnothers(t *testing.T) {
	if testing.Short() {
		return // several seconds of scanning; `go test` without -short always runs it
	}
	dir := t.TempDir()
	files := writeSamples(t, dir)
	planted := map[string]bool{}
	for _, f := range scan(t, dir) {
		if f.RuleID != "github-pat" {
			t.Errorf("gitleaks rule %s matches %q in %s, want no match", f.RuleID, f.Match, f.File)
			continue
		}
		planted[f.File] = true
	}
	for _, file := range files {
		if !planted[file] {
			t.Errorf("gitleaks does not find the GitHub token at the end of %s", file)
		}
	}
}

// writeSamples writes a file for every kind and form, each ending in a GitHub token, and returns their paths. The random
// source has a fixed seed, so that a freak of chance cannot make the test fail now and then.
func writeSamples(t *testing.T, dir string) (files []string) {
	t.Helper()
	random := chacha(42)
	// Put together here so that no scanner finds it in this file.
	token := "ghp" + "_" + "x7Qm2Lk9Zt4Rb8Vc1Nw6Ys3Hd5Jf0Gp2AeUo"
	for _, kind := range Kinds() {
		var bare, env, doc bytes.Buffer
		doc.WriteString("{\n")
		for n := range samplesPerKind {
			prefix := []string{"lyd", "acme"}[n/2%2]
			text := sample(t, prefix, kind, []Mode{Live, Test}[n%2], random)
			switch n % 3 {
			case 0:
				fmt.Fprintf(&bare, "%s\n", text)
			case 1:
				fmt.Fprintf(&env, "WEATHER_API_KEY_%d=%s\n", n, text)
			case 2:
				fmt.Fprintf(&doc, "  \"weather_token_%d\": %q,\n", n, text)
			}
		}
		fmt.Fprintf(&bare, "%s\n", token)
		fmt.Fprintf(&env, "GITHUB=%s\n", token)
		fmt.Fprintf(&doc, "  \"github\": %q\n}\n", token)
		for ext, text := range map[string]string{".txt": bare.String(), ".env": env.String(), ".json": doc.String()} {
			path := filepath.Join(dir, string(kind)+ext)
			write(t, path, text)
			files = append(files, path)
		}
	}
	return files
}

func sample(t *testing.T, prefix string, kind Kind, mode Mode, random io.Reader) string {
	t.Helper()
	chars, err := id.Base62(random, id.Length)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(prefix, kind, mode, chars, random)
	if err != nil {
		t.Fatal(err)
	}
	return s.Reveal()
}

type finding struct{ RuleID, Match, File string }

// scan runs gitleaks over a folder and returns what it reports.
func scan(t *testing.T, dir string) []finding {
	t.Helper()
	work := t.TempDir()
	rules, report := filepath.Join(work, "rules.toml"), filepath.Join(work, "report.json")
	write(t, rules, config)
	cmd := exec.Command("go", "tool", "-modfile="+filepath.Join(moduleRoot(t), "tools", "go.mod"), "gitleaks",
		"dir", "--no-banner", "--config", rules, "--report-format", "json", "--report-path", report, "--exit-code", "0", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	raw, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var found []finding
	if err := json.Unmarshal(raw, &found); err != nil {
		t.Fatalf("read the report: %v\n%s", err, raw)
	}
	return found
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the working directory")
		}
		dir = parent
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
