package oauth_test

import (
	"database/sql"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/pgtest"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

const racers = 64

// rounds is how often a race is run: LANYARD_RACE_ROUNDS, else 10, or 3 in short tests.
func rounds() int {
	if n, err := strconv.Atoi(os.Getenv("LANYARD_RACE_ROUNDS")); err == nil {
		return n
	}
	if testing.Short() {
		return 3
	}
	return 10
}

// deployments runs a race on SQLite, and on PostgreSQL across two servers.
func deployments(t *testing.T, race func(t *testing.T, w *world, nodes []string)) {
	t.Run("sqlite", func(t *testing.T) {
		w := newWorld(t, servertest.Options{})
		race(t, w, []string{w.node.URL})
	})
	t.Run("postgres, two servers", func(t *testing.T) {
		o := servertest.Options{DatabaseURL: pgtest.Start(t), Master: servertest.Master(t)}
		w := newWorld(t, o)
		o.PublicURL = w.node.URL // one deployment has one issuer
		second := servertest.Start(t, o)
		race(t, w, []string{w.node.URL, second.URL})
	})
}

// atOnce sends the same form from all racers, in turn to each node, and returns the answers.
func atOnce(t *testing.T, nodes []string, path string, form url.Values, header http.Header) []*reply {
	t.Helper()
	replies := make([]*reply, racers)
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i := range racers {
		ready.Add(1)
		done.Add(1)
		go func() {
			defer done.Done()
			ready.Done()
			<-start
			replies[i] = call(t, http.MethodPost, nodes[i%len(nodes)]+path, form, header)
		}()
	}
	ready.Wait()
	close(start)
	done.Wait()
	return replies
}

// TestRaceCode: of 64 redemptions of one code one wins (DESIGN promise 5).
func TestRaceCode(t *testing.T) {
	deployments(t, func(t *testing.T, w *world, nodes []string) {
		c := w.app(lanyard.AppInput{Type: "public"})
		for range rounds() {
			form := url.Values{"grant_type": {"authorization_code"}, "code": {c.code(nil)}, "redirect_uri": {callback}, "code_verifier": {verifier}, "client_id": {c.id}}
			won := 0
			for _, r := range atOnce(t, nodes, "/oauth/token", form, nil) {
				switch {
				case r.status == http.StatusOK:
					won++
				case r.status != http.StatusBadRequest || r.text("error") != "invalid_grant":
					t.Fatalf("a loser got %d %s", r.status, r.raw)
				}
			}
			if won != 1 {
				t.Fatalf("%d of %d redemptions of one code won, want 1", won, racers)
			}
		}
	})
}

// TestRaceRefresh: 64 uses of one refresh token lead to one successor, which every answer carries; and the chain goes on.
func TestRaceRefresh(t *testing.T) {
	deployments(t, func(t *testing.T, w *world, nodes []string) {
		c := w.app(lanyard.AppInput{Type: "public"})
		text := c.tokens().text("refresh_token")
		for range rounds() {
			successors := map[string]bool{}
			for _, r := range atOnce(t, nodes, "/oauth/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {text}, "client_id": {c.id}}, nil) {
				if r.status != http.StatusOK {
					t.Fatalf("a refresh got %d %s", r.status, r.raw)
				}
				successors[r.text("refresh_token")] = true
			}
			if len(successors) != 1 || successors[text] {
				t.Fatalf("one refresh token led to %d others, want 1", len(successors))
			}
			for next := range successors {
				text = next
			}
		}
	})
}

// TestRacePushed: of 64 browsers with one pushed request one comes through.
func TestRacePushed(t *testing.T) {
	deployments(t, func(t *testing.T, w *world, nodes []string) {
		c := w.app(lanyard.AppInput{Type: "public"})
		for range rounds() {
			form := url.Values{
				"client_id": {c.id}, "response_type": {"code"}, "redirect_uri": {callback}, "scope": {"openid"}, "code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"},
			}
			r := w.post("/oauth/par", form, nil)
			if r.status != http.StatusCreated {
				t.Fatalf("par = %d %s", r.status, r.raw)
			}
			query := url.Values{"client_id": {c.id}, "request_uri": {r.text("request_uri")}}.Encode()
			won := 0
			for _, r := range getAtOnce(t, nodes, "/oauth/authorize?"+query) {
				if r.status == http.StatusSeeOther {
					won++
				}
			}
			if won != 1 {
				t.Fatalf("%d of %d uses of one request_uri came through, want 1", won, racers)
			}
		}
	})
}

func getAtOnce(t *testing.T, nodes []string, path string) []*reply {
	t.Helper()
	replies := make([]*reply, racers)
	var done sync.WaitGroup
	for i := range racers {
		done.Add(1)
		go func() {
			defer done.Done()
			replies[i] = call(t, http.MethodGet, nodes[i%len(nodes)]+path, nil, nil)
		}()
	}
	done.Wait()
	return replies
}

// TestRaceDevice: an approved device code is redeemed once.
func TestRaceDevice(t *testing.T) {
	deployments(t, func(t *testing.T, w *world, nodes []string) {
		c := w.deviceApp(lanyard.AppInput{})
		for range rounds() {
			d := c.device("profile.read")
			d.answer("approve")
			won := 0
			for _, r := range atOnce(t, nodes, "/oauth/token", url.Values{"grant_type": {deviceGrant}, "device_code": {d.code}, "client_id": {c.id}}, nil) {
				switch {
				case r.status == http.StatusOK:
					won++
				case r.status != http.StatusBadRequest || r.text("error") != "slow_down" && r.text("error") != "expired_token":
					t.Fatalf("a loser got %d %s", r.status, r.raw)
				}
			}
			if won != 1 {
				t.Fatalf("%d of %d redemptions of one device code won, want 1", won, racers)
			}
		}
	})
}

// TestRaceRevokeAll: what is refreshed or exchanged while all of a user's tokens are ended is over with them: nothing that was
// under way outlives it (DESIGN promise 2).
func TestRaceRevokeAll(t *testing.T) {
	const tries = 12
	deployments(t, func(t *testing.T, w *world, nodes []string) {
		c := w.app(lanyard.AppInput{Type: "public"})
		service := w.service("Service")
		for range rounds() {
			tokens := c.tokens()
			refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens.text("refresh_token")}, "client_id": {c.id}}
			exchange := url.Values{"grant_type": {exchangeGrant}, "subject_token": {tokens.text("access_token")}, "subject_token_type": {tokenType + "access_token"}}
			replies := make([]*reply, 2*tries)
			var ready, done sync.WaitGroup
			start := make(chan struct{})
			for i := range replies {
				ready.Add(1)
				done.Add(1)
				go func() {
					defer done.Done()
					ready.Done()
					<-start
					if i%2 == 0 {
						replies[i] = call(t, http.MethodPost, nodes[i/2%len(nodes)]+"/oauth/token", refresh, nil)
					} else {
						replies[i] = call(t, http.MethodPost, nodes[i/2%len(nodes)]+"/oauth/token", exchange, basicHeader(service.id, service.secret))
					}
				}()
			}
			ready.Wait()
			close(start)
			if _, err := w.node.Manage.UpdateUser(t.Context(), w.admin(), w.ada.ID, lanyard.UserPatch{RevokeTokens: true}); err != nil {
				t.Error(err)
			}
			done.Wait()
			w.sync()
			for i, r := range replies {
				switch {
				case r.status == http.StatusOK:
					w.over("issued beside the revocation, try "+strconv.Itoa(i), r.text("access_token"))
				case r.status != http.StatusBadRequest || r.text("error") != "invalid_grant":
					t.Errorf("try %d = %d %s", i, r.status, r.raw)
				}
			}
		}
	})
}

// TestNoTableGrows: tokens are no rows, on either database. LANYARD_GROWTH says how many are issued, else 500, or 50 in short
// tests.
func TestNoTableGrows(t *testing.T) {
	n := 500
	if more, err := strconv.Atoi(os.Getenv("LANYARD_GROWTH")); err == nil {
		n = more
	} else if testing.Short() {
		n = 50
	}
	t.Run("sqlite", func(t *testing.T) { issues(t, newWorld(t, servertest.Options{}), n) })
	t.Run("postgres", func(t *testing.T) { issues(t, newWorld(t, servertest.Options{DatabaseURL: pgtest.Start(t)}), n) })
}

// issues has n access tokens issued to a program, n more by as many refreshes, and wants every table as it was.
func issues(t *testing.T, w *world, n int) {
	t.Helper()
	machine := w.app(lanyard.AppInput{Name: "Machine", OAuthSettings: lanyard.OAuthSettings{GrantTypes: []string{"client_credentials"}, Scopes: []string{"files.read", "profile.read"}, RedirectURIs: []string{}}})
	c := w.app(lanyard.AppInput{Type: "public"})
	text := c.tokens().text("refresh_token")
	before := rowCounts(t, w)
	for i := range n {
		scope := []string{"files.read", "profile.read"}[i%2] // opaque and JWT
		if r := machine.token(url.Values{"grant_type": {"client_credentials"}, "scope": {scope}}); r.status != http.StatusOK {
			t.Fatalf("client credentials = %d %s", r.status, r.raw)
		}
		r := c.refresh(text)
		if r.status != http.StatusOK {
			t.Fatalf("refresh = %d %s", r.status, r.raw)
		}
		text = r.text("refresh_token")
	}
	for table, rows := range rowCounts(t, w) {
		if rows != before[table] {
			t.Errorf("after %d tokens and %d refreshes the table %s has %d rows instead of %d", n, n, table, rows, before[table])
		}
	}
}

// rowCounts counts the rows of every table, past the server.
func rowCounts(t *testing.T, w *world) map[string]int64 {
	t.Helper()
	driver, address, tables := "sqlite", "file:"+filepath.Join(w.node.Settings.DataDir, "lanyard.db")+"?mode=ro", `SELECT group_concat(name, ' ') FROM sqlite_master WHERE type = 'table'`
	if w.node.Settings.Postgres() {
		driver, address, tables = "pgx", w.node.Settings.DatabaseURL.Reveal(), `SELECT string_agg(table_name, ' ') FROM information_schema.tables WHERE table_schema = 'public'`
	}
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var names string
	if err := db.QueryRow(tables).Scan(&names); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int64{}
	for _, table := range strings.Fields(names) {
		var n int64
		if err := db.QueryRow(`SELECT COUNT(*) FROM ` + table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		counts[table] = n
	}
	return counts
}
