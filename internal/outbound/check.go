package outbound

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

const maxURL = 2000

// target is an address that may be fetched, as far as its text tells.
type target struct {
	url  *url.URL
	host string // lower case, without brackets
	port string // always there
}

// CheckURL says why an address is not fetched, without looking anything up, or nil: for addresses that are kept now and
// fetched later. The fault is Invalid and its sentence goes on after the name of a field ("must be https").
func (c *Client) CheckURL(text string) error {
	_, err := c.parse(text)
	return err
}

// parse accepts one spelling of an address, so that no two readers take it for two places.
func (c *Client) parse(text string) (target, error) {
	if text == "" || len(text) > maxURL {
		return target{}, refused("must have 1 to %d characters", maxURL)
	}
	for i := range len(text) {
		if b := text[i]; b <= ' ' || b >= 0x7f || strings.IndexByte("\\\"<>^`{}|", b) >= 0 {
			return target{}, refused("holds a character that does not belong in an address")
		}
	}
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.Host == "" {
		return target{}, refused("must be an https address")
	}
	// The text itself is looked at as well: the parsed host has lost its escapes, and an empty user name.
	_, rest, _ := strings.Cut(text, "//")
	authority, _, _ := strings.Cut(strings.NewReplacer("?", "/", "#", "/").Replace(rest), "/")
	if u.User != nil || strings.ContainsAny(authority, "@%") {
		return target{}, refused("must have no user name, zone or escape before its path")
	}
	t := target{url: u, host: strings.ToLower(u.Hostname()), port: u.Port()}
	switch {
	case strings.HasSuffix(authority, ":") || t.port != "" && !isPort(t.port):
		return target{}, refused("has a port that is none")
	case t.port == "" && u.Scheme == "https":
		t.port = "443"
	case t.port == "":
		t.port = "80"
	}
	return t, c.checkTarget(t)
}

// checkTarget looks at scheme, host and port.
func (c *Client) checkTarget(t target) error {
	ip, literal := parseLiteral(t.host)
	if !literal && !isName(t.host) {
		return refused("has a host that is not written plainly: use a name, or an address such as 192.0.2.1")
	}
	if local := "localhost"; !literal && (t.host == local || strings.HasSuffix(t.host, "."+local)) {
		ip, literal = netip.AddrFrom4([4]byte{127, 0, 0, 1}), true // RFC 6761 section 6.3
	}
	off := c.allow.name(t.host, t.port) || literal && c.allow.address(ip)
	switch port, _ := strconv.Atoi(t.port); {
	case t.url.Scheme != "https" && (t.url.Scheme != "http" || !off):
		return refused("must be https")
	case off:
		return nil
	case literal && !Public(ip) || !literal && isLocalName(t.host):
		return notPublic(t.host)
	case port < 1024 && port != 443: // services that a web address never names
		return refused("has a port that is not one of the web's")
	}
	return nil
}

func refused(format string, args ...any) error { return fault.New(fault.Invalid, format, args...) }

// notPublic names what was asked for and not what it resolved to: that is nobody's business.
func notPublic(host string) error {
	return refused("leads to %.253s, which is not a public address", host)
}

// parseLiteral reads an IP address in its usual writing. A zone makes it none.
func parseLiteral(host string) (netip.Addr, bool) {
	ip, err := netip.ParseAddr(host)
	return ip, err == nil && ip.Zone() == ""
}

// isName accepts host names: labels of letters, digits, hyphens and underscores, in lower case. A last label that is a
// number makes it an IPv4 address in one of its odd writings (127.1, 0x7f000001, 2130706433), which some resolvers read.
func isName(host string) bool {
	if host == "" || len(host) > 253 {
		return false
	}
	last := ""
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
		last = label
	}
	return strings.Trim(last, "0123456789") != "" && !strings.HasPrefix(last, "0x")
}

// isLocalName finds names that mean something else on every network (RFC 6761, RFC 6762, RFC 8375): they lead nowhere
// that is public, whatever a resolver says.
func isLocalName(host string) bool {
	if !strings.Contains(host, ".") {
		return true
	}
	for _, zone := range []string{".localhost", ".local", ".internal", ".home.arpa", ".lan", ".intranet", ".corp", ".home", ".onion"} {
		if strings.HasSuffix(host, zone) {
			return true
		}
	}
	return false
}

func isPort(text string) bool {
	n, err := strconv.Atoi(text)
	return err == nil && n >= 1 && n <= 65535 && strconv.Itoa(n) == text
}
