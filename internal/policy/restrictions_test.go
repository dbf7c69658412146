package policy

import (
	"net/netip"
	"strings"
	"testing"
)

func TestParseNetworkRefuses(t *testing.T) {
	for _, text := range []string{
		"", " ", "localhost", "*", "203.0.113", "203.0.113.256", "203.0.113.7.1", "203.0.113.07", "0x7f.0.0.1", "2130706433", "203.0.113.7 ", " 203.0.113.7",
		"203.0.113.7:80", "[::1]", "203.0.113.0/", "/24", "203.0.113.0/33", "203.0.113.0/-1", "203.0.113.0/024", "203.0.113.0/255.255.255.0", "203.0.113.0/24/24",
		"203.0.113.7/24", "2001:db8::1/48", // bits behind the mask
		"fe80::1%eth0", "fe80::%eth0/64", // zones
		"::ffff:203.0.113.7", "::ffff:203.0.113.0/120", "::ffff:0:0/96", // IPv4 inside IPv6
		"203.0.113.7-203.0.113.9", "203.0.113.7,203.0.113.8", "２０３.0.113.7", "203.0.113.7\x00", "2001:db8::g",
	} {
		if got, err := ParseNetwork(text); err == nil {
			t.Errorf("ParseNetwork(%q) = %v, want an error", text, got)
		}
	}
}

func TestParseNetwork(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"203.0.113.7", "203.0.113.7/32"},
		{"203.0.113.7/32", "203.0.113.7/32"},
		{"203.0.113.0/24", "203.0.113.0/24"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"::1", "::1/128"},
		{"2001:DB8:0::/48", "2001:db8::/48"},
		{"127.0.0.0/8", "127.0.0.0/8"},
	} {
		if got, err := ParseNetwork(test.in); err != nil || got.String() != test.want {
			t.Errorf("ParseNetwork(%q) = %v, %v, want %s", test.in, got, err, test.want)
		}
	}
}

func TestParseOriginRefuses(t *testing.T) {
	for _, text := range []string{
		"", "null", "*", "app.example", "//app.example", "https:", "https://", "https:///", "https:app.example", "ftp://app.example", "javascript:alert(1)", "file:///etc", "chrome-extension://abc",
		"https://app.example/", "https://app.example/path", "https://app.example?", "https://app.example?x", "https://app.example#", "https://app.example#x",
		"https://user@app.example", "https://user:pass@app.example", "https://@app.example",
		"https://*.example", "https://*", "https://app.*", "https://%61pp.example", `https://app.example\evil`, " https://app.example", "https://app.example ", "https://app .example", "https://app.example\n", "https://a\x00b",
		"https://app.example.", "https://.app.example", "https://app..example", "https://.",
		"https://app.example:", "https://app.example:0", "https://app.example:65536", "https://app.example:0443", "https://app.example:443:443", "https://app.example:x", "https://app.example:-1", "https://:443",
		"https://bücher.example", "https://app.example,https://b.example", "https://a;b", "https://a\"b", "https://a'b", "https://a<b", "https://a&b", "https://a+b",
		"https://127.1", "https://2130706433", "https://0x7f.0.0.1", "https://0x7f", "https://0x", "https://127.0.0.01", "https://1.2.3.4.5", "https://app.1", // a browser rewrites or refuses these
		"https://[::ffff:1.2.3.4]", "https://[fe80::1%25eth0]", "https://[1.2.3.4]", "https://[app.example]", "https://[::1", "https://::1", "https://[]",
		"https://" + strings.Repeat("a", 300),
	} {
		if got, err := ParseOrigin(text); err == nil {
			t.Errorf("ParseOrigin(%q) = %q, want an error", text, got)
		}
	}
}

func TestParseOrigin(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"https://app.example", "https://app.example"},
		{"HTTPS://App.Example", "https://app.example"},
		{"https://app.example:443", "https://app.example"},
		{"http://app.example:80", "http://app.example"},
		{"http://app.example:443", "http://app.example:443"},
		{"https://app.example:8443", "https://app.example:8443"},
		{"http://localhost:3000", "http://localhost:3000"},
		{"http://127.0.0.1:3000", "http://127.0.0.1:3000"},
		{"https://xn--bcher-kva.example", "https://xn--bcher-kva.example"},
		{"https://my_app.example", "https://my_app.example"},
		{"https://1.example", "https://1.example"},
		{"https://[::1]:8080", "https://[::1]:8080"},
		{"https://[2001:DB8:0:0::1]", "https://[2001:db8::1]"},
	} {
		if got, err := ParseOrigin(test.in); err != nil || got != test.want {
			t.Errorf("ParseOrigin(%q) = %q, %v, want %q", test.in, got, err, test.want)
		}
	}
}

func TestRestrictionsEmpty(t *testing.T) {
	for _, test := range []struct {
		in   *Restrictions
		want bool
	}{
		{&Restrictions{IPs: []netip.Prefix{netip.MustParsePrefix("::/0")}}, false},
		{&Restrictions{Origins: []string{"https://app.example"}}, false},
		{&Restrictions{Operations: []string{"GET /"}}, false},
		{nil, true},
		{&Restrictions{}, true},
		{&Restrictions{IPs: []netip.Prefix{}}, true},
	} {
		if got := test.in.Empty(); got != test.want {
			t.Errorf("Empty(%+v) = %v, want %v", test.in, got, test.want)
		}
	}
}

func FuzzParseNetwork(f *testing.F) {
	for _, seed := range []string{"203.0.113.7", "203.0.113.0/24", "203.0.113.7/24", "2001:db8::/48", "::ffff:1.2.3.4", "fe80::1%eth0", "1.2.3.4/08"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseNetwork(text)
		if err != nil {
			return
		}
		if !got.IsValid() || got != got.Masked() || got.Addr().Is4In6() || got.Addr().Zone() != "" {
			t.Fatalf("ParseNetwork(%q) = %v, want a masked network of one reading", text, got)
		}
		if again, err := ParseNetwork(got.String()); again != got || err != nil {
			t.Fatalf("ParseNetwork(%q) = %v, %v, want its own output unchanged", got, again, err)
		}
		restricted := &Restrictions{IPs: []netip.Prefix{got}}
		if restricted.forbidsIP(got.Addr()) || !restricted.forbidsIP(netip.Addr{}) {
			t.Fatalf("ParseNetwork(%q) = %v, which refuses its own address or allows none", text, got)
		}
	})
}

func FuzzParseOrigin(f *testing.F) {
	for _, seed := range []string{"https://app.example", "HTTP://A:80", "https://[::1]:8080", "null", "https://a/", "https://127.1", "https://a:0443", "https://a@b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseOrigin(text)
		if err != nil {
			if got != "" {
				t.Fatalf("ParseOrigin(%q) = %q with error %v, want nothing beside an error", text, got, err)
			}
			return
		}
		if again, err := ParseOrigin(got); again != got || err != nil {
			t.Fatalf("ParseOrigin(%q) = %q, %v, want its own output unchanged", got, again, err)
		}
		if !strings.EqualFold(got, text) && !strings.Contains(text, ":80") && !strings.Contains(text, ":443") && !strings.Contains(text, "[") {
			t.Fatalf("ParseOrigin(%q) = %q, which is another place", text, got)
		}
		if strings.ToLower(got) != got || strings.ContainsAny(got, "*@?#%\\ ,;\"'") {
			t.Fatalf("ParseOrigin(%q) = %q, which no browser sends", text, got)
		}
	})
}
