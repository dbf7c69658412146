package main

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/gitrepo"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// made makes a credential that nobody issued; n tells them apart.
func made(t testing.TB, kind secret.Kind, n int) string {
	t.Helper()
	s, err := secret.New("lyd", kind, secret.Live, fmt.Sprintf("%016d", n), bytes.NewReader(bytes.Repeat([]byte{byte(n + 1), 7, 99}, 100)))
	if err != nil {
		t.Fatal(err)
	}
	return s.Reveal()
}

// put writes files below the working directory.
func put(t testing.TB, files map[string]string) {
	t.Helper()
	for path, text := range files {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// gitHere runs git in the working directory, as nobody's own git.
func gitHere(t testing.TB, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// scanned runs `lanyard scan` without gitleaks and reads its JSON.
func scanned(t *testing.T, stdin string, args ...string) (scanJSON, result) {
	t.Helper()
	got := command(t, nil, stdin, append([]string{"scan", "--gitleaks", "off", "-o", "json"}, args...)...)
	var report scanJSON
	if err := json.Unmarshal([]byte(got.stdout), &report); err != nil {
		t.Fatalf("scan %v = %+v: %v", args, got, err)
	}
	return report, got
}

// places are "path:line:column" of what was found, with why it is passed over.
func (s scanJSON) places() []string {
	all := []string{}
	for _, f := range s.Findings {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s:%d:%d %s", f.Path, f.Line, f.Column, f.Suppressed)))
	}
	return all
}

func TestScanRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("GIT_CEILING_DIRECTORIES", "/")
	put(t, map[string]string{"file": "", "bad-baseline": "no digest"})
	for _, test := range []struct{ line, want string }{
		{"scan --staged --history", "keep one of them"},
		{"scan --staged file", "keep one of them"},
		{"scan --pre-push a b c", "--pre-push takes one argument"},
		{"scan --yes", "--yes belongs to --revoke"},
		{"scan --revoke --write-baseline", "keep one of them"},
		{"scan --gitleaks maybe", "--gitleaks must be auto, on or off"},
		{"scan --format xml", "--format must be text, json, sarif or junit"},
		{"scan nowhere", "nowhere: there is no such file or folder"},
		{"scan --staged", "there is no git repository here"},
		{"scan --gitignore", "there is no git repository here"},
		{"scan --prefix X", "--prefix"},
		{"scan --baseline none", "the baseline cannot be read"},
		{"scan --baseline bad-baseline", "line 1 is no SHA-256"},
		{"scan install", "say which hook"},
		{"scan install --pre-commit", "there is no git repository here"},
		{"scan install --pre-commit --force --remove", "keep one of them"},
		{"scan install --pre-commit --prefix a;b", "--prefix"},
		{"scan patterns --format xml", "--format must be github, gitlab, gitleaks or trufflehog"},
	} {
		if got := command(t, nil, "", strings.Fields(test.line)...); got.code != exitUsage || !strings.Contains(got.stderr, test.want) || got.stdout != "" {
			t.Errorf("%s = %+v, want 2 and %q", test.line, got, test.want)
		}
	}
	gitHere(t, "init", "-q")
	for _, test := range []struct{ line, stdin, want string }{
		{"scan --range nonsense", "", `"nonsense" names no commits`},
		{"scan --range --all", "", "names no commits"},
		{"scan --pre-push", "rm -rf", "is none that git tells a hook"},
		{"scan --pre-receive", "--all --all refs/heads/main", "is none that git tells a hook"},
	} {
		if got := command(t, nil, test.stdin, strings.Fields(test.line)...); got.code != exitUsage || !strings.Contains(got.stderr, test.want) {
			t.Errorf("%s = %+v, want 2 and %q", test.line, got, test.want)
		}
	}
	for _, pattern := range []string{"!kept", "[", "/"} {
		put(t, map[string]string{ignoreFile: "# words\n\n" + pattern + "\n"})
		if got := command(t, nil, "", "scan"); got.code != exitUsage || !strings.Contains(got.stderr, ignoreFile+": line 3") {
			t.Errorf("scan with the pattern %q = %+v, want 2 and the line", pattern, got)
		}
	}
}

// TestScanTree: what is found where, and each way to pass it over.
func TestScanTree(t *testing.T) {
	t.Chdir(t.TempDir())
	k := made(t, secret.Key, 1)
	packed := new(bytes.Buffer)
	archive := zip.NewWriter(packed)
	inside, err := archive.Create("conf/app.ini")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(inside, "key="+k)
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, map[string]string{
		"a.py":                  "import os\nAPI_KEY = \"" + k + "\"\n",
		"allowed.md":            "The key " + k + " <!-- lanyard:allow -->\n",
		"app.zip":               packed.String(),
		"deep/secret.yaml":      "data: " + base64.StdEncoding.EncodeToString([]byte(k)) + "\n",
		"deep/testdata/x.txt":   k,
		"ignored/by.git":        k,
		"note.ipynb":            `{"source":["key = \"` + k + `\"\n"]}`,
		"web/publishable.js":    "const key = '" + made(t, secret.Publishable, 2) + "'\n",
		"web/nearly.js":         "const key = '" + k[:len(k)-1] + "!'\n",
		ignoreFile:              "# what is made up\ntestdata/\n",
		".gitignore":            "ignored/\n",
		"gone.txt":              made(t, secret.Personal, 3),
		"elsewhere/by-root.txt": k,
	})
	gitHere(t, "init", "-q")
	want := []string{
		"a.py:2:12", "allowed.md:1:9 inline", "app.zip!conf/app.ini:1:5", "deep/secret.yaml:1:7", "elsewhere/by-root.txt:1:1", "gone.txt:1:1", "ignored/by.git:1:1",
		"note.ipynb:1:21", "web/publishable.js:1:14",
	}
	got, said := scanned(t, "")
	if !slices.Equal(got.places(), want) || said.code != exitNo {
		t.Errorf("scan found %q, code %d, want %q and 1", got.places(), said.code, want)
	}
	without := func(of []string, parts ...string) []string {
		return slices.DeleteFunc(slices.Clone(of), func(place string) bool {
			return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(place, part) })
		})
	}
	if got, _ := scanned(t, "", "--gitignore"); !slices.Equal(got.places(), without(want, "ignored/")) {
		t.Errorf("with --gitignore: %q", got.places())
	}
	if got, _ := scanned(t, "", "--no-archives"); !slices.Equal(got.places(), without(want, "app.zip")) {
		t.Errorf("with --no-archives: %q", got.places())
	}
	if got, _ := scanned(t, "", "--prefix", "acme"); len(got.Findings) != 0 {
		t.Errorf("of another prefix: %q", got.places())
	}
	if got, _ := scanned(t, "", "--strict"); len(got.Findings) != len(want)+1 || slices.ContainsFunc(got.places(), func(s string) bool { return strings.Contains(s, "inline") }) {
		t.Errorf("with --strict: %q", got.places())
	}
	put(t, map[string]string{ignoreFile: "/elsewhere\ndeep/*.yaml\n*.ipynb\n"})
	if got, _ := scanned(t, ""); slices.ContainsFunc(got.places(), func(s string) bool {
		return strings.HasPrefix(s, "elsewhere") || strings.HasPrefix(s, "deep/secret") || strings.HasPrefix(s, "note")
	}) {
		t.Errorf("with patterns of other shapes: %q", got.places())
	}
	// From below, and by a file's name, what the list says of paths from the top holds the same.
	if got, _ := scanned(t, "", "deep"); !slices.Equal(got.places(), []string{"deep/testdata/x.txt:1:1"}) {
		t.Errorf("scan deep: %q", got.places())
	}
	if got, _ := scanned(t, "", "a.py", "web"); !slices.Equal(got.places(), []string{"a.py:2:12", "web/publishable.js:1:14"}) {
		t.Errorf("scan a.py web: %q", got.places())
	}
	// What may be seen fails nothing.
	put(t, map[string]string{"odd/broken.zip": "PK\x03\x04" + k})
	if got, said := scanned(t, "", "odd"); said.code != exitNo || len(got.NotOpened) != 1 || got.NotOpened[0].Path != "odd/broken.zip" || !slices.Equal(got.places(), []string{"odd/broken.zip:1:5"}) {
		t.Errorf("of a broken archive = %+v, want its bytes searched and a word on it", said)
	}
	if err := os.RemoveAll("odd"); err != nil {
		t.Fatal(err)
	}
	if got, said := scanned(t, "", "web"); said.code != exitDone || len(got.Findings) != 1 || got.Findings[0].Fails {
		t.Errorf("scan web = %+v, want a finding that fails nothing", said)
	}

	t.Run("baseline", func(t *testing.T) {
		made := command(t, nil, "", "scan", "--write-baseline", "--gitleaks", "off")
		if made.code != exitDone || !strings.Contains(made.stdout, "3 known credentials in ") {
			t.Fatalf("scan --write-baseline = %+v", made)
		}
		got, said := scanned(t, "")
		if said.code != exitDone || !slices.Contains(got.places(), "a.py:2:12 baseline") {
			t.Errorf("scan afterwards = %d, %q, want 0 and all of it known", said.code, got.places())
		}
		again := command(t, nil, "", "scan", "--write-baseline", "--gitleaks", "off")
		if !strings.Contains(again.stdout, "3 known credentials in ") || !strings.Contains(again.stdout, "0 of them new") {
			t.Errorf("scan --write-baseline once more = %+v", again)
		}
		if got, said := scanned(t, "", "--strict"); said.code != exitNo || slices.ContainsFunc(got.Findings, func(f foundJSON) bool { return f.Suppressed != "" }) {
			t.Errorf("with --strict the baseline counts: %q", got.places())
		}
	})
}

// TestScanTrouble: what cannot be read may hold anything, wherever it is; an archive that cannot be opened was searched as it is, which is
// enough for a person and not for a hook.
func TestScanTrouble(t *testing.T) {
	unreadable := &fs.PathError{Op: "open", Path: "a", Err: fs.ErrPermission}
	for _, test := range []struct {
		place  scanPlace
		err    error
		unread bool
	}{
		{placeTree, unreadable, true},
		{placeHistory, gitrepo.ErrMissing, true},
		{placeTree, zip.ErrFormat, false},
		{placeHistory, zip.ErrFormat, false},
		{placeStdin, zip.ErrFormat, false},
		{placeStaged, zip.ErrFormat, true},
		{placePush, zip.ErrFormat, true},
		{placeReceive, zip.ErrFormat, true},
	} {
		r := scanResult{place: test.place}
		r.trouble("a", test.err)
		if got := len(r.unread) == 1; got != test.unread || len(r.unread)+len(r.odd) != 1 {
			t.Errorf("trouble(%v) in place %d: unread %v, want %v", test.err, test.place, got, test.unread)
		}
	}
}

// TestScanMissing: an object that this clone does not have could hold anything.
func TestScanMissing(t *testing.T) {
	t.Chdir(t.TempDir())
	gitHere(t, "init", "-q")
	put(t, map[string]string{"a": "one", "b": "two"})
	gitHere(t, "add", "-A")
	id := gitHere(t, "rev-parse", ":a")
	if err := os.Remove(filepath.Join(".git", "objects", id[:2], id[2:])); err != nil {
		t.Fatal(err)
	}
	if got := command(t, nil, "", "scan", "--staged", "--gitleaks", "off"); got.code != exitFailed || !strings.Contains(got.stderr, "a could not be read") {
		t.Errorf("scan --staged of what is missing = %+v, want 3", got)
	}
}

// TestScanGit: staged, history, ranges and what git tells hooks.
func TestScanGit(t *testing.T) {
	t.Chdir(t.TempDir())
	gitHere(t, "init", "-q", "-b", "main")
	k, other := made(t, secret.Key, 1), made(t, secret.Client, 2)
	put(t, map[string]string{"a.py": "key = '" + k + "'\n", "clean": "x"})
	if got, said := scanned(t, "", "--staged"); len(got.Findings) != 0 || said.code != exitDone {
		t.Errorf("with nothing staged: %q", got.places())
	}
	gitHere(t, "add", "a.py")
	put(t, map[string]string{"a.py": "mended in the work tree alone", "clean": k})
	if got, said := scanned(t, "", "--staged"); !slices.Equal(got.places(), []string{"a.py:1:8"}) || said.code != exitNo || got.Files != 1 {
		t.Errorf("staged: %q in %d files, want a.py alone", got.places(), got.Files)
	}
	// A baseline counts once it is staged itself.
	if got := command(t, nil, "", "scan", "--staged", "--write-baseline", "--gitleaks", "off"); got.code != exitDone {
		t.Fatalf("scan --write-baseline = %+v", got)
	}
	if _, said := scanned(t, "", "--staged"); said.code != exitNo {
		t.Error("a baseline that is not staged lets a commit pass")
	}
	gitHere(t, "add", baselineFile)
	if got, said := scanned(t, "", "--staged"); said.code != exitDone || !slices.Contains(got.places(), "a.py:1:8 baseline") {
		t.Errorf("with a staged baseline = %d, %q", said.code, got.places())
	}
	gitHere(t, "rm", "-q", "--cached", baselineFile)
	if err := os.Remove(baselineFile); err != nil {
		t.Fatal(err)
	}
	gitHere(t, "commit", "-qm", "first")
	first := gitHere(t, "rev-parse", "HEAD")
	put(t, map[string]string{"a.py": "clean again\n", "clean": "x"})
	gitHere(t, "add", "-A")
	gitHere(t, "commit", "-qm", "second, and the key is "+other)
	second := gitHere(t, "rev-parse", "HEAD")
	message := "message of commit " + second[:12]

	got, _ := scanned(t, "", "--history")
	if len(got.Findings) != 2 || got.Findings[0].Path != "a.py" || got.Findings[0].Commit != first || got.Findings[0].Author != "Ada <ada@example.com>" ||
		got.Findings[1].Path != message || got.Findings[1].Commit != second {
		t.Errorf("history: %+v", got.Findings)
	}
	none := strings.Repeat("0", 40)
	for _, test := range []struct {
		name, stdin string
		args        []string
		want        []string
	}{
		{"range", "", []string{"--range", first + ".."}, []string{message}},
		{"a push of a branch that is new", "refs/heads/main " + second + " refs/heads/main " + none + "\n", []string{"--pre-push"}, []string{"a.py", message}},
		{"a push to a remote by its address", "refs/heads/main " + second + " refs/heads/main " + none + "\n", []string{"--pre-push", "https://git.example/a"}, []string{"a.py", message}},
		{"a branch that is deleted", "(delete) " + none + " refs/heads/main " + second + "\n", []string{"--pre-push"}, []string{}},
		{"what the server has", none + " " + second + " refs/heads/new\n", []string{"--pre-receive"}, []string{}},
		{"nothing", "", []string{"--pre-receive"}, []string{}},
	} {
		got, said := scanned(t, test.stdin, test.args...)
		paths := []string{}
		for _, f := range got.Findings {
			paths = append(paths, f.Path)
		}
		if !slices.Equal(paths, test.want) || (said.code == exitNo) != (len(test.want) > 0) {
			t.Errorf("%s: %q, code %d, want %q", test.name, paths, said.code, test.want)
		}
	}
	if got, said := scanned(t, "x\n"+k, "--stdin"); !slices.Equal(got.places(), []string{"stdin:2:1"}) || said.code != exitNo {
		t.Errorf("stdin: %q", got.places())
	}
}

// TestScanShowsNoCredential: whatever form a report has, no secret is in it, and others' tools can read it.
func TestScanShowsNoCredential(t *testing.T) {
	t.Chdir(t.TempDir())
	var secrets []string
	for i, kind := range secret.Kinds() {
		s := made(t, kind, i)
		secrets = append(secrets, s)
		put(t, map[string]string{
			"plain" + string(kind) + ".go":         "const key = `" + s + "`\n",
			"a \"b\" <" + string(kind) + "> é.txt": "in\nbase64 " + base64.StdEncoding.EncodeToString([]byte(s)),
		})
	}
	put(t, map[string]string{"broken.gz": "\x1f\x8b\x08broken"})
	check := func(what, text string) {
		t.Helper()
		for _, s := range secrets {
			if strings.Contains(text, s[len(s)-30:]) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(s))[20:60]) {
				t.Errorf("%s shows a credential:\n%s", what, text)
			}
		}
	}
	for _, format := range []string{"text", "json", "sarif", "junit"} {
		got := command(t, nil, "", "scan", "--gitleaks", "off", "--format", format)
		check(format, got.stdout+got.stderr)
		into := command(t, nil, "", "scan", "--gitleaks", "off", "--format", format, "--to", "report")
		check(format+" in a file", into.stdout+into.stderr)
		if text, err := os.ReadFile("report"); err != nil || format != "junit" && string(text) != got.stdout {
			t.Errorf("--to a file writes something else than stdout gets in %s: %v", format, err)
		}
		if err := os.Remove("report"); err != nil {
			t.Fatal(err)
		}
		if got.code != exitNo || into.code != exitNo || !strings.Contains(into.stdout, "10 credentials found") {
			t.Errorf("scan --format %s = %d, %d, %q", format, got.code, into.code, into.stdout)
		}
		switch format {
		case "sarif":
			strict := json.NewDecoder(strings.NewReader(got.stdout))
			strict.DisallowUnknownFields()
			if err := strict.Decode(new(sarif.Report)); err != nil {
				t.Fatal(err)
			}
			report, err := sarif.FromString(got.stdout) // with what Validate wants of it
			if err != nil {
				t.Fatal(err)
			}
			// What its own type writes for what is absent, its schema refuses.
			report.Runs[0].Language, report.Runs[0].Tool.Driver.Language, report.Runs[0].NewlineSequences = "en-US", "en-US", []string{"\n"}
			if err := report.Validate(); err != nil || len(report.Runs) != 1 || len(report.Runs[0].Results) != 12 {
				t.Errorf("SARIF: %v, %d results, want none wrong and 12", err, len(report.Runs[0].Results))
			}
		case "junit":
			var suites junitSuites
			if err := xml.Unmarshal([]byte(got.stdout), &suites); err != nil || suites.Failures != 10 || suites.Suites[0].Skipped != 2 {
				t.Errorf("JUnit: %v, %+v", err, suites)
			}
		}
	}
	empty := t.TempDir()
	if got := command(t, nil, "", "scan", empty, "--gitleaks", "off", "--format", "junit"); !strings.Contains(got.stdout, `tests="1" failures="0"`) {
		t.Errorf("JUnit of nothing = %+v", got)
	}
}

// TestScanRemedy: the line that mends it, in the file's own language.
func TestScanRemedy(t *testing.T) {
	k := made(t, secret.Key, 1)
	for _, test := range []struct{ path, before, want string }{
		{"a.py", `weatherApiKey = "`, `in its place: os.environ["WEATHER_API_KEY"]`},
		{"a.ts", "export const API_KEY: string = '", "in its place: process.env.API_KEY"},
		{"a.js", `headers: {"Authorization": "Bearer `, "in its place: process.env.API_KEY"},
		{"a.go", "const mapsKEY = `", `in its place: os.Getenv("MAPS_KEY")`},
		{"a.rb", "TOKEN = '", `in its place: ENV.fetch("TOKEN")`},
		{"A.java", `String weatherKey = "`, `in its place: System.getenv("WEATHER_KEY")`},
		{"a.sh", "curl -H \"x-api-key: ", `in its place: "$API_KEY"`},
		{".github/workflows/ci.yml", "  WEATHER_KEY: ", "in its place: ${{ secrets.WEATHER_KEY }}"},
		{".gitlab-ci.yml", "  WEATHER_KEY: ", "in its place: $WEATHER_KEY"},
		{"compose.yaml", "  - WEATHER_KEY=", "in its place: ${WEATHER_KEY}"},
		{"Dockerfile", "ENV WEATHER_KEY=", "in its place: RUN --mount=type=secret,id=WEATHER_KEY"},
		{"words.txt", "", "in its place: the variable API_KEY of the environment"},
		{".env.production", "KEY=", "this file stays out of git: git rm --cached .env.production"},
		{"Keys.swift", "let key = \"", "whoever has the program has the key"},
	} {
		t.Run(test.path, func(t *testing.T) {
			t.Chdir(t.TempDir())
			put(t, map[string]string{test.path: test.before + k + "\"\n"})
			got := command(t, nil, "", "scan", "--gitleaks", "off")
			if !strings.Contains(got.stdout, "    "+test.want) {
				t.Errorf("scan of %s says\n%s\nwant %s", test.path, got.stdout, test.want)
			}
		})
	}
}

// TestScanLive: which works is asked by ids alone; --revoke ends what is the server's own, and needs no account.
func TestScanLive(t *testing.T) {
	t.Chdir(t.TempDir())
	n := servertest.Start(t, servertest.Options{})
	shop := n.Open(t)
	live, dead := n.Key(t, shop), n.Key(t, shop)
	if _, err := n.Admin.RevokeKey(t.Context(), dead.ID, lanyard.RevokeInput{}, 0); err != nil {
		t.Fatal(err)
	}
	prefix, _, _ := strings.Cut(live.Secret, "_")
	put(t, map[string]string{"a": live.Secret, "b": dead.Secret, "c": made(t, secret.Key, 9), "d": "again " + live.Secret})
	env := map[string]string{"LANYARD_URL": n.URL, "LANYARD_TOKEN": n.AdminKey}
	scanNow := func(env map[string]string, args ...string) (map[string]string, result) {
		t.Helper()
		got := command(t, env, "", append([]string{"scan", "--gitleaks", "off", "-o", "json", "--prefix", prefix, "--prefix", "lyd"}, args...)...)
		var report scanJSON
		if err := json.Unmarshal([]byte(got.stdout), &report); err != nil {
			t.Fatalf("%+v: %v", got, err)
		}
		states := map[string]string{}
		for _, f := range report.Findings {
			states[f.Path] = f.State
		}
		return states, got
	}
	states, got := scanNow(env, "--check-live")
	if want := fmt.Sprint(map[string]string{"a": "live", "b": "dead", "c": "unknown", "d": "live"}); fmt.Sprint(states) != want || got.code != exitNo {
		t.Errorf("--check-live = %v, code %d, want %s", states, got.code, want)
	}
	if states, got := scanNow(map[string]string{"LANYARD_URL": n.URL}, "--check-live"); got.code == exitDone || got.code == exitNo || states["a"] != "" || !strings.Contains(got.stderr, "LANYARD_TOKEN") {
		t.Errorf("--check-live of nobody = %+v, want the findings, and an error", got)
	}
	if _, got := scanNow(map[string]string{"LANYARD_URL": n.URL}, "--revoke"); got.code != exitUsage || !strings.Contains(got.stderr, "--yes") {
		t.Errorf("--revoke without a terminal = %+v, want 2 and --yes", got)
	}
	if _, got := scanNow(map[string]string{"LANYARD_URL": n.URL}, "--revoke", "--yes"); got.code != exitNo || !strings.Contains(got.stdout, `"reported": true`) {
		t.Errorf("--revoke = %+v", got)
	}
	if states, _ := scanNow(env, "--check-live"); states["a"] != "dead" {
		t.Errorf("after --revoke the key is %s, want dead", states["a"])
	}
}

// TestScanInstall: hooks of others are not touched, ours are replaced and taken away.
func TestScanInstall(t *testing.T) {
	t.Chdir(t.TempDir())
	gitHere(t, "init", "-q")
	hook := filepath.Join(".git", "hooks", "pre-commit")
	for range 2 {
		if got := command(t, nil, "", "scan", "install", "--pre-commit", "--pre-push", "--prefix", "acme"); got.code != exitDone {
			t.Fatalf("scan install = %+v", got)
		}
	}
	text, err := os.ReadFile(hook)
	info, wrong := os.Stat(hook)
	if err != nil || wrong != nil || info.Mode().Perm() != 0o755 || !strings.Contains(string(text), "exec lanyard scan --quiet --staged --prefix acme >&2\n") {
		t.Errorf("the hook is %q, %v, %v", text, info, err)
	}
	put(t, map[string]string{"staged": "clean"})
	gitHere(t, "add", "staged")
	if got := command(t, nil, "", "scan", "--quiet", "--staged", "--gitleaks", "off"); got != (result{}) {
		t.Errorf("scan --quiet of nothing = %+v, want silence", got)
	}
	put(t, map[string]string{hook: "#!/bin/sh\nmake lint\n"})
	for _, args := range [][]string{{"--pre-commit"}, {"--pre-commit", "--remove"}} {
		if got := command(t, nil, "", append([]string{"scan", "install"}, args...)...); got.code != exitFailed || !strings.Contains(got.stderr, "is not ours") {
			t.Errorf("scan install %v over a hook of others = %+v, want 3", args, got)
		}
	}
	if got := command(t, nil, "", "scan", "install", "--pre-commit", "--force"); got.code != exitDone {
		t.Errorf("scan install --force = %+v", got)
	}
	if kept, err := os.ReadFile(hook + ".before"); err != nil || !strings.Contains(string(kept), "make lint") {
		t.Errorf("the hook of before is %q, %v", kept, err)
	}
	for range 2 {
		if got := command(t, nil, "", "scan", "install", "--pre-commit", "--remove"); got.code != exitDone {
			t.Errorf("scan install --remove = %+v", got)
		}
	}
	if _, err := os.Stat(filepath.Join(".git", "hooks", "pre-merge-commit")); !os.IsNotExist(err) {
		t.Errorf("the hook of merges is there still: %v", err)
	}
	if _, err := os.Stat(hook); !os.IsNotExist(err) {
		t.Errorf("the hook is there still: %v", err)
	}
}
