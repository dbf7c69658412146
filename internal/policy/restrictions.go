package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Restrictions narrow one credential. An empty list restricts nothing; a list with entries refuses whatever it does not
// name, and a request that does not bring the datum at all.
// A nil *Restrictions restricts nothing.
type Restrictions struct {
	IPs        []netip.Prefix // masked networks
	Origins    []string       // canonical web origins: scheme://host[:port]
	Operations []string       // declared operation names
}

// Empty reports whether nothing is restricted.
func (r *Restrictions) Empty() bool {
	return r == nil || len(r.IPs) == 0 && len(r.Origins) == 0 && len(r.Operations) == 0
}

// AllowsIP reports whether a credential so restricted may be used from an address. An unknown one is in no network.
func (r *Restrictions) AllowsIP(ip netip.Addr) bool { return !r.forbidsIP(ip) }

func (r *Restrictions) forbidsIP(ip netip.Addr) bool {
	if r == nil || len(r.IPs) == 0 {
		return false
	}
	ip = ip.Unmap()
	for _, network := range r.IPs {
		if network.Contains(ip) {
			return false
		}
	}
	return true
}

func (r *Restrictions) forbidsOrigin(origin string) bool {
	return r != nil && len(r.Origins) > 0 && !slices.Contains(r.Origins, origin)
}

func (r *Restrictions) forbidsOperation(op *Operation) bool {
	return r != nil && len(r.Operations) > 0 && (op == nil || !slices.Contains(r.Operations, op.Name))
}

// ParseNetwork reads an address or a CIDR block. A block with bits set behind its mask is refused, since its writer meant
// either the address or the block; so are zones and IPv4 inside IPv6, which two programs compare differently.
func ParseNetwork(text string) (netip.Prefix, error) {
	refuse := func(why string) (netip.Prefix, error) {
		return netip.Prefix{}, fmt.Errorf("%.60q is no network: %s", text, why)
	}
	if !strings.Contains(text, "/") {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" || addr.Is4In6() {
			return refuse(`write an address such as 203.0.113.7 or a block such as 203.0.113.0/24 or 2001:db8::/48`)
		}
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil || prefix.Addr().Is4In6() {
		return refuse(`write a block such as 203.0.113.0/24 or 2001:db8::/48`)
	}
	if prefix != prefix.Masked() {
		return refuse(fmt.Sprintf("bits are set behind the mask; did you mean %s or %s?", prefix.Masked(), prefix.Addr()))
	}
	return prefix, nil
}

// ParseOrigin reads a web origin as browsers send it (RFC 6454 section 6.2): scheme, host and, unless it is the scheme's own, port.
// Upper-case letters are folded; paths, user info, wildcards and "null" are refused.
func ParseOrigin(text string) (string, error) {
	refuse := func(why string) (string, error) { return "", fmt.Errorf("%.100q is no origin: %s", text, why) }
	if len(text) > 300 || strings.ContainsAny(text, "*\\%?# \t\r\n") {
		return refuse("write scheme and host, such as https://app.example, without wildcards, query or spaces")
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Path != "" || u.User != nil || u.Opaque != "" {
		return refuse("write scheme and host alone, such as https://app.example")
	}
	scheme, host, port := strings.ToLower(u.Scheme), strings.ToLower(u.Hostname()), u.Port()
	if scheme != "https" && scheme != "http" {
		return refuse("only https and http have origins a browser sends")
	}
	if host, err = originHost(host, strings.HasPrefix(u.Host, "[")); err != nil {
		return refuse(err.Error())
	}
	if strings.HasSuffix(u.Host, ":") {
		return refuse("it ends in a colon")
	}
	if port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || port[0] == '0' {
			return refuse("the port must be 1 to 65535 without leading zeros")
		}
	}
	if port == "" || scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		return scheme + "://" + host, nil
	}
	return scheme + "://" + host + ":" + port, nil
}

// originHost returns a host, given in lower case, as browsers write it (WHATWG URL section 3.5), or says why it is none.
// Forms a browser would rewrite, such as 127.1 for 127.0.0.1, are refused: a restriction on them would never match.
func originHost(host string, bracketed bool) (string, error) {
	if bracketed {
		addr, err := netip.ParseAddr(host)
		if err != nil || !addr.Is6() || addr.Is4In6() || addr.Zone() != "" {
			return "", errors.New("the address in brackets is no plain IPv6 address")
		}
		return "[" + addr.String() + "]", nil
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if label == "" {
			return "", errors.New("the host is empty, or begins or ends in a dot, or holds two in a row")
		}
		for i := range len(label) {
			switch c := label[i]; {
			case c >= 0x80:
				return "", errors.New("write an international name in its xn-- form, as browsers send it")
			case (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_':
				return "", errors.New("the host may hold only letters, digits, '-', '_' and dots")
			}
		}
	}
	if last := labels[len(labels)-1]; endsInNumber(last) {
		if addr, err := netip.ParseAddr(host); err != nil || !addr.Is4() {
			return "", errors.New("write an IPv4 address as four numbers")
		}
	}
	return host, nil
}

// endsInNumber reports whether a browser would read a host with this last label as an IPv4 address.
func endsInNumber(last string) bool {
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}
