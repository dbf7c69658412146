package advice

import (
	"regexp"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/policy"
)

var secretLike = regexp.MustCompile(`[a-z0-9]{2,12}_(key|pub|cs|pat|rt|ac|at)_(live|test)_|[0-9A-Za-z]{20,}|password|Bearer [^$]`)

func everyCode() map[string]bool {
	codes := map[string]bool{}
	for _, code := range policy.Codes() {
		codes[string(code)] = true
	}
	for _, kind := range []fault.Kind{
		fault.Invalid, fault.Unauthenticated, fault.InsufficientScope, fault.NotGrantable, fault.NotFound, fault.Conflict,
		fault.ChangesReset, fault.IdempotencyMismatch, fault.TooMany, fault.Unavailable,
	} {
		codes[string(kind)] = true
	}
	codes[UpstreamUnavailable], codes[UpstreamTimeout] = true, true
	return codes
}

func TestPagesHoldEveryCode(t *testing.T) {
	all, seen := Pages(), map[string]string{}
	for code := range everyCode() {
		page, ok := all[code]
		if !ok {
			t.Errorf("Pages() lacks %s", code)
			continue
		}
		if page.Code != code || page.Title == "" || page.Example == "" {
			t.Errorf("Pages()[%s] = %+v, want its code, a title and an example", code, page)
		}
		if !strings.Contains(page.Who, " mend") {
			t.Errorf("Pages()[%s].Who = %q, want who can mend it", code, page.Who)
		}
		for _, text := range []string{page.Sentence, page.Who, page.How} {
			if !strings.HasSuffix(text, ".") {
				t.Errorf("Pages()[%s] says %q, want a full stop", code, text)
			}
		}
		for _, text := range []string{page.Title, page.Sentence, page.How} {
			if other := seen[text]; other != "" {
				t.Errorf("Pages()[%s] and Pages()[%s] both say %q", code, other, text)
			}
			seen[text] = code
		}
		if found := secretLike.FindString(page.Sentence + page.Who + page.How + page.Example + page.Also); found != "" {
			t.Errorf("Pages()[%s] holds %q, which looks like a secret", code, found)
		}
		// A code with two meanings must explain both.
		_, both := map[string]bool{"not_found": true, "insufficient_scope": true}[code]
		if (page.Also != "") != both {
			t.Errorf("Pages()[%s].Also = %q, want it only where decisions and faults share a code", code, page.Also)
		}
	}
	if got, want := len(all), len(everyCode()); got != want {
		t.Errorf("Pages() holds %d pages, want %d: one is for no code", got, want)
	}
	delete(all, "valid")
	if _, ok := Pages()["valid"]; !ok {
		t.Error("Pages() gives away its own table")
	}
}

func TestSentence(t *testing.T) {
	for _, test := range []struct {
		name string
		code policy.Code
		c    Case
		want string
	}{
		{"unknown code", "made_up", Case{}, "The request was refused."},
		{
			"the contract's", policy.KindNotAccepted,
			Case{Takes: policy.TakesToken, Presented: Key, DeniedBy: "key", Purpose: "reads one person's mail"},
			"This reads one person's mail, so it needs an access token (a visitor badge). You sent an API key (an ID card): it says which app is calling, not for whom.",
		},
		{
			"from a scope", policy.KindNotAccepted,
			Case{DeniedBy: "key", ScopeTexts: []string{"read your messages"}},
			"This reads one person's messages, so it needs an access token (a visitor badge). You sent an API key (an ID card): it says which app is calling, not for whom.",
		},
		{
			"from a scope about you", policy.KindNotAccepted,
			Case{DeniedBy: "key", ScopeTexts: []string{"post for you in your name"}},
			"This posts for one person in their name, so it needs an access token (a visitor badge). You sent an API key (an ID card): it says which app is calling, not for whom.",
		},
		{"a scope about nobody", policy.KindNotAccepted, Case{DeniedBy: "key", ScopeTexts: []string{"read forecasts"}}, tokenForKey},
		{"a verb unknown", policy.KindNotAccepted, Case{DeniedBy: "key", ScopeTexts: []string{"fully erase your files"}}, tokenForKey},
		{"key, nothing known", policy.KindNotAccepted, Case{Takes: policy.TakesToken}, tokenForKey},
		{
			"token where a key is wanted", policy.KindNotAccepted,
			Case{Takes: policy.TakesKey, Presented: AccessToken, DeniedBy: "token"},
			"This needs an API key (an ID card). You sent an access token (a visitor badge): it says for whom an app calls, and here only the app counts.",
		},
		{
			"personal token where a key is wanted", policy.KindNotAccepted,
			Case{Presented: Personal, DeniedBy: "token"},
			"This needs an API key (an ID card). You sent a personal access token: it says who you are, and here only the app counts.",
		},
		{"key alone", policy.KindNotAccepted, Case{Takes: policy.TakesBoth, DeniedBy: "key_alone"}, keyAlone},
		{"token alone", policy.KindNotAccepted, Case{Takes: policy.TakesBoth, DeniedBy: "token_alone"}, tokenAlone},
		{"nothing known", policy.KindNotAccepted, Case{}, "This kind of credential is not accepted here."},
		{
			"one scope", policy.InsufficientScope,
			Case{DeniedBy: "key.scopes", Missing: []string{"messages.read"}},
			"This needs the scope messages.read, which your API key does not have.",
		},
		{
			"scopes", policy.InsufficientScope,
			Case{DeniedBy: "token.scopes", Missing: []string{"a", "b", "c"}},
			"This needs the scopes a, b and c, which your token does not have.",
		},
		{
			"scopes of both", policy.InsufficientScope,
			Case{DeniedBy: "scopes", Missing: []string{"a"}},
			"This needs the scope a, which your key or your token does not have.",
		},
		{"operations", policy.InsufficientScope, Case{DeniedBy: "key.operations"}, "This is not among the operations your API key is limited to."},
		{"scopes unknown", policy.InsufficientScope, Case{}, "The credential is good, but lacks a scope that this needs."},
		{"limit", policy.RateLimited, Case{DeniedBy: "60/minute"}, "Too many requests in a short time: the limit 60/minute is used up for now."},
		{"quota", policy.QuotaExceeded, Case{DeniedBy: "quota"}, "The quota of this period is used up."},
		{"quota of a key", policy.QuotaExceeded, Case{DeniedBy: "key-quota"}, "The quota of this key is used up until its next period."},
		{"spend limit", policy.QuotaExceeded, Case{DeniedBy: "spend-limit"}, "The spend limit of the team's plan is reached: this call would make the bill cost more."},
		{"limit unknown", policy.RateLimited, Case{}, "Too many requests in a short time."},
	} {
		if got := Sentence(test.code, test.c); got != test.want {
			t.Errorf("%s: Sentence(%s, %+v) = %q, want %q", test.name, test.code, test.c, got, test.want)
		}
	}
}

func TestSentenceIsCheap(t *testing.T) {
	for _, code := range policy.Codes() {
		c := Case{Takes: policy.TakesToken, Presented: Key}
		if got := testing.AllocsPerRun(50, func() { _ = Sentence(code, c) }); got != 0 {
			t.Errorf("Sentence(%s, %+v) allocates %v times, want 0", code, c, got)
		}
	}
}

func TestDenial(t *testing.T) {
	if got := Denial("made_up", Case{}); got.Code != "made_up" || got.Sentence == "" || got.Who == "" || got.How == "" {
		t.Errorf("Denial(made_up) = %+v, want general words", got)
	}
	for _, code := range policy.Codes() {
		for _, by := range []string{"", "key", "token", "key_alone", "token_alone", "takes"} {
			got := Denial(code, Case{DeniedBy: by, Missing: []string{"a.b"}})
			if got.Code != string(code) || got.Sentence != Sentence(code, Case{DeniedBy: by, Missing: []string{"a.b"}}) || got.Also != "" {
				t.Errorf("Denial(%s by %q) = %+v, want the case's sentence", code, by, got)
			}
			if !strings.HasSuffix(got.How, ".") || got.Example == "" {
				t.Errorf("Denial(%s by %q) = %+v, want what to do next", code, by, got)
			}
		}
	}
	got := Denial(policy.KindNotAccepted, Case{DeniedBy: "key"})
	if want := "lanyard token --app APP --scope SCOPE"; got.Example != want {
		t.Errorf("Denial(kind_not_accepted by key).Example = %q, want %q", got.Example, want)
	}
}
