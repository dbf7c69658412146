package login_test

import (
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/pgtest"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// forgot asks for a reset and returns what the page said.
func forgot(b *servertest.Browser, email string, header http.Header) *servertest.Page {
	return b.Post("/forgot", url.Values{"email": {email}}, header)
}

// TestResetSaysNothing: SECURITY-CASES E: the answer for an address that somebody has is that for one nobody has.
func TestResetSaysNothing(t *testing.T) {
	n := servertest.Start(t, servertest.Options{})
	addUser(t, n, "ada@example.com")
	locked := addUser(t, n, "gone@example.com")
	if _, err := n.Admin.UpdateUser(t.Context(), locked.ID, lanyard.UserPatch{Disabled: new(true)}); err != nil {
		t.Fatal(err)
	}
	b := n.Browser(t)
	said := map[string]bool{}
	for _, email := range []string{"ada@example.com", "nobody@example.com", "gone@example.com"} {
		p := forgot(b, email, nil)
		if p.Status != http.StatusOK {
			t.Errorf("a reset for %s = %d", email, p.Status)
		}
		said[strings.ReplaceAll(p.Text(), email, "X")] = true
	}
	if len(said) != 1 {
		t.Errorf("the answers differ: %v", said)
	}
	for email, want := range map[string]bool{"ada@example.com": true, "nobody@example.com": false, "gone@example.com": false} {
		if got := mailed(t, n, email) != ""; got != want {
			t.Errorf("a link was mailed to %s: %t, want %t", email, got, want)
		}
	}
	if p := forgot(b, "not an address", nil); p.Status != http.StatusBadRequest || !p.Has("email-error") {
		t.Errorf("a reset for no address = %d %.200s", p.Status, p.Text())
	}
	for range 30 { // mails to one address are bounded, silently: five an hour
		forgot(b, "ada@example.com", nil)
	}
	if err := n.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	sent := 0
	for _, m := range n.Mails.List() {
		if m.To == "ada@example.com" {
			sent++
		}
	}
	if sent > 5 {
		t.Errorf("%d mails were sent to one address in an hour, want 5 at most", sent)
	}
}

// TestResetPoisoned: SECURITY-CASES 76, 78: whatever a request calls this host, the mail leads to the configured address.
func TestResetPoisoned(t *testing.T) {
	n := servertest.Start(t, servertest.Options{})
	addUser(t, n, "ada@example.com")
	b := n.Browser(t)
	for name, value := range map[string]string{"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example;proto=https", "X-Host": "evil.example", "X-Forwarded-Proto": "gopher"} {
		forgot(b, "ada@example.com", http.Header{name: {value}})
		if mailed(t, n, "ada@example.com") == "" {
			t.Fatal("no link was mailed")
		}
	}
	if err := n.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, m := range n.Mails.List() {
		if strings.Contains(m.Text+m.HTML, "evil") || strings.Contains(m.Text+m.HTML, "gopher") {
			t.Errorf("a mail repeats what the request called this host: %s", m.Text)
		}
	}
}

// TestReset: a link sets one password once, and ends what the old one began.
func TestReset(t *testing.T) {
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	var mu sync.Mutex
	n := servertest.Start(t, servertest.Options{Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }})
	pass := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
	addUser(t, n, "ada@example.com")
	old := n.Browser(t)
	if p := old.Press(old.Get("/login"), "sign-in", map[string]string{"login": "ada@example.com", "password": password}); p.URL.Path != "/account" {
		t.Fatalf("the login leads to %s", p.URL)
	}
	b := n.Browser(t)
	forgot(b, "ada@example.com", nil)
	link := mailed(t, n, "ada@example.com")
	p := b.Get(link)
	for _, weak := range []string{"short", "password1", "ada@example.com", strings.Repeat("a", 1025)} {
		if got := b.Press(p, "set-password", map[string]string{"password": weak}); got.Status != http.StatusBadRequest || !got.Has("password-error") || strings.Contains(got.Body, `name="password" value`) {
			t.Errorf("the password %.20q = %d, want it refused and not repeated", weak, got.Status)
		}
	}
	// Another browser may set it, since whoever opens the mail owns the address; but it is not signed in by that.
	elsewhere := n.Browser(t)
	if got := elsewhere.Press(elsewhere.Get(link), "set-password", map[string]string{"password": another}); got.Status != http.StatusOK || got.URL.Path == "/account" {
		t.Fatalf("the reset elsewhere = %d at %s: %.200s", got.Status, got.URL, got.Text())
	}
	if got := elsewhere.Get("/account"); got.URL.Path != "/login" {
		t.Error("a browser that did not ask was signed in")
	}
	if got := b.Press(p, "set-password", map[string]string{"password": password + "!"}); got.Status != http.StatusNotFound {
		t.Errorf("the link again = %d, want 404", got.Status)
	}
	if got := old.Get("/account"); got.URL.Path != "/login" {
		t.Error("the session of the old password goes on")
	}
	for text, want := range map[string]string{password: "/login", another: "/account"} {
		fresh := n.Browser(t)
		if got := fresh.Press(fresh.Get("/login"), "sign-in", map[string]string{"login": "ada@example.com", "password": text}); got.URL.Path != want {
			t.Errorf("signing in leads to %s, want %s", got.URL.Path, want)
		}
	}
	// Two links, one used: the other is from before the change and dead. And one that is too old.
	pass(time.Hour)
	forgot(b, "ada@example.com", nil)
	first := mailed(t, n, "ada@example.com")
	pass(time.Second)
	forgot(b, "ada@example.com", nil)
	second := mailed(t, n, "ada@example.com")
	if first == second || first == link {
		t.Fatal("links repeat")
	}
	pass(time.Second)
	if got := b.Press(b.Get(second), "set-password", map[string]string{"password": "nine green lamps by the sea"}); got.URL.Path != "/account" {
		t.Fatalf("the reset leads to %s (%d)", got.URL, got.Status)
	}
	b = n.Browser(t)
	if got := b.Post("/link", url.Values{"token": {token(t, first)}, "password": {"ten brown foxes in a boat"}}, nil); got.Status != http.StatusNotFound {
		t.Errorf("a link from before the change = %d, want 404", got.Status)
	}
	forgot(b, "ada@example.com", nil)
	late := mailed(t, n, "ada@example.com")
	pass(factor.LinkLife)
	if got := b.Get(late); got.Status != http.StatusNotFound {
		t.Errorf("a link after %s = %d, want 404", factor.LinkLife, got.Status)
	}
}

// TestLinkGuessed: SECURITY-CASES 96: after ten wrong texts under one id the right one is refused too.
func TestLinkGuessed(t *testing.T) {
	n := servertest.Start(t, servertest.Options{})
	addUser(t, n, "ada@example.com")
	b := n.Browser(t)
	forgot(b, "ada@example.com", nil)
	link := mailed(t, n, "ada@example.com")
	text := token(t, link)
	tries := 0
	for _, last := range "ABCDEFGHIJK" {
		wrong := text[:len(text)-1] + string(last)
		if wrong == text || tries == 10 {
			continue
		}
		tries++
		if got := b.Get("/link?t=" + wrong); got.Status != http.StatusNotFound {
			t.Fatalf("a wrong text = %d", got.Status)
		}
		if tries == 9 {
			if got := b.Get(link); got.Status != http.StatusOK {
				t.Fatalf("the right text after nine wrong ones = %d", got.Status)
			}
		}
	}
	if got := b.Get(link); got.Status != http.StatusNotFound {
		t.Errorf("the right text after ten wrong ones = %d, want 404", got.Status)
	}
}

func token(t *testing.T, link string) string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("t")
}

// TestRaceLink: of 64 presses of one link's button one comes through, on each kind of database and across two servers.
func TestRaceLink(t *testing.T) {
	rounds := 10
	if more, err := strconv.Atoi(os.Getenv("LANYARD_RACE_ROUNDS")); err == nil {
		rounds = more
	} else if testing.Short() {
		rounds = 2
	}
	race := func(t *testing.T, nodes ...*servertest.Node) {
		addUser(t, nodes[0], "ada@example.com")
		for range rounds {
			text, err := nodes[0].Manage.NewLoginLink(t.Context(), audit.Command("test"), "ada@example.com")
			if err != nil {
				t.Fatal(err)
			}
			form := url.Values{"token": {text.Reveal()}}
			const racers = 64
			statuses := make([]int, racers)
			start := make(chan struct{})
			var done sync.WaitGroup
			for i := range racers {
				done.Go(func() {
					<-start
					statuses[i] = press(t, nodes[i%len(nodes)].URL+"/link", form)
				})
			}
			close(start)
			done.Wait()
			won := 0
			for _, status := range statuses {
				switch status {
				case http.StatusSeeOther:
					won++
				case http.StatusNotFound:
				default:
					t.Fatalf("a loser got %d, want 404", status)
				}
			}
			if won != 1 {
				t.Fatalf("%d of %d presses of one link came through, want 1", won, racers)
			}
		}
	}
	t.Run("sqlite", func(t *testing.T) { race(t, servertest.Start(t, servertest.Options{})) })
	t.Run("postgres, two servers", func(t *testing.T) {
		o := servertest.Options{DatabaseURL: pgtest.Start(t), Master: servertest.Master(t)}
		first := servertest.Start(t, o)
		o.PublicURL = first.URL
		race(t, first, servertest.Start(t, o))
	})
}

// press posts a form as a browser of its own would.
func press(t *testing.T, address string, form url.Values) int {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Error(err)
		return 0
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Error(err)
		return 0
	}
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
	return res.StatusCode
}
