package stripe

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/outbound"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/stripe/stripetest"
)

func client(t *testing.T, address string) *Client {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	c, err := outbound.New(outbound.Options{Allow: []string{u.Host}, Timeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return &Client{URL: address, Key: secret.Of(stripetest.Key), Tell: c.TellForm, Now: func() time.Time { return t0 }}
}

func anEvent() *Event {
	e := &Event{Team: "team_a", API: "weather", Meter: "requests", Start: t0.Add(-2 * time.Hour), Customer: "cus_a", Name: "acme_requests", Units: 7}
	e.Identifier = Identifier("team_x", e)
	return e
}

// What Stripe refuses, and what is no answer of Stripe's, is told apart.
func TestSend(t *testing.T) {
	fake := stripetest.Start(t, func() time.Time { return t0 }, []string{"cus_a"}, []string{"acme_requests"})
	c := client(t, fake.URL)
	for _, test := range []struct {
		name  string
		alter func(*Event)
		want  Answer
		says  string
	}{
		{"an unknown customer", func(e *Event) { e.Customer = "cus_b" }, Answer{Status: 400, Refusal: true}, "No such customer: 'cus_b'"},
		{"an unknown meter", func(e *Event) { e.Name = "acme_other" }, Answer{Status: 400, Refusal: true}, "No active meter found"},
		{"a time too long ago", func(e *Event) { e.Start = t0.AddDate(0, 0, -36) }, Answer{Status: 400, Refusal: true}, "within the past 35 days"},
		{"a time to come", func(e *Event) { e.Start = t0.Add(6 * time.Minute) }, Answer{Status: 400, Refusal: true}, "future"},
		{"a number below 0", func(e *Event) { e.Units = -1 }, Answer{Status: 400, Refusal: true}, "whole numbers"},
		{"an identifier that is too long", func(e *Event) { e.Identifier = strings.Repeat("x", 101) }, Answer{Status: 400, Refusal: true}, "100 characters"},
		{"a good one", func(*Event) {}, Answer{Status: 200, Accepted: true}, ""},
		{"the same again", func(*Event) {}, Answer{Status: 400, Refusal: true, Duplicate: true}, "already exists with identifier"},
	} {
		e := anEvent()
		test.alter(e)
		got := c.Send(t.Context(), e)
		text := got.Text
		got.Text = ""
		if got != test.want || !strings.Contains(text, test.says) {
			t.Errorf("Send of %s = %+v saying %q, want %+v saying %q", test.name, got, text, test.want, test.says)
		}
	}
	if got := fake.Total("cus_a", "acme_requests"); got != 7 {
		t.Errorf("Stripe was told %d, want 7", got)
	}
}

// The key is in no answer, whoever repeats it, and goes nowhere but to Stripe.
func TestSendKeepsTheKey(t *testing.T) {
	away := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("somebody else was asked, with %q", r.Header.Get("Authorization"))
	}))
	defer away.Close()
	answers := map[string]http.HandlerFunc{
		"a wrong key": func(w http.ResponseWriter, _ *http.Request) {
			stripeError(w, 401, "Invalid API Key provided: "+stripetest.Key)
		},
		"a key without a right": func(w http.ResponseWriter, _ *http.Request) {
			stripeError(w, 403, "The key "+stripetest.Key+" may not")
		},
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, away.URL, http.StatusTemporaryRedirect)
		},
		"a page of a proxy": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>" + stripetest.Key)) },
		"a long answer": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"object":"billing.meter_event","identifier":"` + strings.Repeat(stripetest.Key, 1<<16)))
		},
		"another event": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"object":"billing.meter_event","identifier":"lanyard-1"}`))
		},
		"a 404 of a proxy":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) },
		"a conflict":        func(w http.ResponseWriter, _ *http.Request) { stripeError(w, 409, "in progress") },
		"a broken off body": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	}
	for name, answer := range answers {
		srv := httptest.NewServer(answer)
		c := client(t, srv.URL)
		got := c.Send(t.Context(), anEvent())
		srv.Close()
		if got.Accepted || got.Refusal || got.Duplicate || got.NotSent || got.Text == "" || strings.Contains(got.Text, "NotARealKey") || len(got.Text) > longestText {
			t.Errorf("%s: Send = %+v, want that nothing is known of the event, and no key", name, got)
		}
		closed := c.Send(t.Context(), anEvent())
		if !closed.NotSent || strings.Contains(closed.Text, "NotARealKey") {
			t.Errorf("Send to nobody = %+v, want that it was not sent", closed)
		}
	}
	c := client(t, "https://stripe.invalid")
	if got := c.Send(t.Context(), anEvent()); !got.NotSent {
		t.Errorf("Send to a name that is none = %+v, want that it was not sent", got)
	}
	c.Tell = func(context.Context, string, url.Values, http.Header, int64) (*outbound.Response, error) {
		return nil, errors.New("broken: " + stripetest.Key)
	}
	if got := c.Send(t.Context(), anEvent()); got.NotSent || strings.Contains(got.Text, "NotARealKey") {
		t.Errorf("Send that breaks = %+v, want that nothing is known, and no key", got)
	}
}

func stripeError(w http.ResponseWriter, status int, message string) {
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`{"error":{"type":"invalid_request_error","message":"` + message + `"}}`))
}

func TestRetryAfter(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-7": 0, "soon": 0, "99999999999999": 0, "86400": 6 * time.Hour, t0.Add(time.Minute).Format(http.TimeFormat): time.Minute,
	} {
		if got := retryAfter(text, t0); got != want {
			t.Errorf("retryAfter(%q) = %s, want %s", text, got, want)
		}
	}
}
