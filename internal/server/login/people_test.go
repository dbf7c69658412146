package login_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

const (
	password = "blue cabbage under 9 moons"
	another  = "seven quiet herons at dusk"
)

// signup starts a server with a sign-up mode.
func signup(t *testing.T, mode string) *servertest.Node {
	t.Helper()
	return servertest.Start(t, servertest.Options{Settings: func(s *config.Settings) { s.Signup = mode }})
}

func addUser(t *testing.T, n *servertest.Node, email string) lanyard.User {
	t.Helper()
	u, err := n.Manage.CreateUser(t.Context(), audit.Command("test"), lanyard.UserInput{Email: email, Name: "Ada", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// mailed is the path of the link in the newest mail to an address; "" if there is none.
func mailed(t *testing.T, n *servertest.Node, to string) string {
	t.Helper()
	if err := n.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, m := range n.Mails.List() {
		if m.To != to {
			continue
		}
		for _, word := range strings.Fields(m.Text) {
			if u, err := url.Parse(word); err == nil && u.Path == "/link" {
				if !strings.HasPrefix(word, n.Settings.PublicURL+"/link?t=") {
					t.Errorf("the mail to %s leads to %s, want %s", to, u.Host, n.Settings.PublicURL)
				}
				return u.RequestURI()
			}
		}
	}
	return ""
}

// TestSignupClosed: SECURITY-CASES 94: where accounts are not made by oneself, no way of asking makes one.
func TestSignupClosed(t *testing.T) {
	for _, mode := range []string{"closed", "invite"} {
		n := signup(t, mode)
		b := n.Browser(t)
		if p := b.Get("/signup"); p.Status != 404 {
			t.Errorf("%s: GET /signup = %d, want 404", mode, p.Status)
		}
		form := url.Values{"email": {"eve@example.com"}, "name": {"Eve"}, "password": {password}, "token": {"AAAA"}}
		if p := b.Post("/signup", form, nil); p.Status != 404 {
			t.Errorf("%s: POST /signup = %d, want 404", mode, p.Status)
		}
		if p := b.Post("/link", form, nil); p.Status != 404 {
			t.Errorf("%s: POST /link with a made-up link = %d, want 404", mode, p.Status)
		}
		if p := b.Get("/login"); strings.Contains(p.Body, "/signup") {
			t.Errorf("%s: the login page offers to sign up", mode)
		}
		users, err := n.Admin.Users(t.Context(), lanyard.UserQuery{})
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range users.Items {
			if u.Email == "eve@example.com" {
				t.Errorf("%s: an account was made", mode)
			}
		}
	}
	n := signup(t, "closed")
	if err := n.Manage.Invite(t.Context(), audit.Command("test"), "bob@example.com"); err == nil {
		t.Error("somebody was invited to a server that takes no sign-ups")
	}
}

// TestInvite: an invitation makes one account, for its address alone, and signs in.
func TestInvite(t *testing.T) {
	n := signup(t, "invite")
	addUser(t, n, "ada@example.com")
	if err := n.Manage.Invite(t.Context(), audit.Command("test"), "ada@example.com"); err == nil {
		t.Error("somebody was invited who has an account")
	}
	if err := n.Manage.Invite(t.Context(), audit.Command("test"), "bob@example.com"); err != nil {
		t.Fatal(err)
	}
	link := mailed(t, n, "bob@example.com")
	if link == "" {
		t.Fatal("no invitation was mailed")
	}
	b := n.Browser(t)
	p := b.Get(link)
	if !p.Has("sign-up") || p.Has("email") || !strings.Contains(p.Text(), "You were invited as bob@example.com") {
		t.Fatalf("the invitation leads to %d %.300s", p.Status, p.Text())
	}
	if again := b.Get(link); again.Status != 200 {
		t.Error("looking at the link used it up: mail programs open links")
	}
	if weak := b.Press(p, "sign-up", map[string]string{"name": "Bob", "password": "password1"}); weak.Status != 400 || !weak.Has("password-error") || !strings.Contains(weak.Body, `value="Bob"`) {
		t.Fatalf("a weak password = %d %.300s, want it refused and the rest kept", weak.Status, weak.Text())
	}
	// The address is the link's, whatever the form says.
	if in := b.Press(p, "sign-up", map[string]string{"name": "Bob", "password": another, "email": "root@example.com"}); in.URL.Path != "/account" || in.Status != 200 || !strings.Contains(in.Body, "bob@example.com") {
		t.Fatalf("the invitation ends at %s (%d): %.300s", in.URL, in.Status, in.Text())
	}
	if p := n.Browser(t).Get(link); p.Status != 404 {
		t.Errorf("the link after its use = %d, want 404", p.Status)
	}
	p = n.Browser(t).Press(n.Browser(t).Get("/login"), "sign-in", map[string]string{"login": "bob@example.com", "password": another})
	if p.URL.Path != "/account" {
		t.Errorf("bob's password leads to %s (%d)", p.URL, p.Status)
	}
}

// TestSignupOpen: an account waits until its address is confirmed in the browser that asked; who has one already learns of it
// by mail alone.
func TestSignupOpen(t *testing.T) {
	n := signup(t, "open")
	addUser(t, n, "ada@example.com")
	answers := map[string]string{}
	for _, email := range []string{"ada@example.com", "bob@example.com"} {
		b := n.Browser(t)
		p := b.Press(b.Get("/signup"), "sign-up", map[string]string{"name": "N", "email": email, "password": another})
		answers[email] = strings.ReplaceAll(p.Text(), email, "X")
		link := mailed(t, n, email)
		if email == "ada@example.com" {
			if link != "" {
				t.Error("the owner of an account got a link that makes another")
			}
			continue
		}
		if p := n.Browser(t).Press(b.Get(link), "confirm-link", nil); p.Status != 404 {
			t.Errorf("the link in another browser = %d, want 404", p.Status)
		}
		if p := b.Press(b.Get(link), "confirm-link", nil); p.URL.Path != "/account" || !strings.Contains(p.Body, email) {
			t.Errorf("the link ends at %s (%d): %.300s", p.URL, p.Status, p.Text())
		}
	}
	if answers["ada@example.com"] != answers["bob@example.com"] {
		t.Errorf("the answer tells who has an account:\n%s\n%s", answers["ada@example.com"], answers["bob@example.com"])
	}
	b := n.Browser(t)
	for field, bad := range map[string]string{"email": "аda@example.com", "password": "password", "name": strings.Repeat("n", 101)} { // the first letter is Cyrillic
		fields := map[string]string{"name": "N", "email": "eve@example.com", "password": another}
		fields[field] = bad
		if p := b.Press(b.Get("/signup"), "sign-up", fields); p.Status != 400 || !p.Has(field+"-error") {
			t.Errorf("a bad %s = %d %.200s, want it refused at its field", field, p.Status, p.Text())
		}
	}
}
