package web

import (
	"bytes"
	"io"
	"net/http"
)

// Capture is an answer that is kept and not sent, for a handler that is asked in this process. Its zero value is ready.
type Capture struct {
	Max    int  // bytes of the body that are kept; 0: all
	Cut    bool // there was more
	Status int  // 0: nothing was answered yet
	Body   bytes.Buffer
	header http.Header
}

// Header implements http.ResponseWriter.
func (c *Capture) Header() http.Header {
	if c.header == nil {
		c.header = http.Header{}
	}
	return c.header
}

// WriteHeader implements http.ResponseWriter. What comes before the answer itself (1xx) is passed over.
func (c *Capture) WriteHeader(status int) {
	if c.Status == 0 && status >= 200 {
		c.Status = status
	}
}

// Write implements http.ResponseWriter.
func (c *Capture) Write(p []byte) (int, error) {
	c.WriteHeader(http.StatusOK)
	kept := p
	if c.Max > 0 && c.Body.Len()+len(p) > c.Max {
		kept, c.Cut = p[:max(c.Max-c.Body.Len(), 0)], true
	}
	c.Body.Write(kept)
	return len(p), nil
}

// InProcess sends requests to a handler without a connection.
type InProcess struct{ http.Handler }

// RoundTrip implements http.RoundTripper.
func (h InProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r = r.Clone(r.Context())
		r.Body = http.NoBody
	}
	defer func() { _ = r.Body.Close() }() // it was read
	var c Capture
	h.ServeHTTP(&c, r)
	c.WriteHeader(http.StatusOK)
	return &http.Response{
		StatusCode: c.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: c.Header(), Request: r,
		Body: io.NopCloser(&c.Body), ContentLength: int64(c.Body.Len()),
	}, nil
}
