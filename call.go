package lanyard

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxAnswer is how much of an answer is read, in bytes. Exports are streams and have no limit.
const maxAnswer = 1 << 20

// call is one request to the JSON API.
type call struct {
	op        string   // for errors: "create key"
	method    string   //
	at        []string // the segments below /v1, unescaped
	query     url.Values
	in        any           // nil: no body
	create    bool          // sends an Idempotency-Key of its own, and so may be repeated once
	repeat    bool          // may be repeated once: the server sees to it that twice is as good as once
	anonymous bool          // says nothing of who asks
	wait      time.Duration // how much longer than others it may take
}

// answer is a response read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// fetch makes a call and decodes what comes back.
func fetch[T any](ctx context.Context, c *Client, k call) (T, error) {
	var out, none T
	a, err := c.do(ctx, k)
	if err != nil {
		return none, err
	}
	if err := json.Unmarshal(a.body, &out); err != nil {
		return none, fmt.Errorf("%s: cannot read the answer, so the server is newer or older than this client, or LANYARD_URL is no Lanyard: %w", k.op, err)
	}
	return out, nil
}

// tell makes a call whose answer says nothing but that it worked.
func (c *Client) tell(ctx context.Context, k call) error {
	_, err := c.do(ctx, k)
	return err
}

// do makes a call, and once more where that is safe and the connection broke or the server asks for a moment.
func (c *Client) do(ctx context.Context, k call) (*answer, error) {
	var body []byte
	if k.in != nil {
		var err error
		if body, err = json.Marshal(k.in); err != nil {
			return nil, fmt.Errorf("%s: %w", k.op, err)
		}
	}
	key := ""
	if k.create {
		key = rand.Text()
	}
	a, err := c.attempt(ctx, k, body, key)
	if pause, again := k.again(a, err); again && ctx.Err() == nil {
		if err := wait(ctx, pause); err != nil {
			return nil, fmt.Errorf("%s: %w", k.op, err)
		}
		a, err = c.attempt(ctx, k, body, key)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.op, err)
	}
	return a, a.refusal(k.op, c.Token)
}

// again says whether to repeat a call, and after how long.
func (k call) again(a *answer, err error) (time.Duration, bool) {
	if !k.create && !k.repeat {
		return 0, false
	}
	if err != nil {
		var broken *brokenError
		return 0, errors.As(err, &broken)
	}
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		return 0, false
	}
	pause := retryAfter(a.header)
	return pause, pause <= time.Second
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// attempt sends a call once and reads the answer whole, so that its connection can be used again.
func (c *Client) attempt(ctx context.Context, k call, body []byte, key string) (*answer, error) {
	limit := k.wait + DefaultTimeout
	if c.Timeout > 0 {
		limit = k.wait + c.Timeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, &lateError{c.URL, limit})
	defer cancel()
	res, err := c.send(ctx, k, body, key)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if len(text) > maxAnswer {
		return nil, fmt.Errorf("the answer is longer than %d bytes: is %s a Lanyard server?", maxAnswer, c.URL)
	}
	return &answer{res.StatusCode, res.Header, text}, nil
}

// send sends a call once. It follows no redirect: the token would go along.
func (c *Client) send(ctx context.Context, k call, body []byte, key string) (*http.Response, error) {
	req, err := c.request(ctx, k, body, key)
	if err != nil {
		return nil, err
	}
	direct := http.Client{}
	if c.HTTP != nil {
		direct = *c.HTTP
	}
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := direct.Do(req) // #nosec G704 -- the server's address is the operator's own setting
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	return res, nil
}

func (c *Client) request(ctx context.Context, k call, body []byte, key string) (*http.Request, error) {
	address, err := baseURL(c.URL)
	if err != nil {
		return nil, err
	}
	if err := checkToken(c.Token.Reveal()); err != nil && !k.anonymous {
		return nil, err
	}
	path, err := k.path()
	if err != nil {
		return nil, err
	}
	var content io.Reader // a nil *bytes.Reader in it would not be nil
	if body != nil {
		content = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, k.method, address+path, content)
	if err != nil {
		return nil, err
	}
	if !k.anonymous {
		req.Header.Set("Authorization", "Bearer "+c.Token.Reveal())
	}
	req.Header.Set("User-Agent", "lanyard-go")
	if c.UserAgent != "" {
		req.Header.Set("User-Agent", c.UserAgent)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	return req, nil
}

// path refuses segments that would lead elsewhere: an empty id names the list, and ".." the thing above.
func (k call) path() (string, error) {
	path := "/v1"
	for _, segment := range k.at {
		if segment == "" || segment == "." || segment == ".." {
			return "", fmt.Errorf("%q is no id and no name", segment)
		}
		path += "/" + url.PathEscape(segment)
	}
	if len(k.query) > 0 {
		path += "?" + k.query.Encode()
	}
	return path, nil
}

// refusal returns the error an answer stands for; nil for success.
func (a *answer) refusal(op string, token Secret) error {
	switch {
	case a.status >= 200 && a.status < 300:
		return nil
	case a.status >= 300 && a.status < 400:
		return fmt.Errorf("%s: the server sends us to another address (%d), and a credential is not sent after it: set LANYARD_URL to where it really is", op, a.status)
	}
	return a.problem(op, token)
}

// brokenError is a connection that could not be made or broke.
type brokenError struct {
	address string
	err     error
}

func (e *brokenError) Error() string {
	return "cannot reach the Lanyard server at " + e.address + ": is it running, and is LANYARD_URL right? " + e.err.Error()
}
func (e *brokenError) Unwrap() error { return e.err }

// lateError is an answer that did not come in time. Callers see context.DeadlineExceeded in it.
type lateError struct {
	address string
	limit   time.Duration
}

func (e *lateError) Error() string {
	return "the Lanyard server at " + e.address + " did not answer within " + e.limit.String() + ": try again, or look at its log"
}
func (*lateError) Unwrap() error { return context.DeadlineExceeded }

// unreachable tells apart why no answer came: the caller gave up, time ran out, or the connection broke.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var outer *url.Error // repeats method and address
	if errors.As(err, &outer) {
		err = outer.Err
	}
	// The transport quotes what a server said that speaks no HTTP; a server may repeat what it was sent.
	if text := err.Error(); strings.Contains(text, c.Token.Reveal()) {
		err = errors.New(tame(text, c.Token.Reveal()))
	}
	return &brokenError{c.URL, err}
}
