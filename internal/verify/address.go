package verify

import (
	"net/url"
	"strings"
)

// maxAddress is the longest address of a request that is compared, in bytes.
const maxAddress = 4 << 10

// normalURL returns an absolute http or https address without query and fragment in one form, so that equal addresses are
// equal text (RFC 3986 sections 6.2.2 and 6.2.3, which RFC 9449 section 4.3 asks for): scheme and host in lower case, no
// default port, "/" for an empty path, percent-encodings in upper case and only where needed. Dot segments are refused and
// not resolved: whoever serves the request refuses them too.
func normalURL(text string) (string, bool) {
	if len(text) > maxAddress {
		return "", false
	}
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Opaque != "" || u.Hostname() == "" {
		return "", false
	}
	scheme := strings.ToLower(u.Scheme)
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	switch {
	case scheme == "https" && port == "443", scheme == "http" && port == "80":
		port = ""
	case scheme != "https" && scheme != "http":
		return "", false
	}
	if port != "" {
		host += ":" + port
	}
	path, ok := normalEscapes(u.EscapedPath())
	if !ok {
		return "", false
	}
	return scheme + "://" + host + path, true
}

// normalEscapes brings the percent-encodings of a path into one form.
func normalEscapes(path string) (string, bool) {
	if path == "" {
		return "/", true
	}
	var b strings.Builder
	b.Grow(len(path))
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c != '%' {
			b.WriteByte(c)
			continue
		}
		if i+2 >= len(path) {
			return "", false
		}
		high, ok1 := hexDigit(path[i+1])
		low, ok2 := hexDigit(path[i+2])
		if !ok1 || !ok2 {
			return "", false
		}
		if c := high<<4 | low; isUnreserved(c) {
			b.WriteByte(c)
		} else {
			const digits = "0123456789ABCDEF"
			b.WriteByte('%')
			b.WriteByte(digits[high])
			b.WriteByte(digits[low])
		}
		i += 2
	}
	normal := b.String()
	for segment := range strings.SplitSeq(normal, "/") {
		if segment == "." || segment == ".." {
			return "", false
		}
	}
	return normal, true
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// isUnreserved is unreserved of RFC 3986 section 2.3: these mean the same encoded or not.
func isUnreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// SameResource reports whether two identifiers of APIs mean the same one.
func SameResource(a, b string) bool { return canonicalResource(a) == canonicalResource(b) }

// canonicalResource is the form in which identifiers of APIs are compared: scheme and host in lower case, no slash at the
// end (RFC 8707 section 2, RFC 3986 section 6.2.2.1). What is no such address is compared as it is.
func canonicalResource(text string) string {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return strings.TrimSuffix(text, "/")
	}
	host, path := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	return strings.ToLower(scheme) + "://" + strings.ToLower(host) + strings.TrimSuffix(path, "/")
}
