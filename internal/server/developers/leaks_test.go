package developers_test

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/leak"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// TestLeaks: what was found stands there with where and what became of it, and leads to the key; the secret does not.
func TestLeaks(t *testing.T) {
	d := newDesk(t)
	if p := d.sound(d.browser.Get(d.path("/leaks"))); p.Status != http.StatusOK || !strings.Contains(p.Text(), "No key was found in the open") {
		t.Errorf("without leaks = %d %.300s", p.Status, p.Text())
	}
	made := d.get(nil)
	text := d.secret(made)
	if err := d.node.Manage.ReportLeak(t.Context(), netip.MustParseAddr("203.0.113.7"), "KEY="+text, `https://git.example/<script>alert(1)</script>?x=`+text); err != nil {
		t.Fatal(err)
	}
	p := d.sound(d.browser.Get(d.path("/leaks")))
	for _, want := range []string{"ended", "https://git.example/", "No use of it is counted.", "Whatever needs it wants a new key"} {
		if !strings.Contains(p.Text(), want) {
			t.Errorf("the leak lacks %q: %.600s", want, p.Text())
		}
	}
	if secretText.MatchString(p.Body) || strings.Contains(p.Body, "<script>alert") || !strings.Contains(p.Body, d.path("/keys/"+keyID(d, made))) {
		t.Errorf("the page of leaks holds too much, or does not lead to the key: %.800s", p.Body)
	}
	if key := d.sound(d.browser.Get(d.path("/keys/" + keyID(d, made)))); !strings.Contains(key.Text(), "leaked") {
		t.Errorf("the key is not stamped: %.400s", key.Text())
	}
	if got := d.code(text); got != "revoked" {
		t.Errorf("the key is %s, want revoked", got)
	}
}

// TestLeakedWithoutMail: what was found ends, also where nobody can be told of it now.
func TestLeakedWithoutMail(t *testing.T) {
	d := newDesk(t)
	var found []string
	for range 3 {
		found = append(found, d.secret(d.get(nil)))
	}
	broken := errors.New("no key to seal by")
	d.node.Manage.Letters = func(string, string, string, string, map[string]string) (*factor.Letter, error) { return nil, broken }
	if err := d.node.Manage.ReportLeak(t.Context(), netip.MustParseAddr("203.0.113.7"), strings.Join(found, " "), "a paste"); !errors.Is(err, broken) {
		t.Errorf("ReportLeak = %v, want it to say that nobody was told", err)
	}
	for i, text := range found {
		if got := d.code(text); got != "revoked" {
			t.Errorf("key %d of the paste is %s, want revoked", i, got)
		}
	}
}

// TestLeakNotice: a key that was found and has notice says until when it works and what was called with it since, and can be rotated or
// ended there.
func TestLeakNotice(t *testing.T) {
	d := newDesk(t)
	d.node.Manage.LeakRules = leak.Rules{secret.Key: {Policy: leak.RevokeAfter, After: 24 * time.Hour}}
	rotated, revoked := d.get(nil), d.get(nil)
	for _, made := range []*servertest.Page{rotated, revoked} {
		if err := d.node.Manage.ReportLeak(t.Context(), netip.MustParseAddr("203.0.113.7"), d.secret(made), "https://git.example/a.py"); err != nil {
			t.Fatal(err)
		}
		if got := d.code(d.secret(made)); got != "valid" {
			t.Fatalf("the key is %s, want valid: it has notice", got)
		}
	}
	p := d.sound(d.browser.Get(d.path("/leaks")))
	for _, want := range []string{"ends in 1 day", "It works until", "also for whoever found it", "weather GET /v1/forecast", "let in"} {
		if !strings.Contains(p.Text(), want) {
			t.Errorf("the leak lacks %q: %.1200s", want, p.Text())
		}
	}
	button := func(p *servertest.Page, verb, of string) string {
		t.Helper()
		_, after, _ := strings.Cut(p.Body, `action="`+d.path("/keys/"+of)+"/"+verb+`"`)
		_, after, _ = strings.Cut(after, `id="`+verb+"-leak_")
		id, _, ok := strings.Cut(after, `-yes"`)
		if !ok {
			t.Fatalf("there is no button to %s %s: %.2000s", verb, of, p.Body)
		}
		return verb + "-leak_" + id + "-yes"
	}
	fresh := d.browser.Press(p, button(p, "rotate", keyID(d, rotated)), nil)
	if got := d.code(d.secret(fresh)); got != "valid" {
		t.Errorf("the new secret is %s, want valid", got)
	}
	p = d.sound(d.browser.Get(d.path("/leaks")))
	d.browser.Press(p, button(p, "revoke", keyID(d, rotated)), nil)
	d.browser.Press(p, button(p, "revoke", keyID(d, revoked)), nil)
	if a, b, c := d.code(d.secret(rotated)), d.code(d.secret(fresh)), d.code(d.secret(revoked)); a != "revoked" || b != "valid" || c != "revoked" {
		t.Errorf("the found secret is %s, its follower %s, the other key %s, want revoked, valid, revoked", a, b, c)
	}
	if p = d.sound(d.browser.Get(d.path("/leaks"))); strings.Contains(p.Body, "revoke-leak_") || strings.Count(p.Text(), "It had ended before its time came.") != 2 || !strings.Contains(p.Text(), "refused revoked") {
		t.Errorf("then the page says %.1500s", p.Text())
	}
}
