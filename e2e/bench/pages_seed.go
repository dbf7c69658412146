package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/server"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// crowd is how much a server holds while its pages are measured.
type crowd struct {
	teams, people int
	apps, large   int // in all, and of the first team
	usage         int // rows of all grains together, about
}

const (
	keysEach   = 2  // of an app
	usageDays  = 30 // over which the usage is spread
	operations = 25 // of an API
	password   = "blue cabbage under 9 moons"
	adminMail  = "admin@bench.test"
)

// office is a database for measuring pages, and what their addresses name.
type office struct {
	core  *server.Core
	actor audit.Actor
	crowd
	users []id.User
	firms []id.Team // the first is the large one
	all   []id.App
	keys  []*key.Key
	key   id.Key // of the first app
	grant id.Grant
	hook  string
	bill  id.Invoice
}

// seedOffice makes a database with a crowd and an admin.
func seedOffice(ctx context.Context, settings config.Settings, c crowd, progress io.Writer) (_ *office, err error) {
	core, err := server.Open(ctx, settings, server.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, core.Close()) }()
	o := &office{core: core, actor: audit.Command("bench"), crowd: c, users: make([]id.User, c.people), firms: make([]id.Team, c.teams), all: make([]id.App, c.apps)}
	for _, part := range []struct {
		what string
		make func(context.Context) error
	}{
		{"the catalog", o.catalog}, {"people", o.hire}, {"teams", o.found}, {"apps", o.build}, {"keys", o.issueKeys}, {"badges and a webhook", o.letIn}, {"usage", o.count}, {"bills", o.charge},
	} {
		began := time.Now()
		if err := part.make(ctx); err != nil {
			return nil, fmt.Errorf("make %s: %w", part.what, err)
		}
		fmt.Fprintf(progress, "made %s in %s\n", part.what, time.Since(began).Round(100*time.Millisecond))
	}
	return o, nil
}

// abreast makes n things, several at a time, since steps that wait together share a commit.
func abreast(n int, do func(i int) error) error {
	const hands = 64
	var next atomic.Int64
	failures := make([]error, hands)
	var running sync.WaitGroup
	for hand := range hands {
		running.Go(func() {
			for failures[hand] == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				failures[hand] = do(i)
			}
		})
	}
	running.Wait()
	return errors.Join(failures...)
}

func apiNames() []string { return []string{"weather", "maps", "news", "trains"} }

func operation(api string, i int) string { return fmt.Sprintf("GET /v1/%s-%d", api, i) }

func (o *office) catalog(ctx context.Context) error {
	apis := map[string]lanyard.API{}
	for _, name := range apiNames() {
		api := lanyard.API{
			Takes: "either", Scopes: map[string]lanyard.Scope{name + ".read": {Text: "read " + name, Default: true}}, Operations: map[string]lanyard.Operation{},
			Plans: map[string]lanyard.Plan{"free": {Default: true, Limits: []string{"60/minute"}, Quota: "1000/month"}, "pro": {Limits: []string{"600/minute"}, Currency: "USD", Fee: "9.90", Prices: []lanyard.Price{{Meter: "requests", Included: 1000, PerUnit: "0.002"}}}},
		}
		for i := range operations {
			api.Operations[operation(name, i)] = lanyard.Operation{Scopes: []string{name + ".read"}}
		}
		apis[name] = api
	}
	_, err := o.core.Manage.ApplyCatalog(ctx, o.actor, lanyard.Catalog{APIs: apis}, false)
	return err
}

func (o *office) hire(ctx context.Context) error {
	if _, err := o.core.Manage.CreateUser(ctx, o.actor, lanyard.UserInput{Email: adminMail, Name: "Root", Password: password, Admin: true}); err != nil {
		return err
	}
	return abreast(o.people, func(i int) error {
		made, err := o.core.Manage.CreateUser(ctx, o.actor, lanyard.UserInput{Email: fmt.Sprintf("person-%d@bench.test", i), Name: fmt.Sprintf("Person %d", i)})
		o.users[i] = id.User(made.ID)
		return err
	})
}

// found makes teams and puts everybody in one.
func (o *office) found(ctx context.Context) error {
	if err := abreast(o.teams, func(i int) error {
		made, err := o.core.Manage.CreateTeam(ctx, o.actor, lanyard.TeamInput{Name: fmt.Sprintf("Team %d", i), OwnerID: string(o.users[i])})
		o.firms[i] = id.Team(made.ID)
		return err
	}); err != nil {
		return err
	}
	return abreast(o.people-o.teams, func(i int) error {
		_, err := o.core.Manage.SetMember(ctx, o.actor, string(o.firms[i%o.teams]), lanyard.Member{UserID: string(o.users[o.teams+i]), Role: "developer"})
		return err
	})
}

// owner is the team of an app.
func (o *office) owner(app int) id.Team {
	if app < o.large {
		return o.firms[0]
	}
	return o.firms[1+app%(o.teams-1)]
}

// build makes apps, each of which may be a client too.
func (o *office) build(ctx context.Context) error {
	return abreast(o.apps, func(i int) error {
		made, err := o.core.Manage.CreateApp(ctx, o.actor, lanyard.AppInput{
			Name: fmt.Sprintf("App %d", i), TeamID: string(o.owner(i)), Description: "Shows the weather on the office wall", OAuthSettings: lanyard.OAuthSettings{RedirectURIs: []string{callback}},
		})
		o.all[i] = id.App(made.ID)
		return err
	})
}

// issueKeys makes the keys of every app. Each third ends within the month.
func (o *office) issueKeys(ctx context.Context) error {
	now := time.Now()
	for i, app := range o.all {
		for n := range keysEach {
			made, _, err := newKey(o.core, id.New[id.Key](), app, o.owner(i))
			if err != nil {
				return err
			}
			made.Name, made.Scopes = fmt.Sprintf("Key %d of app %d", n, i), []string{"weather.read"}
			if i%3 == 0 {
				made.ExpiresAt = now.AddDate(0, 0, 1+i%28)
			}
			o.keys = append(o.keys, made)
		}
	}
	o.key = o.keys[0].ID
	for part := range slices.Chunk(o.keys, 1000) {
		if _, err := o.core.Store.CreateKeys(ctx, part, o.actor.New(now, "key.create", string(part[0].App), part[0].Team, nil)); err != nil {
			return err
		}
	}
	return nil
}

// letIn has everybody allow the large team an app, gives that team a webhook, and one of its apps a secret.
func (o *office) letIn(ctx context.Context) error {
	if err := abreast(o.people, func(i int) error {
		now := time.Now()
		app := o.all[i%o.large]
		g, err := o.core.Store.Allow(ctx, &grant.Grant{ID: id.New[id.Grant](), User: o.users[i], App: app, Scopes: []string{"weather.read"}, CreatedAt: now, UpdatedAt: now},
			o.actor.New(now, "grant.allow", string(app), o.firms[0], nil))
		if err == nil && i == 0 {
			o.grant = g.ID
		}
		return err
	}); err != nil {
		return err
	}
	if _, err := o.core.Manage.CreateSecret(ctx, o.actor, string(o.all[0]), lanyard.SecretInput{}); err != nil {
		return err
	}
	made, err := o.core.Manage.CreateWebhook(ctx, o.actor, lanyard.WebhookInput{TeamID: string(o.firms[0]), URL: "https://hooks.bench.test/in", Events: []string{"key.leaked"}})
	o.hook = made.ID
	return err
}

// charge gives the large team a plan of each API, and as many invoices as there are periods from then to in a year.
func (o *office) charge(ctx context.Context) error {
	for _, name := range apiNames() {
		if _, err := o.core.Manage.Subscribe(ctx, o.actor, string(o.firms[0]), name, lanyard.SubscriptionInput{Plan: "pro"}); err != nil {
			return err
		}
	}
	later := time.Now().AddDate(1, 0, 0)
	if _, err := o.core.Store.DraftInvoices(ctx, later, time.Hour, len(apiNames())); err != nil {
		return err
	}
	why := func(i *billing.Invoice) audit.Event { return manage.InvoiceFinal(o.actor, i) }
	if _, err := o.core.Store.FinalizeDue(ctx, later.Add(2*time.Hour), 1000, why); err != nil {
		return err
	}
	bills, err := o.core.Store.Invoices(ctx, audit.TeamReach(o.firms[0]), billing.InvoiceFilter{Limit: 1})
	if len(bills) > 0 {
		o.bill = bills[0].ID
	}
	return err
}

// count has the store absorb usage as nodes bring it, but a day at a time, which is faster. On a day every fourth key is at work, in an hour some of
// them, in two minutes each: so of seven rows four are minutes', two are hours', and most of the rest are days'.
func (o *office) count(ctx context.Context) error {
	marker := usage.Marker{Node: id.New[id.Node](), Epoch: "00000000000000000000000000000001"}
	now := time.Now().UTC()
	atWork := o.keys
	each := max(1, o.usage*2/7/(usageDays*24)) // keys of an hour
	var calls []usage.Event
	for at := now.Truncate(time.Hour).AddDate(0, 0, -usageDays); at.Before(now); at = at.Add(time.Hour) {
		if marker.Segment == 0 || at.Hour() == 0 {
			mathrand.Shuffle(len(o.keys), func(i, j int) { o.keys[i], o.keys[j] = o.keys[j], o.keys[i] })
			atWork = o.keys[:max(1, len(o.keys)/4)]
		}
		for range each {
			calls = append(calls, callsOf(atWork[mathrand.IntN(len(atWork))], at)...)
		}
		if next := at.Add(time.Hour); next.Hour() != 0 && next.Before(now) {
			continue
		}
		calls = slices.DeleteFunc(calls, func(e usage.Event) bool { return e.At > now.UnixMicro() })
		marker.Segment++
		marker.SHA256 = sha256.Sum256(fmt.Append(nil, marker.Segment))
		if _, err := o.core.Store.AbsorbUsage(ctx, marker, usage.Aggregate(calls)); err != nil {
			return err
		}
		calls = calls[:0]
	}
	return nil
}

// callsOf are two calls that a key makes in an hour, always of one operation. One in twenty is refused.
func callsOf(k *key.Key, hour time.Time) []usage.Event {
	names := apiNames()
	nr := int(k.ID[len(k.ID)-1]) + int(k.ID[len(k.ID)-2])
	api := names[nr%len(names)]
	outcome := usage.Accepted
	if mathrand.IntN(20) == 0 {
		outcome = string([]policy.Code{policy.RateLimited, policy.QuotaExceeded, policy.Expired, policy.IPDenied}[mathrand.IntN(4)])
	}
	made := usage.Event{Team: k.Team, App: k.App, Key: k.ID, API: api, Operation: operation(api, nr%operations), Outcome: outcome, Mode: secret.Live, Units: 1, Network: "203.0.113.0/24"}
	first, second := made, made
	first.At = hour.Add(time.Duration(mathrand.IntN(30)) * time.Minute).UnixMicro()
	second.At = hour.Add(time.Duration(30+mathrand.IntN(30)) * time.Minute).UnixMicro()
	return []usage.Event{first, second}
}
