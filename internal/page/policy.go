package page

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// policy is a content security policy: what stands in our own files and nothing else, no script, no inline style, no frame around us,
// and what one page adds to that.
type policy struct {
	forms  []string // sources beside ourselves that forms may lead to
	frames []string // sources of frames
	script string   // the source of the one script; empty: none
	live   bool     // that script may fetch from ourselves
	away   bool     // forms lead to forms only, not to ourselves
}

// strict is the policy of a page that adds nothing.
var strict = policy{} //nolint:gochecknoglobals // a constant that Go has no word for

func (p policy) text() string {
	forms := p.forms
	if !p.away {
		forms = append([]string{"'self'"}, forms...)
	}
	text := "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action " + strings.Join(forms, " ") + "; frame-ancestors 'none'; base-uri 'none'"
	if p.script != "" {
		text += "; script-src " + p.script
	}
	if p.live {
		text += "; connect-src 'self'"
	}
	if len(p.frames) > 0 {
		text += "; frame-src " + strings.Join(p.frames, " ")
	}
	return text
}

// policy leaves out every address that has no source: it is better that a way is closed than that it is wide.
func (f Frame) policy() policy {
	var p policy
	if f.Live {
		p.script, p.live = "'self'", true
	}
	for _, address := range f.FormAction {
		if made := way(address); made != "" && !slices.Contains(p.forms, made) {
			p.forms = append(p.forms, made)
		}
	}
	for _, address := range f.Frames {
		if made := source(address); isWeb(made) && !slices.Contains(p.frames, made) {
			p.frames = append(p.frames, made)
		}
	}
	return p
}

var (
	hostSource   = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$`)
	schemeSource = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)
)

// local documents and scripts: a form never leads to one.
var unsafeSchemes = []string{"javascript", "data", "vbscript", "blob", "file", "filesystem", "about", "view-source", "ws", "wss"}

// source is what a content security policy calls the place of an address: scheme://host[:port] for the web, `scheme:` for an app's own
// scheme, "" for what must not be opened or cannot be named. Nothing of the address but letters, digits, dots, hyphens and plus signs
// gets into the header.
func source(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.User != nil {
		return ""
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		if !schemeSource.MatchString(u.Scheme) || slices.Contains(unsafeSchemes, u.Scheme) {
			return ""
		}
		return u.Scheme + ":"
	}
	host := strings.ToLower(u.Host)
	if hostSource.MatchString(host) {
		return u.Scheme + "://" + host
	}
	// CSP3 section 2.3.1: a host has no brackets, so an IPv6 literal cannot be named. Of such addresses only the loopback one is a
	// redirect URI people use (RFC 8252 section 7.3), and there the scheme has to do.
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && ip == netip.IPv6Loopback() && u.Scheme == "http" {
		return "http:"
	}
	return ""
}

// way is the source of forms whose way ends at an app's address: the scheme of it. Chromium holds every redirect after a form to the
// policy, the app's own among them, and where an app leads people from its callback is not for us to know (Content Security Policy
// Level 3 section 4.2.4). "" for what must not be opened.
func way(address string) string {
	made := source(address)
	if made == "" {
		return ""
	}
	scheme, _, _ := strings.Cut(made, ":")
	return scheme + ":"
}

// isWeb reports whether a source is one host of the web.
func isWeb(made string) bool { return strings.Contains(made, "://") }
