package policy

import (
	"errors"
	"net/url"
	"strings"
	"unicode/utf8"
)

// ErrAmbiguousPath is returned for a path that two programs could read as two places.
var ErrAmbiguousPath = errors.New(`the path has more than one reading: it must begin with "/" and hold no empty, "." or ".." segment, ` +
	`no ";", "#", "?", backslash or control character, also not percent-encoded, no encoded slash or dot, and at most 8,192 bytes`)

// NormalPath returns the one form of a path that is matched and forwarded alike: percent-decoded, so that equal places are
// equal text. path is as it stood on the wire, without its query. A path that a proxy, a framework or a file system behind
// us might read differently is refused, because a rule matched on one reading would guard another.
// A path without percent signs is returned as it came, without allocation.
func NormalPath(path string) (string, error) {
	if path == "" || path[0] != '/' || len(path) > 8<<10 {
		return "", ErrAmbiguousPath
	}
	if err := unambiguous(path); err != nil {
		return "", err
	}
	if strings.IndexByte(path, '%') < 0 {
		return path, nil
	}
	if hidesSeparator(path) {
		return "", ErrAmbiguousPath
	}
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return "", ErrAmbiguousPath
	}
	// What decoding brought to light is held to the same rules; a percent sign left over would be a second encoding.
	if err := unambiguous(decoded); err != nil || strings.IndexByte(decoded, '%') >= 0 {
		return "", ErrAmbiguousPath
	}
	return decoded, nil
}

func unambiguous(path string) error {
	segment := 0 // where the current segment began
	for i := 0; i <= len(path); i++ {
		if i == len(path) || path[i] == '/' {
			switch path[segment:i] {
			case ".", "..":
				return ErrAmbiguousPath
			case "":
				if i > 0 && i < len(path) { // "//"; a slash at the very end is a place of its own
					return ErrAmbiguousPath
				}
			}
			segment = i + 1
			continue
		}
		switch c := path[i]; {
		case c < 0x20, c == 0x7f, c == ';', c == '#', c == '?', c == '\\':
			return ErrAmbiguousPath
		case c == 0xc2 && i+1 < len(path) && path[i+1] < 0xa0: // U+0080 to U+009F: the other control characters
			return ErrAmbiguousPath
		}
	}
	if !utf8.ValidString(path) {
		return ErrAmbiguousPath
	}
	return nil
}

// hidesSeparator finds an encoded slash or dot. Nobody needs to encode a dot, and some programs take dot segments out
// before they decode, some after.
func hidesSeparator(path string) bool {
	for i := 0; i+2 < len(path); i++ {
		if path[i] != '%' || path[i+1] != '2' {
			continue
		}
		switch path[i+2] {
		case 'f', 'F', 'e', 'E':
			return true
		}
	}
	return false
}
