package manage

import (
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// TestMakeAdmin: whoever has the address becomes an admin, with their password or a new one; what is refused changes nothing.
func TestMakeAdmin(t *testing.T) {
	w := newWorld(t)
	keeper := audit.Actor{Label: "keeper", Reach: audit.ServerReach(), Scopes: []string{"lanyard.users.write"}}
	yes := true
	gone, err := w.svc.CreateUser(t.Context(), w.admin, lanyard.UserInput{Email: "gone@example.test", Password: goodPassword})
	if err == nil {
		_, err = w.svc.UpdateUser(t.Context(), w.admin, gone.ID, lanyard.UserPatch{Disabled: &yes})
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		as   audit.Actor
		in   lanyard.UserInput
		want fault.Kind
	}{
		"by who is no admin":       {keeper, lanyard.UserInput{Email: w.a.email}, fault.InsufficientScope},
		"nobody, with no password": {w.admin, lanyard.UserInput{Email: "nobody@example.test"}, fault.NotFound},
		"no address":               {w.admin, lanyard.UserInput{Email: "nobody", Password: goodPassword}, fault.Invalid},
		"a weak password":          {w.admin, lanyard.UserInput{Email: w.a.email, Password: "password1"}, fault.Invalid},
		"a name that is none":      {w.admin, lanyard.UserInput{Email: w.a.email, Name: "a\x1b[2J", Password: goodPassword}, fault.Invalid},
		"a disabled account":       {w.admin, lanyard.UserInput{Email: gone.Email, Password: goodPassword}, fault.Conflict},
	} {
		before := w.trace()
		_, made, err := w.svc.MakeAdmin(t.Context(), test.as, test.in)
		wantFault(t, "MakeAdmin "+name, err, test.want, faultOf(err).Field)
		if made || w.trace() != before {
			t.Errorf("MakeAdmin %s was refused and changed something", name)
		}
	}
	hash := func(userID string) string {
		t.Helper()
		p, err := w.svc.Passwords.Password(t.Context(), id.User(userID))
		if err != nil && !fault.Is(err, fault.NotFound) {
			t.Fatal(err)
		}
		return p.Hash
	}
	before := hash(w.a.owner)
	got, made, err := w.svc.MakeAdmin(t.Context(), w.admin, lanyard.UserInput{Email: w.a.email})
	if err != nil || made || !got.Admin || got.ID != w.a.owner || hash(w.a.owner) != before {
		t.Errorf("MakeAdmin of somebody = %+v, %t, %v, want them an admin with the password they had", got, made, err)
	}
	_, _, err = w.svc.MakeAdmin(t.Context(), w.admin, lanyard.UserInput{Email: w.a.email, Password: goodPassword})
	wantFault(t, "MakeAdmin of an admin", err, fault.Conflict, "")
	bob, err := w.svc.CreateUser(t.Context(), w.admin, lanyard.UserInput{Email: "bob@example.test", Password: goodPassword})
	if err != nil {
		t.Fatal(err)
	}
	before = hash(bob.ID)
	got, made, err = w.svc.MakeAdmin(t.Context(), w.admin, lanyard.UserInput{Email: "BOB@example.test", Name: "Bob", Password: goodPassword + "!"})
	if err != nil || made || !got.Admin || got.Name != "Bob" || hash(bob.ID) == before {
		t.Errorf("MakeAdmin with a password = %+v, %t, %v, want it and the name set", got, made, err)
	}
	got, made, err = w.svc.MakeAdmin(t.Context(), w.admin, lanyard.UserInput{Email: "new@example.test", Password: goodPassword})
	if err != nil || !made || !got.Admin || hash(got.ID) == "" {
		t.Errorf("MakeAdmin of nobody yet = %+v, %t, %v, want a new account", got, made, err)
	}
}
