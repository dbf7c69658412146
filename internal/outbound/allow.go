package outbound

import (
	"net"
	"net/netip"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// allowed is who is let off the rules.
type allowed struct {
	hosts    map[string]bool // "host" or "host:port"
	networks []netip.Prefix
}

// CheckAllow says why LANYARD_OUTBOUND_ALLOW cannot be what it is, or nil. An entry is a host (every port of it), a host
// with a port, an address or a CIDR. What it names may be reached at private addresses and by http.
func CheckAllow(entries []string) error {
	_, err := parseAllow(entries)
	return err
}

func parseAllow(entries []string) (allowed, error) {
	a := allowed{hosts: map[string]bool{}}
	for _, entry := range entries {
		if network, err := netip.ParsePrefix(entry); err == nil {
			if network.Masked() != network {
				return a, fault.New(fault.Invalid, "LANYARD_OUTBOUND_ALLOW: %.60q has bits beyond its length; did you mean %s?", entry, network.Masked())
			}
			a.networks = append(a.networks, network)
			continue
		}
		if ip, err := netip.ParseAddr(entry); err == nil && ip.Zone() == "" {
			a.networks = append(a.networks, netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()))
			continue
		}
		host, port, err := net.SplitHostPort(entry)
		if err != nil {
			host, port = entry, ""
		}
		host = strings.ToLower(host)
		_, literal := parseLiteral(host)
		if !literal && !isName(host) || err == nil && !isPort(port) {
			return a, fault.New(fault.Invalid, "LANYARD_OUTBOUND_ALLOW: %.60q is no host, host:port, address or CIDR", entry)
		}
		if port != "" {
			host += ":" + port
		}
		a.hosts[host] = true
	}
	return a, nil
}

// name reports whether a host was let off by its name.
func (a allowed) name(host, port string) bool { return a.hosts[host] || a.hosts[host+":"+port] }

// address reports whether an address lies in a network that was let off.
func (a allowed) address(ip netip.Addr) bool {
	for _, n := range a.networks {
		if n.Contains(ip.Unmap()) {
			return true
		}
	}
	return false
}
