package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
)

// signedIn is what `lanyard login` keeps for one server: a badge of the person, for this program alone.
type signedIn struct {
	ClientID     string    `json:"client_id"`
	AccessToken  string    `json:"access_token"`
	RefreshToken string    `json:"refresh_token,omitempty"`
	Expiry       time.Time `json:"expiry,omitzero"`
	Scope        string    `json:"scope,omitempty"`
}

// logins is the whole file, by the servers' addresses.
type logins struct {
	Current string              `json:"current,omitempty"` // the one signed in to last: meant where nothing names another
	Servers map[string]signedIn `json:"servers"`
}

// loginFile is where logins are kept: readable by their owner alone.
type loginFile struct{ path string }

const maxLoginFile = 1 << 20

// loginFile finds the file in the user's configuration directory, as os.UserConfigDir does, but in the environment given:
// what stands in a project's .env has no say in where secrets lie.
func (p *program) loginFile() (loginFile, error) {
	dir := ""
	switch runtime.GOOS {
	case "windows":
		dir = p.getenv("AppData")
	case "darwin", "ios":
		if home := p.getenv("HOME"); home != "" {
			dir = filepath.Join(home, "Library", "Application Support")
		}
	default:
		dir = p.getenv("XDG_CONFIG_HOME")
		if home := p.getenv("HOME"); dir == "" && home != "" {
			dir = filepath.Join(home, ".config")
		}
	}
	if !filepath.IsAbs(dir) {
		return loginFile{}, usage("there is no configuration directory to keep a login in: set HOME, or use LANYARD_TOKEN")
	}
	return loginFile{filepath.Join(dir, "lanyard", "login.json")}, nil
}

// read returns what is kept; nothing kept is no error.
func (f loginFile) read() (logins, error) {
	kept := logins{Servers: map[string]signedIn{}}
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return kept, nil
	}
	if err != nil {
		return kept, f.unreadable(err.Error())
	}
	defer file.Close() //nolint:errcheck // nothing was written
	if info, err := file.Stat(); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return kept, fault.New(fault.Conflict, "%s can be read by others: end what is in it with `lanyard logout` after `chmod 600 %s`, then `lanyard login` again", f.path, f.path)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxLoginFile))
	if err != nil {
		return kept, f.unreadable(err.Error())
	}
	if err := json.Unmarshal(text, &kept); err != nil || kept.Servers == nil {
		return logins{Servers: map[string]signedIn{}}, f.unreadable("it is not what `lanyard login` writes")
	}
	return kept, nil
}

func (f loginFile) unreadable(why string) error {
	return fault.New(fault.Conflict, "the logins in %s cannot be read: %s; remove the file and run `lanyard login`", f.path, why)
}

// change applies do to what is kept, while no other command does.
func (f loginFile) change(ctx context.Context, do func(*logins) error) error {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return fmt.Errorf("make the directory for logins: %w", err)
	}
	unlock, err := f.lock(ctx)
	if err != nil {
		return err
	}
	kept, err := f.read()
	if err == nil {
		err = do(&kept)
	}
	if err == nil {
		err = wholeFile{path: f.path, mode: 0o600, replace: true}.write(func(w io.Writer) error {
			enc := json.NewEncoder(w)
			enc.SetIndent("", "  ")
			return enc.Encode(kept)
		})
	}
	return errors.Join(err, unlock())
}

// lock waits for its turn at the file beside.
func (f loginFile) lock(ctx context.Context) (unlock func() error, err error) {
	return waitForLock(ctx, f.path, func() (func() error, error) { return lockFile(f.path + ".lock") })
}

// serverURL is the server that a command is for, in the form that logins are kept by: --url, LANYARD_URL, the one signed in
// to last where fallback says so, or the default.
func (p *program) serverURL(current string) (string, error) {
	getenv, err := p.environ()
	if err != nil {
		return "", err
	}
	return canonicalURL(cmp.Or(p.url, getenv("LANYARD_URL"), current, defaultURL))
}

// canonicalURL refuses an address that no credential may be sent to, by the rules of lanyard.Client.
func canonicalURL(address string) (string, error) {
	c, err := lanyard.NewClient(address, "none")
	if err != nil {
		return "", fault.New(fault.Invalid, "%s", err)
	}
	scheme, rest, _ := strings.Cut(c.URL, "://")
	host, path, _ := strings.Cut(rest, "/")
	if path != "" {
		path = "/" + path
	}
	return scheme + "://" + strings.ToLower(host) + path, nil
}

// oauth is this program, or an app of one's own, as an OAuth client of a server.
func oauthConfig(server, clientID, clientSecret string, scopes []string) *oauth2.Config {
	style := oauth2.AuthStyleInParams
	if clientSecret != "" {
		style = oauth2.AuthStyleInHeader
	}
	return &oauth2.Config{
		ClientID: clientID, ClientSecret: clientSecret, Scopes: scopes,
		Endpoint: oauth2.Endpoint{
			AuthURL: server + "/oauth/authorize", TokenURL: server + "/oauth/token", DeviceAuthURL: server + "/oauth/device_authorization", AuthStyle: style,
		},
	}
}

const patience = 15 * time.Second // for one answer of a server

// web is a client that sends what it is given to the server named and nowhere else: it follows no redirect.
func (p *program) web() *http.Client {
	return &http.Client{
		Transport: p.transport, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// withWeb has package oauth2 use that client.
func (p *program) withWeb(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, p.web())
}

// early is how long before its end an access token is taken for over: it has to arrive, too.
const early = 30 * time.Second

func (s signedIn) fresh(now time.Time) bool {
	return s.AccessToken != "" && (s.Expiry.IsZero() || now.Before(s.Expiry.Add(-early)))
}

// refreshed returns a login whose access token works, and keeps it. Commands at the same time take turns: a refresh token is
// exchanged at its use, and who comes second finds what the first one got.
func (p *program) refreshed(ctx context.Context, file loginFile, server string) (signedIn, error) {
	kept, err := file.read()
	if err != nil {
		return signedIn{}, err
	}
	entry, there := kept.Servers[server]
	if there && entry.fresh(p.now()) {
		return entry, nil
	}
	err = file.change(ctx, func(all *logins) error {
		if entry, there = all.Servers[server]; !there {
			return notSignedIn(server)
		}
		if entry.fresh(p.now()) {
			return nil
		}
		if entry.RefreshToken == "" {
			return overLogin(server)
		}
		cfg := oauthConfig(server, entry.ClientID, "", nil)
		got, err := cfg.TokenSource(p.withWeb(ctx), &oauth2.Token{RefreshToken: entry.RefreshToken}).Token()
		if err != nil {
			if refusal(err) == "invalid_grant" {
				return overLogin(server)
			}
			return tokenFailure(server, err)
		}
		entry = p.keep(entry.ClientID, got, entry.Scope)
		all.Servers[server] = entry
		return nil
	})
	return entry, err
}

// keep is what stays of a server's answer.
func (p *program) keep(clientID string, got *oauth2.Token, asked string) signedIn {
	entry := signedIn{ClientID: clientID, AccessToken: got.AccessToken, RefreshToken: got.RefreshToken, Scope: asked}
	if scope, ok := got.Extra("scope").(string); ok && scope != "" {
		entry.Scope = scope
	}
	if got.ExpiresIn > 0 {
		entry.Expiry = p.now().Add(time.Duration(got.ExpiresIn) * time.Second).UTC().Truncate(time.Second)
	}
	return entry
}

func notSignedIn(server string) error {
	return usage("you are not signed in to %s: run `lanyard login --url %s`, or set LANYARD_TOKEN (or LANYARD_TOKEN_FILE) to a credential of the server; where its database is, `lanyard admin key create --scope lanyard.admin --save LANYARD_TOKEN` makes one", server, server)
}

func overLogin(server string) error {
	return fault.New(fault.Unauthenticated, "your login at %s is over: run `lanyard login --url %s`", server, server)
}

// loginClient is a client with what login stored for the server of --url or LANYARD_URL.
func (p *program) loginClient() (*lanyard.Client, error) {
	file, err := p.loginFile()
	if err != nil { // no place to keep a login in, so there is none
		return nil, usage("set LANYARD_TOKEN (or LANYARD_TOKEN_FILE) to a management key of the server, or set HOME and run `lanyard login`")
	}
	kept, err := file.read()
	if err != nil {
		return nil, err
	}
	server, err := p.serverURL(kept.Current)
	if err != nil {
		return nil, err
	}
	entry, there := kept.Servers[server]
	if !there {
		return nil, notSignedIn(server)
	}
	client, err := lanyard.NewClient(server, entry.AccessToken)
	if err != nil {
		return nil, file.unreadable("what it holds for " + server + " is no token")
	}
	client.HTTP = &http.Client{Transport: &renewing{program: p, file: file, server: server, next: p.transport}}
	return client, nil
}

// renewing puts the access token of a login into requests to its server, and gets a new one where it is over.
type renewing struct {
	program *program
	file    loginFile
	server  string
	next    http.RoundTripper

	mu     sync.Mutex
	failed error // asked once: a refresh that was refused is not tried again
}

func (t *renewing) RoundTrip(r *http.Request) (*http.Response, error) {
	if at := r.URL.Scheme + "://" + strings.ToLower(r.URL.Host); t.server != at && !strings.HasPrefix(t.server, at+"/") {
		return nil, fmt.Errorf("a token for %s is not sent to %s", t.server, r.URL.Host)
	}
	token, err := t.token(r.Context())
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token)
	next := t.next
	if next == nil {
		next = http.DefaultTransport
	}
	return next.RoundTrip(r)
}

func (t *renewing) token(ctx context.Context) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed != nil {
		return "", t.failed
	}
	entry, err := t.program.refreshed(ctx, t.file, t.server)
	t.failed = err
	return entry.AccessToken, err
}
