package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// withGitleaks puts the real gitleaks, the version that tools/go.mod names, on the PATH.
func withGitleaks(t *testing.T) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-modfile="+filepath.Join(root, "tools", "go.mod"), "-o", filepath.Join(bin, "gitleaks"), "github.com/zricethezav/gitleaks/v8")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build gitleaks: %v\n%s", err, out)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// TestScanWithGitleaks: its findings come beside ours, each once and without its secret, wherever we look; and the rules that
// `scan patterns` prints make it find ours.
func TestScanWithGitleaks(t *testing.T) {
	withGitleaks(t)
	t.Chdir(t.TempDir())
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	gitHere(t, "init", "-q", "-b", "main")
	foreign := "ghp_" + "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx" // in pieces, so that it is none in this file
	k := made(t, secret.Key, 1)
	put(t, map[string]string{"ours.py": "key = '" + k + "'\n", "theirs.txt": "\ntoken: " + foreign + "\n", "skipped/theirs.txt": foreign, ignoreFile: "skipped/\n"})
	found := func(args ...string) []string {
		t.Helper()
		got := command(t, nil, "", append([]string{"scan", "--gitleaks", "on", "-o", "json"}, args...)...)
		var report scanJSON
		if err := json.Unmarshal([]byte(got.stdout), &report); err != nil {
			t.Fatalf("scan %v = %+v: %v", args, got, err)
		}
		if strings.Contains(got.stdout+got.stderr, foreign) {
			t.Errorf("scan %v shows what gitleaks found: %s", args, got.stdout)
		}
		all := []string{}
		for _, f := range report.Findings {
			all = append(all, f.Tool+" "+f.Path)
		}
		return all
	}
	want := []string{"lanyard ours.py", "gitleaks theirs.txt"}
	if got := found(); !slices.Equal(got, want) {
		t.Errorf("a tree: %q, want %q", got, want)
	}
	gitHere(t, "add", "ours.py", "theirs.txt")
	if got := found("--staged"); !slices.Equal(got, want) {
		t.Errorf("staged: %q, want %q", got, want)
	}
	gitHere(t, "commit", "-qm", "first")
	if got := found("--history"); !slices.Equal(got, want) {
		t.Errorf("history: %q, want %q", got, want)
	}
	if got := found("--range", "HEAD"); !slices.Equal(got, want) {
		t.Errorf("a range: %q, want %q", got, want)
	}
	if got := command(t, nil, "", "scan", "--stdin", "--gitleaks", "on"); got.code != exitUsage {
		t.Errorf("scan --stdin --gitleaks on = %+v, want 2", got)
	}

	rules := command(t, nil, "", "scan", "patterns", "--format", "gitleaks", "--prefix", "lyd")
	put(t, map[string]string{"rules.toml": rules.stdout})
	for i, kind := range secret.Kinds() {
		put(t, map[string]string{"all/" + string(kind): "key=" + made(t, kind, i) + "\n"})
	}
	out, err := exec.CommandContext(t.Context(), "gitleaks", "dir", "all", "--config=rules.toml", "--report-format=json", "--report-path=-", "--redact", "--no-banner", "--log-level=error", "--exit-code=0").Output()
	var seen []gitleaksFinding
	if err != nil || json.Unmarshal(out, &seen) != nil {
		t.Fatalf("gitleaks by our rules: %v\n%s", err, out)
	}
	ids := map[string]bool{}
	for _, f := range seen {
		ids[f.RuleID] = true
	}
	if len(ids) != len(secret.Kinds()) {
		t.Errorf("gitleaks finds %v by our rules, want one of each kind", ids)
	}

	// One that fails is told of, and fails what demands it.
	put(t, map[string]string{".gitleaks.toml": "broken = ["})
	if got := command(t, nil, "", "scan"); got.code != exitNo || !strings.Contains(got.stderr, "its findings are missing here") {
		t.Errorf("scan with a gitleaks that fails = %+v, want its findings and a word on stderr", got)
	}
	if got := command(t, nil, "", "scan", "--gitleaks", "on"); got.code != exitFailed {
		t.Errorf("scan --gitleaks on with one that fails = %+v, want 3", got)
	}
	t.Setenv("PATH", filepath.Dir(mustFind(t, "git")))
	if got := command(t, nil, "", "scan", "--gitleaks", "on"); got.code != exitFailed || !strings.Contains(got.stderr, "not installed") {
		t.Errorf("scan --gitleaks on without it = %+v, want 3", got)
	}
}

func mustFind(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestScanPatterns: each form can be read by what it is for, and matches every kind.
func TestScanPatterns(t *testing.T) {
	t.Chdir(t.TempDir())
	listed := command(t, map[string]string{"LANYARD_KEY_PREFIX": "acme"}, "", "scan", "patterns", "-o", "json")
	var all []pattern
	if err := json.Unmarshal([]byte(listed.stdout), &all); err != nil || len(all) != len(secret.Kinds())+1 || !strings.HasPrefix(all[0].Regex, "acme_key_") {
		t.Fatalf("scan patterns -o json = %+v", listed)
	}
	for i, kind := range secret.Kinds() {
		s := strings.Replace(made(t, kind, i), "lyd_", "acme_", 1)
		matches := 0
		for _, one := range all {
			if regexp.MustCompile("^(?:" + one.Regex + ")$").MatchString(s) {
				matches++
			}
		}
		if matches != 1 {
			t.Errorf("%d patterns match a credential of the kind %s, want one", matches, kind)
		}
	}
	token, err := secret.AssembleToken("acme", secret.Live, strings.Repeat("0", 16), make([]byte, 120))
	if err != nil || !regexp.MustCompile(all[len(all)-1].Regex).MatchString(token.Reveal()) {
		t.Errorf("no pattern matches an access token: %v", err)
	}
	var github []struct{ Type, Name, Pattern string }
	text := command(t, nil, "", "scan", "patterns", "--format", "github", "--prefix", "acme").stdout
	if err := yaml.Unmarshal([]byte(text), &github); err != nil || len(github) != 4 || github[0].Type != "acme_api_key" || github[0].Pattern != all[0].Regex {
		t.Errorf("for GitHub: %v, %+v", err, github)
	}
	var trufflehog struct {
		Detectors []struct {
			Name     string
			Keywords []string
			Regex    map[string]string
		}
	}
	text = command(t, nil, "", "scan", "patterns", "--format", "trufflehog", "--prefix", "acme", "--prefix", "lyd").stdout
	if err := yaml.Unmarshal([]byte(text), &trufflehog); err != nil || len(trufflehog.Detectors) != 2*len(all) || trufflehog.Detectors[0].Keywords[0] != "acme_key_" {
		t.Errorf("for trufflehog: %v, %+v", err, trufflehog)
	}
	for _, d := range trufflehog.Detectors {
		if _, err := regexp.Compile(d.Regex["credential"]); err != nil {
			t.Errorf("for trufflehog: %v", err)
		}
	}
	if text := command(t, nil, "", "scan", "patterns", "--format", "gitlab").stdout; !strings.Contains(text, "[[secrets.passthrough]]") || !strings.Contains(text, `\\b(lyd_key_`) {
		t.Errorf("for GitLab:\n%s", text)
	}
}

// TestScanStagedAlone: in a repository of 100,000 files only what is staged is read. The others' content is nowhere: reading one
// would fail.
func TestScanStagedAlone(t *testing.T) {
	t.Chdir(t.TempDir())
	gitHere(t, "init", "-q", "-b", "main")
	var index strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&index, "100644 %035d%05d\tdir%03d/file%06d\n", 1, i, i/1000, i)
	}
	fill := exec.CommandContext(t.Context(), "git", "update-index", "--index-info")
	fill.Stdin = strings.NewReader(index.String())
	if out, err := fill.CombinedOutput(); err != nil {
		t.Fatalf("fill the index: %v\n%s", err, out)
	}
	tree := gitHere(t, "write-tree", "--missing-ok")
	commit := gitHere(t, "commit-tree", tree, "-m", "many")
	gitHere(t, "update-ref", "HEAD", commit)
	if got, said := scanned(t, "", "--staged"); got.Files != 0 || said.code != exitDone {
		t.Fatalf("with nothing staged: %+v", said)
	}
	put(t, map[string]string{"dir000/file000000": "key = " + made(t, secret.Key, 1), "new": "clean"})
	gitHere(t, "add", "dir000/file000000", "new")
	got, said := scanned(t, "", "--staged")
	if !slices.Equal(got.places(), []string{"dir000/file000000:1:7"}) || got.Files != 2 || got.Bytes != int64(len("key = ")+len(made(t, secret.Key, 1))+len("clean")) || said.code != exitNo {
		t.Errorf("scan --staged = %+v, want two files read and one finding", said)
	}
}
