package lanyard

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// SECURITY-CASES H 128–132: a program behind the door may take any of these for ours.
func TestStripHeaders(t *testing.T) {
	gone := []string{
		"X-Lanyard-App", "x-lanyard-app", "X-LANYARD-USER", "X_lanyard_team", "X_LANYARD_SCOPES", "x.lanyard.user", "X-Lanyard_App", "X-Lanyard.Assertion", "X!Lanyard~User",
		"X-Lanyard", "X-Lanyard-", "X-Lanyard-Anything-New", " X-Lanyard-App", "X-Lanyard-User ",
		"Authorization", "authorization", "AUTHORIZATION", "X-Api-Key", "x-api-key", "X_API_KEY", "X.Api.Key", "X-Api_key",
		"X-Http-Method-Override", "X_HTTP_METHOD_OVERRIDE", "X-Http-Method", "X-Method-Override",
	}
	for _, name := range gone {
		h := http.Header{name: {"evil"}, "Accept": {"*/*"}}
		StripHeaders(h)
		if diff := cmp.Diff(http.Header{"Accept": {"*/*"}}, h); diff != "" {
			t.Errorf("StripHeaders(%q): -want +got\n%s", name, diff)
		}
	}
	stay := []string{"X-Lanyardish", "Lanyard-App", "X-Forwarded-For", "X-Api-Keys", "Proxy-Authorization", "X-Xlanyard-App"}
	for _, name := range stay {
		h := http.Header{name: {"fine"}}
		StripHeaders(h)
		if len(h) != 1 {
			t.Errorf("StripHeaders(%q) removed it", name)
		}
	}
}

func TestStripHeadersInLists(t *testing.T) {
	tests := []struct {
		name     string
		in, want http.Header
	}{
		{
			"Connection names ours",
			http.Header{"Connection": {"keep-alive, X-Lanyard-App,x_lanyard_user , Upgrade", "X-Lanyard-Team", "authorization"}},
			http.Header{"Connection": {"keep-alive, Upgrade"}},
		},
		{"Connection names only ours", http.Header{"Connection": {"x-lanyard-app"}}, http.Header{}},
		{"Connection of others", http.Header{"Connection": {"Upgrade,  foo"}}, http.Header{"Connection": {"Upgrade,  foo"}}},
		{
			"our cookies",
			http.Header{"Cookie": {"a=1; __Host-lanyard=secret; b=2", "lanyard=secret"}},
			http.Header{"Cookie": {"a=1; b=2"}},
		},
		{"other cookies", http.Header{"Cookie": {"lanyards=1;  b=lanyard"}}, http.Header{"Cookie": {"lanyards=1;  b=lanyard"}}},
	}
	for _, test := range tests {
		StripHeaders(test.in)
		if diff := cmp.Diff(test.want, test.in); diff != "" {
			t.Errorf("StripHeaders, %s: -want +got\n%s", test.name, diff)
		}
	}
}

func TestClientIP(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	tests := []struct {
		name, remote string
		forwarded    []string
		want         string // "": none
	}{
		{"no proxy", "192.0.2.1:443", nil, "192.0.2.1"},
		{"an untrusted peer's header", "192.0.2.1:443", []string{"198.51.100.7"}, "192.0.2.1"},
		{"one proxy", "10.1.1.1:443", []string{"198.51.100.7"}, "198.51.100.7"},
		{"the caller's own claim", "10.1.1.1:443", []string{"127.0.0.1, 198.51.100.7"}, "198.51.100.7"},
		{"the claim in a header of its own", "10.1.1.1:443", []string{"127.0.0.1", "198.51.100.7, 10.2.2.2"}, "198.51.100.7"},
		{"only proxies", "10.1.1.1:443", []string{"10.3.3.3, 10.2.2.2"}, "10.3.3.3"},
		{"the proxy itself", "10.1.1.1:443", nil, "10.1.1.1"},
		{"garbage", "10.1.1.1:443", []string{"198.51.100.7, unknown"}, ""},
		{"an empty hop", "10.1.1.1:443", []string{"198.51.100.7,"}, ""},
		{"with ports", "[fd00::1]:443", []string{"[2001:db8::1]:5000"}, "2001:db8::1"},
		{"in brackets", "[fd00::1]:443", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"IPv4 in IPv6", "[::ffff:10.1.1.1]:443", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		{"a zone", "[fe80::1%eth0]:443", nil, "fe80::1"},
		{"no address", "@", []string{"198.51.100.7"}, ""},
	}
	for _, test := range tests {
		r := &http.Request{RemoteAddr: test.remote, Header: http.Header{"X-Forwarded-For": test.forwarded}}
		got := ClientIP(r, trusted)
		if test.want == "" && got.IsValid() || test.want != "" && got.String() != test.want {
			t.Errorf("ClientIP, %s = %v, want %q", test.name, got, test.want)
		}
	}
}
