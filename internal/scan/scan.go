// Package scan finds a deployment's credentials in bytes, files, trees and archives, as they are and in the forms in which they
// get into files: UTF-16, base64, escapes of URLs, strings, HTML and mail.
//
// A Finder looks through bytes; a Scanner brings it the bytes of places. Only what carries the right checksum is found, so that
// a finding is a credential, not a guess; whether somebody issued it and whether it still works is the server's to say. Nothing
// here prints a credential: a Finding holds it as a secret.Secret, and shows its public part as Hint.
//
// Three things are searched for, each with a cheap look at most bytes:
//
//   - The heads, `lyd_key_live_` and so on, plain, in UTF-16 and in base64, by their first characters, all at once (matcher).
//   - Line breaks between what looks like base64: one may cut a head in two (breaks).
//   - Escapes that stand for a character of a head. What is around them is decoded and searched (escapes).
//
// Two layers are undone: base64 of UTF-16 (PowerShell), base64 of base64 (a registry's password in a Kubernetes secret). What is
// encrypted, compressed in other ways than Scanner opens, or written in pieces by a program is not found.
package scan

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"sync"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// Encoding says how a credential is written where it was found. One inside another reads `base64/utf-16le`, the outer first.
type Encoding string

// The encodings.
const (
	Plain           Encoding = "plain"
	UTF16LE         Encoding = "utf-16le"
	UTF16BE         Encoding = "utf-16be"
	Base64          Encoding = "base64"           // either alphabet: our characters are written the same in both
	Percent         Encoding = "percent"          // %5F, %255F, %u005f
	Backslash       Encoding = "backslash"        // \u005f, \x5f, \137, \_ (Markdown, TeX), a line continued
	Entity          Encoding = "entity"           // &#95; &#x5f; &lowbar;
	QuotedPrintable Encoding = "quoted-printable" // =5F, a soft line break
)

// Finding is one credential in one place.
type Finding struct {
	Kind secret.Kind
	Mode secret.Mode
	ID   string // public

	Path     string // as Scanner names it; "" from Finder.Find
	Offset   int64  // of its first byte
	Line     int    // from 1
	Column   int    // from 1: in code points, in UTF-16 text in its units
	Encoding Encoding
	Variable string // what it is assigned to, as far as its line shows: API_KEY; else ""

	Credential secret.Secret // decoded
	Allowed    bool          // by AllowMark on its line
	Known      bool          // to the baseline
}

// Hint returns what may be shown: `lyd_key_live_8fK2mQz7Lr0Xc41Z…`.
func (f Finding) Hint() string { return secret.Hint(f.Credential.Reveal()) }

// Digest returns the SHA-256 of the credential in hexadecimal, by which a Baseline knows it. 190 random bits cannot be guessed
// from it.
func (f Finding) Digest() string {
	sum := sha256.Sum256([]byte(f.Credential.Reveal()))
	return hex.EncodeToString(sum[:])
}

// Open says whether somebody has to look: neither allowed nor known.
func (f Finding) Open() bool { return !f.Allowed && !f.Known }

// Finder finds the credentials of a deployment. It is made once by NewFinder and may be used by many goroutines.
type Finder struct {
	heads    []head
	matcher  *matcher
	inHead   [256]bool // bytes that heads are made of
	isBase64 [256]bool
	scratch  sync.Pool // of *search
}

// NewFinder returns a Finder of credentials with these prefixes, such as "lyd": the one in use and those of before.
func NewFinder(prefixes ...string) (*Finder, error) {
	if len(prefixes) == 0 {
		return nil, errors.New("find credentials: no prefix is given")
	}
	f := &Finder{}
	for c := range f.isBase64 {
		f.isBase64[c] = isBase64(byte(c))
	}
	for i, prefix := range prefixes {
		if err := secret.ValidPrefix(prefix); err != nil {
			return nil, err
		}
		if slices.Contains(prefixes[:i], prefix) {
			continue
		}
		f.heads = append(f.heads, headsOf(prefix)...)
	}
	for _, h := range f.heads {
		for i := range len(h.text) {
			f.inHead[h.text[i]] = true
		}
	}
	f.matcher = newMatcher(needlesFor(f.heads))
	f.scratch.New = func() any { return &search{finder: f} }
	return f, nil
}

// Find returns what stands in data, by offset. Of the same credential at one place in several readings it returns one.
func (f *Finder) Find(data []byte) []Finding {
	s := f.search()
	defer f.scratch.Put(s)
	at := newPlace(data)
	var found []Finding
	from := 0
	for _, h := range s.run(data) {
		from = at.walk(data, from, h.start)
		found = append(found, at.finding(data, h, 0))
	}
	return found
}

func (f *Finder) search() *search { return f.scratch.Get().(*search) }

// hit is a credential in the bytes at hand.
type hit struct {
	start, end int // of its written form
	text       string
	public     secret.Credential
	encoding   Encoding
}

// search is one run over one piece of data, with the buffers it needs.
type search struct {
	finder  *Finder
	data    []byte
	hits    []hit
	matches []match
	word    []byte // decoded text
	raw     []int  // where in data each byte of word begins
	fold    []byte // base64 around a line break
	origin  []int  // where in data each byte of fold stands
}

// run returns what stands in data, by place. The slice is good until the next run.
func (s *search) run(data []byte) []hit {
	s.data, s.hits = data, s.hits[:0]
	s.matches = s.finder.matcher.all(data, s.matches[:0])
	for _, match := range s.matches {
		for _, form := range match.forms {
			if h, ok := s.readAt(data, match.pos, form, 0); ok {
				s.hits = append(s.hits, h)
			}
		}
	}
	s.breaks()
	s.escapes()
	s.data = nil
	return s.distinct()
}

// distinct puts hits in order and drops what is the same credential in the same place.
func (s *search) distinct() []hit {
	slices.SortStableFunc(s.hits, func(a, b hit) int { return a.start - b.start })
	kept := s.hits[:0]
	for _, h := range s.hits {
		same := func(k hit) bool { return k.text == h.text && h.start < k.end }
		// A written form overlaps few others: looking back a little suffices.
		if !slices.ContainsFunc(kept[max(0, len(kept)-8):], same) {
			kept = append(kept, h)
		}
	}
	s.hits = kept
	return kept
}

// maxLayers is how many encodings one inside the other are undone.
const maxLayers = 2

// readAt reads the credential whose head begins at data[pos] in one form.
func (s *search) readAt(data []byte, pos int, form form, layers int) (hit, bool) {
	switch {
	case form.encoding == Plain:
		return s.readPlain(data, pos)
	case form.encoding == UTF16LE:
		return s.readWide(data, pos)
	case layers == maxLayers:
		return hit{}, false
	}
	return s.readBase64(data, pos, form.offset, layers)
}

func (s *search) readPlain(data []byte, pos int) (hit, bool) {
	if text, public, ok := s.finder.parse(data[pos:]); ok {
		return hit{start: pos, end: pos + len(text), text: text, public: public, encoding: Plain}, true
	}
	return s.readEscapedTail(data, pos)
}
