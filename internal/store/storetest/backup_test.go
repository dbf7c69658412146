package storetest

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/node"
	"github.com/lanyard-auth/lanyard/internal/store"
	"github.com/lanyard-auth/lanyard/internal/stripe"
	"github.com/lanyard-auth/lanyard/internal/team"
	"github.com/lanyard-auth/lanyard/internal/usage"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// full fills a database with something in every table of a backup.
func full(t *testing.T, db database) *world {
	t.Helper()
	st := db.open(t)
	w := newWorld(t, st)
	must(t, third(st.SystemTeam(ctx, t0)))
	putAPIs(t, st, weather("weather"), weather("mail"))
	must(t, second(st.Subscribe(ctx, w.ours, "weather", billing.Change{Plan: "pro"}, event("subscribe"))))
	replaceKeyring(t, st, 1, "check", 1)
	inQuery := use(w, t0, "")
	inQuery.InQuery = true
	absorb(t, st, use(w, t0, "charged"), inQuery)
	must(t, st.AddAttempts(ctx, []usage.Attempt{{Source: "203.0.113.7", Code: "malformed", Start: t0, Count: 1, LastAt: t0}}))
	k := newKey(t, st, w.theirApp, w.theirs)
	must(t, third(st.UpdateKey(ctx, audit.ServerReach(), k.ID, event("key.revoke"), func(k *key.Key) error { return k.Revoke(t0, "old", 0) })))
	due := aKey(w.ourApp, w.ours)
	due.RotateEvery = time.Hour
	must(t, second(st.CreateKeys(ctx, []*key.Key{due}, event("key.create"))))
	must(t, second(st.RotationsDue(ctx, t0.Add(time.Hour))))
	must(t, second(st.SetPassword(ctx, aPassword(w.owner, "hash", t0))))
	must(t, second(st.CreatePersonal(ctx, aPersonal(w.owner), event("personal.create"))))
	rawFamily(t, db, rawGrant(t, db, w.owner, w.ourApp, w.ours))
	newHook(t, st, w.ours)
	must(t, third(st.LeakOfKey(ctx, aLeak(k.ID, 1, w.theirs), aReport(k.ID, w.theirs))))
	paid := weather("paid")
	paid.Plans = map[string]lanyard.Plan{"pro": {Currency: "USD", Fee: "10"}}
	putAPIs(t, st, paid)
	must(t, second(st.Subscribe(ctx, w.ours, "paid", billing.Change{Plan: "pro"}, event("subscribe"))))
	must(t, second(st.RecordEvents(ctx, []billing.MeterEvent{{Source: "a", ID: "1", Team: w.ours, API: "paid", Meter: "storage", At: t0, Units: 1}}, t0)))
	must(t, second(st.DraftInvoices(ctx, t0.AddDate(0, 1, 0), time.Hour, 10)))
	must(t, st.SetSpendAlerts(ctx, w.ours, "paid", []billing.Micros{1_000_000}, event("subscription.alerts")))
	toStripe(t, db, w)
	return w
}

// toStripe has an hour that is to be looked at, an event that was sent, and a restoration that left doubts behind.
func toStripe(t *testing.T, db database, w *world) {
	t.Helper()
	must(t, third(w.UpdateTeam(ctx, audit.ServerReach(), w.theirs, event("team.update"), func(t *team.Team) error { t.StripeCustomer = "cus_theirs"; return nil })))
	charged := weather("charged")
	charged.Stripe = map[string]string{"storage": "acme_storage"}
	putAPIs(t, w.Store, charged)
	hour := t0.Add(2 * time.Hour)
	counted := func(name string) {
		must(t, second(w.RecordEvents(ctx, []billing.MeterEvent{{Source: "a", ID: name, Team: w.theirs, API: "charged", Meter: "storage", At: hour, Units: 1}}, hour)))
	}
	counted("2")
	must(t, second(w.LookAtHours(ctx, hour.Add(2*time.Hour), "", 10)))
	claimed, err := w.ClaimEvents(ctx, hour.Add(2*time.Hour), time.Minute, 10)
	must(t, err)
	for _, e := range claimed {
		must(t, w.EventTried(ctx, e, stripe.Outcome{State: stripe.Sent, At: hour.Add(2 * time.Hour)}))
	}
	counted("3")
	must(t, second(db.raw(t).ExecContext(ctx, `INSERT INTO stripe_doubt (until) VALUES (1)`)))
}

func replaceKeyring(t *testing.T, st *store.Store, revision int, check string, peppers int) {
	t.Helper()
	state := keyring.State{Revision: revision, MasterVersion: 1, Check: []byte(check)}
	for v := 1; v <= peppers; v++ {
		row := keyring.Row{Purpose: keyring.Pepper, Version: v, MasterVersion: 1, Wrapped: []byte{0, byte(v)}, CreatedAt: t0, State: keyring.Retiring}
		if v == peppers {
			row.State = keyring.Current
		}
		state.Rows = append(state.Rows, row)
	}
	won, err := st.ReplaceKeyring(ctx, state)
	if !won || err != nil {
		t.Fatalf("ReplaceKeyring = %t, %v", won, err)
	}
}

func backup(t *testing.T, st *store.Store) ([]byte, store.Summary) {
	t.Helper()
	var b bytes.Buffer
	sum, err := st.Backup(ctx, &b, t0.Add(time.Hour))
	must(t, err)
	return b.Bytes(), sum
}

func restore(t *testing.T, st *store.Store, file []byte) store.Report {
	t.Helper()
	report, err := st.Restore(ctx, bytes.NewReader(file), t0.Add(2*time.Hour), event("restore"))
	must(t, err)
	return report
}

func unzip(t *testing.T, file []byte) string {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(file))
	must(t, err)
	lines, err := io.ReadAll(r)
	must(t, err)
	return string(lines)
}

func zip(t *testing.T, lines string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	must(t, second(io.WriteString(w, lines)))
	must(t, w.Close())
	return b.Bytes()
}

// tables are the rows of a backup by table, sorted.
func tables(t *testing.T, file []byte) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	table := ""
	for line := range strings.Lines(unzip(t, file)) {
		var head struct {
			Table string `json:"table"`
		}
		if line[0] == '[' {
			found[table] = append(found[table], line)
		} else if must(t, json.Unmarshal([]byte(line), &head)); head.Table != "" {
			table = head.Table
			found[table] = nil
		}
	}
	for _, rows := range found {
		slices.Sort(rows)
	}
	return found
}

// A backup of either engine goes into either and gives the same database.
func TestBackupRoundTrip(t *testing.T) {
	for from, makeFrom := range map[string]func(testing.TB) database{"sqlite": sqlite, "postgres": postgres} {
		source := makeFrom(t)
		w := full(t, source)
		file, sum := backup(t, w.Store)
		before := tables(t, file)
		for table, rows := range before {
			if int64(len(rows)) != sum.Rows[table] || len(rows) == 0 {
				t.Errorf("Backup on %s: table %s has %d rows, the summary says %d, want the same and some", from, table, len(rows), sum.Rows[table])
			}
		}
		if all := everyTable(t, source); !cmp.Equal(slices.Sorted(maps.Keys(before)), all) {
			t.Errorf("Backup on %s has the tables %v, want %v", from, slices.Sorted(maps.Keys(before)), all)
		}
		for to, makeTo := range map[string]func(testing.TB) database{"sqlite": sqlite, "postgres": postgres} {
			st := makeTo(t).open(t)
			report := restore(t, st, file)
			again, _ := backup(t, st)
			after := tables(t, again)
			for table, rows := range before {
				switch table {
				case "change_entry", "change_head":
					continue
				case "audit_event", "stripe_doubt":
					if len(after[table]) != len(rows)+1 {
						t.Errorf("%s to %s: table %s has %d rows, want %d and that of the restoration", from, to, table, len(after[table]), len(rows))
					}
				default:
					if diff := cmp.Diff(rows, after[table]); diff != "" || report.Rows[table] != int64(len(rows)) {
						t.Errorf("%s to %s: table %s, reported %d, -before +after:\n%s", from, to, table, report.Rows[table], diff)
					}
				}
			}
			if len(report.Gone)+len(report.Back)+len(report.Reverted)+len(report.Revoked)+len(report.Rotations) > 0 || report.UsageKept {
				t.Errorf("Restore into an empty database = %+v, want nothing to look after", report)
			}
			if report.Backup.Engine != from || !report.Backup.CreatedAt.Equal(t0.Add(time.Hour)) || report.Backup.SHA256 != sum.SHA256 {
				t.Errorf("Restore says of the backup %+v, want %+v", report.Backup, sum)
			}
			wantTotal(t, st, 2, 6)
			must(t, second(st.CreateApp(ctx, anApp(w.ours), event("app.create"))))
		}
	}
}

// everyTable is what a backup has to hold: all tables but those of running servers and of the migrations.
func everyTable(t *testing.T, db database) []string {
	t.Helper()
	query := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`
	if db.driver == "pgx" {
		query = `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`
	}
	return slices.DeleteFunc(texts(t, db.raw(t), query), func(name string) bool {
		return slices.Contains([]string{
			"node", "quota", "quota_lease", "usage_total", "answer", "session", "session_app", "auth_request", "pushed_request", "auth_code", "device", "link", "invitation", "seen_once", "delivery", "logout_notice", "webhook_delivery", "webhook_attempt", "goose_db_version",
		}, name)
	})
}

// reseal gives altered lines the checksum they need: what is refused then is refused for its contents.
func reseal(t *testing.T, lines string) []byte {
	t.Helper()
	body, last, found := cutLast(lines)
	var trailer map[string]any
	must(t, json.Unmarshal([]byte(last), &trailer))
	trailer["sha256"] = fmt.Sprintf("%x", sha256.Sum256([]byte(body)))
	text, err := json.Marshal(trailer)
	must(t, err)
	if !found {
		t.Fatal("no lines")
	}
	return zip(t, body+string(text)+"\n")
}

func cutLast(lines string) (body, last string, found bool) {
	i := strings.LastIndex(strings.TrimSuffix(lines, "\n"), "\n")
	return lines[:i+1], lines[i+1:], i >= 0
}

func TestRestoreRefuses(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := full(t, db)
		st := w.Store
		file, _ := backup(t, st)
		lines := unzip(t, file)
		body, trailer, _ := cutLast(lines)
		replace := func(old, by string) string {
			if !strings.Contains(lines, old) {
				t.Fatalf("the backup does not contain %q", old)
			}
			return strings.Replace(lines, old, by, 1)
		}
		keys := strings.Index(lines, `{"table":"api_key"`)
		flipped := bytes.Clone(file)
		flipped[len(flipped)/2] ^= 1
		for name, c := range map[string]struct {
			file []byte
			kind fault.Kind
		}{
			"nothing":               {nil, fault.Invalid},
			"text":                  {[]byte("lanyard"), fault.Invalid},
			"not compressed":        {[]byte(lines), fault.Invalid},
			"an empty archive":      {zip(t, ""), fault.Invalid},
			"cut in half":           {file[:len(file)/2], fault.Invalid},
			"cut by a byte":         {file[:len(file)-1], fault.Invalid},
			"a flipped bit":         {flipped, fault.Invalid},
			"without its last line": {zip(t, body), fault.Invalid},
			"without a line end":    {zip(t, strings.TrimSuffix(lines, "\n")), fault.Invalid},
			"something after":       {zip(t, lines+trailer), fault.Invalid},
			"bytes after":           {append(bytes.Clone(file), "more"...), fault.Invalid},
			"edited":                {zip(t, replace("WeatherDashboard", "Weatherdashboard")), fault.Invalid},
			"carriage returns":      {zip(t, strings.ReplaceAll(lines, "\n", "\r\n")), fault.Invalid},
			"another format":        {reseal(t, replace("lanyard-backup", "some-backup")), fault.Invalid},
			"a newer format":        {reseal(t, replace(`"version":1`, `"version":2`)), fault.Invalid},
			"a newer schema":        {reseal(t, replace(`"schema":`, `"schema":9999`)), fault.Conflict},
			"an absurd revision":    {reseal(t, replace(`"revision":`, `"revision":9999999999999999`)), fault.Invalid},
			"an unknown table":      {reseal(t, replace(`"table":"member"`, `"table":"node"`)), fault.Invalid},
			"an unknown column":     {reseal(t, replace(`"columns":["team_id","user_id","role"]`, `"columns":["team_id","user_id","x) SELECT 1 --"]`)), fault.Invalid},
			"a column twice":        {reseal(t, replace(`"columns":["team_id","user_id","role"]`, `"columns":["team_id","user_id","user_id"]`)), fault.Invalid},
			"a missing reference":   {reseal(t, lines[:keys]+strings.Replace(lines[keys:], string(w.ourApp), string(id.New[id.App]()), 1)), ""},
		} {
			before := head(t, st)
			_, err := st.Restore(ctx, bytes.NewReader(c.file), t0, event("restore"))
			if err == nil || fault.KindOf(err) != c.kind {
				t.Errorf("Restore of %s = %v, want kind %q", name, err, c.kind)
			}
			again, _ := backup(t, st)
			if diff := cmp.Diff(tables(t, file), tables(t, again)); diff != "" || head(t, st) != before {
				t.Fatalf("Restore of %s changed something, -before +after:\n%s", name, diff)
			}
		}

		foreign, _ := backup(t, full(t, sqlite(t)).Store)
		st2 := db.open(t)
		raw := db.raw(t)
		must(t, second(raw.ExecContext(ctx, `UPDATE setting SET value = '{"revision":1,"master_version":2,"check":"b3RoZXI="}' WHERE name = 'keyring'`)))
		_, err := st2.Restore(ctx, bytes.NewReader(foreign), t0, event("restore"))
		wantKind(t, "Restore of a backup under another master key", err, fault.Conflict)
		if err != nil && !strings.Contains(err.Error(), "version 1") {
			t.Errorf("Restore = %v, want it to name the version of the backup's master key", err)
		}
	})
}

// A database that a server has only just made takes a backup made under another master key, keyring included.
func TestRestoreIntoUnused(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		file, _ := backup(t, full(t, sqlite(t)).Store)
		st := db.open(t)
		must(t, third(st.SystemTeam(ctx, t0)))
		replaceKeyring(t, st, 1, "another", 2)
		report := restore(t, st, file)
		state, err := st.Keyring(ctx)
		if err != nil || string(state.Check) != "check" || len(state.Rows) != 1 || state.Rows[0].State != keyring.Current {
			t.Errorf("Keyring = %+v, %v, want the backup's alone", state, err)
		}
		if len(report.Back) > 0 {
			t.Errorf("Back = %v, want nothing", report.Back)
		}
	})
}

// What happened since a backup was made, and what of it a restoration keeps, undoes and tells.
func TestRestoreOlder(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := full(t, db)
		st := w.Store
		server := audit.ServerReach()
		var keys []*key.Key
		for range 5 {
			keys = append(keys, newKey(t, st, w.ourApp, w.ours))
		}
		revoked, versionRevoked, rotated, disabled, narrowed := keys[0].ID, keys[1].ID, keys[2].ID, keys[3].ID, keys[4].ID
		alter := func(k id.Key, change func(*key.Key) error) {
			t.Helper()
			must(t, third(st.UpdateKey(ctx, server, k, event("key.update"), change)))
		}
		rotate := func(name string) func(*key.Key) error {
			return func(k *key.Key) error {
				return k.Rotate(t0.Add(time.Minute), time.Hour, key.Version{Digest: digest(name), Scheme: key.SchemeMAC, Pepper: 1})
			}
		}
		alter(versionRevoked, rotate("before the backup"))
		file, sum := backup(t, st)

		alter(revoked, func(k *key.Key) error { k.Delete(t0.Add(time.Minute)); return nil })
		alter(versionRevoked, func(k *key.Key) error { return k.Revoke(t0.Add(time.Minute), "", 1) })
		alter(rotated, rotate("after the backup"))
		alter(disabled, func(k *key.Key) error { return k.Disable(t0) })
		alter(narrowed, func(k *key.Key) error { k.Scopes = nil; return nil })
		young := newKey(t, st, w.ourApp, w.ours)
		youngTeam := newTeam(t, st)
		must(t, third(st.UpdateApp(ctx, server, w.theirApp, event("app.delete"), func(a *app.App) error { a.DeletedAt = t0; return nil })))
		must(t, third(st.UpdateTeam(ctx, server, w.theirs, event("team.suspend"), func(tm *team.Team) error { tm.SuspendedAt = t0; return nil })))
		must(t, third(st.UpdateUser(ctx, w.dev, event("user.disable"), func(u *user.User) error { u.DisabledAt = t0; return nil })))
		must(t, second(st.RemoveMember(ctx, server, w.ours, w.billing, event("member.remove"))))
		must(t, second(st.UpdateCatalog(ctx, event("catalog.apply"), func(s *catalog.State) error { delete(s.APIs, "mail"); return nil })))
		absorb(t, st, use(w, t0.Add(time.Hour), ""))
		replaceKeyring(t, st, 2, "check", 2)
		must(t, second(st.ClaimAnswer(ctx, node.Answer{Key: "of a key that is gone", At: t0})))
		last := head(t, st)
		beat := changes.Beat{Node: id.New[id.Node](), Applied: last}
		was, err := st.Poll(ctx, beat)
		must(t, err)
		lines := len(auditLines(t, st, ""))

		report := restore(t, st, file)

		if report.Revision != last+1 || head(t, st) != last+1 || report.Backup.Revision != sum.Revision {
			t.Errorf("Restore = revision %d, head %d, want %d: above the backup's and the database's", report.Revision, head(t, st), last+1)
		}
		now, err := st.Poll(ctx, beat)
		if err != nil || now.Revision != last+1 || now.Tag == was.Tag {
			t.Errorf("Poll of a node from before = %+v, %v, want a newer head, and not the tag %d it knows", now, err, was.Tag)
		}
		entries, err := st.ChangesAfter(ctx, 0, 10)
		if err != nil || len(entries) != 1 || entries[0].Kind != changes.Restored || entries[0].Tag == 0 {
			t.Errorf("ChangesAfter(0) = %v, %v, want the one entry restored", entries, err)
		}
		if got := len(auditLines(t, st, "")); got != lines+1 {
			t.Errorf("%d audit lines, want the %d from before and that of the restoration", got, lines)
		}
		wantTotal(t, st, 3, 9)

		subjects := []string{
			string(revoked), key.VersionSubject(versionRevoked, 1), user.EpochSubject(string(w.dev), 0), user.EpochSubject(string(w.theirApp), 0),
		}
		if diff := cmp.Diff(subjects, report.Revoked, sorted); diff != "" {
			t.Errorf("Revoked -want +got:\n%s", diff)
		}
		snap, err := st.ChangesSnapshot(ctx)
		must(t, err)
		if found, err := st.RevocationsOf(ctx, subjects); err != nil || len(found) != len(subjects) {
			t.Errorf("RevocationsOf = %v, %v, want all remembered (of %d)", found, err, len(snap.Revocations))
		}
		if k, err := st.KeyForDecision(ctx, revoked); err != nil || k.RevokedAt.IsZero() || k.DeletedAt.IsZero() {
			t.Errorf("the key revoked since = %+v, %v, want it revoked", k, err)
		}
		if k, err := st.Key(ctx, server, versionRevoked); err != nil || k.Versions[0].RevokedAt.IsZero() || !k.Versions[1].RevokedAt.IsZero() || !k.RevokedAt.IsZero() {
			t.Errorf("the key with a version revoked since = %+v, %v, want the version revoked", k, err)
		}
		wantKind(t, "a key made since", second(st.KeyForDecision(ctx, young.ID)), fault.NotFound)

		thing := func(kind, id string) store.Thing { return store.Thing{Kind: kind, ID: id} }
		for what, c := range map[string]struct{ want, got []store.Thing }{
			"Gone": {[]store.Thing{thing("key", string(young.ID)), thing("team", string(youngTeam))}, report.Gone},
			"Back": {[]store.Thing{
				thing("api", "mail"), thing("app", string(w.theirApp)), thing("key", string(disabled)), thing("member", string(w.ours)+"/"+string(w.billing)),
				thing("team", string(w.theirs)), thing("user", string(w.dev)),
			}, report.Back},
			"Reverted": {[]store.Thing{thing("key", string(narrowed))}, report.Reverted},
		} {
			for i := range c.got {
				if c.got[i].Name == "" {
					t.Errorf("%s: %+v has no name", what, c.got[i])
				}
				c.got[i].Name = ""
			}
			if diff := cmp.Diff(c.want, c.got); diff != "" {
				t.Errorf("%s -want +got:\n%s", what, diff)
			}
		}
		if diff := cmp.Diff([]store.UndoneRotation{{Key: rotated, Refused: []int{2}, Good: 1}}, report.Rotations); diff != "" {
			t.Errorf("Rotations -want +got:\n%s", diff)
		}
		state, err := st.Keyring(ctx)
		if err != nil || state.Revision != 3 || len(state.Rows) != 2 || state.Rows[1].Version != 2 || state.Rows[1].State != keyring.Current || state.Rows[0].State != keyring.Retiring {
			t.Errorf("Keyring = %+v, %v, want the version made since as the current one", state, err)
		}
		if there, err := st.ClaimAnswer(ctx, node.Answer{Key: "of a key that is gone", At: t0}); there != nil || err != nil {
			t.Errorf("ClaimAnswer = %+v, %v, want stored answers gone", there, err)
		}

		// Again: the backup still knows nothing of the revocations, and else there is nothing to tell.
		again := restore(t, st, file)
		if len(again.Gone)+len(again.Back)+len(again.Reverted)+len(again.Rotations) > 0 || len(again.Revoked) != len(subjects) || again.Revision != last+2 {
			t.Errorf("Restore again = %+v, want nothing but the revocations", again)
		}
		wantTotal(t, st, 3, 9)
	})
}

var sorted = cmp.Transformer("sorted", func(in []string) []string { return slices.Sorted(slices.Values(in)) })

// Usage is a union: what only the backup counted is added to what the database counted since.
func TestRestoreAddsUsage(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := full(t, sqlite(t))
		file, _ := backup(t, w.Store)
		st := db.open(t)
		fresh := newWorld(t, st)
		absorb(t, st, use(fresh, t0.Add(time.Minute), "x"))
		report := restore(t, st, file)
		if !report.UsageKept || report.Rows["usage_segment"] != 1 {
			t.Errorf("Restore = kept %t, %d segments added, want the one of the backup", report.UsageKept, report.Rows["usage_segment"])
		}
		wantTotal(t, st, 3, 9)
		absorb(t, st, use(w, t0.Add(time.Minute), "charged"))
		wantTotal(t, st, 3, 9) // the backup's idempotency key is remembered too
	})
}

// Servers go on while a backup is made and put back: a backup is of one moment, and no step is lost half-way.
func TestBackupAndRestoreUnderWrites(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := full(t, db)
		nodes := []*store.Store{w.Store, db.open(t)}
		file, _ := backup(t, nodes[0])
		race(8, func(i int) bool {
			st := nodes[i%2]
			for n := range 6 {
				switch {
				case i == 0:
					made, _ := backup(t, st)
					target := sqlite(t).open(t)
					restore(t, target, made) // references hold
				case i == 1 && n%3 == 1:
					restore(t, st, file)
				default:
					a := anApp(w.ours)
					if err := second(st.CreateApp(ctx, a, event("app.create"))); err != nil {
						t.Errorf("CreateApp during a restoration = %v", err)
					}
					err := second(st.CreateKeys(ctx, []*key.Key{aKey(a.ID, w.ours)}, event("key.create")))
					if err != nil && !fault.Is(err, fault.NotFound) {
						t.Errorf("CreateKeys during a restoration = %v, want it done, or its app gone", err)
					}
					absorb(t, st, use(w, t0, fmt.Sprint(i, n)))
				}
			}
			return true
		})
		must(t, second(nodes[1].CreateApp(ctx, anApp(w.ours), event("app.create"))))
		_, differences, err := nodes[0].ReconcileUsage(ctx, t0, t0.Add(time.Hour))
		if err != nil || len(differences) > 0 {
			t.Errorf("ReconcileUsage = %v, %v, want no difference", differences, err)
		}
	})
}
