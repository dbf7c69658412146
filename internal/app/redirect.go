package app

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// MaxRedirects is how many redirect URIs an app may have.
const MaxRedirects = 50

// dangerous are schemes that a browser runs, reads or opens by itself: no code is sent there (SECURITY-CASES 22).
func dangerous(scheme string) bool {
	return slices.Contains([]string{
		"javascript", "data", "vbscript", "blob", "file", "about", "view-source", "filesystem", "ws", "wss", "ftp", "mailto", "tel", "sms", "intent", "content",
		"jar", "chrome", "resource", "livescript", "mocha", "cid", "mid", "urn", "http", "https",
	}, scheme)
}

// CheckRedirect says why an address cannot be a redirect URI, or nil (RFC 9700 section 2.1, RFC 8252). http goes to this
// machine alone; a scheme of an app's own is for native apps.
func CheckRedirect(text string) error {
	if err := checkAddress(text); err != nil {
		return err
	}
	u, err := url.Parse(text)
	if err != nil {
		return fault.New(fault.Invalid, "is no address")
	}
	switch {
	case strings.Contains(text, "#"):
		return fault.New(fault.Invalid, "must have no fragment")
	case u.User != nil:
		return fault.New(fault.Invalid, "must have no user name")
	case strings.Contains(text, "*"):
		return fault.New(fault.Invalid, "must be exact: there are no wildcards")
	case u.Scheme == "https":
		if u.Hostname() == "" {
			return fault.New(fault.Invalid, "must have a host")
		}
	case u.Scheme == "http":
		if !loopbackLiteral(u.Hostname()) && u.Hostname() != "localhost" {
			return fault.New(fault.Invalid, "must be https: http is for this machine alone (127.0.0.1, [::1] or localhost)")
		}
	case dangerous(u.Scheme) || !strings.Contains(text, ":/"):
		return fault.New(fault.Invalid, "must be https, http on this machine, or a scheme of the app's own such as com.example.app:/done")
	}
	return nil
}

// CheckWebAddress says why an address cannot be shown as a link or fetched, or nil: https, or http where local allows it.
func CheckWebAddress(text string) error {
	if err := checkAddress(text); err != nil {
		return err
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return fault.New(fault.Invalid, "must be an https or http address")
	}
	return nil
}

// checkAddress refuses what two readers might read differently.
func checkAddress(text string) error {
	if text == "" || len(text) > 500 {
		return fault.New(fault.Invalid, "must have 1 to 500 characters")
	}
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || c == '\\' || c == '"' || c == '<' || c == '>' || c == '^' || c == '`' || c == '{' || c == '}' || c == '|' {
			return fault.New(fault.Invalid, "holds a character that does not belong in an address")
		}
	}
	return nil
}

// Redirects reports whether an address is one that the app registered: the same text, or the same but for the port if the
// host is a loopback literal, since a program on the user's machine gets whatever port is free (RFC 8252 section 7.3).
func (a *App) Redirects(text string) bool {
	return matches(a.OAuth.RedirectURIs, text)
}

// LogsOutTo reports whether an address is registered for the way back from a logout.
func (a *App) LogsOutTo(text string) bool { return slices.Contains(a.OAuth.PostLogoutURIs, text) }

func matches(registered []string, text string) bool {
	if text == "" {
		return false
	}
	if slices.Contains(registered, text) {
		return true
	}
	given, port, ok := splitPort(text)
	if !ok || strings.HasPrefix(port, "0") || len(port) > 5 {
		return false
	}
	for _, r := range registered {
		if same, _, ok := splitPort(r); ok && same == given {
			return true
		}
	}
	return false
}

// splitPort takes the port out of a loopback address, as text: nothing is decoded or cleaned up.
func splitPort(text string) (rest, port string, ok bool) {
	const scheme = "http://"
	after, ok := strings.CutPrefix(text, scheme)
	if !ok {
		return "", "", false
	}
	end := strings.IndexAny(after, "/?#")
	if end < 0 {
		end = len(after)
	}
	authority, path := after[:end], after[end:]
	host := authority
	if at := strings.LastIndexByte(authority, ':'); at >= 0 && !strings.HasSuffix(authority, "]") {
		host, port = authority[:at], authority[at+1:]
		for i := range len(port) {
			if port[i] < '0' || port[i] > '9' {
				return "", "", false
			}
		}
		if port == "" {
			return "", "", false
		}
	}
	if host != "127.0.0.1" && host != "[::1]" {
		return "", "", false
	}
	return scheme + host + path, port, true
}

func loopbackLiteral(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
