package manage

import (
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

var (
	here1     = []byte("the browser that asked, 32 bytes")
	elsewhere = []byte("another browser, of as many byte")
	home      = netip.MustParseAddr("192.0.2.1")
)

func account(email string) NewAccount {
	return NewAccount{Email: email, Name: "Ada", Password: goodPassword, Browser: here1, From: home}
}

// flip is a ticket with the same id and another secret.
func flip(ticket string) string {
	last := "0"
	if strings.HasSuffix(ticket, last) {
		last = "1"
	}
	return ticket[:len(ticket)-1] + last
}

func TestSignUpRefuses(t *testing.T) {
	w := newWorld(t)
	before := w.trace()
	for _, tc := range []struct {
		mode  string
		in    NewAccount
		kind  fault.Kind
		field string
	}{
		{"", account("ada@new.test"), fault.InsufficientScope, ""},
		{"closed", account("ada@new.test"), fault.InsufficientScope, ""},
		{"invite", account("ada@new.test"), fault.InsufficientScope, ""},
		{"open", account("ada"), fault.Invalid, "email"},
		{"open", account("Ada <ada@new.test>"), fault.Invalid, "email"},
		{"open", account("ada@new.test\r\nBcc: eve@new.test"), fault.Invalid, "email"},
		{"open", NewAccount{Email: "ada@new.test", Name: "A\x00", Password: goodPassword}, fault.Invalid, "name"},
		{"open", NewAccount{Email: "ada@new.test", Password: "password1"}, fault.Invalid, "password"},
		{"open", NewAccount{Email: "ada@new.test", Password: "ada@new.test"}, fault.Invalid, "password"},
	} {
		w.svc.SignupMode = tc.mode
		wantFault(t, "SignUp("+tc.in.Email+") when "+tc.mode, w.svc.SignUp(t.Context(), tc.in), tc.kind, tc.field)
	}
	if len(w.mails) != 0 || w.trace() != before {
		t.Errorf("refused sign-ups sent %+v", w.mails)
	}
}

// TestSignUpTellsNobody: whether the address is taken comes out in the mail alone (SECURITY-CASES 84).
func TestSignUpTellsNobody(t *testing.T) {
	w := newWorld(t)
	if err := w.svc.SignUp(t.Context(), account("new@new.test")); err != nil {
		t.Fatal(err)
	}
	if m := w.lastMail("verify"); m.to != "new@new.test" {
		t.Errorf("the mail goes to %s", m.to)
	}
	taken := account(strings.ToUpper(w.a.email))
	if err := w.svc.SignUp(t.Context(), taken); err != nil {
		t.Errorf("SignUp(a taken address) = %v, want what a new one gets", err)
	}
	if m := w.lastMail("account_exists"); m.to != w.a.email || strings.Contains(m.link, "t=") {
		t.Errorf("the mail is %+v, want it to the owner without a ticket", m)
	}
	taken.Password = "password1"
	wantFault(t, "SignUp(a taken address, a bad password)", w.svc.SignUp(t.Context(), taken), fault.Invalid, "password")
}

func TestUseSignUp(t *testing.T) {
	w := newWorld(t)
	if err := w.svc.SignUp(t.Context(), account("Ada@new.test")); err != nil {
		t.Fatal(err)
	}
	ticket := w.ticket(w.lastMail("verify"))
	before := w.trace()
	for _, bad := range []string{"", "x", ticket + "x", flip(ticket), strings.Repeat("0", len(ticket)), ticket[:16]} {
		_, err := w.svc.UseSignUp(t.Context(), bad, here1)
		wantFault(t, "UseSignUp("+bad+")", err, fault.NotFound, "")
	}
	for _, browser := range [][]byte{elsewhere, nil} {
		_, err := w.svc.UseSignUp(t.Context(), ticket, browser)
		wantFault(t, "UseSignUp in another browser", err, fault.NotFound, "")
	}
	_, err := w.svc.UseReset(t.Context(), ticket, goodPassword, here1)
	wantFault(t, "UseReset(a link to sign up)", err, fault.NotFound, "")
	_, err = w.svc.UseSetup(t.Context(), ticket, account("ada@new.test"))
	wantFault(t, "UseSetup(a link to sign up)", err, fault.NotFound, "")
	if w.trace() != before {
		t.Error("refused links changed something")
	}
	if view, err := w.svc.LinkState(t.Context(), ticket, here1); err != nil || view.Email != "Ada@new.test" || view.Purpose != "signup" {
		t.Errorf("LinkState = %+v, %v, want the address", view, err)
	}
	used, err := w.svc.UseSignUp(t.Context(), ticket, here1)
	if err != nil || !used.SameBrowser || used.User.Email != "Ada@new.test" || used.User.VerifiedAt.IsZero() || used.User.Admin || !w.knows(used.User.ID, goodPassword) {
		t.Fatalf("UseSignUp = %+v, %v, want the account with its password", used, err)
	}
	_, err = w.svc.UseSignUp(t.Context(), ticket, here1)
	wantFault(t, "UseSignUp again", err, fault.NotFound, "")
	_, err = w.svc.LinkState(t.Context(), ticket, here1)
	wantFault(t, "LinkState of a used link", err, fault.NotFound, "")
}

// TestOneWinner: of many who press the button at once one makes the account.
func TestOneWinner(t *testing.T) {
	w := newWorld(t)
	if err := w.svc.SignUp(t.Context(), account("ada@new.test")); err != nil {
		t.Fatal(err)
	}
	ticket := w.ticket(w.lastMail("verify"))
	var all sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		all.Go(func() { _, errs[i] = w.svc.UseSignUp(t.Context(), ticket, here1) })
	}
	all.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !fault.Is(err, fault.NotFound) {
			t.Errorf("UseSignUp at once = %v, want not_found", err)
		}
	}
	if won != 1 {
		t.Errorf("%d won, want 1", won)
	}
}

func TestLinksExpire(t *testing.T) {
	w := newWorld(t)
	if err := w.svc.SignUp(t.Context(), account("ada@new.test")); err != nil {
		t.Fatal(err)
	}
	ticket := w.ticket(w.lastMail("verify"))
	w.clock.advance(15 * time.Minute)
	_, err := w.svc.LinkState(t.Context(), ticket, here1)
	wantFault(t, "LinkState after 15 minutes", err, fault.NotFound, "")
	_, err = w.svc.UseSignUp(t.Context(), ticket, here1)
	wantFault(t, "UseSignUp after 15 minutes", err, fault.NotFound, "")
}

// TestGuessesAreCounted: after ten wrong secrets under one id the right one is refused too (SECURITY-CASES 96).
func TestGuessesAreCounted(t *testing.T) {
	w := newWorld(t)
	if err := w.svc.RequestReset(t.Context(), Forgotten{Email: w.a.email, Browser: here1, From: home}); err != nil {
		t.Fatal(err)
	}
	ticket := w.ticket(w.lastMail("reset"))
	for range triesPerLink - 1 {
		_, _ = w.svc.LinkState(t.Context(), flip(ticket), here1)
	}
	if _, err := w.svc.LinkState(t.Context(), ticket, here1); err != nil {
		t.Fatalf("LinkState after nine wrong ones = %v, want it to work", err)
	}
	_, _ = w.svc.LinkState(t.Context(), flip(ticket), here1)
	_, err := w.svc.UseReset(t.Context(), ticket, goodPassword, here1)
	wantFault(t, "UseReset after ten wrong ones", err, fault.NotFound, "")
}

func TestMailsAreLimited(t *testing.T) {
	w := newWorld(t)
	ask := func(email string, from netip.Addr) error {
		return w.svc.RequestReset(t.Context(), Forgotten{Email: email, Browser: here1, From: from})
	}
	for range mailsPerAddress + 3 {
		if err := ask(strings.ToUpper(w.a.email), home); err != nil {
			t.Fatalf("RequestReset = %v, want the same answer every time", err)
		}
	}
	if len(w.mails) != mailsPerAddress {
		t.Errorf("%d mails were sent, want %d", len(w.mails), mailsPerAddress)
	}
	refused := false
	for range mailsPerNetwork {
		err := ask(id.Chars(id.New[id.User]())+"@nobody.test", home)
		refused = refused || fault.Is(err, fault.TooMany)
	}
	if !refused {
		t.Errorf("%d requests of one network were heard", mailsPerAddress+3+mailsPerNetwork)
	}
	wantFault(t, "RequestReset from another network", ask(w.b.email, netip.MustParseAddr("2001:db8::1")), "", "")
	wantFault(t, "RequestReset from the same network, another form", ask(w.b.email, netip.MustParseAddr("::ffff:192.0.2.1")), fault.TooMany, "")
}

func TestRequestResetTellsNobody(t *testing.T) {
	w := newWorld(t)
	disabled := w.newUser("disabled")
	off := true
	shown, err := w.svc.UpdateUser(t.Context(), w.admin, disabled, lanyard.UserPatch{Disabled: &off})
	if err != nil {
		t.Fatal(err)
	}
	for _, email := range []string{"nobody@nowhere.test", shown.Email} {
		w.mails = nil
		if err := w.svc.RequestReset(t.Context(), Forgotten{Email: email, Browser: here1, From: home}); err != nil {
			t.Errorf("RequestReset(%s) = %v, want nil", email, err)
		}
		// A letter is written for the time that takes, and none is posted: the link that it holds leads to nobody.
		_, err := w.svc.UseReset(t.Context(), w.ticket(w.lastMail("reset")), goodPassword, here1)
		wantFault(t, "UseReset for nobody", err, fault.NotFound, "")
	}
	wantFault(t, "RequestReset(no address)", w.svc.RequestReset(t.Context(), Forgotten{Email: "nobody", Browser: here1, From: home}), fault.Invalid, "email")
}

func TestUseReset(t *testing.T) {
	w := newWorld(t)
	if err := w.svc.RequestReset(t.Context(), Forgotten{Email: w.a.email, Browser: here1, From: home}); err != nil {
		t.Fatal(err)
	}
	ticket := w.ticket(w.lastMail("reset"))
	_, err := w.svc.UseReset(t.Context(), ticket, "short", here1)
	wantFault(t, "UseReset(a bad password)", err, fault.Invalid, "password")
	used, err := w.svc.UseReset(t.Context(), ticket, goodPassword, elsewhere)
	if err != nil || used.SameBrowser || string(used.User.ID) != w.a.owner || !w.knows(used.User.ID, goodPassword) {
		t.Fatalf("UseReset elsewhere = %+v, %v, want the password set and no login", used, err)
	}
	if left, err := w.store.Sessions(t.Context(), id.User(w.a.owner), w.clock.now()); err != nil || len(left) != 0 {
		t.Errorf("%d sessions are left, %v, want none", len(left), err)
	}
	if m := w.lastMail("password_changed"); m.to != w.a.email || strings.Contains(m.link, "t=") {
		t.Errorf("the mail is %+v", m)
	}
	if k, err := w.svc.Token(t.Context(), w.admin, w.a.token); err != nil || k.Status != "valid" {
		t.Errorf("the personal token is %+v, %v, want it to go on", k, err)
	}
}

// TestResetAfterAChange: a link from before the password was changed is dead.
func TestResetAfterAChange(t *testing.T) {
	w := newWorld(t)
	if err := w.svc.RequestReset(t.Context(), Forgotten{Email: w.a.email, Browser: here1, From: home}); err != nil {
		t.Fatal(err)
	}
	ticket := w.ticket(w.lastMail("reset"))
	owner := userActor(w.a.owner, w.a.team)
	if err := w.svc.ChangePassword(t.Context(), owner, PasswordChange{New: goodPassword}); err != nil {
		t.Fatal(err)
	}
	_, err := w.svc.UseReset(t.Context(), ticket, "another staple of batteries", here1)
	wantFault(t, "UseReset with a link from before", err, fault.NotFound, "")
}

func TestChangePassword(t *testing.T) {
	w := newWorld(t)
	owner := userActor(w.a.owner, w.a.team)
	if err := w.svc.ChangePassword(t.Context(), owner, PasswordChange{New: goodPassword}); err != nil {
		t.Fatalf("ChangePassword of somebody without one = %v", err)
	}
	keep := w.login(w.a.owner)
	w.login(w.a.owner)
	const next = "another staple of batteries"
	through := owner
	through.App = id.App(w.a.app)
	wantFault(t, "ChangePassword through an app", w.svc.ChangePassword(t.Context(), through, PasswordChange{Old: goodPassword, New: next}), fault.InsufficientScope, "")
	for _, old := range []string{"", "wrong"} {
		wantFault(t, "ChangePassword("+old+")", w.svc.ChangePassword(t.Context(), owner, PasswordChange{Old: old, New: next}), fault.Invalid, "old_password")
	}
	wantFault(t, "ChangePassword to a bad one", w.svc.ChangePassword(t.Context(), owner, PasswordChange{Old: goodPassword, New: "short"}), fault.Invalid, "password")
	if err := w.svc.ChangePassword(t.Context(), owner, PasswordChange{Old: goodPassword, New: next, Keep: keep}); err != nil || !w.knows(owner.User, next) {
		t.Fatalf("ChangePassword = %v, want it changed", err)
	}
	if left, err := w.svc.MySessions(t.Context(), owner); err != nil || len(left) != 1 || left[0].ID != string(keep) {
		t.Errorf("sessions = %+v, %v, want this one", left, err)
	}
	var err error
	for range triesPerUser + 1 {
		err = w.svc.ChangePassword(t.Context(), owner, PasswordChange{Old: "wrong", New: next})
	}
	wantFault(t, "ChangePassword after too many", err, fault.TooMany, "")
}

func TestSetup(t *testing.T) {
	w := newWorld(t)
	text, ok, err := w.svc.NewSetupLink(t.Context())
	if err != nil || !ok {
		t.Fatalf("NewSetupLink = %v, %v", ok, err)
	}
	newer, _, err := w.svc.NewSetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.svc.UseSetup(t.Context(), text.Reveal(), account("ada@new.test"))
	wantFault(t, "UseSetup(an older link)", err, fault.NotFound, "")
	bad := account("ada@new.test")
	bad.Password = "password1"
	_, err = w.svc.UseSetup(t.Context(), newer.Reveal(), bad)
	wantFault(t, "UseSetup(a bad password)", err, fault.Invalid, "password")
	u, err := w.svc.UseSetup(t.Context(), newer.Reveal(), account("ada@new.test"))
	if err != nil || !u.Admin || !w.knows(u.ID, goodPassword) {
		t.Fatalf("UseSetup = %+v, %v, want the first admin", u, err)
	}
	if _, ok, err := w.svc.NewSetupLink(t.Context()); err != nil || ok {
		t.Errorf("NewSetupLink with an admin = %v, %v, want none", ok, err)
	}
}

// TestSetupIsForTheFirst: an admin who came another way ends the setup, also of a link that is about.
func TestSetupIsForTheFirst(t *testing.T) {
	w := newWorld(t)
	text, _, err := w.svc.NewSetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.svc.CreateUser(t.Context(), w.admin, lanyard.UserInput{Email: "first@new.test", Admin: true, Password: goodPassword}); err != nil {
		t.Fatal(err)
	}
	_, err = w.svc.UseSetup(t.Context(), text.Reveal(), account("ada@new.test"))
	wantFault(t, "UseSetup with an admin", err, fault.Conflict, "")
}

func TestLoginLink(t *testing.T) {
	w := newWorld(t)
	_, err := w.svc.NewLoginLink(t.Context(), w.admin, "nobody@nowhere.test")
	wantFault(t, "NewLoginLink(nobody)", err, fault.NotFound, "")
	text, err := w.svc.NewLoginLink(t.Context(), w.admin, w.a.email)
	if err != nil {
		t.Fatal(err)
	}
	used, err := w.svc.UseLogin(t.Context(), text.Reveal(), elsewhere)
	if err != nil || !used.SameBrowser || string(used.User.ID) != w.a.owner {
		t.Errorf("UseLogin = %+v, %v, want the owner let in", used, err)
	}
	if ev := w.lastEvent(); ev.Action != "user.login_by_link" || ev.Target != w.a.owner {
		t.Errorf("the audit says %+v", ev)
	}
	_, err = w.svc.UseLogin(t.Context(), text.Reveal(), elsewhere)
	wantFault(t, "UseLogin again", err, fault.NotFound, "")
	if text, err = w.svc.NewLoginLink(t.Context(), w.admin, w.a.email); err != nil {
		t.Fatal(err)
	}
	off := true
	if _, err := w.svc.UpdateUser(t.Context(), w.admin, w.a.owner, lanyard.UserPatch{Disabled: &off}); err != nil {
		t.Fatal(err)
	}
	_, err = w.svc.UseLogin(t.Context(), text.Reveal(), elsewhere)
	wantFault(t, "UseLogin of somebody disabled", err, fault.NotFound, "")
}

func TestInvite(t *testing.T) {
	w := newWorld(t)
	w.svc.SignupMode = "closed"
	wantFault(t, "Invite when closed", w.svc.Invite(t.Context(), w.admin, "ada@new.test"), fault.Conflict, "")
	w.svc.SignupMode = "invite"
	wantFault(t, "Invite(taken)", w.svc.Invite(t.Context(), w.admin, w.a.email), fault.Conflict, "email")
	if err := w.svc.Invite(t.Context(), w.admin, "ada@new.test"); err != nil {
		t.Fatal(err)
	}
	ticket := w.ticket(w.lastMail("invite"))
	used, err := w.svc.UseInvite(t.Context(), ticket, account("eve@new.test"))
	if err != nil || used.User.Email != "ada@new.test" || !w.knows(used.User.ID, goodPassword) {
		t.Errorf("UseInvite = %+v, %v, want an account of the address that was invited", used.User, err)
	}
	_, err = w.svc.UseInvite(t.Context(), ticket, account("eve@new.test"))
	wantFault(t, "UseInvite again", err, fault.NotFound, "")
}

// TestUserOutEverywhere: revoke_tokens ends sessions and raises the epoch.
func TestUserOutEverywhere(t *testing.T) {
	w := newWorld(t)
	before, err := w.store.UserForDecision(t.Context(), id.User(w.a.owner))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.svc.UpdateUser(t.Context(), w.admin, w.a.owner, lanyard.UserPatch{RevokeTokens: true}); err != nil {
		t.Fatal(err)
	}
	after, err := w.store.UserForDecision(t.Context(), id.User(w.a.owner))
	left, errLeft := w.store.Sessions(t.Context(), id.User(w.a.owner), w.clock.now())
	if err := errors.Join(err, errLeft); err != nil || after.Epoch != before.Epoch+1 || len(left) != 0 {
		t.Errorf("epoch %d, then %d, %v; %d sessions are left, want none", before.Epoch, after.Epoch, err, len(left))
	}
}

// TestMailFails: no link stands without the mail that carries it.
func TestMailFails(t *testing.T) {
	w := newWorld(t)
	w.svc.Letters = func(string, string, string, string, map[string]string) (*letterOf, error) { return nil, errMail }
	if err := w.svc.SignUp(t.Context(), account("ada@new.test")); !errors.Is(err, errMail) || strings.Contains(err.Error(), "t=") {
		t.Errorf("SignUp without mail = %v, want the error, and no link in it", err)
	}
}
