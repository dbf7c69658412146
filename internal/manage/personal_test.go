package manage

import (
	"errors"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
)

func TestCreateTokenRefuses(t *testing.T) {
	w := newWorld(t)
	before := w.trace()
	owner := userActor(w.a.owner, w.a.team, everyScope()...)
	developer := userActor(w.a.developer, w.a.team, everyScope()...)
	narrow := userActor(w.a.owner, w.a.team, "lanyard.keys.write")
	through, byToken := owner, owner
	through.App, byToken.Key = id.App(w.a.app), id.Key(w.a.token)
	past, far := begin, begin.Add(key.MaxPersonalLife+time.Hour)
	for _, tc := range []struct {
		name  string
		as    audit.Actor
		in    lanyard.PersonalTokenInput
		kind  fault.Kind
		field string
	}{
		{"no name", owner, lanyard.PersonalTokenInput{}, fault.Invalid, "name"},
		{"a mode", owner, lanyard.PersonalTokenInput{Name: "x", Mode: "prod"}, fault.Invalid, "mode"},
		{"in the past", owner, lanyard.PersonalTokenInput{Name: "x", ExpiresAt: &past}, fault.Invalid, "expires_at"},
		{"for ever", owner, lanyard.PersonalTokenInput{Name: "x", ExpiresAt: &far}, fault.Invalid, "expires_at"},
		{"from nowhere", owner, lanyard.PersonalTokenInput{Name: "x", IPAllow: []string{"home"}}, fault.Invalid, "ip_allow[0]"},
		{"no scope", owner, lanyard.PersonalTokenInput{Name: "x", Scopes: []string{"messages.raed"}}, fault.Invalid, "scopes[0]"},
		{"an admin's scope", owner, lanyard.PersonalTokenInput{Name: "x", Scopes: []string{"radar.steer"}}, fault.NotGrantable, "scopes[0]"},
		{"an owner's scope", developerOnly(w), lanyard.PersonalTokenInput{Name: "x", Scopes: []string{"messages.read", "alerts.write"}}, fault.NotGrantable, "scopes[1]"},
		{"an owner's management scope", developer, lanyard.PersonalTokenInput{Name: "x", Scopes: []string{"lanyard.billing.read"}}, fault.NotGrantable, "scopes[0]"},
		{"the server's scope", owner, lanyard.PersonalTokenInput{Name: "x", Scopes: []string{"lanyard.users.read"}}, fault.NotGrantable, "scopes[0]"},
		{"everything", owner, lanyard.PersonalTokenInput{Name: "x", Scopes: []string{"lanyard.admin"}}, fault.NotGrantable, "scopes[0]"},
		{"what they do not hold", narrow, lanyard.PersonalTokenInput{Name: "x", Scopes: []string{"lanyard.apps.read"}}, fault.NotGrantable, "scopes[0]"},
		{"through somebody's app", through, lanyard.PersonalTokenInput{Name: "x", Scopes: []string{"messages.read"}}, fault.NotGrantable, "scopes[0]"},
		{"by another token", byToken, lanyard.PersonalTokenInput{Name: "x", Scopes: []string{"messages.read"}}, fault.NotGrantable, "scopes[0]"},
	} {
		_, err := w.svc.CreateToken(t.Context(), tc.as, tc.in)
		wantFault(t, tc.name, err, tc.kind, tc.field)
	}
	if w.trace() != before {
		t.Error("refused tokens left traces")
	}
	off := true
	if _, err := w.svc.UpdateUser(t.Context(), w.admin, w.a.owner, lanyard.UserPatch{Disabled: &off}); err != nil {
		t.Fatal(err)
	}
	_, err := w.svc.CreateToken(t.Context(), owner, lanyard.PersonalTokenInput{Name: "x"})
	wantFault(t, "of somebody disabled", err, fault.Conflict, "")
}

func developerOnly(w *world) audit.Actor { return userActor(w.a.developer, w.a.team, everyScope()...) }

func TestCreateToken(t *testing.T) {
	w := newWorld(t)
	owner := userActor(w.a.owner, w.a.team, everyScope()...)
	made, err := w.svc.CreateToken(t.Context(), owner, lanyard.PersonalTokenInput{Name: "x", Scopes: []string{"messages.read", "alerts.write", "lanyard.keys.read", "messages.read"}})
	if err != nil || len(made.Scopes) != 3 || made.ExpiresAt.Sub(made.CreatedAt) != key.PersonalLife || made.Status != "valid" {
		t.Fatalf("CreateToken = %+v, %v, want the scopes once each and 30 days", made, err)
	}
	kept, err := w.store.Personal(t.Context(), owner.User, id.Key(made.ID))
	if err != nil || len(kept.Digest) != 32 {
		t.Fatalf("Personal = %+v, %v", kept, err)
	}
	if _, digest := w.svc.MAC(made.Secret); string(kept.Digest) != string(digest[:]) {
		t.Error("what is kept is not the secret's MAC")
	}
	// The provider's own app speaks for the user; what is made through it is as if they were here.
	first, err := w.svc.CreateApp(t.Context(), w.admin, lanyard.AppInput{
		Name: "cli", TeamID: w.b.team, OAuthSettings: lanyard.OAuthSettings{RedirectURIs: []string{"http://127.0.0.1/done"}, FirstParty: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	through := owner
	through.App = id.App(first.ID)
	if _, err := w.svc.CreateToken(t.Context(), through, lanyard.PersonalTokenInput{Name: "x", Scopes: []string{"messages.read"}}); err != nil {
		t.Errorf("CreateToken through a first-party app = %v", err)
	}
}

// TestWarnPersonal: one mail a week before the end, one a day before, and none twice.
func TestWarnPersonal(t *testing.T) {
	w := newWorld(t)
	for _, step := range []struct {
		on   time.Duration
		sent int
		days string
	}{
		{0, 0, ""}, {22 * day, 0, ""}, {23*day + time.Hour, 2, "7"}, {24 * day, 0, ""}, {29*day + time.Hour, 2, "1"}, {29*day + 2*time.Hour, 0, ""}, {31 * day, 0, ""},
	} {
		w.clock.advance(begin.Add(step.on).Sub(w.clock.now()))
		w.mails = nil
		sent, err := w.svc.WarnPersonal(t.Context())
		if err != nil || sent != step.sent || len(w.mails) != step.sent {
			t.Errorf("after %s: WarnPersonal = %d, %v with %d mails, want %d", step.on, sent, err, len(w.mails), step.sent)
		}
		for _, m := range w.mails {
			if m.kind != "token_expiring" || m.data["days"] != step.days || m.data["token"] != "script" {
				t.Errorf("after %s: the mail is %+v, want %s days", step.on, m, step.days)
			}
		}
	}
}

// TestWarnPersonalGoesOn: a mail that cannot be written keeps no other user from theirs.
func TestWarnPersonalGoesOn(t *testing.T) {
	w := newWorld(t)
	w.clock.advance(25 * day)
	seal := w.svc.Letters
	w.svc.Letters = func(kind, to, name, link string, data map[string]string) (*factor.Letter, error) {
		if to == w.a.email {
			return nil, errMail
		}
		return seal(kind, to, name, link, data)
	}
	sent, err := w.svc.WarnPersonal(t.Context())
	if sent != 1 || !errors.Is(err, errMail) || len(w.mails) != 1 || w.mails[0].to != w.b.email {
		t.Errorf("WarnPersonal = %d, %v, %+v, want the other user told and the error", sent, err, w.mails)
	}
}

func TestTokenRevokesItself(t *testing.T) {
	w := newWorld(t)
	self := audit.Actor{Label: w.a.token, User: id.User(w.a.owner), Key: id.Key(w.a.token), Reach: audit.UserReach(id.User(w.a.owner))}
	_, err := w.svc.RevokeSelf(t.Context(), self, lanyard.RevokeInput{Version: 1})
	wantFault(t, "RevokeSelf of a version", err, fault.Invalid, "version")
	if rev, err := w.svc.RevokeSelf(t.Context(), self, lanyard.RevokeInput{Reason: "found in a log"}); err != nil || rev == 0 {
		t.Fatalf("RevokeSelf = %d, %v", rev, err)
	}
	if p, err := w.svc.Token(t.Context(), w.admin, w.a.token); err != nil || p.Status != "revoked" || p.RevokeReason != "found in a log" {
		t.Errorf("the token is %+v, %v, want it revoked with its reason", p, err)
	}
}
