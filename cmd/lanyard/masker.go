package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/url"
	"strings"
)

// masker passes bytes on and puts `[redacted]` in the place of secrets, wherever writes divide them. Of what stands in several
// secrets at once nothing is passed on. It holds back only what may be the beginning of a secret, until that is known.
type masker struct {
	to      io.Writer
	secrets [256][]string // by their first byte
	held    []byte        // not yet decided
	covered int           // so many bytes of held, from the first, belong to a secret that began before
	inside  bool          // what was decided last belonged to a secret
}

const mask = "[redacted]"

func newMasker(to io.Writer, secrets []string) *masker {
	m := &masker{to: to}
	for _, s := range secrets {
		if s != "" {
			m.secrets[s[0]] = append(m.secrets[s[0]], s)
		}
	}
	return m
}

// Write implements io.Writer.
func (m *masker) Write(b []byte) (int, error) {
	m.held = append(m.held, b...)
	if err := m.pass(false); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close passes on what was held back. The writer behind stays open.
func (m *masker) Close() error { return m.pass(true) }

// pass decides about as many bytes as can be: about all when there are no more.
func (m *masker) pass(last bool) error {
	var out []byte
	at := 0
	for ; at < len(m.held); at++ {
		rest := m.held[at:]
		end, open := m.match(rest)
		if open && !last {
			break
		}
		m.covered = max(m.covered, at+end)
		if m.covered > at {
			if !m.inside {
				out = append(out, mask...)
			}
			m.inside = true
			continue
		}
		m.inside = false
		out = append(out, rest[0])
	}
	m.held = append(m.held[:0], m.held[at:]...)
	m.covered = max(0, m.covered-at)
	if len(out) == 0 {
		return nil
	}
	_, err := m.to.Write(out)
	return err
}

// match returns how many bytes of text the longest secret takes that it begins with, and whether one may begin there that is
// longer than text.
func (m *masker) match(text []byte) (end int, open bool) {
	for _, s := range m.secrets[text[0]] {
		switch {
		case len(s) <= len(text):
			if len(s) > end && string(text[:len(s)]) == s {
				end = len(s)
			}
		case string(text) == s[:len(text)]:
			open = true
		}
	}
	return end, open
}

// Shorter texts than these are part of much that is no secret.
const (
	leastMasked  = 4
	leastEncoded = 8
)

// writtenForms are the ways in which a secret is found in output: as it is, its longer lines, in JSON, in URLs, and in base64
// wherever it begins there.
func writtenForms(value string) []string {
	if len(value) < leastMasked {
		return nil
	}
	forms := []string{value}
	add := func(form string) {
		if len(form) >= leastEncoded && form != value {
			forms = append(forms, form)
		}
	}
	if strings.Contains(value, "\n") {
		for line := range strings.SplitSeq(value, "\n") {
			add(strings.TrimSuffix(line, "\r"))
		}
	}
	if len(value) < leastEncoded {
		return forms
	}
	add(url.QueryEscape(value))
	add(url.PathEscape(value))
	for _, html := range []bool{true, false} {
		var text bytes.Buffer
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(html)
		if enc.Encode(value) == nil {
			add(strings.Trim(strings.TrimSuffix(text.String(), "\n"), `"`))
		}
	}
	for _, alphabet := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		add(alphabet.EncodeToString([]byte(value)))
		for offset := range 3 { // the characters that stand for nothing but the secret
			all := alphabet.WithPadding(base64.NoPadding).EncodeToString(append(make([]byte, offset), value...))
			add(all[(offset*8+5)/6 : (offset+len(value))*8/6])
		}
	}
	return forms
}

// secretValues are the parts of a variable's value that are not for output, as far as name and value show.
func secretValues(name, value string) []string {
	var found []string
	if u, err := url.Parse(value); err == nil && u.User != nil {
		if password, ok := u.User.Password(); ok {
			found = append(found, password)
			if _, rest, _ := strings.Cut(u.User.String(), ":"); rest != password {
				found = append(found, rest)
			}
		}
	}
	if len(value) >= leastEncoded && (hasSecretName(name) || isSecretCredential(value)) {
		found = append(found, value)
	}
	return found
}

// hasSecretName says whether a variable is named like a secret.
func hasSecretName(name string) bool {
	for word := range strings.SplitSeq(strings.ToUpper(name), "_") {
		for _, end := range [...]string{
			"KEY", "KEYS", "SECRET", "SECRETS", "TOKEN", "TOKENS", "PASSWORD", "PASSWD", "PASS", "PWD", "PASSPHRASE", "CREDENTIAL", "CREDENTIALS", "AUTH", "PRIVATE", "DSN",
		} {
			if strings.HasSuffix(word, end) {
				return true
			}
		}
	}
	return false
}
