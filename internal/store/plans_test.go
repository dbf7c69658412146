package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/leak"
	"github.com/lanyard-auth/lanyard/internal/listing"
	"github.com/lanyard-auth/lanyard/internal/outbox"
	"github.com/lanyard-auth/lanyard/internal/pgtest"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/session"
	"github.com/lanyard-auth/lanyard/internal/team"
	"github.com/lanyard-auth/lanyard/internal/usage"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// recorder is a driver that notes the queries it passes on.
type recorder struct {
	to  driver.Driver
	url string

	mu      sync.Mutex
	queries []recorded
}

type recorded struct {
	text string
	args []any
	step bool // within a step: what it finds may be sorted, unless it is a page of something longer
}

// recordedEngine notes the statements of its steps.
type recordedEngine struct {
	engine
	r *recorder
}

func (e recordedEngine) step(ctx context.Context, fn func(context.Context, querier) error) error {
	return e.engine.step(ctx, func(ctx context.Context, q querier) error { return fn(ctx, recordedQuerier{q, e.r}) })
}

type recordedQuerier struct {
	querier
	r *recorder
}

func (q recordedQuerier) note(query string, args []any) {
	q.r.mu.Lock()
	defer q.r.mu.Unlock()
	q.r.queries = append(q.r.queries, recorded{query, args, true})
}

func (q recordedQuerier) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	q.note(query, args)
	return q.querier.ExecContext(ctx, query, args...)
}

func (q recordedQuerier) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	q.note(query, args)
	return q.querier.QueryContext(ctx, query, args...)
}

func (q recordedQuerier) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	q.note(query, args)
	return q.querier.QueryRowContext(ctx, query, args...)
}

func (r *recorder) Connect(context.Context) (driver.Conn, error) {
	c, err := r.to.Open(r.url)
	return recordedConn{c, r}, err
}

func (r *recorder) Driver() driver.Driver { return r.to }

type recordedConn struct {
	driver.Conn
	r *recorder
}

func (c recordedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	values := make([]any, len(args))
	for i, a := range args {
		values[i] = a.Value
	}
	c.r.mu.Lock()
	c.r.queries = append(c.r.queries, recorded{text: query, args: values})
	c.r.mu.Unlock()
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

func (c recordedConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
}

// Every list finds its rows by an index and, for the server and for a team, in the order asked for: none reads or sorts a
// whole table for one page.
func TestListsUseIndexes(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "lanyard.db")
	for _, db := range []struct{ url, driver, dsn, explain string }{
		{"sqlite:" + path, "sqlite", path, "EXPLAIN QUERY PLAN "},
		{pgtest.Start(t), "pgx", "", "EXPLAIN "},
	} {
		st, err := Open(ctx, db.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if db.dsn == "" {
			db.dsn = db.url
		}
		r := &recorder{to: driverOf(t, db.driver, db.dsn), url: db.dsn}
		plain := st.reads
		st.reads = sql.OpenDB(r)
		askLists(t, st)
		askGrants(t, st)
		if err := st.reads.Close(); err != nil {
			t.Error(err)
		}
		st.reads = plain
		declarePaid(t, st)
		st.engine = recordedEngine{st.engine, r}
		takeSteps(t, st)
		takeGrantSteps(t, st)
		takeBillingSteps(t, st)
		takeStripeSteps(t, st)
		if len(r.queries) < 200 {
			t.Errorf("%s: %d queries were recorded, want those of all lists and steps", db.driver, len(r.queries))
		}
		for _, query := range r.queries {
			plan := explain(t, plain, db.driver, db.explain, query)
			for _, part := range parts.FindAllStringSubmatch(plan, -1) { // a part of the query, whose own reading stands above
				plan = strings.ReplaceAll(plan, "SCAN "+part[1]+"\n", "")
			}
			if scans.MatchString(plan) {
				t.Errorf("%s reads a whole table:\n%s\nargs %v\n%s", db.driver, query.text, query.args, plan)
			}
			if sorts.MatchString(plan) && !strings.Contains(query.text, "m.user_id") && (!query.step || strings.Contains(query.text, "LIMIT") && !strings.Contains(query.text, "PARTITION BY")) {
				t.Errorf("%s sorts a whole answer:\n%s\nargs %v\n%s", db.driver, query.text, query.args, plan)
			}
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}
}

var (
	scans = regexp.MustCompile(`SCAN [a-z_]+(\n|$)|Seq Scan`)
	parts = regexp.MustCompile(`CO-ROUTINE ([a-z]+)\n`)
	sorts = regexp.MustCompile(`TEMP B-TREE FOR ORDER BY|Sort Key: ([a-z]\.)?(\(?lower\(|email_key|created_at|expires_at|next_at|rotate_due_at|used_at|idle_at|revoked_at|until|at|start)\b`)
)

func driverOf(t *testing.T, name, dsn string) driver.Driver {
	t.Helper()
	db, err := sql.Open(name, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	return db.Driver()
}

// askLists asks for a second page of each list, in every way it can be asked for.
func askLists(t *testing.T, st *Store) {
	t.Helper()
	ctx, now := context.Background(), time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	appID, teamID := id.New[id.App](), id.New[id.Team]()
	var errs []error
	for _, reach := range []audit.Reach{audit.ServerReach(), audit.TeamReach(teamID), audit.UserReach(id.New[id.User]()).As(audit.RoleDeveloper)} {
		for _, of := range []id.App{"", appID} {
			for _, kinds := range [][]secret.Kind{nil, {secret.Key, secret.Publishable}} {
				_, err := st.Keys(ctx, reach, key.Filter{App: of, Kinds: kinds, Before: now, BeforeID: "x", Limit: 50})
				errs = append(errs, err)
			}
		}
		_, err := st.Keys(ctx, reach, key.Filter{EndsAfter: now, EndsBefore: now.AddDate(0, 0, 30), Limit: 50})
		errs = append(errs, err)
		for _, f := range []app.Filter{{}, {Name: "x"}, {Origin: app.DCR}, {Name: "x", Origin: app.DCR}} {
			f.Before, f.BeforeID, f.Limit = now, "x", 50
			_, err := st.Apps(ctx, reach, f)
			errs = append(errs, err)
		}
		for _, name := range []string{"", "x"} {
			_, err = st.Teams(ctx, reach, team.Filter{Name: name, Before: now, BeforeID: "x", Limit: 50})
			errs = append(errs, err)
		}
		for _, f := range []audit.Filter{{}, {Action: "a"}, {Target: "t"}, {Actor: "x"}, {Action: "a", Target: "t", Actor: "x"}, {From: now, To: now}, {Action: "a", From: now, To: now}} {
			f.Before, f.BeforeID, f.Limit = now, "x", 50
			_, err = st.Audit(ctx, reach, f)
			errs = append(errs, err)
		}
		for _, filter := range []map[usage.Dimension][]string{nil, {usage.ByApp: {string(appID)}}} {
			_, err = st.UsageSums(ctx, reach, usage.Query{From: now, To: now.AddDate(0, 0, 1), Granularity: usage.Hour, Filter: filter})
			errs = append(errs, err)
		}
	}
	askFound(t, st, teamID)
	askBills(t, st, teamID)
	askStripe(t, st, teamID)
	_, err := st.Users(ctx, user.Filter{Before: now, BeforeID: "x", Limit: 50})
	errs = append(errs, err)
	_, err = st.Users(ctx, user.Filter{Email: "ada@example.com", Limit: 50})
	errs = append(errs, err)
	_, err = st.Attempts(ctx, now, "x", 50)
	errs = append(errs, err)
	for _, kind := range []string{"mail", "logout"} {
		_, err = st.Waiting(ctx, kind, 50)
		errs = append(errs, err)
	}
	for _, reach := range []audit.Reach{audit.ServerReach(), audit.TeamReach(teamID)} {
		for _, of := range []id.Team{"", teamID} {
			_, err = st.Webhooks(ctx, reach, outbox.WebhookFilter{Team: of, Before: now, BeforeID: "x", Limit: 50})
			errs = append(errs, err)
		}
	}
	for _, reach := range []audit.Reach{audit.ServerReach(), audit.TeamReach(teamID)} {
		for _, of := range []id.Team{"", teamID} {
			_, err = st.Leaks(ctx, reach, leak.Filter{Team: of, Before: now, BeforeID: "x", Limit: 50})
			errs = append(errs, err)
		}
	}
	_, err = st.DueLeaks(ctx, now, 50)
	errs = append(errs, err)
	_, err = st.LeaksOfUser(ctx, "user_1", 50)
	errs = append(errs, err)
	_, err = st.KnownIDs(ctx, []id.Key{"key_1", "key_2"})
	errs = append(errs, err)
	for _, reach := range []audit.Reach{audit.ServerReach(), audit.TeamReach(teamID)} {
		for _, f := range []key.WatchFilter{{}, {Team: teamID}, {Key: id.New[id.Key]()}} {
			f.Before, f.BeforeID, f.Limit = now, "x", 50
			_, err = st.Watched(ctx, reach, f)
			errs = append(errs, err)
		}
	}
	_, err = st.LooksDue(ctx, now, 50)
	errs = append(errs, err)
	_, err = st.Outbox(ctx, 50)
	errs = append(errs, err)
	_, err = st.ChangesAfter(ctx, 5, 50)
	errs = append(errs, err)
	_, err = st.RevocationsOf(ctx, []string{"a", "b"})
	errs = append(errs, err)
	_, err = st.DigestTaken(ctx, [][]byte{{1}, {2}})
	errs = append(errs, err)
	for _, of := range []id.User{"", id.New[id.User]()} {
		_, err = st.Personals(ctx, key.PersonalFilter{User: of, Before: now, BeforeID: "x", Limit: 50})
		errs = append(errs, err)
	}
	_, err = st.Sessions(ctx, id.New[id.User](), now)
	errs = append(errs, err)
	_, err = st.UserByEmail(ctx, "ada@example.com")
	errs = append(errs, wanted(err))
	_, err = st.UserForDecision(ctx, id.New[id.User]())
	errs = append(errs, wanted(err))
	_, err = st.AppByAddress(ctx, "https://app.example/")
	errs = append(errs, wanted(err), st.TouchSession(ctx, id.New[id.Session](), now))
	_, err = st.RegisteredTeam(ctx, now)
	if err := errors.Join(append(errs, err)...); err != nil {
		t.Fatal(err)
	}
}

// askFound asks for a page amid each searched list, in each of its orders, both ways, narrowed and not.
func askFound(t *testing.T, st *Store, teamID id.Team) {
	t.Helper()
	ctx := context.Background()
	for _, of := range []listing.List{listing.Apps, listing.Keys, listing.Teams, listing.People, listing.Grants} {
		l, err := listOf(of)
		if err != nil {
			t.Fatal(err)
		}
		for _, reach := range []audit.Reach{audit.ServerReach(), audit.UserReach(id.New[id.User]()).As(audit.RoleDeveloper)} {
			if of == listing.Keys && reach.Server() || of == listing.People && !reach.Server() {
				continue // the keys of all teams are listed nowhere, and people only for who runs the server
			}
			for sort := range l.orders {
				for _, like := range []string{"", "x"} {
					q := listing.Query{Of: of, Like: like, Sort: sort, Down: sort == "created", From: &listing.Place{Number: 1, Text: "x", ID: "x"}, Limit: 50}
					if !reach.Server() {
						q.Team = teamID
					}
					if _, err := st.Find(ctx, reach, q); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
}

// lookOver uses a key that can be watched, and looks over the keys of its team.
func lookOver(ctx context.Context, st *Store, a *app.App, now time.Time) error {
	k := &key.Key{ID: id.New[id.Key](), App: a.ID, Team: a.Team, Name: "key", Kind: secret.Key, Mode: secret.Live, CreatedAt: now}
	_, err := st.CreateKeys(ctx, []*key.Key{k}, audit.Command("test").New(now, "test", "thing", "", nil))
	uses := usage.Aggregate([]usage.Event{{At: micros(now), Team: a.Team, App: a.ID, Key: k.ID, API: "weather", Outcome: usage.Accepted, Mode: secret.Live, Network: "203.0.113.0/24", InQuery: true}})
	_, counted := st.AbsorbUsage(ctx, usage.Marker{Node: "node_1", Epoch: "look", Segment: 1}, uses)
	_, unread := st.Watched(ctx, audit.ServerReach(), key.WatchFilter{Key: k.ID, Limit: 50})
	_, unsaid := st.Looked(ctx, outbox.Looked{
		Look: outbox.Look{Team: a.Team, At: now.Add(time.Hour)}, Forget: now,
		Messages: []outbox.Message{{ID: id.New[id.Message](), Kind: outbox.KeyStale, Subject: string(k.ID), Team: a.Team, Body: "{}", CreatedAt: now}},
	}, now)
	return errors.Join(err, counted, unread, unsaid)
}

// wanted passes over that there is no such thing.
func wanted(err error) error {
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// takeSteps takes each step that has to find its rows among many.
func takeSteps(t *testing.T, st *Store) {
	t.Helper()
	ctx, now := context.Background(), time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	event := func() audit.Event { return audit.Command("test").New(now, "test", "thing", "", nil) }
	teamID, err := st.RegisteredTeam(ctx, now)
	if err != nil {
		t.Fatal(err)
	}
	u := &user.User{ID: id.New[id.User](), Email: "ada@example.com", CreatedAt: now}
	_, err = st.CreateUser(ctx, u, event())
	errs := []error{err}
	a := &app.App{ID: id.New[id.App](), Team: teamID, Name: "app", Type: app.Public, CreatedAt: now}
	_, err = st.CreateApp(ctx, a, event())
	errs = append(errs, err, lookOver(ctx, st, a, now))
	se := func() *session.Session {
		return &session.Session{ID: id.New[id.Session](), User: u.ID, Digest: []byte("digest"), ExpiresAt: now.Add(time.Hour)}
	}
	first, other := se(), se()
	errs = append(errs, st.BeginSession(ctx, first, "", nil, nil), st.BeginSession(ctx, other, first.ID, []byte("from"), []byte("to")),
		st.TouchSession(ctx, other.ID, now), st.TrimSessions(ctx, now))
	_, err = st.EndSessions(ctx, u.ID, "", "", event())
	errs = append(errs, err)
	notices, err := st.ClaimLogouts(ctx, now, time.Minute, 50)
	for _, n := range append(notices, outbox.Logout{}) {
		errs = append(errs, err, st.LogoutFailed(ctx, n, now, ""), st.LogoutTold(ctx, n))
	}
	l := &factor.Link{ID: id.New[id.Link](), Digest: []byte("digest"), ExpiresAt: now}
	errs = append(errs, st.CreateLink(ctx, l, &factor.Letter{ID: id.New[id.Message](), Kind: "mail", Sealed: []byte("sealed")}), st.TrimLinks(ctx, now))
	_, err = st.UseLink(ctx, l.ID, event(), func(*user.User) error { return nil })
	errs = append(errs, wanted(err))
	own := &team.Team{ID: id.New[id.Team](), Name: "team", CreatedAt: now}
	_, err = st.CreateTeam(ctx, own, u.ID, event())
	hook := &outbox.Endpoint{ID: id.New[id.Webhook](), Team: own.ID, Secrets: []byte("sealed"), CreatedAt: now}
	d := &outbox.Delivery{ID: id.New[id.Message](), Webhook: hook.ID, Kind: outbox.Ping, CreatedAt: now}
	errs = append(errs, err, st.CreateWebhook(ctx, hook, 9, event()), st.SendWebhook(ctx, audit.ServerReach(), d, event()))
	due, err := st.ClaimWebhooks(ctx, now, time.Minute, 50)
	errs = append(errs, err, st.ReleaseWebhooks(ctx, now, due...), st.WebhookTried(ctx, outbox.Outcome{ID: d.ID, Webhook: hook.ID, Attempt: outbox.Attempt{At: now}, Stop: outbox.Gone, Event: event()}))
	_, err = st.Deliveries(ctx, audit.ServerReach(), hook.ID, now, "x", 50)
	errs = append(errs, err)
	_, err = st.Deliveries(ctx, audit.ServerReach(), hook.ID, time.Time{}, "", 50)
	errs = append(errs, err)
	_, err = st.UpdateWebhook(ctx, audit.ServerReach(), hook.ID, event(), func(e *outbox.Endpoint) error { e.DisabledAt = time.Time{}; return nil })
	errs = append(errs, err)
	_, err = st.SendAgain(ctx, audit.ServerReach(), hook.ID, d.ID, event())
	errs = append(errs, err, st.TrimWebhooks(ctx, now))
	i := &factor.Invitation{ID: id.New[id.Invitation](), Team: own.ID, Role: audit.RoleBilling, Digest: []byte("digest"), ExpiresAt: now.Add(time.Hour)}
	errs = append(errs, err, st.CreateInvitation(ctx, audit.ServerReach(), i, nil, event()))
	_, err = st.Invitations(ctx, audit.ServerReach(), own.ID, 50)
	errs = append(errs, err)
	_, err = st.Colleagues(ctx, audit.ServerReach(), own.ID, 50)
	errs = append(errs, err)
	_, _, err = st.TakeInvitation(ctx, i.ID, u.ID, event())
	errs = append(errs, err)
	i.ID = id.New[id.Invitation]()
	errs = append(errs, st.CreateInvitation(ctx, audit.ServerReach(), i, nil, event()), st.RevokeInvitation(ctx, audit.ServerReach(), own.ID, i.ID, event()))
	_, err = st.SetPassword(ctx, factor.NewPassword{Password: factor.Password{User: u.ID, Hash: "hash", ChangedAt: now}, Event: event()})
	errs = append(errs, err, st.UpgradePassword(ctx, factor.Password{User: u.ID, Hash: "other"}, "hash"))
	p := &key.Personal{ID: id.New[id.Key](), User: u.ID, Digest: []byte("digest"), ExpiresAt: now.Add(time.Hour)}
	_, err = st.CreatePersonal(ctx, p, event())
	errs = append(errs, err, st.UpgradePersonal(ctx, p.ID, p.Digest, 1, []byte("other")))
	_, err = st.ClaimMails(ctx, now, time.Minute, 50)
	errs = append(errs, err, st.MailFailed(ctx, id.New[id.Message](), now, ""), st.MailSent(ctx, id.New[id.Message]()))
	_, err = st.ExpiringPersonal(ctx, key.Expiring{Now: now, Days: 7, After: now, Limit: 50})
	errs = append(errs, err)
	_, err = st.WarnPersonal(ctx, p.ID, 7, factor.Letter{ID: id.New[id.Message](), Kind: "mail", Sealed: []byte("sealed")}, now)
	errs = append(errs, err)
	_, _, err = st.RevokePersonal(ctx, u.ID, p.ID, "", event())
	errs = append(errs, err)
	_, err = st.RotationsDue(ctx, now)
	errs = append(errs, err)
	_, _, err = st.UpdateUser(ctx, u.ID, event(), func(u *user.User) error { u.Epoch++; return nil })
	errs = append(errs, err)
	_, _, err = st.UpdateApp(ctx, audit.ServerReach(), a.ID, event(), func(a *app.App) error { a.DeletedAt = now; return nil })
	if err := errors.Join(append(errs, err)...); err != nil {
		t.Fatal(err)
	}
}

// explain returns the plan of a query. PostgreSQL is told not to read whole tables where it can avoid it: these are empty.
func explain(t *testing.T, db *sql.DB, driver, how string, query recorded) string {
	t.Helper()
	ctx := context.Background()
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if driver == "pgx" {
		for _, setting := range []string{`SET LOCAL enable_seqscan = off`, `SET LOCAL enable_bitmapscan = off`, `SET LOCAL enable_sort = off`} {
			if _, err := tx.ExecContext(ctx, setting); err != nil {
				t.Fatal(err)
			}
		}
	}
	rows, err := tx.QueryContext(ctx, how+query.text, query.args...)
	if err != nil {
		t.Fatalf("explain %s: %v", query.text, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var plan strings.Builder
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&plan, values[len(values)-1])
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan.String()
}
