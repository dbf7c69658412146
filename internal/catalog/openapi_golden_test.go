package catalog

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/lanyard-auth/lanyard"
)

// golden is what a person reads of an import: the report, then the declaration as lanyard.yaml has it, then what lint says of it.
func golden(t *testing.T, document []byte) string {
	t.Helper()
	api, report, err := FromOpenAPI(document)
	if err != nil {
		t.Fatalf("FromOpenAPI = %v", err)
	}
	normal, err := Normalise("imported", api)
	if err != nil {
		t.Fatalf("Normalise(FromOpenAPI) = %v", err)
	}
	var out bytes.Buffer
	out.WriteString("# report\n")
	for _, sentence := range report {
		out.WriteString(sentence + "\n")
	}
	out.WriteString("# lanyard.yaml\n")
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(lanyard.Catalog{APIs: map[string]lanyard.API{"imported": api}}); err != nil {
		t.Fatal(err)
	}
	out.WriteString("# lint\n")
	for _, f := range Lint(normal) {
		out.WriteString(f.Rule + ": " + f.Text + "\n")
	}
	return out.String()
}

// Documents as they are found, each with all that comes of it. UPDATE_GOLDEN=1 writes the files anew.
func TestFromOpenAPIGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/openapi/*.[yj]*")
	if err != nil || len(files) < 5 {
		t.Fatalf("found %d documents, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			document, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, into := golden(t, document), strings.TrimSuffix(file, filepath.Ext(file))+".golden"
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(into, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(into)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("FromOpenAPI(%s) (-want +got):\n%s", file, diff)
			}
			for range 5 { // maps have no order, and a report has
				if again := golden(t, document); again != got {
					t.Fatalf("FromOpenAPI(%s) says something else the second time:\n%s", file, cmp.Diff(got, again))
				}
			}
		})
	}
}
