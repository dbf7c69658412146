package stripe

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/outbound"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// Version is the version of Stripe's API that is asked for: one that knows meters, whatever the account's default is.
const Version = "2025-03-31.basil"

// Timeout is how long a request may take. Stripe answers within a second; one that is given up may have counted.
const Timeout = 20 * time.Second

const (
	path        = "/v1/billing/meter_events"
	answerBytes = 16 << 10
	longestText = 300
	longestWait = 6 * time.Hour // that an answer may ask for
)

// Client sends events.
type Client struct {
	URL string // of Stripe's API, without a path
	Key secret.Secret
	// Tell posts a form, and reads no more than keep bytes of the answer (outbound.Client.TellForm).
	Tell func(ctx context.Context, address string, form url.Values, headers http.Header, keep int64) (*outbound.Response, error)
	Now  func() time.Time
}

// Send tells Stripe of one event and says what came of it. There is no Idempotency-Key: Stripe would answer an error of its own again for a
// day to whoever repeats one, while the identifier lets another try count where the first did not.
func (c *Client) Send(ctx context.Context, e *Event) Answer {
	form := url.Values{
		"event_name":                  {e.Name},
		"identifier":                  {e.Identifier},
		"timestamp":                   {strconv.FormatInt(e.Start.Unix(), 10)},
		"payload[stripe_customer_id]": {e.Customer},
		"payload[value]":              {strconv.FormatInt(e.Units, 10)},
	}
	header := http.Header{}
	header.Set("Authorization", "Bearer "+c.Key.Reveal())
	header.Set("Stripe-Version", Version)
	answer, err := c.Tell(ctx, c.URL+path, form, header, answerBytes)
	if err != nil {
		return Answer{NotSent: notSent(err), Text: c.said(failure(err))}
	}
	return c.read(e, answer)
}

// body is what Stripe answers: the event, or an error.
type body struct {
	Object     string `json:"object"`
	Identifier string `json:"identifier"`
	Error      struct {
		Type    string `json:"type"`
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// read makes an Answer of a response. One that is not as Stripe answers, of a proxy perhaps, says nothing about the event.
func (c *Client) read(e *Event, r *outbound.Response) Answer {
	var b body
	if json.Unmarshal(r.Body, &b) != nil {
		b = body{}
	}
	a := Answer{Status: r.Status, Text: answered(r.Status), RetryAfter: retryAfter(r.Header.Get("Retry-After"), c.Now())}
	if b.Error.Message != "" {
		a.Text = c.said(strconv.Itoa(r.Status) + ": " + b.Error.Message)
	}
	should := r.Header.Get("Stripe-Should-Retry")
	switch {
	case r.Status >= 200 && r.Status < 300:
		if a.Accepted = b.Object == "billing.meter_event" && b.Identifier == e.Identifier; !a.Accepted {
			a.Text = fmt.Sprintf("the answer %d is not one of Stripe's: does LANYARD_STRIPE_URL lead elsewhere?", r.Status)
		}
	case r.Status == http.StatusUnauthorized, r.Status == http.StatusForbidden, r.Status == http.StatusConflict, r.Status == http.StatusTooManyRequests, b.Error.Type == "":
	case r.Status >= 400 && r.Status < 500:
		a.Duplicate = b.Error.Code == "duplicate_meter_event" || strings.Contains(b.Error.Message, "already exists with identifier")
		a.Refusal = true
		a.Retry = should == "true" && !a.Duplicate
	}
	return a
}

// notSent reports whether an error says that nothing of the request left: no connection was made, or none that can be trusted.
func notSent(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	return errors.As(err, &dns) || errors.As(err, &cert) || errors.As(err, &op) && op.Op == "dial" || fault.Is(err, fault.Invalid)
}

// failure is what may be shown of an error: what it says itself, and nothing of its cause.
func failure(err error) string {
	var known *fault.Error
	if errors.As(err, &known) {
		return known.Detail
	}
	return "it could not be sent"
}

// said is the beginning of a text in one line, without any credential.
func (c *Client) said(text string) string {
	text = strings.ReplaceAll(text, c.Key.Reveal(), "[redacted]")
	text = secret.Redact(strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " "))
	return fmt.Sprintf("%.*s", longestText, text)
}

// retryAfter reads the header, in seconds or as a date; what makes no sense is none.
func retryAfter(text string, now time.Time) time.Duration {
	wait := time.Duration(0)
	if seconds, err := strconv.Atoi(text); err == nil && seconds > 0 && seconds < 1<<30 {
		wait = time.Duration(seconds) * time.Second
	} else if date, err := http.ParseTime(text); err == nil {
		wait = date.Sub(now)
	}
	return min(max(wait, 0), longestWait)
}
