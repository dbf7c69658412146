package outbound

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// GetOptions narrow what is asked for.
type GetOptions struct {
	Accept   string // media types; "": any
	MaxBytes int64  // of the body; 0: 64 KiB
}

// Response is an answer, read to its end.
type Response struct {
	Status int // never 3xx
	Header http.Header
	Body   []byte
}

// Get fetches an address. A fault is Invalid where the address is refused and Unavailable where the fetch failed: nobody
// answered in time, with a certificate that counts, with a body within the bound, and without sending elsewhere. Neither
// holds more of the address than its host. Other statuses are the caller's to judge.
func (c *Client) Get(ctx context.Context, address string, o GetOptions) (*Response, error) {
	header := http.Header{}
	if o.Accept != "" {
		header.Set("Accept", o.Accept)
	}
	return c.fetch(ctx, order{method: http.MethodGet, address: address, header: header, most: o.MaxBytes})
}

// PostForm sends a form, and is otherwise like Get. maxBytes bounds the answer; 0: 64 KiB.
func (c *Client) PostForm(ctx context.Context, address string, form url.Values, maxBytes int64) (*Response, error) {
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	return c.fetch(ctx, order{method: http.MethodPost, address: address, header: header, body: []byte(form.Encode()), most: maxBytes})
}

// PostJSON sends JSON with further headers (nil: none), and is otherwise like Get. The answer may have 64 KiB.
func (c *Client) PostJSON(ctx context.Context, address string, body []byte, headers http.Header) (*Response, error) {
	header := headers.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", "application/json")
	return c.fetch(ctx, order{method: http.MethodPost, address: address, header: header, body: body})
}

// Tell sends JSON with further headers to somebody whose answer matters by its status, and is otherwise like Get. Of the body no more
// than keep bytes are read, however long it is.
func (c *Client) Tell(ctx context.Context, address string, body []byte, headers http.Header, keep int64) (*Response, error) {
	header := headers.Clone()
	header.Set("Content-Type", "application/json")
	return c.fetch(ctx, order{method: http.MethodPost, address: address, header: header, body: body, most: keep, cut: true})
}

// TellForm is Tell with a form in place of JSON.
func (c *Client) TellForm(ctx context.Context, address string, form url.Values, headers http.Header, keep int64) (*Response, error) {
	header := headers.Clone()
	header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.fetch(ctx, order{method: http.MethodPost, address: address, header: header, body: []byte(form.Encode()), most: keep, cut: true})
}

// order is one fetch.
type order struct {
	method, address string
	header          http.Header
	body            []byte
	most            int64
	cut             bool // a longer answer is cut off, and not refused
}

func (c *Client) fetch(ctx context.Context, o order) (*Response, error) {
	t, err := c.parse(o.address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	done, err := c.turns.take(ctx, t.host)
	if err != nil {
		return nil, err
	}
	defer done()
	// The host is written the one way that was looked at.
	to := *t.url
	to.Fragment, to.RawFragment = "", ""
	to.Host = strings.ToLower(to.Host)
	request, err := http.NewRequestWithContext(ctx, o.method, to.String(), bytes.NewReader(o.body))
	if err != nil {
		return nil, refused("must be an https address")
	}
	request.Header = o.header
	request.Header.Set("User-Agent", userAgent)
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, failed(err, t.host)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 && answer.StatusCode < 400 {
		return nil, fault.New(fault.Unavailable, "the host %.253s sent us elsewhere, and redirects are not followed", t.host)
	}
	most := o.most
	if most <= 0 {
		most = defaultBytes
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, most+1))
	if err != nil {
		return nil, failed(err, t.host)
	}
	if o.cut {
		body = body[:min(int64(len(body)), most)]
	}
	if int64(len(body)) > most {
		return nil, fault.New(fault.Unavailable, "the host %.253s answered with more than %d bytes", t.host, most)
	}
	return &Response{Status: answer.StatusCode, Header: answer.Header, Body: body}, nil
}

// failed makes a fault of what net/http says. Its own error quotes the whole address, in which there may be a secret.
func failed(err error, host string) error {
	var known *fault.Error
	if errors.As(err, &known) {
		return known
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fault.Down(err, "the host %.253s did not answer in time", host)
	}
	return fault.Down(err, "the host %.253s could not be read", host)
}
