package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// What the doctor, the JSON API, the portal and the administration say of keys is one list, in the same words.
func TestOneListOfWarnings(t *testing.T) {
	t.Chdir(t.TempDir())
	n := servertest.Start(t, servertest.Options{})
	shop := n.Open(t)
	env := map[string]string{"LANYARD_URL": n.URL, "LANYARD_DATA_DIR": n.Settings.DataDir, "LANYARD_TOKEN": n.SystemKey(t, "lanyard.catalog.read")}
	if got := command(t, env, "", "doctor"); strings.Contains(got.stdout, " keys: ") {
		t.Errorf("doctor with a token that may not read keys says something of them: %s", got.stdout)
	}
	env["LANYARD_TOKEN"] = n.AdminKey
	if got := command(t, env, "", "doctor"); !strings.Contains(got.stdout, "keys: there is nothing to say of them") {
		t.Errorf("doctor = %+v, want nothing to be said of keys", got)
	}

	const password = "a long and quiet password"
	owner, err := n.Manage.CreateUser(t.Context(), audit.Command("test"), lanyard.UserInput{Email: "dev@demo.test", Name: "Dara", Password: password, Admin: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Admin.PutMember(t.Context(), shop.Team.ID, owner.ID, lanyard.MemberInput{Role: "owner"}); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	for i, alter := range []func(*key.Key){
		func(*key.Key) {},
		func(k *key.Key) { k.ExpiresAt = now.Add(50 * time.Hour) },
		func(k *key.Key) { k.RotateEvery = 24 * time.Hour },
	} {
		k := &key.Key{
			ID: id.New[id.Key](), App: id.App(shop.App.ID), Team: id.Team(shop.Team.ID), Name: fmt.Sprintf("old %d", i), Kind: secret.Key, Mode: secret.Live, Prefix: "lyd",
			CreatedAt: now.Add(-40 * 24 * time.Hour),
		}
		k.Versions = []key.Version{{Number: 1, Digest: []byte(k.ID), Scheme: key.SchemeMAC, Pepper: 1, CreatedAt: k.CreatedAt}}
		alter(k)
		if _, err := n.Store.CreateKeys(t.Context(), []*key.Key{k}, audit.Command("test").New(now, "key.create", string(k.ID), k.Team, nil)); err != nil {
			t.Fatal(err)
		}
	}
	var all []lanyard.Warning
	for w, err := range n.Admin.AllWarnings(t.Context(), lanyard.WarningQuery{TeamID: shop.Team.ID}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, w)
	}
	if len(all) != 5 {
		t.Fatalf("the API says %d things, want 5: %v", len(all), all)
	}

	doctor := command(t, env, "", "doctor", "--quiet")
	b := n.Browser(t)
	b.Press(b.Get("/login?next=/developers"), "sign-in", map[string]string{"login": "dev@demo.test", "password": password})
	desk := b.Get("/developers/" + shop.Team.ID + "/warnings")
	room := b.Get("/admin")
	if desk.Status != http.StatusOK || room.Status != http.StatusOK {
		t.Fatalf("the pages answer %d and %d", desk.Status, room.Status)
	}
	for _, w := range all {
		if !strings.Contains(doctor.stdout, "warn keys: "+w.String()+" "+w.URL) {
			t.Errorf("the doctor does not say %q:\n%s", w, doctor.stdout)
		}
		path := strings.TrimPrefix(w.URL, n.URL)
		for name, p := range map[string]*servertest.Page{"the portal": desk, "the administration": room} {
			if !strings.Contains(p.Text(), w.Of()) || !strings.Contains(p.Text(), w.Text) || !strings.Contains(p.Body, `href="`+path+`"`) {
				t.Errorf("%s does not say %q with a link to %s", name, w, path)
			}
		}
		if p := b.Get(path); p.Status != http.StatusOK || !strings.Contains(p.Text(), w.Text) {
			t.Errorf("the key's own page (%d) does not say %q", p.Status, w.Text)
		}
	}
	if n := strings.Count(doctor.stdout, "warn keys: "); n != len(all) {
		t.Errorf("the doctor says %d things of keys, want %d:\n%s", n, len(all), doctor.stdout)
	}
	off := b.Press(desk, "stop-mail", nil)
	if !strings.Contains(off.Text(), "No mail about keys is sent any more.") || !off.Has("send-mail") {
		t.Errorf("after the mail is stopped: %.400s", off.Text())
	}
	if kept, err := n.Admin.Team(t.Context(), shop.Team.ID); err != nil || kept.WarningMail {
		t.Errorf("Team = %+v, %v, want it to want no mail", kept, err)
	}
}
