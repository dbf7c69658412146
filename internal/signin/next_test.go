package signin_test

import (
	"slices"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/policy"
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
	api, err := policy.NewScopes([]policy.Scope{{Name: "mail.read"}, {Name: "mail.write", Includes: []string{"mail.read"}}})
	if err != nil {
		t.Fatal(err)
	}
	yes := grant.Progress{AllowedBy: "user_ada", AllowedAt: after, Allowed: both, Document: "one"}
	other := grant.Progress{AllowedBy: "user_ada", AllowedAt: after, Allowed: both, Document: "two"}
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
		{name: "the rest was refused before", who: ada(before), held: &grant.Grant{Scopes: []string{"openid"}, Refused: []string{"mail.read"}, Document: "one"}, want: signin.Issue},
		{name: "the rest was refused before, silently", ask: grant.Ask{Prompt: []string{"none"}}, who: ada(before), held: &grant.Grant{Scopes: []string{"openid"}, Refused: []string{"mail.read"}, Document: "one"}, want: signin.Issue},
		{name: "it was refused to another document", who: ada(before), held: &grant.Grant{Scopes: []string{"openid"}, Refused: []string{"mail.read"}, Document: "two"}, want: signin.Consent},
		{name: "all was refused before", who: ada(before), held: &grant.Grant{Scopes: []string{"posts.write"}, Refused: both, Document: "one"}, want: signin.Consent},
		{name: "refused before, and asked again", ask: grant.Ask{Prompt: []string{"consent"}}, who: ada(before), held: &grant.Grant{Scopes: []string{"openid"}, Refused: []string{"mail.read"}, Document: "one"}, want: signin.Consent},
		{name: "what includes it was allowed before", who: ada(before), held: &grant.Grant{Scopes: []string{"mail.write", "openid"}, Document: "one"}, want: signin.Issue},
		{name: "consent is asked again", ask: grant.Ask{Prompt: []string{"consent"}}, who: ada(before), held: held, want: signin.Consent},
		{name: "consent was given again", ask: grant.Ask{Prompt: []string{"consent"}}, said: yes, who: ada(before), want: signin.Issue},
		{name: "consent was given to another document", said: other, who: ada(before), want: signin.Consent},
		{name: "consent was given to another document, silently now", ask: grant.Ask{Prompt: []string{"none"}}, said: other, who: ada(before), want: signin.Deny, denied: signin.ConsentRequired},
		{name: "somebody else gave it", said: grant.Progress{AllowedBy: "user_eve", AllowedAt: after, Allowed: both, Document: "one"}, who: ada(before), want: signin.Consent},
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
		{name: "somebody else is meant than who logged in for this", ask: grant.Ask{HintedUser: "user_eve"}, who: ada(after), held: held, want: signin.Deny, denied: signin.LoginRequired},
		{name: "who is meant logged in for this", ask: grant.Ask{HintedUser: "user_ada"}, who: ada(after), held: held, want: signin.Issue},
		{name: "somebody is meant, and nobody is logged in", ask: grant.Ask{HintedUser: "user_eve"}, want: signin.Login},
		{name: "somebody else is meant, silently", ask: grant.Ask{HintedUser: "user_eve", Prompt: []string{"none"}}, who: ada(before), held: held, want: signin.Deny, denied: signin.LoginRequired},
	} {
		tc.ask.Scopes = both
		state := &signin.State{
			Request: &grant.Request{Ask: tc.ask, Progress: tc.said, CreatedAt: asked}, Session: tc.who, Asked: both, API: api, Grant: tc.held, Document: "one", FirstParty: tc.first, Now: now,
		}
		if got, denied := signin.Next(state); got != tc.want || denied != tc.denied {
			t.Errorf("Next(%s) = %s, %q, want %s, %q", tc.name, got, denied, tc.want, tc.denied)
		}
	}
}

// TestAnswer: what is given and what is refused comes from this very request where the user was asked, else from what they said
// before; only who was asked refused anything.
func TestAnswer(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	asked := []string{"openid", "mail.read", "posts.write"}
	said := grant.Progress{Allowed: []string{"openid", "mail.read"}, AllowedBy: "user_ada", AllowedAt: now, Document: "one"}
	held := &grant.Grant{Scopes: []string{"more", "openid", "posts.write"}, Refused: []string{"mail.read"}, Document: "one"}
	for name, tc := range map[string]struct {
		said     grant.Progress
		who      id.User
		document string
		first    bool
		yes, no  []string
	}{
		"asked":                {said, "user_ada", "one", false, []string{"openid", "mail.read"}, []string{"posts.write"}},
		"another user":         {said, "user_eve", "one", false, []string{"openid", "posts.write"}, nil},
		"another document":     {said, "user_ada", "two", false, []string{"openid", "posts.write"}, nil},
		"not asked":            {grant.Progress{}, "user_ada", "one", false, []string{"openid", "posts.write"}, nil},
		"the provider's own":   {grant.Progress{}, "user_ada", "one", true, asked, nil},
		"asked by one's own":   {said, "user_ada", "one", true, []string{"openid", "mail.read"}, []string{"posts.write"}},
		"nobody ever answered": {grant.Progress{}, "user_bob", "one", false, asked, nil},
	} {
		s := &signin.State{
			Request: &grant.Request{Ask: grant.Ask{Issue: grant.Issue{Scopes: asked}}, Progress: tc.said}, Session: &session.Session{User: tc.who}, Asked: asked,
			Grant: held, Document: tc.document, FirstParty: tc.first, Now: now,
		}
		if tc.who == "user_bob" {
			s.Grant = nil
		}
		if yes, no := s.Allowed(), s.Refused(); !slices.Equal(yes, tc.yes) || !slices.Equal(no, tc.no) {
			t.Errorf("%s: allowed %v, refused %v, want %v and %v", name, yes, no, tc.yes, tc.no)
		}
	}
}
