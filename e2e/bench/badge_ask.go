package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"
)

// form is the bytes of a request of a client that proves itself by its secret.
func (c *client) form(address, path string, fields url.Values) []byte {
	body := fields.Encode()
	basic := base64.StdEncoding.EncodeToString([]byte(string(c.app) + ":" + c.secret))
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Basic %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
		path, address, basic, len(body), body)
}

// decide is the bytes of a question of /v1/verify about a token.
func (b *badge) decide(address, credential, api string) []byte {
	return (&seeded{asker: b.asker}).request(address, api, credential)
}

// issuance is a client that asks for tokens of its own, one after the other.
type issuance struct {
	request []byte
	begin   []byte
	last    []byte // the token it got last
	got     int
}

func newIssuance(c *client, address, format string) *issuance {
	return &issuance{
		request: c.form(address, "/oauth/token", url.Values{"grant_type": {"client_credentials"}, "scope": {scopeOf(format)}}), begin: tokenBegins(format),
	}
}

func (s *issuance) next() []byte { return s.request }

// heard wants another token than the one before.
func (s *issuance) heard(body []byte) error {
	if err := begins(body, s.begin); err != nil {
		return err
	}
	made := member(body, `"access_token":"`)
	if len(made) < 64 || bytes.Equal(made, s.last) {
		return fmt.Errorf("the server issued %d bytes, or the same token again", len(made))
	}
	s.last = append(s.last[:0], made...)
	s.got++
	return nil
}

// tokenBegins is how an answer with an access token of a format begins.
func tokenBegins(format string) []byte {
	if format == formatOpaque {
		return []byte(`{"access_token":"lyd_at_live_`)
	}
	return []byte(`{"access_token":"eyJ`)
}

// member is the text of a JSON string of ours, which holds no escapes; empty if it is not there.
func member(body []byte, opening string) []byte {
	_, rest, _ := bytes.Cut(body, []byte(opening))
	value, _, closed := bytes.Cut(rest, []byte(`"`))
	if !closed {
		return nil
	}
	return value
}

// rotation is a client that refreshes, one token after the other.
type rotation struct {
	client  *client
	address string
	begin   []byte
	refresh []byte // to be presented next
	last    []byte // the access token it got last
	got     int
	request []byte
}

// redeem begins a chain by a code, over the protocol.
func (b *badge) redeem(ctx context.Context, c *client, address, format string) (*rotation, error) {
	code, err := b.code(ctx, c, format)
	if err != nil {
		return nil, err
	}
	r := &rotation{client: c, address: address, begin: tokenBegins(format)}
	request := c.form(address, "/oauth/token", url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}})
	return r, ask(address, func(yield func([]byte) bool) { yield(request) }, r.heard)
}

func (r *rotation) next() []byte {
	r.request = r.client.form(r.address, "/oauth/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {string(r.refresh)}})
	return r.request
}

// heard wants an access token, and a refresh token in the place of the one that was presented.
func (r *rotation) heard(body []byte) error {
	if err := begins(body, r.begin); err != nil {
		return err
	}
	next := member(body, `"refresh_token":"`)
	if !bytes.HasPrefix(next, []byte("lyd_rt_live_")) || bytes.Equal(next, r.refresh) {
		return errors.New("the refresh token was not exchanged")
	}
	r.refresh = append(r.refresh[:0], next...)
	r.last = append(r.last[:0], member(body, `"access_token":"`)...)
	r.got++
	return nil
}

// once sends each request once, over whichever connection comes next.
type once struct {
	requests [][]byte
	taken    atomic.Int64
	right    func(body []byte) error
}

func (o *once) fill(requests [][]byte, right func(body []byte) error) {
	o.requests, o.right = requests, right
	o.taken.Store(0)
}

func (o *once) next() []byte {
	i := o.taken.Add(1) - 1
	if i >= int64(len(o.requests)) {
		return nil
	}
	return o.requests[i]
}

func (o *once) heard(body []byte) error { return o.right(body) }
