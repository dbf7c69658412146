package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/server"
)

const linted = `
apis:
  mail:
    takes: key
    scopes: {messages.read: {text: read your messages}}
    operations: {GET /v1/messages: {scopes: [messages.read]}}
  weather:
    takes: key
    operations: {GET /v1/forecast: {}}
`

func TestLintRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		input string
		args  []string
		want  string
	}{
		"a fault":      {strings.Replace(linted, "takes: key", "takes: all", 1), nil, "apis.mail.takes: must be key, token, either or both"},
		"no catalog":   {"x: 1", nil, "unknown field x"},
		"another name": {linted, []string{"maps"}, `declares no API "maps"`},
	} {
		got := command(t, nil, test.input, append([]string{"apis", "lint", "-f", "-"}, test.args...)...)
		if got.code != exitUsage || !strings.Contains(got.stderr, test.want) || got.stdout != "" {
			t.Errorf("lint of %s = %+v, want %d and %q", name, got, exitUsage, test.want)
		}
	}
}

func TestLintFile(t *testing.T) {
	const finding = "mail: GET /v1/messages takes an API key, but its path names one person’s things (messages)"
	got := command(t, nil, linted, "apis", "lint", "-f", "-")
	if got.code != exitNo || !strings.HasPrefix(got.stdout, finding) || !strings.HasSuffix(got.stdout, "[private-by-key]\n1 finding in 2 APIs.\n") {
		t.Errorf("lint = %+v, want %d and a finding", got, exitNo)
	}
	for _, args := range [][]string{{"weather"}, {"--except", "private-by-key"}} {
		got = command(t, nil, linted, append([]string{"apis", "lint", "-f", "-"}, args...)...)
		if got.code != exitDone || !strings.HasPrefix(got.stdout, "Nothing found in ") {
			t.Errorf("lint %q = %+v, want %d and nothing found", args, got, exitDone)
		}
	}
	got = command(t, nil, linted, "apis", "lint", "-f", "-", "-o", "json", "mail")
	var found []apiFinding
	if err := json.Unmarshal([]byte(got.stdout), &found); err != nil || got.code != exitNo {
		t.Fatalf("lint -o json = %+v, %v", got, err)
	}
	found[0].Text = ""
	if diff := cmp.Diff([]apiFinding{{"mail", server.Finding{Rule: "private-by-key", About: "GET /v1/messages"}}}, found); diff != "" {
		t.Errorf("lint -o json (-want +got):\n%s", diff)
	}
	if got = command(t, nil, linted, "apis", "lint", "-f", "-", "-o", "json", "weather"); got.code != exitDone || got.stdout != "[]\n" {
		t.Errorf("lint -o json of nothing = %+v, want [] and %d", got, exitDone)
	}
}

// The report comes on stderr, also when nothing could be used, so that stdout is a lanyard.yaml.
func TestImportReports(t *testing.T) {
	const head = "openapi: 3.1.0\npaths: {/a: {get: {security: []}}, '/b{c}': {get: {}}}\n"
	got := command(t, nil, head, "apis", "import", "-", "--name", "pets", "--print")
	want := "- operation \"GET /b{c}\" is left out: a parameter must be a whole segment"
	if got.code != exitDone || !strings.HasPrefix(got.stdout, "apis:\n  pets:\n") || !strings.HasPrefix(got.stderr, "Not taken over as it stands:\n- ") || !strings.Contains(got.stderr, want) {
		t.Errorf("import = %+v, want a catalog and a report", got)
	}
	got = command(t, nil, strings.Replace(head, "/a:", "'/a-{b}':", 1), "apis", "import", "-", "--name", "pets", "--print")
	if got.code != exitUsage || got.stdout != "" || !strings.Contains(got.stderr, want) || !strings.Contains(got.stderr, "lanyard: the OpenAPI document has no operation that could be used") {
		t.Errorf("import of nothing usable = %+v, want the report and %d", got, exitUsage)
	}
}
