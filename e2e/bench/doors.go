package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/server"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// doorKeys are how many keys calls come with.
const doorKeys = 1000

// sunny is what the upstream answers.
const sunny = `{"city":"Lagos","days":[{"summary":"some clouds","high_c":33}]}`

// serveUpstream is an API that does nothing.
func serveUpstream(ctx context.Context, out io.Writer) error {
	return serveOn(ctx, out, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, sunny)
	}))
}

// serveProxy is the standard library's reverse proxy before an upstream, with as many idle connections as the gateway keeps.
func serveProxy(ctx context.Context, upstream string, out io.Writer) error {
	target := &url.URL{Scheme: "http", Host: upstream}
	return serveOn(ctx, out, &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target); r.SetXForwarded() },
		Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true, IdleConnTimeout: 90 * time.Second, WriteBufferSize: 32 << 10, ReadBufferSize: 32 << 10},
	})
}

func serveOn(ctx context.Context, out io.Writer, handler http.Handler) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, l.Addr())
	return web.Serve(ctx, &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}, l, time.Second)
}

// measureDoors measures the gateway beside a bare reverse proxy to the same upstream.
func measureDoors(ctx context.Context, p plan, dir string, out, progress io.Writer) (err error) {
	upstream, stopUpstream, err := child(ctx, "upstream")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopUpstream()) }()
	proxy, stopProxy, err := child(ctx, "proxy", "-upstream", upstream.address)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopProxy()) }()
	fmt.Fprintf(progress, "storing %d keys for the gateway…\n", doorKeys)
	where := settings(filepath.Join(dir, "doors"))
	seeded, err := seed(ctx, where, doorKeys, doorKeys)
	if err != nil {
		return err
	}
	client, err := gated(ctx, where, "http://"+upstream.address)
	if err != nil {
		return err
	}
	gateway, err := freeAddress()
	if err != nil {
		return err
	}
	running, stop, err := child(ctx, where.DataDir, "-gateway", gateway, "-pprof", p.profile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	token, err := client.token(ctx, running.address)
	if err != nil {
		return err
	}
	handler := calls("bare httputil.ReverseProxy", proxy.address, []string{"X-Api-Key: " + seeded.credentials[0]})
	subjects := []subject{
		calls("gateway: key, two limits, metered", gateway, headers("X-Api-Key: ", seeded.credentials)),
		calls("gateway: JWT, two limits, metered", gateway, []string{"Authorization: Bearer " + token}),
	}
	for i := range subjects {
		subjects[i].pid = running.pid
	}
	handler.pid = proxy.pid
	fmt.Fprintf(out, "\n| connections | what | requests/s | of bare | server CPU | p50 | p99 |\n|---:|---|---:|---:|---:|---:|---:|\n")
	for _, connections := range []int{16, 64} {
		rows, err := compare(p, connections, handler, subjects)
		if err != nil {
			return err
		}
		for _, r := range rows {
			fmt.Fprintf(out, "| %d | %s |\n", connections, r)
		}
	}
	return nil
}

// freeAddress is one that nobody listens on just now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func headers(before string, credentials []string) []string {
	made := make([]string, len(credentials))
	for i, c := range credentials {
		made[i] = before + c
	}
	return made
}

// calls asks for the same with one of the headers, at random.
func calls(name, address string, with []string) subject {
	made := make([][]byte, len(with))
	for i, header := range with {
		made[i] = fmt.Appendf(nil, "GET /gated/v1/forecast?city=Lagos HTTP/1.1\r\nHost: %s\r\n%s\r\nAccept: application/json\r\n\r\n", address, header)
	}
	right := func(body []byte) error { return begins(body, []byte(sunny)) }
	return subject{name: name, address: address, open: func(int) talk { return &repeated{made, right} }}
}

// service is an app that gets tokens for itself.
type service struct{ id, secret string }

// gated declares an API behind the gateway, with two limits that are never reached, and makes an app for it.
func gated(ctx context.Context, where config.Settings, upstream string) (s service, err error) {
	core, err := server.Open(ctx, where, server.Options{})
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, core.Close()) }()
	actor := audit.Command("bench")
	api := lanyard.API{
		Takes: "either", Upstream: upstream, Routes: []lanyard.Route{{Prefix: "/gated", StripPrefix: true}}, Scopes: map[string]lanyard.Scope{"gate.read": {Text: "read behind the gate"}},
		Operations: map[string]lanyard.Operation{"GET /v1/forecast": {}},
		Plans:      map[string]lanyard.Plan{"free": {Default: true, Limits: []string{"100000000/second", "1000000000/minute"}}},
	}
	if _, err := core.Manage.ApplyCatalog(ctx, actor, lanyard.Catalog{APIs: map[string]lanyard.API{"gated": api}}, false); err != nil {
		return s, err
	}
	team, err := core.Manage.CreateTeam(ctx, actor, lanyard.TeamInput{Name: "Gate"})
	if err != nil {
		return s, err
	}
	app, err := core.Manage.CreateApp(ctx, actor, lanyard.AppInput{
		Name: "service", TeamID: team.ID, OAuthSettings: lanyard.OAuthSettings{GrantTypes: []string{"client_credentials"}, Scopes: []string{"gate.read"}},
	})
	if err != nil {
		return s, err
	}
	secret, err := core.Manage.CreateSecret(ctx, actor, app.ID, lanyard.SecretInput{Name: "bench"})
	return service{app.ID, secret.Secret}, err
}

func (s service) token(ctx context.Context, address string) (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {s.id}, "client_secret": {s.secret}, "scope": {"gate.read"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var said struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&said); err != nil || said.Token == "" {
		return "", fmt.Errorf("no access token: %s, %w", res.Status, err)
	}
	return said.Token, nil
}
