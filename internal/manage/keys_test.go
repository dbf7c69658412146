package manage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

func TestCreateKeyRefuses(t *testing.T) {
	w := newWorld(t)
	past, soon, later := begin.Add(-time.Hour), begin.Add(time.Hour), begin.Add(2*time.Hour)
	many := lanyard.Metadata{}
	for i := range maxMetadata + 1 {
		many[fmt.Sprint(i)] = ""
	}
	limit := lanyard.Limit{Name: "burst", Limit: 1, WindowSeconds: 1}
	with := func(change func(*lanyard.Limit)) lanyard.Limit {
		l := limit
		change(&l)
		return l
	}
	for _, tc := range []struct {
		field string
		in    lanyard.KeyInput
	}{
		{"name", lanyard.KeyInput{}},
		{"name", lanyard.KeyInput{Name: "a\x00b"}},
		{"name", lanyard.KeyInput{Name: strings.Repeat("x", 101)}},
		{"kind", lanyard.KeyInput{Name: "k", Kind: "cs"}},
		{"kind", lanyard.KeyInput{Name: "k", Kind: "Key"}},
		{"mode", lanyard.KeyInput{Name: "k", Mode: "prod"}},
		{"expires_at", lanyard.KeyInput{Name: "k", ExpiresAt: &past}},
		{"expires_at", lanyard.KeyInput{Name: "k", NotBefore: &later, ExpiresAt: &soon}},
		{"expires_at", lanyard.KeyInput{Name: "k", NotBefore: &soon, ExpiresAt: &soon}},
		{"ip_allow[1]", lanyard.KeyInput{Name: "k", IPAllow: []string{"192.0.2.0/24", "192.0.2.1/24"}}},
		{"ip_allow[0]", lanyard.KeyInput{Name: "k", IPAllow: []string{"::ffff:192.0.2.1"}}},
		{"ip_allow[0]", lanyard.KeyInput{Name: "k", IPAllow: []string{"fe80::1%eth0"}}},
		{"ip_allow[0]", lanyard.KeyInput{Name: "k", IPAllow: []string{"localhost"}}},
		{"origins[0]", lanyard.KeyInput{Name: "k", Origins: []string{"https://*.example"}}},
		{"origins[0]", lanyard.KeyInput{Name: "k", Origins: []string{"null"}}},
		{"origins[0]", lanyard.KeyInput{Name: "k", Origins: []string{"https://app.example/path"}}},
		{"origins", lanyard.KeyInput{Name: "k", Kind: "pub"}},
		{"origins", lanyard.KeyInput{Name: "k", Kind: "pub", Operations: []string{"GET /v1/forecast"}}},
		{"scopes", lanyard.KeyInput{Name: "k", Kind: "pub", Origins: []string{"https://app.example"}, Scopes: []string{"lanyard.keys.read"}}},
		{"limits[0].name", lanyard.KeyInput{Name: "k", Limits: []lanyard.Limit{with(func(l *lanyard.Limit) { l.Name = "No" })}}},
		{"limits[1].name", lanyard.KeyInput{Name: "k", Limits: []lanyard.Limit{limit, limit}}},
		{"limits[0].limit", lanyard.KeyInput{Name: "k", Limits: []lanyard.Limit{with(func(l *lanyard.Limit) { l.Limit = 0 })}}},
		{"limits[0].window_seconds", lanyard.KeyInput{Name: "k", Limits: []lanyard.Limit{with(func(l *lanyard.Limit) { l.WindowSeconds = 0 })}}},
		{"limits[0].window_seconds", lanyard.KeyInput{Name: "k", Limits: []lanyard.Limit{with(func(l *lanyard.Limit) { l.WindowSeconds = 1 << 62 })}}},
		{"limits[0].when_unavailable", lanyard.KeyInput{Name: "k", Limits: []lanyard.Limit{with(func(l *lanyard.Limit) { l.WhenUnavailable = "panic" })}}},
		{"limits", lanyard.KeyInput{Name: "k", Limits: make([]lanyard.Limit, maxLimits+1)}},
		{"quota.units", lanyard.KeyInput{Name: "k", Quota: &lanyard.Quota{Units: -1}}},
		{"quota.units", lanyard.KeyInput{Name: "k", Quota: &lanyard.Quota{Units: 1e15}}},
		{"quota.period", lanyard.KeyInput{Name: "k", Quota: &lanyard.Quota{Units: 1, Period: "cycle"}}},
		{"quota.period", lanyard.KeyInput{Name: "k", Quota: &lanyard.Quota{Units: 1, Period: "year"}}},
		{"metadata", lanyard.KeyInput{Name: "k", Metadata: many}},
		{"metadata", lanyard.KeyInput{Name: "k", Metadata: lanyard.Metadata{"": "x"}}},
		{"metadata.a", lanyard.KeyInput{Name: "k", Metadata: lanyard.Metadata{"a": "\x00"}}},
		{"metadata.a", lanyard.KeyInput{Name: "k", Metadata: lanyard.Metadata{"a": strings.Repeat("x", maxMetaValue+1)}}},
		{"rotate_every_days", lanyard.KeyInput{Name: "k", RotateEveryDays: -1}},
		{"rotate_every_days", lanyard.KeyInput{Name: "k", RotateEveryDays: 1 << 40}},
	} {
		before := w.trace()
		_, err := w.svc.CreateKey(t.Context(), w.admin, w.a.app, tc.in)
		wantFault(t, fmt.Sprintf("CreateKey(%+v)", tc.in), err, fault.Invalid, tc.field)
		if w.trace() != before {
			t.Errorf("CreateKey(%+v) was refused and changed something", tc.in)
		}
	}
}

func TestCreateKey(t *testing.T) {
	w := newWorld(t)
	expires := begin.Add(30 * day)
	in := lanyard.KeyInput{
		Name: "nightly", Mode: "test", Scopes: []string{"forecast.read", "forecast.read"}, ExpiresAt: &expires, IPAllow: []string{"192.0.2.7", "2001:db8::/32"},
		Origins: []string{"HTTPS://App.Example:443"}, Operations: []string{"GET /v1/forecast"}, APIs: []string{"weather"},
		Limits:   []lanyard.Limit{{Name: "burst", Limit: 5, WindowSeconds: 10, WhenUnavailable: "closed"}},
		Metadata: lanyard.Metadata{"cost_centre": "7"}, RotateEveryDays: 90, Quota: &lanyard.Quota{Units: 1000},
	}
	made, err := w.svc.CreateKey(t.Context(), w.admin, w.a.app, in)
	if err != nil {
		t.Fatal(err)
	}
	credential, err := secret.Parse(made.Secret)
	if err != nil || credential.ID != id.Chars(id.Key(made.ID)) || credential.Prefix != "acme" || credential.Kind != secret.Key || credential.Mode != secret.Test {
		t.Errorf("CreateKey secret parses to %+v, %v, want id %s, acme, key, test", credential, err, made.ID)
	}
	stored, err := w.store.Key(t.Context(), audit.ServerReach(), id.Key(made.ID))
	if err != nil {
		t.Fatal(err)
	}
	pepper, digest := w.svc.MAC(made.Secret)
	v := stored.Current()
	if v.Number != 1 || !bytes.Equal(v.Digest, digest[:]) || v.Pepper != pepper || v.Scheme != key.SchemeMAC || v.Imported {
		t.Errorf("stored version = %+v, want the MAC of the secret", v)
	}
	if want := []ratelimit.Limit{{Name: "burst", N: 5, Window: 10 * time.Second, WhenUnavailable: "closed"}}; !cmp.Equal(stored.Limits, want) {
		t.Errorf("stored limits = %+v, want %+v", stored.Limits, want)
	}
	shown, err := w.svc.Key(t.Context(), w.admin, made.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := lanyard.Key{
		ID: made.ID, AppID: w.a.app, TeamID: w.a.team, Name: "nightly", Kind: "key", Mode: "test", Status: "valid", Hint: "acme_key_test_" + credential.ID + "…", Version: 1,
		Scopes: []string{"forecast.read"}, IPAllow: []string{"192.0.2.7", "2001:db8::/32"}, Origins: []string{"https://app.example"},
		Operations: in.Operations, APIs: in.APIs, Limits: in.Limits, Quota: &lanyard.Quota{Units: 1000, Period: "month"}, Metadata: in.Metadata, CreatedAt: made.CreatedAt, ExpiresAt: &expires, RotateEveryDays: 90,
		Versions: []lanyard.KeyVersion{{Version: 1, CreatedAt: made.CreatedAt}},
		IfStolen: "If stolen: works 30 more days unless you rotate it, only from 192.0.2.7 or 2001:db8::/32 and in browsers only on https://app.example, in test mode only.",
	}
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Errorf("Key (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, made.Key); diff != "" {
		t.Errorf("CreateKey (-want +got):\n%s", diff)
	}
}

// TestSecretsAreShownOnce: after the answers that hand them out, no secret is in any answer or audit line.
func TestSecretsAreShownOnce(t *testing.T) {
	w := newWorld(t)
	made := w.newKey(w.a.app, lanyard.KeyInput{})
	rotated, err := w.svc.RotateKey(t.Context(), w.admin, made.ID, lanyard.RotateInput{})
	if err != nil {
		t.Fatal(err)
	}
	foreign := "legacy-secret-number-one"
	if _, err := w.svc.ImportKeys(t.Context(), w.admin, lanyard.ImportInput{AppID: w.a.app, Keys: []lanyard.ImportKey{{Name: "old", Secret: foreign}}}); err != nil {
		t.Fatal(err)
	}
	keys, err := w.svc.Keys(t.Context(), w.admin, KeysFilter{}, List{Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	events, err := w.svc.Audit(t.Context(), w.admin, "", "", List{Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal([]any{keys, events})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{made.Secret, rotated.Secret, foreign} {
		if inner := s[len(s)/2:]; strings.Contains(string(text), inner) {
			t.Errorf("answers hold part of the secret %s…", s[:8])
		}
	}
}

func TestUpdateKey(t *testing.T) {
	w := newWorld(t)
	soon, sooner, later, past := begin.Add(48*time.Hour), begin.Add(24*time.Hour), begin.Add(72*time.Hour), begin.Add(-time.Hour)
	k := w.newKey(w.a.app, lanyard.KeyInput{})
	none := []string{}
	for _, step := range []struct {
		name  string
		patch lanyard.KeyPatch
		want  fault.Kind
		field string
	}{
		{"an end in the past", lanyard.KeyPatch{ExpiresAt: &past}, fault.Invalid, "expires_at"},
		{"an end", lanyard.KeyPatch{ExpiresAt: &soon}, "", ""},
		{"the same end", lanyard.KeyPatch{ExpiresAt: &soon}, "", ""},
		{"a later end", lanyard.KeyPatch{ExpiresAt: &later}, fault.Conflict, "expires_at"},
		{"no end (the zero time)", lanyard.KeyPatch{ExpiresAt: &time.Time{}}, fault.Invalid, "expires_at"},
		{"a sooner end", lanyard.KeyPatch{ExpiresAt: &sooner}, "", ""},
		{"back again", lanyard.KeyPatch{ExpiresAt: &soon}, fault.Conflict, "expires_at"},
		{"networks", lanyard.KeyPatch{IPAllow: &[]string{"192.0.2.1"}}, "", ""},
		{"bad networks", lanyard.KeyPatch{IPAllow: &[]string{"192.0.2.1/8"}}, fault.Invalid, "ip_allow[0]"},
		{"no networks", lanyard.KeyPatch{IPAllow: &none}, "", ""},
		{"an unknown API", lanyard.KeyPatch{APIs: &[]string{"nothing"}}, fault.Invalid, "apis[0]"},
	} {
		before := w.trace()
		_, err := w.svc.UpdateKey(t.Context(), w.admin, k.ID, step.patch)
		wantFault(t, "UpdateKey to "+step.name, err, step.want, step.field)
		if err != nil && w.trace() != before {
			t.Errorf("UpdateKey to %s was refused and changed something", step.name)
		}
	}
	pub := w.newKey(w.a.app, lanyard.KeyInput{Kind: "pub", Origins: []string{"https://app.example"}})
	_, err := w.svc.UpdateKey(t.Context(), w.admin, pub.ID, lanyard.KeyPatch{Origins: &none})
	wantFault(t, "UpdateKey of a publishable key to no origins", err, fault.Invalid, "origins")
	got, err := w.svc.Key(t.Context(), w.admin, k.ID)
	if err != nil || !got.ExpiresAt.Equal(sooner) || got.IPAllow != nil || got.Name != "key" {
		t.Errorf("Key after the patches = %+v, %v", got, err)
	}
}

func TestRotate(t *testing.T) {
	w := newWorld(t)
	k := w.newKey(w.a.app, lanyard.KeyInput{})
	for _, seconds := range []int64{-1, int64(key.MaxOverlap/time.Second) + 1, 1 << 62, -1 << 62} {
		_, err := w.svc.RotateKey(t.Context(), w.admin, k.ID, lanyard.RotateInput{OverlapSeconds: &seconds})
		wantFault(t, fmt.Sprintf("RotateKey with overlap %d", seconds), err, fault.Invalid, "overlap_seconds")
	}
	rotated, err := w.svc.RotateKey(t.Context(), w.admin, k.ID, lanyard.RotateInput{})
	if err != nil {
		t.Fatal(err)
	}
	at := w.lastEvent()
	if rotated.ID != k.ID || rotated.Version != 2 || rotated.OverlapUntil == nil || !rotated.OverlapUntil.Equal(at.At.Add(24*time.Hour)) || rotated.Secret == k.Secret {
		t.Errorf("RotateKey = %+v, want version 2 of the same key with an overlap of a day from %s", rotated, at.At)
	}
	if c, err := secret.Parse(rotated.Secret); err != nil || c.ID != id.Chars(id.Key(k.ID)) {
		t.Errorf("rotated secret parses to %+v, %v, want the key's id", c, err)
	}
	if at.Action != "key.rotate" || at.Details["version"] != "2" || at.Details["overlap"] != "24h0m0s" {
		t.Errorf("audit line = %+v, want version and overlap", at)
	}
	shown, err := w.svc.UndoRotation(t.Context(), w.admin, k.ID)
	if err != nil || shown.Version != 1 || shown.Versions[0].RevokedAt == nil || shown.Versions[1].OverlapUntil != nil {
		t.Errorf("UndoRotation = %+v, %v, want version 1 current and 2 revoked", shown, err)
	}
	if ev := w.lastEvent(); ev.Action != "key.undo_rotation" || ev.Details["current_version"] != "1" || string(ev.Team) != w.a.team {
		t.Errorf("audit line = %+v, want the version that is current again", ev)
	}
	zero := int64(0)
	if rotated, err = w.svc.RotateKey(t.Context(), w.admin, k.ID, lanyard.RotateInput{OverlapSeconds: &zero}); err != nil || rotated.OverlapUntil != nil || rotated.Version != 3 {
		t.Errorf("RotateKey without overlap = %+v, %v, want version 3 and no overlap", rotated, err)
	}
	_, err = w.svc.UndoRotation(t.Context(), w.admin, k.ID)
	wantFault(t, "UndoRotation after the overlap", err, fault.Conflict, "")

	end := w.clock.now().Add(time.Hour)
	short := w.newKey(w.a.app, lanyard.KeyInput{ExpiresAt: &end})
	if rotated, err = w.svc.RotateKey(t.Context(), w.admin, short.ID, lanyard.RotateInput{}); err != nil || !rotated.OverlapUntil.Equal(end) {
		t.Errorf("RotateKey of a key that ends in an hour = %+v, %v, want the overlap to end with it at %s", rotated, err, end)
	}
	w.clock.advance(2 * time.Hour)
	_, err = w.svc.RotateKey(t.Context(), w.admin, short.ID, lanyard.RotateInput{})
	wantFault(t, "RotateKey of an expired key", err, fault.Conflict, "")
}

func TestRevoke(t *testing.T) {
	w := newWorld(t)
	k := w.newKey(w.a.app, lanyard.KeyInput{})
	if _, err := w.svc.RotateKey(t.Context(), w.admin, k.ID, lanyard.RotateInput{}); err != nil {
		t.Fatal(err)
	}
	for _, in := range []lanyard.RevokeInput{{Version: 3}, {Version: -1}} {
		_, err := w.svc.RevokeKey(t.Context(), w.admin, k.ID, in)
		wantFault(t, fmt.Sprintf("RevokeKey(%+v)", in), err, fault.Invalid, "version")
	}
	_, err := w.svc.RevokeKey(t.Context(), w.admin, k.ID, lanyard.RevokeInput{Reason: "\x00"})
	wantFault(t, "RevokeKey with a NUL", err, fault.Invalid, "reason")
	rev, err := w.svc.RevokeKey(t.Context(), w.admin, k.ID, lanyard.RevokeInput{Version: 1, Reason: "in a repository"})
	if err != nil || rev == 0 {
		t.Fatalf("RevokeKey of version 1 = %d, %v", rev, err)
	}
	shown, err := w.svc.Key(t.Context(), w.admin, k.ID)
	if err != nil || shown.Status != "valid" || shown.Versions[1].RevokedAt == nil || shown.Versions[0].RevokedAt != nil {
		t.Errorf("Key = %+v, %v, want only version 1 revoked", shown, err)
	}
	again, err := w.svc.RevokeKey(t.Context(), w.admin, k.ID, lanyard.RevokeInput{Reason: "leaked"})
	if err != nil || again <= rev {
		t.Errorf("RevokeKey = %d, %v, want a later revision than %d", again, err, rev)
	}
	for name, act := range map[string]func() error{
		"RotateKey": func() error {
			_, err := w.svc.RotateKey(t.Context(), w.admin, k.ID, lanyard.RotateInput{})
			return err
		},
		"UndoRotation": func() error {
			_, err := w.svc.UndoRotation(t.Context(), w.admin, k.ID)
			return err
		},
		"EnableKey": func() error {
			_, err := w.svc.EnableKey(t.Context(), w.admin, k.ID)
			return err
		},
		"DisableKey": func() error {
			_, err := w.svc.DisableKey(t.Context(), w.admin, k.ID)
			return err
		},
	} {
		wantFault(t, name+" of a revoked key", act(), fault.Conflict, "")
	}
	if _, err := w.svc.RevokeKey(t.Context(), w.admin, k.ID, lanyard.RevokeInput{Reason: "other"}); err != nil {
		t.Errorf("RevokeKey again = %v, want no error", err)
	}
	if shown, err = w.svc.Key(t.Context(), w.admin, k.ID); err != nil || shown.Status != "revoked" || shown.RevokeReason != "leaked" || shown.IfStolen != "If stolen: worth nothing, it was revoked." {
		t.Errorf("Key = %+v, %v, want it revoked for the first reason", shown, err)
	}
	if _, err := w.svc.DeleteKey(t.Context(), w.admin, k.ID); err != nil {
		t.Fatal(err)
	}
	_, err = w.svc.Key(t.Context(), w.admin, k.ID)
	wantFault(t, "Key after DeleteKey", err, fault.NotFound, "")
}

func TestRevokeSelf(t *testing.T) {
	w := newWorld(t)
	holder := w.a.keyActor
	holder.Scopes = nil
	if rev, err := w.svc.RevokeSelf(t.Context(), holder, lanyard.RevokeInput{Reason: "found in a log"}); err != nil || rev == 0 {
		t.Fatalf("RevokeSelf = %d, %v", rev, err)
	}
	got, err := w.svc.Key(t.Context(), w.admin, string(holder.Key))
	if err != nil || got.Status != "revoked" || got.RevokeReason != "found in a log" {
		t.Errorf("Key = %+v, %v, want it revoked", got, err)
	}
	ev := w.lastEvent()
	if ev.Action != "key.revoke" || ev.Actor != string(holder.Key) || ev.Details["by"] != "its holder" || string(ev.Team) != w.a.team {
		t.Errorf("audit line = %+v, want the holder named", ev)
	}
}

func TestCreateSystemKey(t *testing.T) {
	w := newWorld(t)
	manager := audit.Actor{Label: "manager", Reach: audit.ServerReach(), Scopes: []string{"lanyard.keys.write"}}
	for _, tc := range []struct {
		actor  audit.Actor
		scopes []string
		want   fault.Kind
		field  string
	}{
		{w.admin, nil, fault.Invalid, "scopes"},
		{w.admin, []string{"lanyard.admin", "forecast.read"}, fault.Invalid, "scopes[1]"},
		{w.admin, []string{"lanyard.nothing"}, fault.Invalid, "scopes[0]"},
		{manager, []string{"lanyard.keys.read", "lanyard.admin"}, fault.NotGrantable, "scopes[1]"},
		{manager, []string{"lanyard.keys.read"}, "", ""},
		{w.admin, []string{"lanyard.admin"}, "", ""},
	} {
		got, err := w.svc.CreateSystemKey(t.Context(), tc.actor, "k", tc.scopes)
		wantFault(t, fmt.Sprintf("CreateSystemKey(%v)", tc.scopes), err, tc.want, tc.field)
		if team, app := w.systemApp(); err == nil && (got.TeamID != team || got.AppID != app || got.Secret == "") {
			t.Errorf("CreateSystemKey = %+v, want it in the built-in team and app", got.Key)
		}
	}
}
