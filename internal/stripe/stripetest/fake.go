// Package stripetest is a Stripe for tests: the one endpoint that takes meter events, with the rules that Stripe publishes for it. It shares
// no code with what it is to test.
//
// The rules: docs.stripe.com/api/billing/meter-event/create (parameters, identifiers, timestamps),
// docs.stripe.com/billing/subscriptions/usage-based/recording-usage-api (whole numbers, one call at a time for a customer and a meter),
// docs.stripe.com/error-low-level (errors, Stripe-Should-Retry). That an identifier it has seen is answered with 400, and in which words, is as
// its users report it.
package stripetest

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Key is the secret key that the fake takes. It is put together, so that nobody who looks for leaked ones finds it.
const Key = "sk_" + "test_" + "51NotARealKeyButLongEnough"

// Fault is what goes wrong with a request.
type Fault int

// The faults.
const (
	None        Fault = iota
	Throttle          // 429, before anything happened
	Break             // 500, before anything happened
	BreakAfter        // 500, though the event was taken
	Drop              // the connection breaks before anything happened
	DropAfter         // the connection breaks after the event was taken
	WrongAnswer       // 200, by somebody who is not Stripe
)

// Event is one that was taken.
type Event struct {
	Identifier, Name, Customer string
	Value                      int64
	At                         time.Time // its timestamp
	Taken                      time.Time
}

// Fake is a Stripe. Fill in its fields before it is asked anything.
type Fake struct {
	URL       string
	Now       func() time.Time
	Customers map[string]bool
	Meters    map[string]bool // by event name
	// Next says what goes wrong with a request, counted from 0; nil: nothing.
	Next func(n int, form url.Values) Fault

	mu       sync.Mutex
	requests int
	events   []Event
	seen     map[string]time.Time
	busy     map[[2]string]bool
	wrong    []string // requests that no client of ours should send
}

// Start serves a fake for the length of a test.
func Start(tb testing.TB, now func() time.Time, customers, meters []string) *Fake {
	tb.Helper()
	f := &Fake{Now: now, Customers: map[string]bool{}, Meters: map[string]bool{}, seen: map[string]time.Time{}, busy: map[[2]string]bool{}}
	for _, c := range customers {
		f.Customers[c] = true
	}
	for _, m := range meters {
		f.Meters[m] = true
	}
	srv := httptest.NewServer(f)
	f.URL = srv.URL
	tb.Cleanup(srv.Close)
	return f
}

// Events are those that were taken, in order.
func (f *Fake) Events() []Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Event(nil), f.events...)
}

// Total is what a customer has been told of on a meter.
func (f *Fake) Total(customer, name string) (sum int64) {
	for _, e := range f.Events() {
		if e.Customer == customer && e.Name == name {
			sum += e.Value
		}
	}
	return sum
}

// Requests is how many came.
func (f *Fake) Requests() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests
}

// Wrong lists what was wrong with requests in a way that no customer or meter explains.
func (f *Fake) Wrong() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.wrong...)
}

type failure struct {
	status                     int
	kind, code, param, message string
	ours                       bool // the client is at fault
}

func invalid(code, param, format string, args ...any) *failure {
	return &failure{status: http.StatusBadRequest, kind: "invalid_request_error", code: code, param: param, message: fmt.Sprintf(format, args...), ours: true}
}

// ServeHTTP implements http.Handler.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	form, fail := f.parse(r)
	if fail != nil {
		f.refuse(w, fail)
		return
	}
	f.mu.Lock()
	n := f.requests
	f.requests++
	next, lock := f.Next, [2]string{form.Get("payload[stripe_customer_id]"), form.Get("event_name")}
	busy := f.busy[lock]
	f.busy[lock] = true
	f.mu.Unlock()
	if busy {
		f.refuse(w, &failure{status: http.StatusTooManyRequests, kind: "invalid_request_error", code: "lock_timeout", message: "one call at a time for a customer and a meter", ours: true})
		return
	}
	defer func() {
		f.mu.Lock()
		delete(f.busy, lock)
		f.mu.Unlock()
	}()
	fault := None
	if next != nil {
		fault = next(n, form)
	}
	switch fault {
	case Throttle:
		w.Header().Set("Retry-After", "7")
		f.refuse(w, &failure{status: http.StatusTooManyRequests, kind: "invalid_request_error", code: "rate_limit", message: "Too many requests"})
		return
	case Break:
		f.refuse(w, &failure{status: http.StatusInternalServerError, kind: "api_error", message: "An unknown error occurred"})
		return
	case Drop:
		panic(http.ErrAbortHandler)
	case WrongAnswer:
		_, _ = io.WriteString(w, "<html>Welcome to the hotel</html>")
		return
	case None, BreakAfter, DropAfter:
	}
	if fail := f.take(form); fail != nil {
		f.refuse(w, fail)
		return
	}
	switch fault {
	case BreakAfter:
		f.refuse(w, &failure{status: http.StatusInternalServerError, kind: "api_error", message: "An unknown error occurred"})
	case DropAfter:
		panic(http.ErrAbortHandler)
	default:
		at, _ := strconv.ParseInt(form.Get("timestamp"), 10, 64)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"object": "billing.meter_event", "created": f.Now().Unix(), "event_name": form.Get("event_name"), "identifier": form.Get("identifier"), "livemode": false,
			"payload": map[string]string{"stripe_customer_id": lock[0], "value": form.Get("payload[value]")}, "timestamp": at,
		})
	}
}

var versionPattern = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}(\.[a-z]+)?$`)

// parse reads a request as Stripe does: its path, key, version, encoding and parameters.
func (f *Fake) parse(r *http.Request) (url.Values, *failure) {
	if r.Method != http.MethodPost || r.URL.Path != "/v1/billing/meter_events" || r.URL.RawQuery != "" {
		return nil, &failure{status: http.StatusNotFound, kind: "invalid_request_error", message: "Unrecognized request URL (" + r.Method + ": " + r.URL.Path + ")", ours: true}
	}
	if r.Header.Get("Authorization") != "Bearer "+Key {
		return nil, &failure{status: http.StatusUnauthorized, kind: "invalid_request_error", message: "Invalid API Key provided: " + strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")}
	}
	if !versionPattern.MatchString(r.Header.Get("Stripe-Version")) {
		return nil, invalid("", "", "Invalid Stripe API version: %q", r.Header.Get("Stripe-Version"))
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/x-www-form-urlencoded" {
		return nil, invalid("", "", "Invalid content type %q", r.Header.Get("Content-Type"))
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	if err != nil {
		return nil, invalid("", "", "the body breaks off")
	}
	form, err := url.ParseQuery(string(text))
	if err != nil {
		return nil, invalid("", "", "Invalid form: %s", err)
	}
	for name, values := range form {
		switch name {
		case "event_name", "identifier", "timestamp", "payload[stripe_customer_id]", "payload[value]":
		default:
			return nil, invalid("parameter_unknown", name, "Received unknown parameter: %s", name)
		}
		if len(values) != 1 {
			return nil, invalid("", name, "%s is given %d times", name, len(values))
		}
	}
	return form, nil
}

var wholeNumber = regexp.MustCompile(`^(0|[1-9][0-9]*)$`)

// take checks the event and keeps it.
func (f *Fake) take(form url.Values) *failure {
	now := f.Now()
	e := Event{Identifier: form.Get("identifier"), Name: form.Get("event_name"), Customer: form.Get("payload[stripe_customer_id]"), Taken: now}
	if e.Identifier == "" || len(e.Identifier) > 100 {
		return invalid("", "identifier", "Invalid string: must be at most 100 characters")
	}
	if e.Name == "" || len(e.Name) > 100 {
		return invalid("parameter_missing", "event_name", "Missing required param: event_name")
	}
	if !wholeNumber.MatchString(form.Get("payload[value]")) {
		return invalid("", "payload", "Invalid value: only whole numbers are allowed")
	}
	e.Value, _ = strconv.ParseInt(form.Get("payload[value]"), 10, 64)
	at, err := strconv.ParseInt(form.Get("timestamp"), 10, 64)
	if err != nil {
		return invalid("parameter_invalid_integer", "timestamp", "Invalid integer: %s", form.Get("timestamp"))
	}
	if e.At = time.Unix(at, 0).UTC(); e.At.Before(now.AddDate(0, 0, -35)) {
		return invalid("timestamp_too_far_in_past", "timestamp", "The timestamp must be within the past 35 days")
	}
	if e.At.After(now.Add(5 * time.Minute)) {
		return invalid("timestamp_in_future", "timestamp", "The timestamp may be 5 minutes in the future at most")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.Meters[e.Name] {
		fail := invalid("no_meter", "event_name", "No active meter found for event name %s", e.Name)
		fail.ours = false
		return fail
	}
	if !f.Customers[e.Customer] {
		fail := invalid("resource_missing", "payload", "No such customer: '%s'", e.Customer)
		fail.ours = false
		return fail
	}
	if last, seen := f.seen[e.Identifier]; seen && now.Sub(last) < 24*time.Hour {
		fail := invalid("", "identifier", "An event already exists with identifier %s.", e.Identifier)
		fail.ours = false
		return fail
	}
	f.seen[e.Identifier] = now
	f.events = append(f.events, e)
	return nil
}

func (f *Fake) refuse(w http.ResponseWriter, fail *failure) {
	if fail.ours {
		f.mu.Lock()
		f.wrong = append(f.wrong, fail.message)
		f.mu.Unlock()
	}
	w.Header().Set("Content-Type", "application/json")
	if fail.status == http.StatusBadRequest {
		w.Header().Set("Stripe-Should-Retry", "false")
	}
	w.WriteHeader(fail.status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"type": fail.kind, "code": fail.code, "param": fail.param, "message": fail.message}})
}
