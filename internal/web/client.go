package web

import (
	"net/http"
	"net/netip"
	"strings"
)

// Client returns the address a request comes from. X-Forwarded-For counts only if the peer is a trusted proxy; then the
// rightmost entry that is not itself a trusted proxy is the client, since everything left of it is the client's own claim.
// The zero Addr means that the peer has no address (a Unix socket).
func (k *Kit) Client(r *http.Request) netip.Addr { return ClientAddr(r, k.Proxies) }

// ClientAddr is Kit.Client as a function of its inputs.
func ClientAddr(r *http.Request, proxies []netip.Prefix) netip.Addr {
	addr, ok := parseHop(r.RemoteAddr)
	if !ok || !trusted(addr, proxies) {
		return addr
	}
	lines := r.Header.Values("X-Forwarded-For")
	for i := len(lines) - 1; i >= 0; i-- {
		rest := lines[i]
		for more := true; more; {
			var hop string
			at := strings.LastIndexByte(rest, ',')
			hop, more = rest[at+1:], at >= 0
			if more {
				rest = rest[:at]
			}
			next, ok := parseHop(strings.TrimSpace(hop))
			if !ok {
				return addr // whoever wrote this is not believed, nor anybody before them
			}
			addr = next
			if !trusted(addr, proxies) {
				return addr
			}
		}
	}
	return addr
}

// Trusted reports whether the request's peer is a trusted proxy.
func (k *Kit) Trusted(r *http.Request) bool { return TrustedPeer(r, k.Proxies) }

// TrustedPeer is Kit.Trusted as a function of its inputs.
func TrustedPeer(r *http.Request, proxies []netip.Prefix) bool {
	addr, ok := parseHop(r.RemoteAddr)
	return ok && trusted(addr, proxies)
}

func trusted(addr netip.Addr, proxies []netip.Prefix) bool {
	for _, p := range proxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// parseHop reads an address with or without a port. IPv4 in IPv6 counts as IPv4, zones are dropped, so that one client has
// one spelling.
func parseHop(text string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	if err != nil {
		withPort, err := netip.ParseAddrPort(text)
		if err != nil {
			return netip.Addr{}, false
		}
		addr = withPort.Addr()
	}
	return addr.Unmap().WithZone(""), true
}
