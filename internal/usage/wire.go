package usage

import (
	"encoding/binary"
	"errors"

	"github.com/lanyard-auth/lanyard/internal/id"
)

var errNotCanonical = errors.New("not the canonical encoding")

// words shares equal strings while a segment is read. A nil one shares nothing.
type words map[string]string

// maxWords bounds the memory for strings that never repeat, such as the keys of a large segment.
const maxWords = 1 << 16

func (w words) of(b []byte) string {
	if text, ok := w[string(b)]; ok {
		return text
	}
	text := string(b)
	if w != nil && len(w) < maxWords {
		w[text] = text
	}
	return text
}

// reader takes canonical values off the front of b. After the first bad one it returns only zero values; end says so.
type reader struct {
	b     []byte
	words words
	bad   bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.b) {
		r.bad = true
		return nil
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// int reads a uvarint of at most limit, in its shortest form.
func (r *reader) int(limit int64) int64 {
	v, n := binary.Uvarint(r.b)
	if r.bad || n <= 0 || v > uint64(limit) || n > 1 && r.b[n-1] == 0 { // #nosec G115 -- limits are positive constants
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return int64(v) // #nosec G115 -- at most limit
}

func (r *reader) text(limit int) string {
	b := r.take(int(r.int(int64(limit))))
	text := r.words.of(b)
	if !validText(text, limit) {
		r.bad = true
		return ""
	}
	return text
}

func (r *reader) end() error {
	if r.bad || len(r.b) > 0 {
		return errNotCanonical
	}
	return nil
}

func readID[K id.Kind](r *reader) K {
	chars := r.take(id.Length)
	var full [32]byte
	text := r.words.of(append(append(full[:0], id.Of[K]("")...), chars...))
	if r.bad || !id.IsBase62(text[len(text)-id.Length:]) {
		r.bad = true
		return ""
	}
	return K(text)
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}
