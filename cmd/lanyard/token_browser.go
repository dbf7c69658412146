package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"runtime"
	"time"

	"golang.org/x/oauth2"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

const answerWithin = 5 * time.Minute

// byBrowser gets a token by a code that the browser of this machine brings to a port of its own (RFC 8252 section 7.3), bound
// to this run by PKCE, a state, and the issuer (RFC 9207).
func (p *program) byBrowser(ctx context.Context, server string, cfg *oauth2.Config, more ...oauth2.AuthCodeOption) (*oauth2.Token, error) {
	issuer, err := p.issuer(ctx, server)
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open a port for the answer: %w; with --device none is needed", err)
	}
	cfg.RedirectURL = "http://" + listener.Addr().String() + "/callback"
	verifier := oauth2.GenerateVerifier()
	back := &callback{state: rand.Text(), issuer: issuer, server: server, answers: make(chan returned, 1)}
	srv := &http.Server{Handler: back, ReadHeaderTimeout: patience, ReadTimeout: patience, WriteTimeout: patience, MaxHeaderBytes: 32 << 10}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(listener) // it ends when it is closed below
	}()
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if err := srv.Shutdown(last); err != nil { // the page that says that all is well has to arrive
			_ = srv.Close()
		}
		<-done
	}()
	address := cfg.AuthCodeURL(back.state, append(more, oauth2.S256ChallengeOption(verifier))...)
	p.notes.linef("Open this address in a browser on this machine, and answer there:\n\n    %s\n", address)
	if p.notes.err != nil {
		return nil, p.notes.err
	}
	if isTerminal(p.stderr) {
		openBrowser(ctx, address)
	}
	waiting, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	select {
	case <-waiting.Done():
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fault.New(fault.Unauthenticated, "no answer came within %s: run the command again, or with --device for a browser elsewhere", answerWithin)
	case got := <-back.answers:
		if got.denied {
			p.notes.linef("lanyard: the answer there was no, so nothing was handed out")
			return nil, errNo
		}
		if got.err != nil {
			return nil, got.err
		}
		token, err := cfg.Exchange(p.withWeb(ctx), got.code, append(more, oauth2.VerifierOption(verifier))...)
		if err != nil {
			return nil, tokenFailure(server, err)
		}
		return token, nil
	}
}

// issuer is what the server calls itself, which has to be what we call it (RFC 8414 section 3.3).
func (p *program) issuer(ctx context.Context, server string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"/.well-known/openid-configuration", nil)
	if err != nil {
		return "", err
	}
	res, err := p.web().Do(req) // #nosec G704 -- the operator's own setting
	if err != nil {
		return "", tokenFailure(server, err)
	}
	defer res.Body.Close()
	var said struct {
		Issuer string `json:"issuer"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 256<<10)).Decode(&said); err != nil || res.StatusCode != http.StatusOK || said.Issuer == "" {
		return "", notLanyard(server)
	}
	if named, err := canonicalURL(said.Issuer); err != nil || named != server {
		return "", fault.New(fault.Conflict, "the server at %s calls itself %s: set LANYARD_URL to that, or LANYARD_PUBLIC_URL of the server to the address it is reached at", server, short(said.Issuer))
	}
	return said.Issuer, nil
}

// returned is what the browser brought.
type returned struct {
	code   string
	denied bool
	err    error
}

// callback takes one answer. Whatever does not carry our state is somebody else's and ends nothing: any page the browser
// shows could send it.
type callback struct {
	state, issuer, server string
	answers               chan returned
}

func (c *callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	if r.URL.Path != "/callback" || r.Method != http.MethodGet {
		http.NotFound(w, r)
		return
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(query["state"]) != 1 || subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(c.state)) != 1 {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, "This is not the answer that the command waits for. Go on from the address it printed.\n")
		return
	}
	got := c.read(query)
	select {
	case c.answers <- got:
	default: // one was enough
	}
	if got.err != nil || got.denied {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, "No token was handed out. The terminal says why; you can close this page.\n")
		return
	}
	_, _ = io.WriteString(w, "That is all. You can close this page and go back to the terminal.\n")
}

// read makes of an answer with the right state a code, or why there is none.
func (c *callback) read(query url.Values) returned {
	if len(query["iss"]) != 1 || query.Get("iss") != c.issuer { // RFC 9207 section 2.4
		return returned{err: fault.New(fault.Conflict, "the answer came from %s and not from %s, so it was thrown away: somebody may be mixing servers up", short(query.Get("iss")), c.issuer)}
	}
	switch code := query.Get("error"); {
	case code == "access_denied":
		return returned{denied: true}
	case code != "":
		return returned{err: tokenFailure(c.server, &oauth2.RetrieveError{ErrorCode: code, ErrorDescription: query.Get("error_description")})}
	case len(query["code"]) != 1 || query.Get("code") == "":
		return returned{err: errors.New("the answer holds neither a code nor an error")}
	}
	return returned{code: query.Get("code")}
}

// openBrowser tries; the address was printed for where it cannot.
func openBrowser(ctx context.Context, address string) {
	name, args := "xdg-open", []string{address}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", address}
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), name, args...) // #nosec G204 -- made above
	if cmd.Start() == nil {
		go func() { _ = cmd.Wait() }() // it goes on without us
	}
}
