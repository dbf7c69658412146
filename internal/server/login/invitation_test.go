package login_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// invited is the path of the link in the mail by which an address is asked into a new team.
func invited(t *testing.T, n *servertest.Node, email string) (link, team string) {
	t.Helper()
	owner := addUser(t, n, "owner-of-"+email)
	made, err := n.Manage.CreateTeam(t.Context(), audit.Command("test"), lanyard.TeamInput{Name: "Sunny", OwnerID: owner.ID})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Manage.InviteToTeam(t.Context(), audit.Command("test"), made.ID, lanyard.InvitationInput{Email: email, Role: "developer"}); err != nil {
		t.Fatal(err)
	}
	if err := n.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, m := range n.Mails.List() {
		for _, word := range strings.Fields(m.Text) {
			if rest, ok := strings.CutPrefix(word, n.Settings.PublicURL+"/invitation?t="); ok && m.To == email {
				return "/invitation?t=" + rest, made.ID
			}
		}
	}
	t.Fatalf("no invitation was mailed to %s", email)
	return "", ""
}

// TestInvitationSignsUp: whoever has no account makes one and is in the team; the link works once.
func TestInvitationSignsUp(t *testing.T) {
	for _, mode := range []string{"invite", "open"} {
		n := signup(t, mode)
		link, team := invited(t, n, "bob@example.com")
		b := n.Browser(t)
		p := b.Get(link)
		if !p.Has("sign-up") || p.Has("email") || !strings.Contains(p.Text(), "bob@example.com") || p.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%s: the invitation leads to %d %.300s", mode, p.Status, p.Text())
		}
		if weak := b.Press(p, "sign-up", map[string]string{"name": "Bob", "password": "password1"}); weak.Status != 400 || !weak.Has("password-error") {
			t.Fatalf("%s: a weak password = %d %.300s", mode, weak.Status, weak.Text())
		}
		in := b.Press(p, "sign-up", map[string]string{"name": "Bob", "password": another, "email": "root@example.com"})
		if in.Status != 200 || in.URL.Path != "/developers/"+team || !strings.Contains(in.Body, "Bob") {
			t.Fatalf("%s: the invitation ends at %s (%d): %.300s", mode, in.URL, in.Status, in.Text())
		}
		if p := b.Get(link); p.Status != 404 {
			t.Errorf("%s: the link after its use = %d, want 404", mode, p.Status)
		}
	}
}

// TestInvitationSignsIn: whoever has an account signs in and comes back, where accounts are not made too; nobody else takes it.
func TestInvitationSignsIn(t *testing.T) {
	n := signup(t, "closed")
	addUser(t, n, "bob@example.com")
	addUser(t, n, "eve@example.com")
	link, team := invited(t, n, "Bob@example.com")
	token := url.Values{"token": {strings.TrimPrefix(link, "/invitation?t=")}, "name": {"Eve"}, "password": {another}}

	eve := n.Browser(t)
	if p := eve.Post("/invitation", token, nil); p.Status != http.StatusForbidden {
		t.Errorf("POST /invitation without a session where sign-up is closed = %d, want 403", p.Status)
	}
	eve.Press(eve.Get("/login"), "sign-in", map[string]string{"login": "eve@example.com", "password": password})
	if p := eve.Get(link); p.Has("join") || !strings.Contains(p.Text(), "You are signed in as eve@example.com") {
		t.Errorf("somebody else sees %.300s", p.Text())
	}
	if p := eve.Post("/invitation", token, nil); p.Status != http.StatusForbidden {
		t.Errorf("POST /invitation by somebody else = %d, want 403", p.Status)
	}
	if p := eve.Get("/developers/" + team); p.Status != 404 {
		t.Errorf("the team for somebody else = %d, want 404", p.Status)
	}

	bob := n.Browser(t)
	p := bob.Get(link)
	if p.Has("join") || !p.Has("sign-in") {
		t.Fatalf("who is not signed in sees %d %.300s", p.Status, p.Text())
	}
	back := bob.Press(bob.Get("/login?next="+url.QueryEscape(link)), "sign-in", map[string]string{"login": "bob@example.com", "password": password})
	if back.URL.Path != "/invitation" || !back.Has("join") {
		t.Fatalf("signing in leads to %s (%d): %.300s", back.URL.Path, back.Status, back.Text())
	}
	if p := bob.Post("/invitation", token, http.Header{"Sec-Fetch-Site": {"cross-site"}}); p.Status != http.StatusForbidden {
		t.Errorf("POST /invitation from another site = %d, want 403", p.Status)
	}
	if in := bob.Press(back, "join", nil); in.URL.Path != "/developers/"+team || in.Status != 200 {
		t.Fatalf("joining ends at %s (%d): %.300s", in.URL, in.Status, in.Text())
	}
	if p := bob.Get(link); p.Status != 404 {
		t.Errorf("the link after its use = %d, want 404", p.Status)
	}
}

// TestInvitationClosed: an invitation makes no account where none is made, and says who can.
func TestInvitationClosed(t *testing.T) {
	n := signup(t, "closed")
	link, _ := invited(t, n, "bob@example.com")
	p := n.Browser(t).Get(link)
	if p.Status != 200 || p.Has("sign-up") || !strings.Contains(p.Text(), "Ask whoever runs this server") {
		t.Errorf("the page is %d %.300s", p.Status, p.Text())
	}
	for _, bad := range []string{"/invitation", "/invitation?t=x", link + "x"} {
		if p := n.Browser(t).Get(bad); p.Status != 404 {
			t.Errorf("GET %.20s… = %d, want 404", bad, p.Status)
		}
	}
}
