package lanyard

import (
	"net/http"
	"net/netip"
	"strings"
)

// StripHeaders removes from a request's headers what must not pass a door, in every spelling that some program behind it
// might take for the same name (case; underscore, dot or another sign in place of a dash):
//
//   - the credentials, Authorization and X-Api-Key, and DPoP;
//   - X-Lanyard-…, which only a door may set;
//   - headers that override the method the decision was made on;
//   - Lanyard's own cookies.
//
// Connection cannot name any of them either, or a proxy behind would drop what a door sets.
func StripHeaders(h http.Header) {
	for name, values := range h {
		switch {
		case isOurs(name):
			delete(h, name)
		case strings.EqualFold(name, "Connection"):
			keep(h, name, values, ",", isOurs)
		case strings.EqualFold(name, "Cookie"):
			keep(h, name, values, ";", isOurCookie)
		}
	}
}

// isOurs says whether a header stops at a door.
func isOurs(name string) bool {
	plain := strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return '-'
	}, strings.TrimSpace(name))
	switch plain {
	case "authorization", "dpop", "x-api-key", "x-lanyard", "x-http-method-override", "x-http-method", "x-method-override":
		return true
	}
	return strings.HasPrefix(plain, "x-lanyard-")
}

func isOurCookie(pair string) bool {
	name, _, _ := strings.Cut(pair, "=")
	name = strings.TrimSpace(name)
	return strings.EqualFold(name, "lanyard") || strings.EqualFold(name, "__Host-lanyard")
}

// keep rewrites a header that is a list without the items to drop. A value with nothing to drop stays as it came.
func keep(h http.Header, name string, values []string, separator string, drop func(string) bool) {
	var left []string
	for _, value := range values {
		var items []string
		dropped := false
		for item := range strings.SplitSeq(value, separator) {
			if drop(item) {
				dropped = true
			} else if item = strings.TrimSpace(item); item != "" {
				items = append(items, item)
			}
		}
		switch {
		case !dropped:
			left = append(left, value)
		case len(items) > 0:
			left = append(left, strings.Join(items, separator+" "))
		}
	}
	if len(left) == 0 {
		delete(h, name)
		return
	}
	h[name] = left
}

// ClientIP returns the address a request came from: that of the connection, or, when that is a trusted proxy's, the last
// address in X-Forwarded-For that is not (the first if all are trusted). It is the zero Addr when there is none to be had;
// a restriction to addresses then fails.
func ClientIP(r *http.Request, trusted []netip.Prefix) netip.Addr {
	addr := parseAddr(r.RemoteAddr)
	if !isTrusted(addr, trusted) {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop := strings.TrimSpace(hops[i])
		if hop == "" && len(hops) == 1 { // no header: the proxy itself asks
			return addr
		}
		if addr = parseAddr(hop); !isTrusted(addr, trusted) {
			return addr
		}
	}
	return addr
}

func isTrusted(addr netip.Addr, trusted []netip.Prefix) bool {
	for _, prefix := range trusted {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// parseAddr reads an address with or without a port. IPv4 in IPv6 is IPv4, and a zone says nothing to anybody else.
func parseAddr(text string) netip.Addr {
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return withPort.Addr().Unmap().WithZone("")
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}
