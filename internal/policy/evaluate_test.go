package policy

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func mustScopes(t testing.TB, scopes ...Scope) *Scopes {
	t.Helper()
	set, err := NewScopes(scopes)
	if err != nil {
		t.Fatalf("NewScopes(%v): %v", scopes, err)
	}
	return set
}

func mustOperations(t testing.TB, ops ...Operation) *Operations {
	t.Helper()
	set, err := NewOperations(ops)
	if err != nil {
		t.Fatalf("NewOperations(%v): %v", ops, err)
	}
	return set
}

func mailAPI(t testing.TB) *API {
	return &API{
		Name: "mail", Identifier: "https://api.acme.example/mail", Takes: TakesEither,
		Scopes: mustScopes(t,
			Scope{Name: "mail.read"}, Scope{Name: "mail.write", Includes: []string{"mail.read"}}, Scope{Name: "profile.read"},
			Scope{Name: "mail.admin", ServerReach: true, Includes: []string{"mail.write"}}),
		Operations: mustOperations(t,
			Operation{Name: "GET /v1/messages", Scopes: []string{"mail.read"}},
			Operation{Name: "POST /v1/messages", Scopes: []string{"mail.write", "profile.read"}},
			Operation{Name: "GET /v1/status"},
			Operation{Name: "DELETE /v1/all", Scopes: []string{"mail.admin"}},
			Operation{Name: "GET /v1/key", Takes: TakesKey},
			Operation{Name: "GET /v1/token", Takes: TakesToken},
			Operation{Name: "GET /v1/both", Takes: TakesBoth},
			Operation{Name: "DELETE /v1/account", Takes: TakesToken, MaxAge: 5 * time.Minute}),
	}
}

func TestEvaluateRefuses(t *testing.T) {
	const ours = "https://api.acme.example/mail"
	key := func(scopes ...string) *Bearer { return &Bearer{App: "app_1", Scopes: scopes} }
	token := func(scopes ...string) *Bearer { return &Bearer{App: "app_1", Audience: ours, Scopes: scopes} }
	restricted := func(b *Bearer, r Restrictions) *Bearer { b.Restrictions = &r; return b }
	home := Restrictions{IPs: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}}
	page := Restrictions{Origins: []string{"https://app.example"}}
	status := Restrictions{Operations: []string{"GET /v1/status"}}
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	signedIn := func(ago time.Duration) *Bearer { return &Bearer{App: "app_1", Audience: ours, SignedIn: now.Add(-ago)} }
	elsewhere := &Bearer{App: "app_1", Audience: "https://api.acme.example/weather", Scopes: []string{"mail.write", "profile.read"}}

	for _, test := range []struct {
		name    string
		change  func(*API)
		request Request
		want    Verdict
	}{
		{"no credential", nil, Request{}, Verdict{Code: Missing, DeniedBy: "credential"}},
		{
			"signed in too long ago", nil,
			Request{Token: signedIn(5*time.Minute + 1), At: now, Operation: "DELETE /v1/account"},
			Verdict{Code: InsufficientUserAuthn, DeniedBy: "max_age", MaxAge: 5 * time.Minute},
		},
		{
			"when a user signed in is not known", nil,
			Request{Token: token(), At: now, Operation: "DELETE /v1/account"},
			Verdict{Code: InsufficientUserAuthn, DeniedBy: "max_age", MaxAge: 5 * time.Minute},
		},
		{
			"the request asks for a fresher sign-in", nil,
			Request{Token: signedIn(2 * time.Minute), At: now, Operation: "DELETE /v1/account", MaxAge: time.Minute},
			Verdict{Code: InsufficientUserAuthn, DeniedBy: "max_age", MaxAge: time.Minute},
		},
		{
			"the request asks for less than the operation", nil,
			Request{Token: signedIn(6 * time.Minute), At: now, Operation: "DELETE /v1/account", MaxAge: time.Hour},
			Verdict{Code: InsufficientUserAuthn, DeniedBy: "max_age", MaxAge: 5 * time.Minute},
		},
		{"a key has no user who signed in", nil, Request{Key: key(), At: now, MaxAge: time.Minute}, Verdict{Code: InsufficientUserAuthn, DeniedBy: "max_age", MaxAge: time.Minute}},
		{
			"a personal token neither", nil,
			Request{Token: &Bearer{Personal: true}, At: now, MaxAge: time.Minute},
			Verdict{Code: InsufficientUserAuthn, DeniedBy: "max_age", MaxAge: time.Minute},
		},
		{
			"an address that a new sign-in would not mend", nil,
			Request{Token: restricted(signedIn(time.Hour), home), At: now, MaxAge: time.Minute},
			Verdict{Code: IPDenied, DeniedBy: "token.ip_allow"},
		},
		{"token for another API", nil, Request{Token: elsewhere}, Verdict{Code: AudienceMismatch, DeniedBy: "audience"}},
		{"key and a token for another API", nil, Request{Key: key(), Token: elsewhere}, Verdict{Code: AudienceMismatch, DeniedBy: "audience"}},
		{"an access token without audience", nil, Request{Token: &Bearer{App: "app_1"}}, Verdict{Code: AudienceMismatch, DeniedBy: "audience"}},
		{"an access token without audience, an API without identifier", func(a *API) { a.Identifier = "" }, Request{Token: &Bearer{App: "app_1"}}, Verdict{Code: AudienceMismatch, DeniedBy: "audience"}},
		{"key of another app", nil, Request{Key: &Bearer{App: "app_2"}, Token: token()}, Verdict{Code: AppMismatch, DeniedBy: "app"}},
		{"key beside a personal token", nil, Request{Key: key(), Token: &Bearer{Personal: true}}, Verdict{Code: AppMismatch, DeniedBy: "app"}},
		{"key and personal token of no app", nil, Request{Key: &Bearer{}, Token: &Bearer{Personal: true}}, Verdict{Code: AppMismatch, DeniedBy: "app"}},
		{
			"a scope that the user may no longer use", nil,
			Request{Token: &Bearer{App: "app_1", Audience: ours, Rights: Rights{Person: true}, Scopes: []string{"mail.admin"}}, Scopes: []string{"mail.read"}},
			Verdict{Code: InsufficientScope, DeniedBy: "token.owner", MissingScopes: []string{"mail.read"}},
		},
		{
			"one scope lost, one never given", nil,
			Request{Token: &Bearer{App: "app_1", Audience: ours, Rights: Rights{Person: true}, Scopes: []string{"mail.admin"}}, Scopes: []string{"mail.read", "profile.read"}},
			Verdict{Code: InsufficientScope, DeniedBy: "token.scopes", MissingScopes: []string{"mail.read", "profile.read"}},
		},
		{"live key, test wanted", nil, Request{Key: key(), Mode: "test"}, Verdict{Code: ModeMismatch, DeniedBy: "mode"}},
		{"test key, live wanted", nil, Request{Key: &Bearer{Test: true}, Mode: "live"}, Verdict{Code: ModeMismatch, DeniedBy: "mode"}},
		{"live token, test wanted", nil, Request{Token: token(), Mode: "test"}, Verdict{Code: ModeMismatch, DeniedBy: "mode"}},
		{"key test, token live", nil, Request{Key: &Bearer{App: "app_1", Test: true}, Token: token()}, Verdict{Code: ModeMismatch, DeniedBy: "mode"}},
		{"a mode that is none", nil, Request{Key: key(), Mode: "prod"}, Verdict{Code: ModeMismatch, DeniedBy: "mode"}},
		{"operation by name", nil, Request{Key: key(), Operation: "GET /nowhere"}, Verdict{Code: OperationUnknown, DeniedBy: "operation"}},
		{"operation by path", nil, Request{Key: key(), Method: "GET", Path: "/nowhere"}, Verdict{Code: OperationUnknown, DeniedBy: "operation"}},
		{"operation by another method", nil, Request{Key: key(), Method: "PUT", Path: "/v1/status"}, Verdict{Code: OperationUnknown, DeniedBy: "operation"}},
		{"path without method", nil, Request{Key: key(), Path: "/v1/status"}, Verdict{Code: OperationUnknown, DeniedBy: "operation"}},
		{"method without path", nil, Request{Key: key(), Method: "GET"}, Verdict{Code: OperationUnknown, DeniedBy: "operation"}},
		{"an API without operations", func(a *API) { a.Operations = nil }, Request{Key: key(), Operation: "GET /v1/status"}, Verdict{Code: OperationUnknown, DeniedBy: "operation"}},
		{"token, API takes keys", func(a *API) { a.Takes = TakesKey }, Request{Token: token()}, Verdict{Code: KindNotAccepted, DeniedBy: "token"}},
		{"key, API takes tokens", func(a *API) { a.Takes = TakesToken }, Request{Key: key()}, Verdict{Code: KindNotAccepted, DeniedBy: "key"}},
		{"key alone, API takes both", func(a *API) { a.Takes = TakesBoth }, Request{Key: key()}, Verdict{Code: KindNotAccepted, DeniedBy: "key_alone"}},
		{"token alone, API takes both", func(a *API) { a.Takes = TakesBoth }, Request{Token: token()}, Verdict{Code: KindNotAccepted, DeniedBy: "token_alone"}},
		{"takes is no word", func(a *API) { a.Takes = "tokn" }, Request{Key: key(), Token: token()}, Verdict{Code: KindNotAccepted, DeniedBy: "takes"}},
		{"operation takes keys", nil, Request{Token: token(), Operation: "GET /v1/key"}, Verdict{Code: KindNotAccepted, DeniedBy: "token"}},
		{"operation takes tokens", nil, Request{Key: key(), Operation: "GET /v1/token"}, Verdict{Code: KindNotAccepted, DeniedBy: "key"}},
		{"operation takes both", nil, Request{Key: key(), Operation: "GET /v1/both"}, Verdict{Code: KindNotAccepted, DeniedBy: "key_alone"}},
		{
			"scope of the operation", nil,
			Request{Key: key("profile.read"), Operation: "GET /v1/messages"},
			Verdict{Code: InsufficientScope, DeniedBy: "key.scopes", MissingScopes: []string{"mail.read"}},
		},
		{
			"all scopes missing are named", nil,
			Request{Token: token(), Operation: "POST /v1/messages", Scopes: []string{"mail.read", "profile.read"}},
			Verdict{Code: InsufficientScope, DeniedBy: "token.scopes", MissingScopes: []string{"mail.write", "profile.read", "mail.read"}},
		},
		{
			"inclusion does not run backwards", nil,
			Request{Key: key("mail.read"), Scopes: []string{"mail.write"}},
			Verdict{Code: InsufficientScope, DeniedBy: "key.scopes", MissingScopes: []string{"mail.write"}},
		},
		{
			"a scope the API does not have", nil,
			Request{Key: key("made.up"), Scopes: []string{"made.up"}},
			Verdict{Code: InsufficientScope, DeniedBy: "key.scopes", MissingScopes: []string{"made.up"}},
		},
		{
			"server reach outside the team system", nil,
			Request{Key: key("mail.admin"), Operation: "DELETE /v1/all"},
			Verdict{Code: InsufficientScope, DeniedBy: "key.scopes", MissingScopes: []string{"mail.admin"}},
		},
		{
			"what server reach includes, outside the team system", nil,
			Request{Key: key("mail.admin"), Scopes: []string{"mail.read"}},
			Verdict{Code: InsufficientScope, DeniedBy: "key.scopes", MissingScopes: []string{"mail.read"}},
		},
		{
			"both, the key lacks it", nil,
			Request{Key: key(), Token: token("mail.read"), Scopes: []string{"mail.read"}},
			Verdict{Code: InsufficientScope, DeniedBy: "key.scopes", MissingScopes: []string{"mail.read"}},
		},
		{
			"both, the token lacks it", nil,
			Request{Key: key("mail.read"), Token: token(), Scopes: []string{"mail.read"}},
			Verdict{Code: InsufficientScope, DeniedBy: "token.scopes", MissingScopes: []string{"mail.read"}},
		},
		{
			"both lack it", nil,
			Request{Key: key(), Token: token(), Scopes: []string{"mail.read"}},
			Verdict{Code: InsufficientScope, DeniedBy: "scopes", MissingScopes: []string{"mail.read"}},
		},
		{
			"both lack something", nil,
			Request{Key: key("mail.write"), Token: token("profile.read"), Operation: "POST /v1/messages"},
			Verdict{Code: InsufficientScope, DeniedBy: "scopes", MissingScopes: []string{"profile.read", "mail.write"}},
		},
		{
			"key kept to another operation", nil,
			Request{Key: restricted(key("mail.read"), status), Operation: "GET /v1/messages"},
			Verdict{Code: InsufficientScope, DeniedBy: "key.operations"},
		},
		{
			"token kept to another operation", nil,
			Request{Key: key(), Token: restricted(token("mail.read"), status), Operation: "GET /v1/messages"},
			Verdict{Code: InsufficientScope, DeniedBy: "token.operations"},
		},
		{
			"key kept to an operation, none asked", nil,
			Request{Key: restricted(key(), status)},
			Verdict{Code: InsufficientScope, DeniedBy: "key.operations"},
		},
		{"no subscription", func(a *API) { a.Plans = []string{"pro"} }, Request{Key: key()}, Verdict{Code: NotSubscribed, DeniedBy: "plan"}},
		{"another network", nil, Request{Key: restricted(key(), home), IP: netip.MustParseAddr("198.51.100.1")}, Verdict{Code: IPDenied, DeniedBy: "key.ip_allow"}},
		{"network unknown", nil, Request{Key: restricted(key(), home)}, Verdict{Code: IPDenied, DeniedBy: "key.ip_allow"}},
		{"both, the token's network", nil, Request{Key: key(), Token: restricted(token(), home)}, Verdict{Code: IPDenied, DeniedBy: "token.ip_allow"}},
		{"another origin", nil, Request{Key: restricted(key(), page), Origin: "https://evil.example"}, Verdict{Code: OriginDenied, DeniedBy: "key.origins"}},
		{"origin unknown", nil, Request{Key: restricted(key(), page)}, Verdict{Code: OriginDenied, DeniedBy: "key.origins"}},
		{"both, the token's origin", nil, Request{Key: key(), Token: restricted(token(), page)}, Verdict{Code: OriginDenied, DeniedBy: "token.origins"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.request.API = mailAPI(t)
			if test.change != nil {
				test.change(test.request.API)
			}
			got := Evaluate(&test.request)
			if diff := cmp.Diff(test.want, got, cmpopts.IgnoreFields(Verdict{}, "Operation"), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("Evaluate(%s) (-want +got):\n%s", test.name, diff)
			}
		})
	}
}

func TestEvaluateAllows(t *testing.T) {
	key := &Bearer{App: "app_1", Scopes: []string{"mail.write", "profile.read"}}
	token := &Bearer{App: "app_1", Audience: "https://api.acme.example/mail", Scopes: []string{"mail.read", "profile.read"}}
	for _, test := range []struct {
		name    string
		change  func(*API)
		request Request
		wantOp  string
	}{
		{"nothing asked", nil, Request{Key: key}, ""},
		{"inclusion", nil, Request{Key: key, Method: "GET", Path: "/v1/messages"}, "GET /v1/messages"},
		{"HEAD is GET's", nil, Request{Token: token, Method: "HEAD", Path: "/v1/messages"}, "GET /v1/messages"},
		{"operation and scopes", nil, Request{Key: key, Operation: "POST /v1/messages", Scopes: []string{"mail.read"}}, "POST /v1/messages"},
		{"both on either", nil, Request{Key: key, Token: token, Operation: "GET /v1/messages"}, "GET /v1/messages"},
		{"both where both are wanted", nil, Request{Key: key, Token: token, Operation: "GET /v1/both"}, "GET /v1/both"},
		{"both where a key is wanted", nil, Request{Key: key, Token: token, Operation: "GET /v1/key"}, "GET /v1/key"},
		{"both where a token is wanted", nil, Request{Key: key, Token: token, Operation: "GET /v1/token"}, "GET /v1/token"},
		{"operation overrides the API", func(a *API) { a.Takes = TakesToken }, Request{Key: key, Operation: "GET /v1/key"}, "GET /v1/key"},
		{"takes not said is either", func(a *API) { a.Takes = "" }, Request{Key: key}, ""},
		{"a personal token, which has no audience", nil, Request{Token: &Bearer{Personal: true}, Operation: "GET /v1/status"}, "GET /v1/status"},
		{"system and server reach", nil, Request{Key: &Bearer{Rights: Rights{Server: true}, Scopes: []string{"mail.admin"}}, Operation: "DELETE /v1/all"}, "DELETE /v1/all"},
		{"test mode where either goes", nil, Request{Key: &Bearer{Test: true}}, ""},
		{"test mode where it is wanted", nil, Request{Key: &Bearer{Test: true}, Mode: "test"}, ""},
		{"subscribed", func(a *API) { a.Plans = []string{"pro"} }, Request{Key: key, Plan: "pro"}, ""},
		{"an IPv4 address inside IPv6", nil, Request{
			Key: &Bearer{Restrictions: &Restrictions{IPs: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}}}, IP: netip.MustParseAddr("::ffff:203.0.113.9"),
		}, ""},
		{"every restriction met", nil, Request{Key: &Bearer{Restrictions: &Restrictions{
			IPs: []netip.Prefix{netip.MustParsePrefix("2001:db8::/48")}, Origins: []string{"https://app.example"}, Operations: []string{"GET /v1/status"},
		}}, IP: netip.MustParseAddr("2001:db8::1"), Origin: "https://app.example", Operation: "GET /v1/status"}, "GET /v1/status"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.request.API = mailAPI(t)
			if test.change != nil {
				test.change(test.request.API)
			}
			got := Evaluate(&test.request)
			if got.Code != Valid || got.DeniedBy != "" || got.MissingScopes != nil {
				t.Errorf("Evaluate(%s) = %+v, want valid", test.name, got)
			}
			op := ""
			if got.Operation != nil {
				op = got.Operation.Name
			}
			if op != test.wantOp {
				t.Errorf("Evaluate(%s) found operation %q, want %q", test.name, op, test.wantOp)
			}
		})
	}
}

// A request that is wrong in every way is mended one fault after the other: each step must show the next code.
func TestEvaluateOrder(t *testing.T) {
	api := mailAPI(t)
	api.Plans = []string{"pro"}
	r := &Request{
		API: api, Mode: "live", Operation: "GET /nowhere", Scopes: []string{"mail.write"},
		Token: &Bearer{App: "app_1", Test: true, Audience: "https://elsewhere.example", Restrictions: &Restrictions{
			IPs: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}, Origins: []string{"https://app.example"},
		}},
	}
	for _, step := range []struct {
		mend func()
		want Code
	}{
		{func() {}, AudienceMismatch},
		{func() { r.Token.Audience = api.Identifier }, ModeMismatch},
		{func() { r.Token.Test = false }, OperationUnknown},
		{func() { r.Operation = "GET /v1/both" }, KindNotAccepted},
		{func() { r.Key = &Bearer{App: "app_2", Scopes: []string{"mail.write"}} }, AppMismatch},
		{func() { r.Key.App = "app_1" }, InsufficientScope},
		{func() { r.Token.Scopes = []string{"mail.write"} }, NotSubscribed},
		{func() { r.Plan = "pro" }, IPDenied},
		{func() { r.IP = netip.MustParseAddr("203.0.113.9") }, OriginDenied},
		{func() { r.Origin = "https://app.example" }, Valid},
	} {
		step.mend()
		if got := Evaluate(r).Code; got != step.want {
			t.Fatalf("Evaluate(%+v) = %s, want %s", r, got, step.want)
		}
	}
}

func allowedRequest(t testing.TB) *Request {
	return &Request{
		API: mailAPI(t), Method: "POST", Path: "/v1/messages", Mode: "live", IP: netip.MustParseAddr("203.0.113.9"), Origin: "https://app.example",
		Key: &Bearer{App: "app_1", Scopes: []string{"profile.read", "mail.write"}, Restrictions: &Restrictions{
			IPs: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}, Origins: []string{"https://app.example"},
		}},
		Token: &Bearer{App: "app_1", Audience: "https://api.acme.example/mail", Scopes: []string{"profile.read", "mail.write"}},
	}
}

func TestEvaluateAllowedDoesNotAllocate(t *testing.T) {
	r := allowedRequest(t)
	if got := testing.AllocsPerRun(100, func() {
		if v := Evaluate(r); v.Code != Valid {
			t.Fatalf("Evaluate(allowed) = %+v, want valid", v)
		}
	}); got != 0 {
		t.Errorf("Evaluate(allowed) allocates %v times, want 0", got)
	}
}

func BenchmarkEvaluateAllowed(b *testing.B) {
	r := allowedRequest(b)
	b.ReportAllocs()
	for b.Loop() {
		if v := Evaluate(r); v.Code != Valid {
			b.Fatalf("Evaluate(allowed) = %+v, want valid", v)
		}
	}
}
