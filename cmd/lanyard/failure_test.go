package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
)

var errGone = errors.New("the pipe is closed")

// Credentials of no server.
const (
	credential = "lyd_key_live_AAAAAAAAAAAAAAAABBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB1hkirp"
	masterText = "1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
)

func TestReport(t *testing.T) {
	problem := func(p lanyard.Problem, wait time.Duration) error {
		return fmt.Errorf("wrapped: %w", &lanyard.ProblemError{Problem: p, Op: "create key", RetryAfter: wait})
	}
	for name, test := range map[string]struct {
		err  error
		code int
		want string
	}{
		"nothing":        {nil, exitDone, ""},
		"no":             {fmt.Errorf("x: %w", errNo), exitNo, ""},
		"usage":          {usage("say %s", "more"), exitUsage, "lanyard: say more\n"},
		"invalid":        {fmt.Errorf("x: %w", fault.Field("takes", "must be key")), exitUsage, "lanyard: takes: must be key\n"},
		"conflict":       {fault.New(fault.Conflict, "it stands there already"), exitFailed, "lanyard: it stands there already\n"},
		"cause":          {fault.Down(errGone, "the database is away"), exitFailed, "lanyard: the database is away\n"},
		"plain":          {errGone, exitFailed, "lanyard: the pipe is closed\n"},
		"interrupted":    {fmt.Errorf("list apps: %w", context.Canceled), exitFailed, "lanyard: interrupted before the end\n"},
		"with a secret":  {fmt.Errorf("odd: %s", credential), exitFailed, "lanyard: odd: lyd_key_live_AAAAAAAAAAAAAAAA…\n"},
		"server invalid": {problem(lanyard.Problem{Code: "invalid_request", Detail: "the name is missing.", Errors: []lanyard.ProblemField{{Field: "name", Detail: "must not be empty"}}}, 0), exitUsage, "lanyard: the name is missing; name: must not be empty\n"},
		"said once":      {problem(lanyard.Problem{Code: "invalid_request", Detail: "name: must not be empty", Errors: []lanyard.ProblemField{{Field: "name", Detail: "must not be empty"}}}, 0), exitUsage, "lanyard: name: must not be empty\n"},
		"401":            {problem(lanyard.Problem{Code: "unauthenticated", Title: "Unauthorized", Status: http.StatusUnauthorized}, 0), exitFailed, "lanyard: Unauthorized; set LANYARD_TOKEN to a credential that works on this server\n"},
		"429":            {problem(lanyard.Problem{Code: "too_many_requests", Detail: "Too many."}, 2*time.Second), exitFailed, "lanyard: Too many; try again in 2s\n"},
		"500":            {problem(lanyard.Problem{Title: "Internal Server Error", Status: 500, RequestID: "R1"}, 0), exitFailed, "lanyard: Internal Server Error; the server's log says more about request R1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr bytes.Buffer
			if code := report(test.err, &stderr); code != test.code || stderr.String() != test.want {
				t.Errorf("report(%v) = %d, %q, want %d, %q", test.err, code, stderr.String(), test.code, test.want)
			}
		})
	}
}

func TestRefuseSecrets(t *testing.T) {
	for _, arg := range []string{
		credential, "--from=" + credential, "x" + credential[:40], strings.Replace(credential, "lyd", "acme", 1), masterText, "--key=" + masterText,
		"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln",
	} {
		got := command(t, nil, "", "inspect", arg)
		if got.code != exitUsage || !strings.Contains(got.stderr, "looks like a credential") || strings.Contains(got.stderr, "BBBB") || strings.Contains(got.stderr, "eyJ") {
			t.Errorf("lanyard inspect %s = %+v, want a refusal that does not repeat it", arg, got)
		}
	}
	for _, args := range [][]string{{"keys", "show", "key_AAAAAAAAAAAAAAAA"}, {"lyd_key_live_AAAAAAAAAAAAAAAA…"}, {"-f", "eyJ.yaml"}, {"--limit", "60/minute"}} {
		if err := refuseSecrets(args); err != nil {
			t.Errorf("refuseSecrets(%q) = %v, want nil", args, err)
		}
	}
}
