package signin_test

import (
	"slices"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/session"
	"github.com/lanyard-auth/lanyard/internal/signin"
)

// TestNext is the whole way of a person, a line a case.
func TestNext(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	asked, before, after := now.Add(-time.Minute), now.Add(-time.Hour), now.Add(-time.Second)
	ada := func(at time.Time) *session.Session { return &session.Session{User: "user_ada", AuthAt: at} }
	zero, hour := 0, 3600
	both := []string{"openid", "mail.read"}
	held := &grant.Grant{Scopes: []string{"mail.read", "openid", "posts.write"}, Document: "one"}
	for _, tc := range []struct {
		name   string
		ask    grant.Ask
		said   grant.Progress
		who    *session.Session
		held   *grant.Grant
		first  bool
		want   signin.Step
		denied string
	}{
		{name: "nobody is logged in", want: signin.Login},
		{name: "nobody, silently", ask: grant.Ask{Prompt: []string{"none"}}, want: signin.Deny, denied: signin.LoginRequired},
		{name: "said no", said: grant.Progress{Denied: true}, who: ada(before), want: signin.Deny, denied: signin.AccessDenied},
		{name: "said no, then logged out", said: grant.Progress{Denied: true}, want: signin.Deny, denied: signin.AccessDenied},
		{name: "asked for the first time", who: ada(before), want: signin.Consent},
		{name: "the first time, silently", ask: grant.Ask{Prompt: []string{"none"}}, who: ada(before), want: signin.Deny, denied: signin.ConsentRequired},
		{name: "allowed before", who: ada(before), held: held, want: signin.Issue},
		{name: "allowed before, silently", ask: grant.Ask{Prompt: []string{"none"}}, who: ada(before), held: held, want: signin.Issue},
		{name: "more is asked than was allowed", who: ada(before), held: &grant.Grant{Scopes: []string{"openid"}, Document: "one"}, want: signin.Consent},
		{name: "the app's document changed", who: ada(before), held: &grant.Grant{Scopes: both, Document: "two"}, want: signin.Consent},
		{name: "consent is asked again", ask: grant.Ask{Prompt: []string{"consent"}}, who: ada(before), held: held, want: signin.Consent},
		{name: "consent was given again", ask: grant.Ask{Prompt: []string{"consent"}}, said: grant.Progress{AllowedBy: "user_ada", AllowedAt: after, Allowed: both}, who: ada(before), want: signin.Issue},
		{name: "somebody else gave it", said: grant.Progress{AllowedBy: "user_eve", AllowedAt: after, Allowed: both}, who: ada(before), want: signin.Consent},
		{name: "the provider's own app", who: ada(before), first: true, want: signin.Issue},
		{name: "the provider's own app, nobody logged in", first: true, want: signin.Login},
		{name: "login is asked again", ask: grant.Ask{Prompt: []string{"login"}}, who: ada(before), held: held, want: signin.Login},
		{name: "login was done again", ask: grant.Ask{Prompt: []string{"login"}}, who: ada(after), held: held, want: signin.Issue},
		{name: "an account is to be chosen", ask: grant.Ask{Prompt: []string{"select_account"}}, who: ada(before), held: held, want: signin.Login},
		{name: "the login is too old", ask: grant.Ask{MaxAge: &zero}, who: ada(before), held: held, want: signin.Login},
		{name: "too old, silently", ask: grant.Ask{MaxAge: &zero, Prompt: []string{"none"}}, who: ada(before), held: held, want: signin.Deny, denied: signin.LoginRequired},
		{name: "young enough", ask: grant.Ask{MaxAge: &hour}, who: ada(before), held: held, want: signin.Issue},
		{name: "logged in for this very request", ask: grant.Ask{MaxAge: &zero}, who: ada(after), held: held, want: signin.Issue},
		{name: "somebody else is meant", ask: grant.Ask{HintedUser: "user_eve"}, who: ada(before), held: held, want: signin.Login},
		{name: "somebody else is meant, silently", ask: grant.Ask{HintedUser: "user_eve", Prompt: []string{"none"}}, who: ada(before), held: held, want: signin.Deny, denied: signin.LoginRequired},
	} {
		tc.ask.Scopes = both
		state := &signin.State{
			Request: &grant.Request{Ask: tc.ask, Progress: tc.said, CreatedAt: asked}, Session: tc.who, Grant: tc.held, Document: "one", FirstParty: tc.first, Now: now,
		}
		if got, denied := signin.Next(state); got != tc.want || denied != tc.denied {
			t.Errorf("Next(%s) = %s, %q, want %s, %q", tc.name, got, denied, tc.want, tc.denied)
		}
	}
}

// TestUnticked: only who was asked on this very request unticked anything.
func TestUnticked(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	asked := grant.Ask{Issue: grant.Issue{Scopes: []string{"openid", "mail.read", "posts.write"}}}
	said := grant.Progress{Allowed: []string{"openid", "mail.read"}, AllowedBy: "user_ada", AllowedAt: now}
	for name, tc := range map[string]struct {
		said grant.Progress
		who  id.User
		want []string
	}{
		"asked":        {said, "user_ada", []string{"posts.write"}},
		"another user": {said, "user_eve", nil},
		"not asked":    {grant.Progress{}, "user_ada", nil},
	} {
		s := &signin.State{Request: &grant.Request{Ask: asked, Progress: tc.said}, Session: &session.Session{User: tc.who}, Now: now}
		if got := s.Unticked(); !slices.Equal(got, tc.want) {
			t.Errorf("%s: Unticked() = %v, want %v", name, got, tc.want)
		}
	}
}
