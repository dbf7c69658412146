// Package postpal is a small web app that signs people in with a Lanyard and then works for them: it reads their profile and mail
// and posts in their name, as far as they let it. Read it to learn what an app has to do, and how little that is with
// golang.org/x/oauth2 and github.com/coreos/go-oidc/v3.
//
//	login.go     the way in and out: discovery, PKCE, state, nonce, the ID token, logout
//	session.go   what is kept for a signed-in person, and how a badge is refreshed
//	badge.go     calls of the API, and what a refusal means
//	page.go      the one page
//
// The access token is a visitor badge: it says for whom the app calls, what it may do, and until when. It stays in this program; the
// browser gets a random cookie and nothing else. So a script that slips into the page finds no token, and there is none in any URL.
//
// There is no secret here. PostPal is a public client (RFC 6749 section 2.1): PKCE proves that whoever redeems a code began the
// sign-in. An app that can keep a secret sets one in oauth2.Config.ClientSecret, from its environment, and keeps PKCE all the same.
package postpal

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Config says where PostPal stands. Nothing of it is a secret, and nothing of it stands in the code.
//
// The provider must know the app's redirect URI, URL + "/callback", and where it may lead people after logout, URL + "/".
type Config struct {
	Issuer   string // the provider, exactly as it calls itself: https://auth.example.com
	ClientID string // which app this is, as the provider gave it out
	API      string // the base URL of the mail API: https://api.example.com/mail
	URL      string // where people reach PostPal: https://postpal.example.com

	Provider   string           // what people call the provider; "": the host of Issuer
	Scopes     []string         // what to ask for; nil: openid profile.read messages.read posts.write
	HTTPClient *http.Client     // for the provider and the API; nil: one that waits ten seconds
	Now        func() time.Time // nil: the real clock
}

// FromEnv reads POSTPAL_ISSUER, POSTPAL_CLIENT_ID, POSTPAL_API, POSTPAL_URL and, where it is set, POSTPAL_PROVIDER. Hand it os.Getenv.
func FromEnv(getenv func(string) string) (Config, error) {
	c := Config{
		Issuer: getenv("POSTPAL_ISSUER"), ClientID: getenv("POSTPAL_CLIENT_ID"), API: getenv("POSTPAL_API"), URL: getenv("POSTPAL_URL"),
		Provider: getenv("POSTPAL_PROVIDER"),
	}
	if c.ClientID == "" {
		return Config{}, fmt.Errorf("POSTPAL_CLIENT_ID is not set: register the app with the provider and set it to the client_id you get")
	}
	for name, value := range map[string]string{"POSTPAL_ISSUER": c.Issuer, "POSTPAL_API": c.API, "POSTPAL_URL": c.URL} {
		if u, err := url.Parse(value); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			return Config{}, fmt.Errorf("%s is not a web address: set it to one such as https://postpal.example.com", name)
		}
	}
	return c, nil
}

// app is PostPal.
type app struct {
	Config
	sessions *sessions
	page     *template.Template

	mu       sync.Mutex
	provider *provider // nil until somebody signs in
}

// New returns PostPal. It asks the provider for nothing until somebody signs in, so it can start first.
func New(c Config) http.Handler {
	c.URL, c.API = strings.TrimRight(c.URL, "/"), strings.TrimRight(c.API, "/")
	if c.Provider == "" {
		c.Provider = hostOf(c.Issuer)
	}
	if c.Scopes == nil {
		c.Scopes = []string{"openid", "profile.read", "messages.read", "posts.write"}
	}
	if c.HTTPClient == nil {
		c.HTTPClient = &http.Client{Timeout: 10 * time.Second}
	}
	if c.Now == nil {
		c.Now = time.Now //nolint:forbidigo // the real clock
	}
	a := &app{Config: c, sessions: newSessions(strings.HasPrefix(c.URL, "https:")), page: template.Must(template.ParseFS(files, "static/page.html"))}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.home)
	mux.HandleFunc("GET /login", a.login)
	mux.HandleFunc("GET /callback", a.callback)
	mux.HandleFunc("POST /logout", a.logout)
	mux.HandleFunc("POST /call/{what}", a.call)
	mux.HandleFunc("GET /badge", a.badge)
	mux.Handle("GET /static/", http.FileServerFS(files))
	// A form on another site can post here with our cookie in the browser's hand; this refuses what does not come from our own page.
	return a.headers(http.NewCrossOriginProtection().Handler(mux))
}

// headers forbid the page everything it does not need, and every cache to keep it. Logging out leads to the provider, so its origin
// is one that forms may lead to.
func (a *app) headers(next http.Handler) http.Handler {
	policy := "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
	if u, err := url.Parse(a.Issuer); err == nil && u.Host != "" && !strings.ContainsAny(u.Host, " ;,'") {
		policy += " " + u.Scheme + "://" + u.Host
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func hostOf(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return u.Host
	}
	return address
}
