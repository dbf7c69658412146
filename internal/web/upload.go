package web

import (
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// MaxUpload is the longest form with a file that is read, in bytes.
const MaxUpload = 6 << 20

// maxParts is how many fields such a form may have.
const maxParts = 100

// ReadUpload reads a form with a file (multipart/form-data) of at most MaxUpload bytes; what a file holds is its field's value, what it
// is called is not read. A plain form is read as ReadForm does.
func (k *Kit) ReadUpload(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	parts, err := r.MultipartReader()
	if errors.Is(err, http.ErrNotMultipart) {
		return k.ReadForm(w, r)
	}
	if err != nil || r.Header.Get("Content-Encoding") != "" {
		return nil, fault.Field("Content-Type", "must be multipart/form-data, not compressed")
	}
	forget := deadline(w)
	values, left := url.Values{}, int64(MaxUpload)
	for range maxParts {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			forget()
			return values, nil
		}
		if err != nil {
			w.Header().Set("Connection", "close")
			return nil, &fault.Error{Kind: fault.Invalid, Detail: "the body did not arrive whole and in time", Err: err}
		}
		text, err := io.ReadAll(io.LimitReader(part, left+1))
		if err != nil {
			w.Header().Set("Connection", "close")
			return nil, &fault.Error{Kind: fault.Invalid, Detail: "the body did not arrive whole and in time", Err: err}
		}
		if left -= int64(len(text)); left < 0 {
			w.Header().Set("Connection", "close")
			return nil, fault.New(fault.Invalid, "the form is longer than %d bytes", MaxUpload)
		}
		values.Add(part.FormName(), string(text))
	}
	return nil, fault.New(fault.Invalid, "the form has more than %d fields", maxParts)
}
