package page

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// writers are fast ones: what is sent compressed is compressed for each request of it.
var writers = sync.Pool{New: func() any { //nolint:gochecknoglobals // a pool is for the whole process
	z, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic("page: " + err.Error()) // the level is one of theirs
	}
	return z
}}

// squeezed is body as gzip.
func squeezed(body []byte) []byte {
	var b bytes.Buffer
	z, _ := writers.Get().(*gzip.Writer)
	z.Reset(&b)
	_, _ = z.Write(body) // a Buffer takes everything
	_ = z.Close()
	writers.Put(z)
	return b.Bytes()
}

// takesGzip reports whether whoever asks reads gzip (RFC 9110 section 12.5.3).
func takesGzip(r *http.Request) bool {
	for _, line := range r.Header.Values("Accept-Encoding") {
		for part := range strings.SplitSeq(line, ",") {
			coding, params, _ := strings.Cut(part, ";")
			if name := strings.TrimSpace(coding); !strings.EqualFold(name, "gzip") && !strings.EqualFold(name, "x-gzip") {
				continue
			}
			if q, found := strings.CutPrefix(strings.TrimSpace(params), "q="); found {
				weight, err := strconv.ParseFloat(q, 64)
				return err == nil && weight > 0
			}
			return true
		}
	}
	return false
}

// writeOpen writes what holds no secret, so that its length may tell of its text: as gzip where that is read.
func writeOpen(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	h := w.Header()
	h.Add("Vary", "Accept-Encoding")
	if takesGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body = squeezed(body)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // who does not read it has gone
}
