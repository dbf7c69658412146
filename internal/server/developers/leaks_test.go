package developers_test

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/factor"
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
