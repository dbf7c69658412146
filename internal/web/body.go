package web

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// MaxBody is the longest body that is read, in bytes.
const MaxBody = 1 << 20

// bodyTime is how long a body may take to arrive.
const bodyTime = 10 * time.Second

// ReadBody reads a JSON body of at most MaxBody bytes. A longer one, one that is slow to arrive, and one of another media
// type or encoding are faults of kind Invalid; the connection is closed after a longer one, since its rest is not read.
// An absent body is empty.
func (k *Kit) ReadBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	return k.ReadLongBody(w, r, MaxBody)
}

// ReadLongBody is ReadBody with another bound.
func (k *Kit) ReadLongBody(w http.ResponseWriter, r *http.Request, most int) ([]byte, error) {
	if r.ContentLength > int64(most) {
		return nil, tooLong(w, "body", most)
	}
	forget := deadline(w)
	body, err := read(r, int64(most))
	if err != nil {
		// The deadline stays: net/http would otherwise wait for the rest.
		w.Header().Set("Connection", "close")
		return nil, &fault.Error{Kind: fault.Invalid, Detail: "the body did not arrive whole and in time", Err: err}
	}
	if len(body) > most {
		return nil, tooLong(w, "body", most)
	}
	forget()
	if len(body) == 0 {
		return nil, nil
	}
	return body, checkMedia(r.Header)
}

// deadline bounds how long the body may take; forget ends the bound, which would later cut off a handler that waits. The time
// of a socket is the system's, whatever the clock of the server says: by another one net/http would take the connection for
// broken.
func deadline(w http.ResponseWriter) (forget func()) {
	control := http.NewResponseController(w)
	// A writer that has no deadlines (in tests, or below a buffer) is no reason to refuse.
	_ = control.SetReadDeadline(time.Now().Add(bodyTime)) //nolint:forbidigo // see above
	return func() { _ = control.SetReadDeadline(time.Time{}) }
}

func read(r *http.Request, most int64) ([]byte, error) {
	if r.ContentLength > 0 && r.ContentLength <= MaxBody { // at most that, as the caller has seen
		body := make([]byte, r.ContentLength)
		_, err := io.ReadFull(r.Body, body)
		return body, err
	}
	return io.ReadAll(io.LimitReader(r.Body, most+1))
}

func tooLong(w http.ResponseWriter, what string, most int) error {
	w.Header().Set("Connection", "close")
	return fault.New(fault.Invalid, "the %s is longer than %d bytes", what, most)
}

func checkMedia(h http.Header) error {
	if encoding := h.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return fault.Field("Content-Encoding", "must be absent: bodies are not decompressed")
	}
	types := h.Values("Content-Type")
	if len(types) != 1 {
		return fault.Field("Content-Type", "must be application/json")
	}
	if types[0] == "application/json" {
		return nil
	}
	media, parameters, err := mime.ParseMediaType(types[0])
	if err != nil || media != "application/json" {
		return fault.Field("Content-Type", "must be application/json")
	}
	if charset, named := parameters["charset"]; named && !strings.EqualFold(charset, "utf-8") {
		return fault.Field("Content-Type", "must be application/json in UTF-8")
	}
	return nil
}

// Query refuses query strings that do not mean one thing: bad escapes, a name given twice, an empty value, control
// characters. Whether a name is known is the endpoint's to say.
func Query(r *http.Request) error {
	if r.URL.RawQuery == "" {
		return nil
	}
	values, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return fault.Field("query", "is not well formed")
	}
	for name, given := range values {
		field := Field(name)
		switch {
		case !printable(name):
			return fault.Field("query", "holds a parameter whose name is not plain text")
		case len(given) > 1:
			return fault.Field(field, "is given %d times", len(given))
		case given[0] == "":
			return fault.Field(field, "is empty; leave it out instead")
		case !printable(given[0]):
			return fault.Field(field, "holds control characters or is not valid UTF-8")
		}
	}
	return nil
}

var errEmptyName = errors.New("a parameter without a name")

func parseQuery(raw string) (url.Values, error) {
	values, err := url.ParseQuery(raw)
	if err == nil && values.Has("") {
		err = errEmptyName
	}
	return values, err
}

func printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// Field shortens and redacts a name that came from outside, so that a problem can repeat it.
func Field(name string) string { return Path(jsontext.Pointer("").AppendToken(name)) }

// MaxForm is the longest form that is read, in bytes.
const MaxForm = 64 << 10

const formType = "application/x-www-form-urlencoded"

// ReadForm reads a form (application/x-www-form-urlencoded) of at most MaxForm bytes, from the body alone: what stands in
// the query is not part of it. Anything else is a fault of kind Invalid.
func (k *Kit) ReadForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	types := r.Header.Values("Content-Type")
	media := ""
	if len(types) == 1 {
		if media = types[0]; media != formType {
			media, _, _ = mime.ParseMediaType(media)
		}
	}
	if media != formType {
		return nil, fault.Field("Content-Type", "must be application/x-www-form-urlencoded")
	}
	if r.Header.Get("Content-Encoding") != "" {
		return nil, fault.Field("Content-Encoding", "must be absent: bodies are not decompressed")
	}
	if r.ContentLength > MaxForm {
		return nil, tooLong(w, "form", MaxForm)
	}
	forget := deadline(w)
	body, err := read(r, MaxForm)
	if err != nil {
		w.Header().Set("Connection", "close")
		return nil, &fault.Error{Kind: fault.Invalid, Detail: "the body did not arrive whole and in time", Err: err}
	}
	if len(body) > MaxForm {
		return nil, tooLong(w, "form", MaxForm)
	}
	forget()
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, fault.New(fault.Invalid, "the form is not well formed")
	}
	return values, nil
}
