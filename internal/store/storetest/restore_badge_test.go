package storetest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/store"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// What was taken back, used up or set anew since a backup is so after it was restored; what is under way ends.
func TestRestoreBadge(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := full(t, db)
		st, raw, server := w.Store, db.raw(t), audit.ServerReach()
		exec := func(query string, args ...any) {
			t.Helper()
			must(t, second(raw.ExecContext(ctx, query, args...)))
		}
		lost := newPersonal(t, st, w.dev)
		kept := newPersonal(t, st, w.dev)
		grants, chains := map[string]id.Grant{}, map[string]id.Family{}
		for _, name := range []string{"untouched", "revoked", "chain revoked", "used", "slept", "forgotten", "epoch"} {
			u := newUser(t, st, string(id.New[id.User]())+"@example.com")
			grants[name] = rawGrant(t, db, u, w.ourApp, w.ours)
			chains[name] = rawFamily(t, db, grants[name])
		}
		setPassword := func(u id.User, hash string, at time.Time) {
			t.Helper()
			must(t, second(st.SetPassword(ctx, aPassword(u, hash, at))))
		}
		setPassword(w.dev, "leaked", t0)
		se, l := begin(t, st, w.dev), aLink(factor.Reset, w.dev, "dev@example.com")
		join(t, st, se, w.ourApp)
		must(t, st.CreateLink(ctx, l, aLetter()))
		request := rawRequest(t, db, w.ourApp, digest("browser"))
		exec(`INSERT INTO seen_once (id, until) VALUES ('an assertion', 1)`)
		file, _ := backup(t, st)

		must(t, third(st.RevokePersonal(ctx, w.dev, lost.ID, "lost", event("revoke"))))
		must(t, used(st, l.ID, t0))
		setPassword(w.dev, "new", t0.Add(time.Hour))
		setPassword(w.billing, "first", t0.Add(time.Hour))
		setPassword(w.owner, "of before the backup", t0.Add(-time.Hour))
		must(t, third(st.UpdateUser(ctx, w.foreign, event("raise"), func(u *user.User) error { u.Epoch = 3; return nil })))
		must(t, third(st.UpdateApp(ctx, server, w.theirApp, event("raise"), func(a *app.App) error { a.Epoch++; return nil })))
		exec(`UPDATE grants SET revoked_at = 5 WHERE id = $1`, string(grants["revoked"]))
		exec(`UPDATE family SET revoked_at = 5 WHERE id = $1`, string(chains["chain revoked"]))
		exec(`UPDATE family SET counter = 4, key_version = 2, rotated_at = 6, used_at = 8, idle_at = 7 WHERE id = $1`, string(chains["used"]))
		exec(`UPDATE family SET used_at = 5, idle_at = 9 WHERE id = $1`, string(chains["slept"]))
		exec(`DELETE FROM family WHERE id = $1`, string(chains["forgotten"]))
		exec(`UPDATE grants SET epoch = 1 WHERE id = $1`, string(grants["epoch"]))
		youngGrant := rawGrant(t, db, w.foreign, w.ourApp, w.ours)
		rawFamily(t, db, youngGrant)
		young := newPersonal(t, st, w.dev)

		report := restore(t, st, file)

		wantRevoked := []string{
			string(lost.ID), user.EpochSubject(string(w.foreign), 2), user.EpochSubject(string(w.theirApp), 0), user.EpochSubject(string(grants["epoch"]), 0),
			string(grants["revoked"]), string(chains["chain revoked"]),
		}
		if diff := cmp.Diff(wantRevoked, report.Revoked, sorted); diff != "" {
			t.Errorf("Revoked -want +got:\n%s", diff)
		}
		gone := []store.Thing{{Kind: "grant", ID: string(youngGrant)}, {Kind: "personal token", ID: string(young.ID)}}
		for i := range report.Gone {
			if report.Gone[i].Name == "" {
				t.Errorf("Gone: %+v has no name", report.Gone[i])
			}
			report.Gone[i].Name = ""
		}
		if diff := cmp.Diff(gone, report.Gone); diff != "" || len(report.Back) > 0 || len(report.Reverted) > 0 {
			t.Errorf("Back = %v, Reverted = %v, want none; Gone -want +got:\n%s", report.Back, report.Reverted, diff)
		}
		type chain struct {
			Counter, Version, Rotated, Used, Idle int64
			Live                                  bool
		}
		for name, want := range map[string]chain{
			"untouched": {1, 1, 1, 0, 2, true}, "revoked": {1, 1, 1, 0, 2, true}, "chain revoked": {1, 1, 1, 0, 2, false},
			"used": {4, 2, 6, 8, 7, true}, "slept": {1, 1, 1, 5, 9, true}, "forgotten": {1, 1, 1, 0, 2, false}, "epoch": {1, 1, 1, 0, 2, true},
		} {
			var got chain
			var revoked int64
			must(t, raw.QueryRowContext(ctx, `SELECT counter, key_version, rotated_at, used_at, idle_at, revoked_at FROM family WHERE id = $1`, string(chains[name])).
				Scan(&got.Counter, &got.Version, &got.Rotated, &got.Used, &got.Idle, &revoked))
			got.Live = revoked == 0
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("chain %s -want +got:\n%s", name, diff)
			}
			if live := ended(t, db, "grants", grants[name]) == 0; live != (name != "revoked") {
				t.Errorf("grant %s is live: %t", name, live)
			}
		}
		for token, revoked := range map[id.Key]bool{lost.ID: true, kept.ID: false} {
			if p, err := st.PersonalForDecision(ctx, token); err != nil || p.RevokedAt.IsZero() == revoked {
				t.Errorf("PersonalForDecision = %+v, %v, want it revoked: %t", p, err, revoked)
			}
		}
		wantKind(t, "a personal token made since", second(st.PersonalForDecision(ctx, young.ID)), fault.NotFound)
		for u, want := range map[id.User]string{w.dev: "new", w.billing: "first", w.owner: "hash"} {
			if p, err := st.Password(ctx, u); err != nil || p.Hash != want {
				t.Errorf("Password = %+v, %v, want %q", p, err, want)
			}
		}
		u, err := st.User(ctx, w.foreign)
		must(t, err)
		a, err := st.App(ctx, server, w.theirApp)
		must(t, err)
		if u.Epoch != 3 || a.Epoch != 1 {
			t.Errorf("epochs %d and %d, want 3 and 1: they do not go back", u.Epoch, a.Epoch)
		}
		wantKind(t, "a session of before", second(st.Session(ctx, se.ID)), fault.NotFound)
		var n int
		must(t, raw.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM auth_request WHERE id = $1) + (SELECT COUNT(*) FROM session_app)`, string(request)).Scan(&n))
		if n != 0 {
			t.Errorf("%d rows of what was under way are left", n)
		}
		wantKind(t, "UseLink of a link that was used", used(st, l.ID, t0), fault.NotFound)
		must(t, raw.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM seen_once) + (SELECT COUNT(*) FROM delivery)`).Scan(&n))
		if n != 2 {
			t.Errorf("%d of what was seen once and is on its way, want both kept", n)
		}
		must(t, second(st.CreatePersonal(ctx, aPersonal(w.dev), event("personal.create"))), st.BeginSession(ctx, aSession(w.dev), "", nil, nil))
		restore(t, st, file) // once more: nothing of the first is in the way
	})
}

// Keys of our own that were made since stay, whatever they are for, each purpose with its newest as the current one.
func TestRestoreKeepsPurposes(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := full(t, db).Store
		file, _ := backup(t, st)
		state, err := st.Keyring(ctx)
		must(t, err)
		state.Revision++
		row := func(purpose keyring.Purpose, version int, is keyring.RowState) keyring.Row {
			return keyring.Row{Purpose: purpose, Version: version, MasterVersion: 1, Wrapped: []byte{byte(version)}, CreatedAt: t0, State: is}
		}
		state.Rows = append(state.Rows, row(keyring.Refresh, 1, keyring.Current),
			row(keyring.SignES256, 1, keyring.Retiring), row(keyring.SignES256, 2, keyring.Current))
		if won, err := st.ReplaceKeyring(ctx, state); !won || err != nil {
			t.Fatalf("ReplaceKeyring = %t, %v", won, err)
		}
		restore(t, st, file)
		got, err := st.Keyring(ctx)
		state.Revision++
		if diff := cmp.Diff(state, got); err != nil || diff != "" {
			t.Errorf("Keyring after a restoration: %v, -want +got:\n%s", err, diff)
		}
	})
}

// Into a database that never knew them, chains come back as they are.
func TestRestoreBadgeElsewhere(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := full(t, sqlite(t))
		file, _ := backup(t, w.Store)
		st := db.open(t)
		newUser(t, st, "another@example.com") // in use, but of other people
		restore(t, st, file)
		var live int
		must(t, db.raw(t).QueryRowContext(ctx, `SELECT COUNT(*) FROM family WHERE revoked_at = 0`).Scan(&live))
		if live != 1 {
			t.Errorf("%d chains work, want the one of the backup", live)
		}
		if tokens, err := st.Personals(ctx, key.PersonalFilter{User: w.owner, Limit: 5}); err != nil || len(tokens) != 1 {
			t.Errorf("Personals = %d, %v, want the one of the backup", len(tokens), err)
		}
	})
}

// A backup from before there were visitor badges goes into the schema of today.
func TestRestoreOfFirstSchema(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := full(t, sqlite(t))
		file, _ := backup(t, w.Store)
		st := db.open(t)
		restore(t, st, asFirstSchema(t, file))
		u, err := st.User(ctx, w.owner)
		if err != nil || u.Epoch != 0 || !u.VerifiedAt.IsZero() {
			t.Errorf("User = %+v, %v, want one of epoch 0", u, err)
		}
		a, err := st.App(ctx, audit.ServerReach(), w.ourApp)
		if err != nil || a.Origin != app.MadeHere || len(a.OAuth.GrantTypes) > 0 {
			t.Errorf("App = %+v, %v, want one that uses keys alone", a, err)
		}
		must(t, st.BeginSession(ctx, aSession(w.owner), "", nil, nil))
	})
}

// asFirstSchema takes from a backup what came with the second schema.
func asFirstSchema(t *testing.T, file []byte) []byte {
	t.Helper()
	later := map[string][]string{
		"users": {"verified_at", "epoch"},
		"app":   {"epoch", "origin", "client_url", "oauth", "document", "document_until", "manage_digest", "manage_pepper"},
	}
	body, last, _ := cutLast(unzip(t, file))
	var trailer map[string]any
	must(t, json.Unmarshal([]byte(last), &trailer))
	var lines strings.Builder
	skip, drop := false, []int(nil)
	for line := range strings.Lines(body) {
		var head struct {
			Table   string   `json:"table"`
			Columns []string `json:"columns"`
		}
		var row []any
		var out any
		switch {
		case line[0] == '[':
			must(t, json.Unmarshal([]byte(line), &row))
			if out = line; len(drop) > 0 {
				out = without(row, drop)
			}
		default:
			must(t, json.Unmarshal([]byte(line), &head))
			skip = slices.Contains([]string{"password", "personal_token", "grants", "family"}, head.Table)
			if skip {
				delete(trailer["rows"].(map[string]any), head.Table)
			}
			if drop, out = nil, line; len(later[head.Table]) > 0 {
				for i, column := range head.Columns {
					if slices.Contains(later[head.Table], column) {
						drop = append(drop, i)
					}
				}
				out = map[string]any{"table": head.Table, "columns": without(head.Columns, drop)}
			}
		}
		if skip {
			continue
		}
		if text, is := out.(string); is {
			lines.WriteString(text)
			continue
		}
		text, err := json.Marshal(out)
		must(t, err)
		lines.Write(append(text, '\n'))
	}
	text, err := json.Marshal(trailer)
	must(t, err)
	return reseal(t, strings.Replace(lines.String(), `"schema":2`, `"schema":1`, 1)+string(text)+"\n")
}

// without leaves out the elements at some places.
func without[T any](all []T, places []int) (rest []T) {
	for i, v := range all {
		if !slices.Contains(places, i) {
			rest = append(rest, v)
		}
	}
	return rest
}
