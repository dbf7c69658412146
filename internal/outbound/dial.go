package outbound

import (
	"context"
	"net"
	"net/netip"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// dialGuarded resolves a name once and connects to one of the addresses found, having looked at that very address: a name
// that resolves differently the next time gains nothing (SECURITY-CASES 150).
func (c *Client) dialGuarded(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addrs, err := c.lookUp(ctx, host, port)
	if err != nil {
		return nil, err
	}
	byName := c.allow.name(host, port)
	failed := notPublic(host)
	for _, ip := range addrs {
		if !byName && !c.allow.address(ip) && !Public(ip) {
			continue
		}
		conn, err := c.dial(ctx, network, netip.AddrPortFrom(ip, portNumber(port)).String())
		if err == nil {
			return conn, nil
		}
		failed = err
	}
	return nil, failed
}

// lookUp returns the addresses of a host, at least one.
func (c *Client) lookUp(ctx context.Context, host, port string) ([]netip.Addr, error) {
	if ip, ok := parseLiteral(host); ok {
		return []netip.Addr{ip}, nil
	}
	name := host
	if !c.allow.name(host, port) {
		// The final dot keeps the search list of this machine out: weather.example must not become weather.example.svc.local.
		name += "."
	}
	addrs, err := c.resolver.LookupNetIP(ctx, "ip", name)
	if err != nil || len(addrs) == 0 {
		return nil, fault.Down(err, "the host %.253s was not found", host)
	}
	return addrs, nil
}

func portNumber(text string) uint16 {
	p, err := netip.ParseAddrPort("0.0.0.0:" + text)
	if err != nil {
		return 0 // which nothing listens on; parse let none through
	}
	return p.Port()
}
