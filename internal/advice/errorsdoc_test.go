package advice_test

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/web"
)

//go:generate go test . -run ^TestErrorsDocUpToDate$ -update

var update = flag.Bool("update", false, "write docs/errors.md")

const errorsHead = `<!-- Generated from internal/advice by TestErrorsDocUpToDate. Change the table in internal/advice/pages.go, then run
go generate ./internal/advice -->

# Errors

Every refusal names a code, says what happened and who can mend it. A running server has the same texts at ` + "`/errors/<code>`" + `,
and the ` + "`type`" + ` of a problem document leads there.

There are four kinds. A [decision](#decisions) is about somebody's credential at an API: ` + "`POST /v1/verify`" + ` answers 200 with
` + "`allowed: false`" + ` and the code, and the door in front of the API answers its caller with the status given here. A
[problem](#problems-of-the-json-api) is about a call to Lanyard's own API under ` + "`/v1`" + `. Two codes stand for one of each.
[OAuth errors](#errors-of-the-oauth-endpoints) are what apps get, in OAuth's own dialect, and [pages](#errors-on-pages) speak to people.

Some texts speak of what is not in this version: client certificates.
`

const problemsHead = `
## Problems of the JSON API

These are RFC 9457 documents with the members ` + "`type`, `title`, `status`, `code`, `detail`, `errors` (the fields at fault), `id` and `request_id`" + `.
A defect of the server's own is a bare 500 with the code ` + "`internal_error`" + ` and no page: give the request id to whoever runs it.
`

const gatewayHead = `
## The gateway

Documents of the same form, about the API behind.
`

// errorsDocument renders every page that advice has, in the order in which the codes are declared.
func errorsDocument() []byte {
	var b bytes.Buffer
	b.WriteString(errorsHead)
	b.WriteString("\n## Decisions\n")
	pages := advice.Pages()
	for _, code := range policy.Codes() {
		writePage(&b, pages[string(code)], code.HTTPStatus())
		delete(pages, string(code))
	}
	b.WriteString(problemsHead)
	for _, kind := range kinds() {
		if page, ok := pages[string(kind)]; ok {
			writePage(&b, page, statusOf(kind))
			continue
		}
		text := advice.Pages()[string(kind)]
		fmt.Fprintf(&b, "\n### `%s` in the JSON API\n\nHTTP %d. %s As a decision: [`%[1]s`](#%[1]s).\n", kind, statusOf(kind), text.Also)
	}
	b.WriteString(gatewayHead)
	writePage(&b, pages[advice.UpstreamUnavailable], http.StatusBadGateway)
	writePage(&b, pages[advice.UpstreamTimeout], http.StatusGatewayTimeout)
	b.WriteString(oauthErrors)
	return b.Bytes()
}

func writePage(b *bytes.Buffer, t advice.Text, status int) {
	fmt.Fprintf(b, "\n### `%s`\n\n**%s** (HTTP %d). %s\n\n%s %s\n", t.Code, t.Title, status, t.Sentence, t.Who, t.How)
	fmt.Fprintf(b, "\n    %s\n", t.Example)
}

// kinds are the faults, in the order of package fault.
func kinds() []fault.Kind {
	return []fault.Kind{
		fault.Invalid, fault.Unauthenticated, fault.InsufficientScope, fault.NotGrantable, fault.NotFound, fault.Conflict,
		fault.ChangesReset, fault.IdempotencyMismatch, fault.TooMany, fault.Unavailable,
	}
}

// statusOf asks the one writer of problems.
func statusOf(kind fault.Kind) int {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	return (&web.Kit{}).Problem(http.Header{}, r, fault.New(kind, "")).Status
}

func TestErrorsDocUpToDate(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "errors.md")
	want := errorsDocument()
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("docs/errors.md is not what internal/advice says (%v); run `go generate ./internal/advice`", err)
	}
	for code := range advice.Pages() {
		if !bytes.Contains(want, []byte("\n### `"+code+"`")) {
			t.Errorf("errorsDocument() leaves out %s", code)
		}
	}
}
