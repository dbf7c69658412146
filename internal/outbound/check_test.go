package outbound

import (
	"bufio"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// corpus reads the cases of one sort from testdata/addresses.txt.
func corpus(tb testing.TB, sort string) []string {
	tb.Helper()
	file, err := os.Open("testdata/addresses.txt")
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	var found []string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		is, text, ok := strings.Cut(lines.Text(), " ")
		if !ok || is != sort {
			continue
		}
		for _, escape := range []string{`\u`, `\r`} {
			if strings.Contains(text, escape) {
				if text, err = strconv.Unquote(`"` + text + `"`); err != nil {
					tb.Fatalf("%s: %v", lines.Text(), err)
				}
			}
		}
		found = append(found, text)
	}
	if len(found) < 5 {
		tb.Fatalf("testdata/addresses.txt has %d cases of %q", len(found), sort)
	}
	return found
}

func client(tb testing.TB, o Options) *Client {
	tb.Helper()
	c, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func TestPublic(t *testing.T) {
	for sort, want := range map[string]bool{"public": true, "inside": false} {
		for _, text := range corpus(t, sort) {
			if got := Public(netip.MustParseAddr(text)); got != want {
				t.Errorf("Public(%s) = %v, want %v", text, got, want)
			}
		}
	}
	for _, odd := range []netip.Addr{{}, netip.MustParseAddr("2606:2800:220:1::1%eth0")} {
		if Public(odd) {
			t.Errorf("Public(%v) = true, want false", odd)
		}
	}
}

func TestCheckURL(t *testing.T) {
	c := client(t, Options{})
	for _, text := range append(corpus(t, "refused"), "", "https://auth.example/"+strings.Repeat("a", 2000), "https://"+strings.Repeat("a.", 130)+"example/") {
		if err := c.CheckURL(text); !fault.Is(err, fault.Invalid) {
			t.Errorf("CheckURL(%.80q) = %v, want invalid_request", text, err)
		}
	}
	for _, text := range corpus(t, "passes") {
		if err := c.CheckURL(text); err != nil {
			t.Errorf("CheckURL(%q) = %v, want it accepted", text, err)
		}
	}
}

func TestAllow(t *testing.T) {
	c := client(t, Options{Allow: []string{"suite", "Tool.Example:8080", "10.1.0.0/16", "192.168.7.7", "fd00::/8", "127.0.0.1:9000", "[::1]:9000"}})
	for text, want := range map[string]bool{
		"http://suite/":                   true,
		"https://suite:8443/":             true,
		"http://suite.example/":           false,
		"http://tool.example:8080/":       true,
		"http://TOOL.example:8080/":       true,
		"http://tool.example:8081/":       false,
		"http://tool.example/":            false,
		"https://tool.example/":           true,
		"http://10.1.2.3/":                true,
		"http://10.2.0.1/":                false,
		"https://10.2.0.1/":               false,
		"http://192.168.7.7:22/":          true,
		"http://192.168.7.8/":             false,
		"http://[fd12::1]/":               true,
		"http://[::ffff:10.1.2.3]/":       true,
		"http://127.0.0.1:9000/":          true,
		"http://127.0.0.1:9001/":          false,
		"http://localhost:9000/":          false, // not by that name
		"http://[::1]:9000/":              true,
		"http://suite@evil.example/":      false,
		"http://evil.example/suite":       false,
		"gopher://suite/":                 false,
		"http://167837955/":               false, // 10.1.1.3, written oddly
		"http://suite./":                  false,
		"http://suite:8080@evil.example/": false,
	} {
		if err := c.CheckURL(text); (err == nil) != want {
			t.Errorf("CheckURL(%q) = %v, want accepted %v", text, err, want)
		}
	}
	loopback := client(t, Options{Allow: []string{"127.0.0.0/8"}})
	if err := loopback.CheckURL("http://localhost:9000/"); err != nil {
		t.Errorf("CheckURL of localhost with loopback allowed = %v, want it accepted", err)
	}
}

func TestCheckAllowRefuses(t *testing.T) {
	for _, entry := range []string{"", "10.0.0.0/33", "10.0.0.1/8", "a b", "https://suite", "suite:0", "suite:", "suite:http", "127.1", "*.example", "fe80::1%eth0", "host:1:2"} {
		if err := CheckAllow([]string{"suite", entry}); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "LANYARD_OUTBOUND_ALLOW") {
			t.Errorf("CheckAllow(%q) = %v, want invalid_request that names the setting", entry, err)
		}
		if _, err := New(Options{Allow: []string{entry}}); err == nil {
			t.Errorf("New with %q allowed = nil, want an error", entry)
		}
	}
}

// FuzzCheckURL: whatever passes is https, and its host is a name that means the same everywhere or a public address.
func FuzzCheckURL(f *testing.F) {
	for _, sort := range []string{"passes", "refused"} {
		for _, text := range corpus(f, sort) {
			f.Add(text)
		}
	}
	c := client(f, Options{})
	f.Fuzz(func(t *testing.T, text string) {
		got, err := c.parse(text)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("CheckURL(%q) = %v, want invalid_request", text, err)
			}
			return
		}
		ip, literal := parseLiteral(got.host)
		switch {
		case got.url.Scheme != "https" || got.url.User != nil:
			t.Errorf("CheckURL(%q) accepts %s", text, got.url)
		case literal && !Public(ip):
			t.Errorf("CheckURL(%q) accepts the address %s", text, ip)
		case !literal && (!strings.Contains(got.host, ".") || strings.HasSuffix(got.host, ".") || strings.HasSuffix(got.host, "localhost")):
			t.Errorf("CheckURL(%q) accepts the host %s", text, got.host)
		}
	})
}
