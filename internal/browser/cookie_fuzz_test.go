package browser

import (
	"net/http"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// FuzzCookie: whatever stands in the header, our cookie is read only if it stands there once under exactly its name, and a ticket in
// it is what the browser sent, byte by byte.
func FuzzCookie(f *testing.F) {
	ticket := strings.Repeat("0Az9", 12)
	for _, header := range []string{
		"lanyard=" + ticket, "__Host-lanyard=" + ticket, "lanyard=x; lanyard=" + ticket, "lanyard=" + ticket + "; LANYARD=y", "a=b; lanyard=\"" + ticket + "\"", "lanyard=" + ticket + ";lanyard=" + ticket,
		"lanyard = " + ticket, "lanyard", "lanyard=", ";;=", "__Host-lanyard=x; lanyard=y", "x=lanyard=" + ticket, "lanyard=" + ticket + "\x00", "lanyard=\xff",
	} {
		f.Add(header, false)
		f.Add(header, true)
	}
	f.Fuzz(func(t *testing.T, header string, secure bool) {
		k, name := &Kit{Secure: secure}, "lanyard"
		if secure {
			name = "__Host-lanyard"
		}
		r := &http.Request{Header: http.Header{"Cookie": {header}}}
		value := k.cookie(r)
		var all []string // as another reader finds them
		for _, c := range r.Cookies() {
			if c.Name == name {
				all = append(all, c.Value)
			}
		}
		if want := len(all) == 1; want && value != all[0] || !want && value != "" {
			t.Errorf("cookie of %q = %q, others read %q", header, value, all)
		}
		chars, ok := secret.TicketID(value)
		if ok && (!strings.Contains(header, name+"="+value) && !strings.Contains(header, name+`="`+value+`"`) && strings.Count(header, value) == 0 || !strings.HasPrefix(value, chars)) {
			t.Errorf("cookie of %q proves %q, which does not stand there", header, value)
		}
	})
}
