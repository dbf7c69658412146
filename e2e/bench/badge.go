package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

const (
	badgeClients = 64
	tokensEach   = 16     // of a client and a format, for what is asked about again and again
	freshTokens  = 20_000 // for a round of what is seen for the first time
)

// measureBadge measures the visitor badge: tokens issued, refreshed, introspected and decided.
func measureBadge(ctx context.Context, p plan, dir string, bare process, out, progress io.Writer) (err error) {
	fmt.Fprintln(progress, "making clients…")
	settings := settings(filepath.Join(dir, "badge"))
	b, err := seedBadge(ctx, settings, badgeClients)
	if err != nil {
		return fmt.Errorf("make clients: %w", err)
	}
	defer func() { err = errors.Join(err, b.core.Close()) }()
	if _, err := b.mint(ctx, b.clients[0], formatJWT); err != nil { // the keyring has its signing key before the server starts
		return err
	}
	running, stop, err := child(ctx, filepath.Join(dir, "badge"), "-pprof", p.profile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	handler, err := b.bare(bare.address)
	if err != nil {
		return err
	}
	subjects, err := b.subjects(ctx, running.address)
	if err != nil {
		return err
	}
	handler.pids = []int{bare.pid}
	for i := range subjects {
		subjects[i].pids = []int{running.pid}
	}
	subjects = slices.DeleteFunc(subjects, func(s subject) bool { return !strings.Contains(s.name, p.match) })
	fmt.Fprintf(out, "\n| connections | what | requests/s | of bare | server CPU | p50 | p99 |\n|---:|---|---:|---:|---:|---:|---:|\n")
	for _, connections := range []int{16, badgeClients} {
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

// bare is the handler that the others are parts of, asked the same as /v1/verify.
func (b *badge) bare(address string) (subject, error) {
	key, err := secret.New("lyd", secret.Key, secret.Live, id.Chars(id.New[id.Key]()), rand.Reader)
	question := [][]byte{b.decide(address, key.Reveal(), "open")}
	return subject{name: "bare handler", address: address, open: func(int) talk { return &repeated{question, allowed} }}, err
}

// subjects are every measurement of the badge, each in both formats.
func (b *badge) subjects(ctx context.Context, address string) ([]subject, error) {
	var list []subject
	add := func(s subject, err error) error {
		list = append(list, s)
		return err
	}
	for _, format := range []string{formatJWT, formatOpaque} {
		if err := errors.Join(
			add(b.issuing(address, format), nil), add(b.refreshing(ctx, address, format)),
			add(b.looking(ctx, introspection(address, format))), add(b.looking(ctx, decision(b, address, format))),
			add(b.lookingFirst(ctx, introspection(address, format)), nil), add(b.lookingFirst(ctx, decision(b, address, format)), nil),
		); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// issuing is client-credential issuance. What came of it last is put to the server after each round.
func (b *badge) issuing(address, format string) subject {
	talks := make([]*issuance, len(b.clients))
	for i, c := range b.clients {
		talks[i] = newIssuance(c, address, format)
	}
	return subject{
		name: "issue by client credentials, " + format, address: address, open: func(conn int) talk { return talks[conn] },
		after: func() error {
			return ask(address, func(yield func([]byte) bool) {
				for _, t := range talks {
					if t.got > 0 && !yield(b.decide(address, string(t.last), format)) {
						return
					}
				}
			}, allowed)
		},
	}
}

// refreshing is rotation, every client with a chain of its own. After each round the rows have to have counted every answer.
func (b *badge) refreshing(ctx context.Context, address, format string) (subject, error) {
	talks := make([]*rotation, len(b.clients))
	for i, c := range b.clients {
		var err error
		if talks[i], err = b.redeem(ctx, c, address, format); err != nil {
			return subject{}, err
		}
	}
	return subject{
		name: "refresh, durable, " + format, address: address, open: func(conn int) talk { return talks[conn] },
		after: func() error {
			for _, t := range talks {
				if err := b.counted(ctx, t); err != nil {
					return err
				}
			}
			return ask(address, func(yield func([]byte) bool) {
				for _, t := range talks {
					if !yield(b.decide(address, string(t.last), format)) {
						return
					}
				}
			}, allowed)
		},
	}, nil
}

// counted wants the row of a chain to stand where its client does. The first answer was that to the code.
func (b *badge) counted(ctx context.Context, t *rotation) error {
	public, _, err := secret.ParseRefresh(string(t.refresh))
	if err != nil {
		return err
	}
	f, err := b.core.Store.Family(ctx, id.Of[id.Family](public.ID))
	if err != nil {
		return err
	}
	if int(f.Counter) != t.got-1 {
		return fmt.Errorf("the chain %s stands at %d after %d rotations", f.ID, f.Counter, t.got-1)
	}
	return nil
}

// look is a way to ask about tokens of a format.
type look struct {
	name, address, format string
	request               func(c *client, token string) []byte
	right                 func(body []byte) error
}

func introspection(address, format string) look {
	active := []byte(`{"active":true,`)
	return look{
		name: "introspect, " + format, address: address, format: format, right: func(body []byte) error { return begins(body, active) },
		request: func(c *client, token string) []byte {
			return c.form(address, "/oauth/introspect", url.Values{"token": {token}})
		},
	}
}

func decision(b *badge, address, format string) look {
	return look{
		name: "/v1/verify, " + format, address: address, format: format, right: allowed,
		request: func(_ *client, token string) []byte { return b.decide(address, token, format) },
	}
}

// requests are about so many new tokens of every client.
func (b *badge) requests(ctx context.Context, l look, each int) ([][]byte, error) {
	var list [][]byte
	for range each {
		for _, c := range b.clients {
			text, err := b.mint(ctx, c, l.format)
			if err != nil {
				return nil, err
			}
			list = append(list, l.request(c, text))
		}
	}
	return list, nil
}

// looking asks about the same tokens again and again. The server has seen each before.
func (b *badge) looking(ctx context.Context, l look) (subject, error) {
	requests, err := b.requests(ctx, l, tokensEach)
	if err != nil {
		return subject{}, err
	}
	err = ask(l.address, slices.Values(requests), l.right)
	return subject{name: l.name, address: l.address, open: func(int) talk { return &repeated{requests, l.right} }}, err
}

// lookingFirst asks about each token once: the connections share what was made for the round.
func (b *badge) lookingFirst(ctx context.Context, l look) subject {
	var left once
	return subject{
		name: l.name + ", first sight", address: l.address, open: func(int) talk { return &left },
		before: func() error {
			requests, err := b.requests(ctx, l, freshTokens/len(b.clients))
			left.fill(requests, l.right)
			return err
		},
	}
}
