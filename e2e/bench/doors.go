package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"time"
)

// doorKeys are how many keys calls come with.
const doorKeys = 1000

// doors are a server, what it is compared with, and the APIs that ask it.
type doors struct {
	upstream, proxy, yes, check process // none of them asks anybody
	lanyard                     process
	site                        site
	remote, local               process  // APIs with a guard
	keys, tokens                []string // headers
	credentials                 []string
	ends                        []func() error
}

// begin starts a process that ends with the doors.
func (d *doors) begin(ctx context.Context, into *process, what string, more ...string) error {
	p, stop, err := child(ctx, what, more...)
	if err != nil {
		return err
	}
	*into, d.ends = p, append(d.ends, stop)
	return nil
}

// end ends what was begun, the last first.
func (d *doors) end() (err error) {
	for _, end := range slices.Backward(d.ends) {
		err = errors.Join(err, end())
	}
	return err
}

// open starts them all, on a server with doorKeys keys.
func (d *doors) open(ctx context.Context, p plan, dir string, progress io.Writer) error {
	if err := errors.Join(d.begin(ctx, &d.upstream, "upstream"), d.begin(ctx, &d.yes, "yes"), d.begin(ctx, &d.check, "check")); err != nil {
		return err
	}
	if err := d.begin(ctx, &d.proxy, "proxy", "-upstream", d.upstream.address); err != nil {
		return err
	}
	fmt.Fprintf(progress, "storing %d keys for the doors…\n", doorKeys)
	where := settings(filepath.Join(dir, "doors"))
	seeded, err := seed(ctx, where, doorKeys, doorKeys)
	if err != nil {
		return err
	}
	client, err := gated(ctx, where, "http://"+d.upstream.address)
	if err != nil {
		return err
	}
	for _, address := range []*string{&d.site.gateway, &d.site.envoy, &d.site.metrics} {
		if *address, err = freeAddress(); err != nil {
			return err
		}
	}
	if err := d.begin(ctx, &d.lanyard, where.DataDir, "-gateway", d.site.gateway, "-envoy", d.site.envoy, "-metrics", d.site.metrics, "-pprof", p.profile); err != nil {
		return err
	}
	token, err := client.token(ctx, d.lanyard.address)
	if err != nil {
		return err
	}
	d.credentials, d.keys, d.tokens = seeded.credentials, headers("X-Api-Key: ", seeded.credentials), []string{"Authorization: Bearer " + token}
	ask := []string{"-asks", "http://" + d.lanyard.address, "-token", client.guard}
	return errors.Join(
		d.begin(ctx, &d.remote, "guarded", append(ask, "-api", "gated")...),
		d.begin(ctx, &d.local, "guarded", append(ask, "-api", "free", "-follow")...),
	)
}

// freeAddress is one that nobody listens on just now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// beside is what a door is compared with, and the door.
type beside struct {
	bare  subject
	doors []subject
}

// groups are every door beside what does the same and asks nobody.
func (d *doors) groups(ctx context.Context) ([]beside, error) {
	of := func(s subject, by ...process) subject {
		for _, p := range by {
			s.pids = append(s.pids, p.pid)
		}
		return s
	}
	bareCheck, closeBare, err := asEnvoyChecks(ctx, "bare gRPC that says yes", d.check.address, d.credentials)
	if err != nil {
		return nil, err
	}
	d.ends = append(d.ends, closeBare)
	check, closeCheck, err := asEnvoyChecks(ctx, "ext_authz over gRPC: key, two limits, metered", d.site.envoy, d.credentials)
	if err != nil {
		return nil, err
	}
	d.ends = append(d.ends, closeCheck)
	return []beside{
		{of(calls("bare httputil.ReverseProxy", d.proxy.address, gatedTarget, d.keys[:1]), d.proxy), []subject{
			of(calls("gateway: key, two limits, metered", d.site.gateway, gatedTarget, d.keys), d.lanyard),
			of(calls("gateway: JWT, two limits, metered", d.site.gateway, gatedTarget, d.tokens), d.lanyard),
		}},
		{of(asNginx("bare handler that says yes", d.yes.address, d.keys[:1]), d.yes), []subject{
			of(asNginx("forward-auth: key, two limits, metered", d.lanyard.address, d.keys), d.lanyard),
			of(asNginx("forward-auth: JWT, two limits, metered", d.lanyard.address, d.tokens), d.lanyard),
			of(asEnvoy("ext_authz over HTTP: key, two limits, metered", d.site.envoy, d.keys), d.lanyard),
		}},
		{of(bareCheck, d.check), []subject{of(check, d.lanyard)}},
		{of(calls("bare API", d.upstream.address, forecastTarget, d.keys[:1]), d.upstream), []subject{
			of(calls("API that asks: key, two limits, metered", d.remote.address, forecastTarget, d.keys), d.remote, d.lanyard),
			d.unasked(ctx, of(calls("API that follows: key, unmetered", d.local.address, forecastTarget, d.keys), d.local, d.lanyard)),
		}},
	}, nil
}

// unasked fails a round in which the server decided anything.
func (d *doors) unasked(ctx context.Context, s subject) subject {
	var before int
	s.before = func() (err error) {
		before, err = d.settle(ctx)
		return err
	}
	s.after = func() error {
		n, err := decided(ctx, d.site.metrics)
		if err == nil && n != before {
			err = fmt.Errorf("the server was asked about %d calls, want none", n-before)
		}
		return err
	}
	return s
}

// settle has the API that follows the log of changes ask about every key, until it need not any more: the server may have made itself a signing
// key since the last time, and then every answer is forgotten. It returns how many decisions the server has made.
func (d *doors) settle(ctx context.Context) (int, error) {
	requests := make([][]byte, len(d.keys))
	for i, key := range d.keys {
		requests[i] = calls("", d.local.address, forecastTarget, []string{key}).open(0).next()
	}
	right := func(body []byte) error { return begins(body, []byte(sunny)) }
	for range 20 {
		before, err := decided(ctx, d.site.metrics)
		if err != nil {
			return 0, err
		}
		if err := ask(d.local.address, slices.Values(requests), right); err != nil {
			return 0, err
		}
		if after, err := decided(ctx, d.site.metrics); err != nil || after == before {
			return after, err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return 0, errors.New("an API that follows the log of changes asks about every call")
}

// measureDoors measures every door beside what does the same and asks nobody.
func measureDoors(ctx context.Context, p plan, dir string, out, progress io.Writer) (err error) {
	var d doors
	defer func() { err = errors.Join(err, d.end()) }()
	if err := d.open(ctx, p, dir, progress); err != nil {
		return err
	}
	groups, err := d.groups(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n| connections | what | requests/s | of bare | server CPU | p50 | p99 |\n|---:|---|---:|---:|---:|---:|---:|\n")
	for _, g := range groups {
		for _, connections := range []int{16, 64} {
			rows, err := compare(p, connections, g.bare, g.doors)
			if err != nil {
				return err
			}
			for _, r := range rows {
				fmt.Fprintf(out, "| %d | %s |\n", connections, r)
			}
		}
	}
	return nil
}
