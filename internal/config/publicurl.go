package config

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// checkPublicURL wants an origin and perhaps a path: clients build other addresses from it, some through a shell
// (SECURITY-CASES 154), so nothing odd may stand in it, and only one spelling of it will do.
func checkPublicURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || !plainAddress(text) || !plainHost(u) || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !plainPath(u.Path) {
		return fault.New(fault.Invalid, "LANYARD_PUBLIC_URL must be an address such as https://auth.example, in lower case and without a final slash, not %.100q", hidePassword(text))
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return fault.New(fault.Invalid, "LANYARD_PUBLIC_URL must be https; http is accepted for localhost only")
	}
	return nil
}

// hidePassword leaves out what may be a user and password before an @.
func hidePassword(text string) string {
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		return "…" + text[at:]
	}
	return text
}

// plainAddress allows the characters of a name, a port and a path that need no escape in a URL, a shell or a page.
func plainAddress(text string) bool {
	for i := range len(text) {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte("-._~/:[]", c) < 0 {
			return false
		}
	}
	return true
}

// plainHost wants a host in lower case, and no port that is none or that goes without saying.
func plainHost(u *url.URL) bool {
	host, port := u.Hostname(), u.Port()
	if strings.Contains(u.Host, "[") {
		if _, err := netip.ParseAddr(host); err != nil {
			return false
		}
	}
	if host == "" || u.Host != strings.ToLower(u.Host) || strings.HasSuffix(host, ".") || strings.HasSuffix(u.Host, ":") {
		return false
	}
	n, err := strconv.Atoi(port)
	usual := u.Scheme == "https" && n == 443 || u.Scheme == "http" && n == 80
	// 0 is what a listener gets whose port the system chooses, as in tests.
	return port == "" || err == nil && n >= 0 && n <= 65535 && !usual
}

// plainPath wants no path, or one that starts a segment with every slash.
func plainPath(path string) bool {
	if path == "" {
		return true
	}
	for segment := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if segment == "" || segment == "." || segment == ".." {
			return false
		}
	}
	return true
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && ip.IsLoopback()
}
