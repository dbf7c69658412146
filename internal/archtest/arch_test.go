package archtest

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHouse(t *testing.T) {
	files, err := read("../..")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 10 {
		t.Fatalf("read found %d files, want those of the whole module", len(files))
	}
	for _, breach := range check(files) {
		t.Error(breach)
	}
}

// Every package of the table stands there once, and the other tables speak of packages that it has.
func TestTablesAgree(t *testing.T) {
	seen := map[string]bool{}
	for _, line := range house {
		for _, name := range strings.Fields(line.packages) {
			if seen[line.prefix+name] {
				t.Errorf("%s stands in the house twice", line.prefix+name)
			}
			seen[line.prefix+name] = true
		}
	}
	known := func(patterns string) {
		for _, pattern := range strings.Fields(patterns) {
			folder := strings.TrimSuffix(pattern, "/...")
			if !seen[folder] && pattern != "examples/..." {
				t.Errorf("%s is named in a rule but stands nowhere in the house", pattern)
			}
		}
	}
	for folder, allowed := range narrow {
		known(folder)
		known(allowed)
	}
	for _, guard := range guarded {
		if strings.HasPrefix(guard.what, "internal/") {
			known(guard.what)
		}
		known(guard.who)
	}
}

// in makes a source file of a package whose name is its folder's last part.
func in(folder string, imports ...string) source {
	file := source{path: folder + "/file.go", folder: folder, name: path.Base(folder), lines: 150}
	if folder == "." {
		file.path, file.name = "file.go", "lanyard"
	}
	for _, target := range imports {
		file.imports = append(file.imports, imported{path: target})
	}
	return file
}

// our returns the import path of a folder.
func our(folder string) string {
	if folder == "." {
		return module
	}
	return module + "/" + folder
}

func TestCheck(t *testing.T) {
	aliased := in("internal/app")
	aliased.imports = []imported{{alias: "ids", path: our("internal/id")}}
	blank := in("internal/server")
	blank.imports = []imported{{alias: "_", path: our("internal/store")}}
	long := in("internal/app")
	long.lines = maxLines + 1
	longTest := source{path: "internal/app/app_test.go", folder: "internal/app", lines: maxLines + 1}
	longGenerated := in("internal/server/extauthz")
	longGenerated.lines, longGenerated.generated = 5000, true
	freeTest := source{path: "internal/app/app_test.go", folder: "internal/app", lines: 10}
	strayTest := source{path: "internal/wallet/wallet_test.go", folder: "internal/wallet", lines: 10}
	renamed := in("internal/grant")
	renamed.name = "token"
	helpers := in("internal/web")
	helpers.name = "helpers"
	program, second := in("cmd/lanyard"), in("e2e/bench")
	program.name, second.name = "main", "main"

	for _, test := range []struct {
		name  string
		files []source
		want  []string // a part of each breach, in order
	}{
		{"a line above", []source{in("internal/app", our("internal/id"), our("internal/audit"))}, nil},
		{"a line below", []source{in("internal/audit", our("internal/app"))}, []string{"imports internal/app, which stands below internal/audit"}},
		{"the root from below", []source{in("internal/audit", our("."))}, nil},
		{"the root below", []source{in(".", our("internal/audit"))}, []string{"imports internal/audit, which stands below ."}},
		{"a noun beside", []source{in("internal/app", our("internal/key"))}, []string{"imports internal/key, which stands beside internal/app"}},
		{"a surface beside", []source{in("internal/server/rest", our("internal/server/portal"))}, []string{"stands beside"}},
		{"to the left", []source{in("internal/secret", our("internal/id"), our("internal/fault"))}, nil},
		{"to the right", []source{in("internal/id", our("internal/secret"))}, []string{"imports internal/secret, which stands right of internal/id"}},
		{"unknown package", []source{in("internal/wallet"), in("internal/wallet")}, []string{"internal/wallet: is not in the house: add it to the table"}},
		{"unknown package of tests", []source{strayTest}, []string{"internal/wallet: is not in the house"}},
		{"unknown below a known one", []source{in("internal/server/rest/wire")}, []string{"internal/server/rest/wire: is not in the house"}},
		{"SQL in the store", []source{in("internal/store", "database/sql")}, nil},
		{"SQL elsewhere", []source{in("internal/app", "database/sql")}, []string{"imports database/sql, which only these may: internal/store"}},
		{"SQL driver elsewhere", []source{in("cmd/lanyard", "database/sql/driver")}, []string{"imports database/sql/driver"}},
		{"HTTP at a surface", []source{in("internal/server/rest", "net/http"), in("internal/server", "net/http")}, nil},
		{"HTTP in examples", []source{in("examples/weather", "net/http"), in(".", "net/http")}, nil},
		{"HTTP in a noun", []source{in("internal/usage", "net/http")}, []string{"imports net/http, which only these may"}},
		{"HTTP in the noun that needs it", []source{in("internal/upstream", "net/http")}, nil},
		{"HTTP in the decision", []source{in("internal/verify", "net/http/httptest")}, []string{"imports net/http/httptest, which only these may"}},
		{"store in server", []source{in("internal/server", our("internal/store")), in("internal/store/storetest", our("internal/store"))}, nil},
		{"store in a surface", []source{in("internal/server/rest", our("internal/store"))}, []string{"imports internal/store, which only these may"}},
		{"store in the decision", []source{in("internal/verify", our("internal/store"))}, []string{"imports internal/store, which only these may"}},
		{"store in a command", []source{in("cmd/lanyard", our("internal/store"))}, []string{"only these may", "cmd/lanyard may import only"}},
		{"what a command may", []source{in("cmd/lanyard", our("internal/server"), our("internal/demo"), our("."))}, nil},
		{"a noun in a command", []source{in("cmd/lanyard", our("internal/app"))}, []string{"cmd/lanyard may import only"}},
		{"scan", []source{in("internal/scan", our("internal/secret"), our("internal/id"))}, []string{"internal/scan may import only: internal/secret"}},
		{"test support in the product", []source{in("internal/demo", our("internal/servertest"))}, []string{"imports internal/servertest, which only these may"}},
		{"storetest in the product", []source{in("internal/manage", our("internal/store/storetest"))}, []string{"which only these may: nobody but tests"}},
		{"alias", []source{aliased}, []string{`imports internal/id as "ids"`}},
		{"blank alias", []source{blank}, []string{`imports internal/store as "_"`}},
		{"long file", []source{long}, []string{"has 601 lines, more than 600"}},
		{"long test", []source{longTest}, []string{"has 601 lines"}},
		{"long generated file", []source{longGenerated}, nil},
		{"test file", []source{freeTest}, nil},
		{"name taken", []source{in("internal/token"), renamed}, []string{`internal/grant: package name "token" is taken by internal/token`}},
		{"two programs", []source{program, second}, nil},
		{"vague name", []source{helpers}, []string{`package name "helpers" says nothing`}},
		{"similar path of another module", []source{in("internal/id", module+"-extra/internal/app")}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := check(test.files)
			if len(got) != len(test.want) {
				t.Fatalf("check = %q, want %d breaches with %q", got, len(test.want), test.want)
			}
			for i, want := range test.want {
				if !strings.Contains(got[i], want) {
					t.Errorf("check: breach %d = %q, want it to hold %q", i, got[i], want)
				}
			}
		})
	}
}

func TestRead(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":                "module example.test\n",
		"root.go":               "package root\n\nimport other \"net/http\"\n",
		"one/one.go":            "// Code generated by a test. DO NOT EDIT.\n\npackage one\n",
		"one/one_test.go":       "package one\n\nimport \"database/sql\"\n",
		"one/testdata/broken":   "not Go\n",
		"one/testdata/a.go":     "not Go\n",
		"one/_old/a.go":         "not Go\n",
		".hidden/a.go":          "not Go\n",
		"tools/go.mod":          "module example.test/tools\n",
		"tools/a.go":            "not Go\n",
		"one/testdata/sub/b.go": "not Go\n",
	} {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := read(root)
	if err != nil {
		t.Fatal(err)
	}
	want := []source{
		{path: "one/one.go", folder: "one", name: "one", lines: 3, generated: true},
		{path: "one/one_test.go", folder: "one", lines: 3},
		{path: "root.go", folder: ".", name: "root", lines: 3, imports: []imported{{alias: "other", path: "net/http"}}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(source{}, imported{})); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	if err := os.WriteFile(filepath.Join(root, "broken.go"), []byte("import"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := read(root); err == nil {
		t.Error("read of a module with a file that does not parse = nil, want an error")
	}
}
