package outbound

import "net/netip"

// inside are the addresses that are not for everybody, from IANA's registries of special purposes (RFC 6890). Of IPv6,
// only 2000::/3 was ever given out; what stands here is the part of it that leads back inside or nowhere.
var inside = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this host: 0.0.0.0 reaches it
	netip.MustParsePrefix("10.0.0.0/8"),      // private
	netip.MustParsePrefix("100.64.0.0/10"),   // shared by the customers of a carrier
	netip.MustParsePrefix("127.0.0.0/8"),     // loopback
	netip.MustParsePrefix("169.254.0.0/16"),  // link-local, where clouds keep their credentials
	netip.MustParsePrefix("172.16.0.0/12"),   // private
	netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("192.88.99.0/24"),  // 6to4 relays
	netip.MustParsePrefix("192.168.0.0/16"),  // private
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("224.0.0.0/4"),     // multicast
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, and broadcast
	netip.MustParsePrefix("2001::/23"),       // protocol assignments: Teredo, ORCHID, benchmarks
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("2002::/16"),       // 6to4, which carries an IPv4 address
	netip.MustParsePrefix("3fff::/20"),       // documentation
}

// Public reports whether an address is one that anybody on the Internet can reach. An IPv4 address inside an IPv6 one
// counts as what it carries where a network translates it (::ffff:0:0/96, RFC 6052's 64:ff9b::/96), else as not public.
func Public(ip netip.Addr) bool {
	if !ip.IsValid() || ip.Zone() != "" {
		return false
	}
	ip = ip.Unmap()
	if ip.Is6() {
		bytes := ip.As16()
		if netip.PrefixFrom(ip, 96).Masked().Addr() == netip.MustParseAddr("64:ff9b::") {
			ip = netip.AddrFrom4([4]byte(bytes[12:]))
		} else if bytes[0]>>5 != 1 { // 2000::/3
			return false
		}
	}
	for _, p := range inside {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}
