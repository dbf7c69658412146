package web

import (
	"net/http"
	"net/netip"
	"testing"
)

func TestClientAddr(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, test := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"no proxy, nothing claimed", "192.0.2.1:5000", nil, "192.0.2.1"},
		{"a claim of somebody who is no proxy", "192.0.2.1:5000", []string{"198.51.100.7"}, "192.0.2.1"},
		{"a claim of loopback by a stranger", "192.0.2.1:5000", []string{"127.0.0.1"}, "192.0.2.1"},
		{"a proxy", "10.0.0.1:5000", []string{"198.51.100.7"}, "198.51.100.7"},
		{"the client's own claim stands to the left", "10.0.0.1:5000", []string{"127.0.0.1, 198.51.100.7"}, "198.51.100.7"},
		{"two proxies", "10.0.0.1:5000", []string{"1.1.1.1, 198.51.100.7, 10.0.0.2"}, "198.51.100.7"},
		{"several lines", "10.0.0.1:5000", []string{"1.1.1.1", "198.51.100.7, 10.0.0.2"}, "198.51.100.7"},
		{"all are proxies", "10.0.0.1:5000", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"nonsense is not believed, nor what is before it", "10.0.0.1:5000", []string{"198.51.100.7, unknown, 10.0.0.2"}, "10.0.0.2"},
		{"empty", "10.0.0.1:5000", []string{""}, "10.0.0.1"},
		{"none", "10.0.0.1:5000", nil, "10.0.0.1"},
		{"with ports", "10.0.0.1:5000", []string{"198.51.100.7:443"}, "198.51.100.7"},
		{"IPv6 with brackets", "[fd00::1]:5000", []string{"[2001:db8::1]:443"}, "2001:db8::1"},
		{"IPv6 with brackets alone", "[fd00::1]:5000", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"IPv4 in IPv6 is IPv4", "[::ffff:10.0.0.1]:5000", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		{"zones are dropped", "[fe80::1%eth0]:5000", nil, "fe80::1"},
		{"a socket without an address", "@", []string{"198.51.100.7"}, "invalid IP"},
	} {
		r := &http.Request{RemoteAddr: test.peer, Header: http.Header{"X-Forwarded-For": test.forwarded}}
		if got := ClientAddr(r, proxies).String(); got != test.want {
			t.Errorf("%s: ClientAddr(%s, %q) = %s, want %s", test.name, test.peer, test.forwarded, got, test.want)
		}
	}
}

func TestNobodyIsTrustedByDefault(t *testing.T) {
	r := &http.Request{RemoteAddr: "127.0.0.1:1", Header: http.Header{"X-Forwarded-For": {"198.51.100.7"}}}
	k := &Kit{}
	if got := k.Client(r).String(); got != "127.0.0.1" || k.Trusted(r) {
		t.Errorf("Client() = %s, Trusted() = %v, want 127.0.0.1, false", got, k.Trusted(r))
	}
}
