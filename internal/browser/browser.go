// Package browser knows which browser asks, and who is logged in in it: one cookie, one session.
//
// Every browser gets a cookie with a random value before anybody logs in, so that an authorization request can be bound to
// the browser that brought it; its digest stands with the request. A login replaces the value. The value is a ticket: its
// id names the session's row, if there is one, and its digest proves it.
package browser

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/session"
	"github.com/lanyard-auth/lanyard/internal/signin"
	"github.com/lanyard-auth/lanyard/internal/user"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// Kit reads and writes the cookie. Every field is needed.
type Kit struct {
	Web      *web.Kit
	Sessions session.Store
	Users    user.Store
	MAC      func(text string) (pepper int, digest [32]byte)
	MACWith  func(pepper int, text string) (digest [32]byte, known bool)
	Secure   bool // served by https: the cookie is `__Host-lanyard`
	Now      func() time.Time
	Random   io.Reader
	Claims   Claims
}

// Visit is one request of a browser.
type Visit struct {
	Browser []byte           // digest of the cookie: what requests are bound to
	Session *session.Session // nil: nobody is logged in
	User    *user.User       // nil: nobody is logged in
	value   string
}

// SignedIn reports whether somebody is logged in.
func (v *Visit) SignedIn() bool { return v.Session != nil }

// How a session began (RFC 8176, and the acr values of OpenID Connect).
const (
	ACRPassword = "1" // one factor
	ACRLink     = "1"
)

// Visit finds out which browser asks and who is logged in in it. A browser without a cookie gets one.
func (k *Kit) Visit(w http.ResponseWriter, r *http.Request) (*Visit, error) {
	value := k.cookie(r)
	ticket, ok := secret.TicketID(value)
	if !ok {
		fresh, err := k.fresh()
		if err != nil {
			return nil, err
		}
		k.set(w, fresh.Reveal(), session.Life)
		return &Visit{Browser: digest(fresh.Reveal()), value: fresh.Reveal()}, nil
	}
	v := &Visit{Browser: digest(value), value: value}
	s, u, err := k.session(r.Context(), id.Of[id.Session](ticket), value)
	if err != nil || s == nil {
		return v, err
	}
	v.Session, v.User = s, u
	if k.Now().Sub(s.SeenAt) >= touchEvery {
		if err := k.Sessions.TouchSession(r.Context(), s.ID, k.Now()); err != nil {
			return nil, err
		}
	}
	return v, nil
}

const touchEvery = 5 * time.Minute

// session reads the session that a cookie proves, or nil.
func (k *Kit) session(ctx context.Context, which id.Session, value string) (*session.Session, *user.User, error) {
	s, err := k.Sessions.Session(ctx, which)
	if fault.Is(err, fault.NotFound) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	want, known := k.MACWith(s.Pepper, sessionText(value))
	if !known || subtle.ConstantTimeCompare(want[:], s.Digest) != 1 {
		return nil, nil, nil
	}
	u, err := k.Users.User(ctx, s.User)
	if err != nil {
		return nil, nil, err
	}
	if !u.DisabledAt.IsZero() || !s.Live(k.Now(), u.Admin) {
		return nil, nil, nil
	}
	return s, u, nil
}

// Begin logs a user in, in place of whoever was in this browser: with a new cookie, and with the requests that the browser
// brought before.
func (k *Kit) Begin(w http.ResponseWriter, r *http.Request, v *Visit, u *user.User, acr string, amr ...string) error {
	value, err := k.fresh()
	if err != nil {
		return err
	}
	ticket, _ := secret.TicketID(value.Reveal())
	now := k.Now().UTC().Truncate(time.Microsecond)
	pepper, mac := k.MAC(sessionText(value.Reveal()))
	s := &session.Session{
		ID: id.Of[id.Session](ticket), User: u.ID, Digest: mac[:], Pepper: pepper, AuthAt: now, ACR: acr, AMR: amr,
		Network: signin.Network(k.Web.Client(r)), Agent: agent(r.UserAgent()), CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(session.Life),
	}
	var replaced id.Session
	if v.Session != nil {
		replaced = v.Session.ID
	}
	to := digest(value.Reveal())
	if err := k.Sessions.BeginSession(r.Context(), s, replaced, v.Browser, to); err != nil {
		return err
	}
	k.set(w, value.Reveal(), session.Life)
	v.Browser, v.Session, v.User, v.value = to, s, u, value.Reveal()
	return nil
}

// Forget takes the cookie from the browser. Ending the session is the caller's, who has to tell the apps.
func (k *Kit) Forget(w http.ResponseWriter) { k.set(w, "", -time.Second) }

func (k *Kit) fresh() (secret.Secret, error) {
	_, text, err := secret.NewTicket(k.Random)
	return text, err
}

func (k *Kit) name() string {
	if k.Secure {
		return "__Host-lanyard"
	}
	return "lanyard"
}

// cookie is the value of our cookie, or "" if there is none or more than one: somebody planted the other.
func (k *Kit) cookie(r *http.Request) string {
	found := r.CookiesNamed(k.name())
	if len(found) != 1 {
		return ""
	}
	return found[0].Value
}

func (k *Kit) set(w http.ResponseWriter, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: k.name(), Value: value, Path: "/", MaxAge: int(life / time.Second), HttpOnly: true, Secure: k.Secure, SameSite: http.SameSiteLaxMode,
	})
}

// digest is what requests are bound to. The value is random, so it needs no pepper, and stays the same when that rotates.
func digest(value string) []byte {
	sum := sha256.Sum256([]byte("browser\x00" + value))
	return sum[:]
}

func sessionText(value string) string { return "session\x00" + value }

// CheckOrigin refuses a form that another site sent (Fetch metadata, else Origin). Programs that send neither pass: they
// have no cookie that somebody could ride on.
func CheckOrigin(r *http.Request) error {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		return fault.New(fault.InsufficientScope, "this form was sent by another site, so nothing was done; open the page here and try again")
	}
	return nil
}

// errLocal refuses a path that leads elsewhere.
var errLocal = errors.New("not a local path")

// Local returns a path of this server to return to, or fallback. Whatever a browser might read as another site is refused
// (SECURITY-CASES 14, 16).
func Local(text, fallback string) string {
	if err := checkLocal(text); err != nil {
		return fallback
	}
	return text
}

func checkLocal(text string) error {
	if len(text) == 0 || len(text) > 2000 || text[0] != '/' {
		return errLocal
	}
	path, _, _ := strings.Cut(text, "?")
	if strings.ContainsAny(text, "\\#") || strings.Contains(path, "//") || strings.Contains(path, ":") || strings.Contains(path, "..") || strings.Contains(path, "/.") {
		return errLocal
	}
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f {
			return errLocal
		}
	}
	for _, coded := range []string{"%2f", "%5c", "%09", "%0a", "%0d", "%00"} {
		if strings.Contains(strings.ToLower(path), coded) {
			return errLocal
		}
	}
	return nil
}

// agent is a short name for a browser, for the list of sessions.
func agent(header string) string {
	system := first(header, "iPhone", "iPad", "Android", "Windows", "Macintosh", "Linux")
	name := first(header, "Edg/", "OPR/", "Firefox/", "Chrome/", "Safari/")
	names := map[string]string{"Edg/": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari", "Macintosh": "macOS"}
	if short, ok := names[name]; ok {
		name = short
	}
	if short, ok := names[system]; ok {
		system = short
	}
	switch {
	case name != "" && system != "":
		return name + " on " + system
	case name+system != "":
		return name + system
	}
	return "a browser"
}

func first(text string, words ...string) string {
	for _, w := range words {
		if strings.Contains(text, w) {
			return w
		}
	}
	return ""
}
