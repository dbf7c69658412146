package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// The exit codes of CONTRACT.
const (
	exitDone   = 0
	exitNo     = 1 // the answer is no: denied, findings
	exitUsage  = 2 // wrong usage
	exitFailed = 3 // unreachable or failed
)

// errNo is returned by a command that has printed its answer, when that answer is no.
var errNo = errors.New("the answer is no")

// usageError is a command line that cannot be meant.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usage(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// report prints an error as one sentence that says what to do, and returns the exit code for it.
func report(err error, stderr io.Writer) int {
	if err == nil {
		return exitDone
	}
	if errors.Is(err, errNo) {
		return exitNo
	}
	var status *exitStatus
	if errors.As(err, &status) && status.text == "" {
		return status.code
	}
	_, _ = fmt.Fprintln(stderr, "lanyard: "+sentence(err)) // where could it be said that stderr is gone?
	return exitOf(err)
}

func exitOf(err error) int {
	var wrong *usageError
	var problem *lanyard.ProblemError
	var status *exitStatus
	switch {
	case errors.As(err, &status):
		return status.code
	case errors.As(err, &wrong), fault.Is(err, fault.Invalid):
		return exitUsage
	case errors.As(err, &problem) && problem.Code == string(fault.Invalid):
		return exitUsage
	}
	return exitFailed
}

// sentence is what a person is told of an error. No secret is in it, whoever put one there.
func sentence(err error) string {
	var problem *lanyard.ProblemError
	var failure *fault.Error
	text := err.Error()
	switch {
	case errors.As(err, &problem):
		text = said(problem)
	case errors.As(err, &failure):
		text = failure.Detail
		if failure.Field != "" {
			text = failure.Field + ": " + text
		}
	case errors.Is(err, context.Canceled):
		text = "interrupted before the end"
	}
	return secret.Redact(text)
}

// said is what a server's problem tells a person, each thing once.
func said(p *lanyard.ProblemError) string {
	text := strings.TrimSuffix(cmp.Or(p.Detail, p.Title), ".")
	for _, field := range p.Errors {
		if !strings.Contains(text, strings.TrimSuffix(field.Detail, ".")) {
			text += "; " + field.Field + ": " + strings.TrimSuffix(field.Detail, ".")
		}
	}
	switch {
	case p.Code == string(fault.Unauthenticated):
		text += "; set LANYARD_TOKEN to a credential that works on this server"
	case p.RetryAfter > 0:
		text += "; try again in " + p.RetryAfter.String()
	case p.Status >= http.StatusInternalServerError && p.RequestID != "":
		text += "; the server's log says more about request " + p.RequestID
	}
	return text
}

// masterPattern is the text of a master key.
var masterPattern = regexp.MustCompile(`[0-9]{1,10}:[A-Za-z0-9+/]{43}=`)

// refuseSecrets refuses a credential among the arguments: other users' `ps`, the shell's history and CI logs show those.
func refuseSecrets(args []string) error {
	for _, arg := range args {
		jwt := strings.HasPrefix(arg, "eyJ") && strings.Count(arg, ".") >= 2
		if jwt || secret.Redact(arg) != arg || masterPattern.MatchString(arg) {
			return usage("an argument looks like a credential, and arguments are seen by other programs and kept in the shell's history: give it on stdin, at the prompt, or with --from NAME of a variable that holds it; this one is best replaced now")
		}
	}
	return nil
}
