package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/server"
)

// seeded is a database made for a measurement, and what to ask it.
type seeded struct {
	asker       string
	credentials []string
}

// seed makes a database with that many keys and returns the credentials of some of them.
func seed(ctx context.Context, settings config.Settings, keys, asked int) (_ *seeded, err error) {
	core, err := server.Open(ctx, settings, server.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, core.Close()) }()
	actor := audit.Command("bench")
	system, err := core.Manage.CreateSystemKey(ctx, actor, "bench", []string{"lanyard.verify"})
	if err != nil {
		return nil, err
	}
	// Neither limit nor quota is ever reached.
	limits := []string{"100000000/second", "1000000000/minute"}
	scopes := map[string]lanyard.API{
		"open":    {Takes: "either", Metering: "none", Scopes: map[string]lanyard.Scope{"news.read": {Text: "read news"}}},
		"weather": {Takes: "key", Scopes: map[string]lanyard.Scope{"forecast.read": {Text: "read forecasts"}}},
		"limited": {Takes: "key", Metering: "none", Plans: map[string]lanyard.Plan{"free": {Default: true, Limits: limits}}},
		"sold":    {Takes: "key", Plans: map[string]lanyard.Plan{"free": {Default: true, Limits: limits, Quota: "100000000000/month"}}},
	}
	if _, err := core.Manage.ApplyCatalog(ctx, actor, lanyard.Catalog{APIs: scopes}, false); err != nil {
		return nil, err
	}
	team, err := core.Manage.CreateTeam(ctx, actor, lanyard.TeamInput{Name: "Sunny"})
	if err != nil {
		return nil, err
	}
	app, err := core.Manage.CreateApp(ctx, actor, lanyard.AppInput{Name: "WeatherDashboard", TeamID: team.ID})
	if err != nil {
		return nil, err
	}
	s := &seeded{asker: system.Secret}
	// In order, so that most of the database's indexes grow at their end; and no more in one step than SQLite likes: what a
	// savepoint has to remember is walked at every statement.
	ids := make([]id.Key, keys)
	for i := range ids {
		ids[i] = id.New[id.Key]()
	}
	slices.Sort(ids)
	pick := mathrand.Perm(keys)[:asked]
	slices.Sort(pick)
	const batch = 1000
	for done := 0; done < keys; done += batch {
		n := min(batch, keys-done)
		list := make([]*key.Key, n)
		for i := range list {
			k, credential, err := newKey(core, ids[done+i], id.App(app.ID), id.Team(team.ID))
			if err != nil {
				return nil, err
			}
			list[i] = k
			if n := len(s.credentials); n < asked && pick[n] == done+i {
				s.credentials = append(s.credentials, credential)
			}
		}
		ev := actor.New(time.Now(), "key.create", app.ID, id.Team(team.ID), nil)
		if _, err := core.Store.CreateKeys(ctx, list, ev); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func newKey(core *server.Core, keyID id.Key, app id.App, team id.Team) (*key.Key, string, error) {
	credential, err := secret.New("lyd", secret.Key, secret.Live, id.Chars(keyID), rand.Reader)
	if err != nil {
		return nil, "", err
	}
	pepper, digest := core.Ring.MAC(credential.Reveal())
	now := time.Now()
	return &key.Key{
		ID: keyID, App: app, Team: team, Name: "bench", Kind: secret.Key, Mode: secret.Live, Prefix: "lyd", Scopes: []string{"forecast.read"}, CreatedAt: now,
		Versions: []key.Version{{Number: 1, Digest: digest[:], Scheme: key.SchemeMAC, Pepper: pepper, CreatedAt: now}},
	}, credential.Reveal(), nil
}

// request is the bytes of one question about a credential.
func (s *seeded) request(address, api, credential string) []byte {
	body := fmt.Sprintf(`{"credential":%q,"api":%q,"ip":"203.0.113.7"}`, credential, api)
	return fmt.Appendf(nil, "POST /v1/verify HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", address, s.asker, len(body), body)
}

// questions asks about the credentials at random, each equally often.
func (s *seeded) questions(address, api string) func(conn int) talk {
	made := make([][]byte, len(s.credentials))
	for i, c := range s.credentials {
		made[i] = s.request(address, api, c)
	}
	return func(int) talk { return &repeated{made, allowed} }
}

// repeated sends requests at random, each equally often.
type repeated struct {
	requests [][]byte
	right    func(body []byte) error
}

func (r *repeated) next() []byte            { return r.requests[mathrand.IntN(len(r.requests))] }
func (r *repeated) heard(body []byte) error { return r.right(body) }

// warm asks about every credential once.
func (s *seeded) warm(to subject) error {
	const connections = 16
	var running sync.WaitGroup
	var mu sync.Mutex
	var failure error
	for c := range connections {
		running.Go(func() {
			err := ask(to.address, func(yield func([]byte) bool) {
				for i := c; i < len(s.credentials); i += connections {
					if !yield(s.request(to.address, "open", s.credentials[i])) {
						return
					}
				}
			}, allowed)
			mu.Lock()
			defer mu.Unlock()
			failure = errors.Join(failure, err)
		})
	}
	running.Wait()
	return failure
}
