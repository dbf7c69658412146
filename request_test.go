package lanyard

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// credential returns a well-formed credential of a kind, the same for the same letter.
func credential(t testing.TB, kind secret.Kind, letter string) string {
	t.Helper()
	made, err := secret.Assemble("lyd", kind, secret.Live, strings.Repeat(letter, 16), [32]byte([]byte(strings.Repeat(letter, 32))))
	if err != nil {
		t.Fatal(err)
	}
	return made.Reveal()
}

func basic(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }

const jwt = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"

func TestFromRequestRefuses(t *testing.T) {
	key, other, pat := credential(t, secret.Key, "a"), credential(t, secret.Key, "b"), credential(t, secret.Personal, "c")
	tests := []struct {
		name   string
		header http.Header
		query  string
		opts   CredentialOptions
		status int
		says   string
	}{
		{"two Authorization", http.Header{"Authorization": {"Bearer " + key, "Bearer " + pat}}, "", CredentialOptions{}, 400, "more than once"},
		{"two equal Authorization", http.Header{"Authorization": {"Bearer " + key, "Bearer " + key}}, "", CredentialOptions{}, 400, "more than once"},
		{"two Authorization by case", http.Header{"Authorization": {"Bearer " + key}, "authorization": {"Bearer " + key}}, "", CredentialOptions{}, 400, "more than once"},
		{"two x-api-key", http.Header{"X-Api-Key": {key, other}}, "", CredentialOptions{}, 400, "more than once"},
		{"two x-api-key by case", http.Header{"X-Api-Key": {key}, "X-API-KEY": {key}}, "", CredentialOptions{}, 400, "more than once"},
		{"x-api-key and bearer key", http.Header{"X-Api-Key": {key}, "Authorization": {"Bearer " + other}}, "", CredentialOptions{}, 400, "Two API keys"},
		{"x-api-key and the same bearer", http.Header{"X-Api-Key": {key}, "Authorization": {"Bearer " + key}}, "", CredentialOptions{}, 400, "Two API keys"},
		{"x-api-key and basic", http.Header{"X-Api-Key": {key}, "Authorization": {basic(other + ":")}}, "", CredentialOptions{}, 400, "Two API keys"},
		{"header and query", http.Header{"X-Api-Key": {key}}, "api_key=" + key, CredentialOptions{Query: true}, 400, "Two API keys"},
		{"bearer key and query", http.Header{"Authorization": {"Bearer " + key}}, "api_key=" + other, CredentialOptions{Query: true}, 400, "Two API keys"},
		{"header and query not allowed", http.Header{"X-Api-Key": {key}}, "api_key=" + key, CredentialOptions{}, 400, "no credential in the URL"},
		{"query not allowed", nil, "city=Lagos&api_key=" + key, CredentialOptions{}, 400, "x-api-key header"},
		{"query not allowed, encoded name", nil, "api%5Fkey=" + key, CredentialOptions{}, 400, "x-api-key header"},
		{"query not allowed, after semicolon", nil, "a=b;api_key=" + key, CredentialOptions{}, 400, "x-api-key header"},
		{"query twice", nil, "api_key=" + key + "&api_key=" + key, CredentialOptions{Query: true}, 400, "more than once"},
		{"query twice, encoded name", nil, "api_key=" + key + "&%61pi_key=" + key, CredentialOptions{Query: true}, 400, "more than once"},
		{"query after semicolon", nil, "a=b;api_key=" + key, CredentialOptions{Query: true}, 400, "semicolon"},
		{"query empty", nil, "api_key=", CredentialOptions{Query: true}, 401, "empty"},
		{"query without value", nil, "api_key", CredentialOptions{Query: true}, 401, "empty"},
		{"query badly encoded", nil, "api_key=%zz", CredentialOptions{Query: true}, 401, "percent-encoded"},
		{"query null", nil, "api_key=null", CredentialOptions{Query: true}, 401, "word for nothing"},
		{"query token", nil, "api_key=" + pat, CredentialOptions{Query: true}, 401, "Bearer"},
		{"query JWT", nil, "api_key=" + jwt, CredentialOptions{Query: true}, 401, "Bearer"},
		{"query opaque token", nil, "api_key=lyd_at_live_xyz", CredentialOptions{Query: true}, 401, "Bearer"},
		{"empty Authorization", http.Header{"Authorization": {""}}, "", CredentialOptions{}, 401, "empty"},
		{"Bearer alone", http.Header{"Authorization": {"Bearer"}}, "", CredentialOptions{}, 401, "Nothing follows"},
		{"Bearer and a space", http.Header{"Authorization": {"Bearer "}}, "", CredentialOptions{}, 401, "Nothing follows"},
		{"Bearer and spaces", http.Header{"Authorization": {"bearer    "}}, "", CredentialOptions{}, 401, "Nothing follows"},
		{"Bearer tab", http.Header{"Authorization": {"Bearer\t" + key}}, "", CredentialOptions{}, 401, "scheme"},
		{"Bearer null", http.Header{"Authorization": {"Bearer null"}}, "", CredentialOptions{}, 401, "word for nothing"},
		{"Bearer undefined", http.Header{"Authorization": {"Bearer undefined"}}, "", CredentialOptions{}, 401, "word for nothing"},
		{"Bearer NULL", http.Header{"Authorization": {"Bearer NULL"}}, "", CredentialOptions{}, 401, "word for nothing"},
		{"Bearer object", http.Header{"Authorization": {"Bearer [object Object]"}}, "", CredentialOptions{}, 401, "space"},
		{"Bearer with a space inside", http.Header{"Authorization": {"Bearer " + key[:20] + " " + key[20:]}}, "", CredentialOptions{}, 401, "space"},
		{"Bearer with a space behind", http.Header{"Authorization": {"Bearer " + key + " "}}, "", CredentialOptions{}, 401, "space"},
		{"two in one header", http.Header{"Authorization": {"Bearer " + key + ", Bearer " + other}}, "", CredentialOptions{}, 401, "comma"},
		{"two keys in one header", http.Header{"X-Api-Key": {key + "," + other}}, "", CredentialOptions{}, 401, "comma"},
		{"quoted", http.Header{"X-Api-Key": {`"` + key + `"`}}, "", CredentialOptions{}, 401, "quote"},
		{"not ASCII", http.Header{"X-Api-Key": {key + "\xff"}}, "", CredentialOptions{}, 401, "another character"},
		{"NUL", http.Header{"X-Api-Key": {key + "\x00"}}, "", CredentialOptions{}, 401, "another character"},
		{"too long", http.Header{"X-Api-Key": {strings.Repeat("a", maxCredential+1)}}, "", CredentialOptions{}, 401, "too long"},
		{"empty x-api-key", http.Header{"X-Api-Key": {""}}, "", CredentialOptions{}, 401, "empty"},
		{"empty x-api-key beside a good bearer", http.Header{"X-Api-Key": {""}, "Authorization": {"Bearer " + pat}}, "", CredentialOptions{}, 401, "empty"},
		{"x-api-key null", http.Header{"X-Api-Key": {"null"}}, "", CredentialOptions{}, 401, "word for nothing"},
		{"token in x-api-key", http.Header{"X-Api-Key": {pat}}, "", CredentialOptions{}, 401, "Bearer"},
		{"JWT in x-api-key", http.Header{"X-Api-Key": {jwt}}, "", CredentialOptions{}, 401, "Bearer"},
		{"unknown scheme", http.Header{"Authorization": {"Negotiate " + key}}, "", CredentialOptions{}, 401, "scheme"},
		{"no scheme", http.Header{"Authorization": {key}}, "", CredentialOptions{}, 401, "scheme"},
		{"unknown scheme beside a good key", http.Header{"Authorization": {"Digest x"}, "X-Api-Key": {key}}, "", CredentialOptions{}, 401, "scheme"},
		{"basic with a password", http.Header{"Authorization": {basic(key + ":hunter2")}}, "", CredentialOptions{}, 401, "password"},
		{"basic without user", http.Header{"Authorization": {basic(":" + key)}}, "", CredentialOptions{}, 401, "user name"},
		{"basic without colon", http.Header{"Authorization": {basic(key)}}, "", CredentialOptions{}, 401, "base64"},
		{"basic alone", http.Header{"Authorization": {"Basic"}}, "", CredentialOptions{}, 401, "base64"},
		{"basic not base64", http.Header{"Authorization": {"Basic !!!"}}, "", CredentialOptions{}, 401, "base64"},
		{"basic with bits left over", http.Header{"Authorization": {"Basic YTp="}}, "", CredentialOptions{}, 401, "base64"},
		{"basic with a line break", http.Header{"Authorization": {"Basic YT\no="}}, "", CredentialOptions{}, 401, "base64"},
		{"basic token", http.Header{"Authorization": {basic(pat + ":")}}, "", CredentialOptions{}, 401, "Bearer"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := &http.Request{Header: test.header, URL: &url.URL{RawQuery: test.query}}
			got, err := FromRequest(r, test.opts)
			var refused *CredentialsError
			if !errors.As(err, &refused) {
				t.Fatalf("FromRequest = %v, %v, want a *CredentialsError", got, err)
			}
			if refused.Status != test.status || refused.Code != "malformed" || !strings.Contains(refused.Detail, test.says) {
				t.Errorf("FromRequest = %d %s %q, want %d malformed with %q", refused.Status, refused.Code, refused.Detail, test.status, test.says)
			}
			if !got.None() {
				t.Errorf("FromRequest returned %v beside an error", got)
			}
			for _, sent := range []string{key, other, pat, jwt, "hunter2"} {
				if strings.Contains(refused.Detail, sent) || strings.Contains(Challenge("x", err), sent) {
					t.Errorf("the answer %q holds what was sent", refused.Detail)
				}
			}
		})
	}
}

func TestFromRequestAccepts(t *testing.T) {
	key, pub, pat := credential(t, secret.Key, "a"), credential(t, secret.Publishable, "b"), credential(t, secret.Personal, "c")
	type found struct{ Credential, APIKey, From string }
	tests := []struct {
		name   string
		header http.Header
		query  string
		opts   CredentialOptions
		want   found
	}{
		{"nothing", nil, "city=Lagos", CredentialOptions{}, found{}},
		{"x-api-key", http.Header{"X-Api-Key": {key}}, "", CredentialOptions{}, found{key, "", "x-api-key"}},
		{"imported key", http.Header{"X-Api-Key": {"legacy$key:1"}}, "", CredentialOptions{}, found{"legacy$key:1", "", "x-api-key"}},
		{"bearer key", http.Header{"Authorization": {"Bearer " + key}}, "", CredentialOptions{}, found{key, "", "bearer"}},
		{"bearer pub, scheme in other case", http.Header{"Authorization": {"bEARER  " + pub}}, "", CredentialOptions{}, found{pub, "", "bearer"}},
		{"bearer personal token", http.Header{"Authorization": {"Bearer " + pat}}, "", CredentialOptions{}, found{pat, "", ""}},
		{"bearer JWT", http.Header{"Authorization": {"Bearer " + jwt}}, "", CredentialOptions{}, found{jwt, "", ""}},
		{"bearer of another make", http.Header{"Authorization": {"Bearer legacy"}}, "", CredentialOptions{}, found{"legacy", "", ""}},
		{"basic", http.Header{"Authorization": {basic(key + ":")}}, "", CredentialOptions{}, found{key, "", "basic"}},
		{"token and key", http.Header{"Authorization": {"Bearer " + jwt}, "X-Api-Key": {key}}, "", CredentialOptions{}, found{jwt, key, "x-api-key"}},
		{"token and key in query", http.Header{"Authorization": {"Bearer " + jwt}}, "api_key=" + key, CredentialOptions{Query: true}, found{jwt, key, "query"}},
		{"query", nil, "a=1&api_key=" + key + "&b=2", CredentialOptions{Query: true}, found{key, "", "query"}},
		{"query, encoded name", nil, "%61pi_key=" + key, CredentialOptions{Query: true}, found{key, "", "query"}},
		{"x_api_key is no x-api-key", http.Header{"X_api_key": {key}}, "", CredentialOptions{}, found{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := &http.Request{Header: test.header, URL: &url.URL{RawQuery: test.query}}
			c, err := FromRequest(r, test.opts)
			if err != nil {
				t.Fatalf("FromRequest: %v", err)
			}
			var filled VerifyRequest
			c.Fill(&filled)
			if diff := cmp.Diff(test.want, found{filled.Credential, filled.APIKey, string(c.KeyFrom)}); diff != "" {
				t.Errorf("FromRequest: -want +got\n%s", diff)
			}
			if got, want := c.Warning() != "", test.want.From == "query"; got != want {
				t.Errorf("Warning() = %q, want one: %t", c.Warning(), want)
			}
			if shown := fmt.Sprintf("%v %+v %#v %s %q", c, c, c, c, c); strings.Contains(shown, key) || strings.Contains(shown, pat) || strings.Contains(shown, jwt) {
				t.Errorf("printing Credentials shows one: %s", shown)
			}
		})
	}
}

func TestStripQuery(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", ""},
		{"city=Lagos", "city=Lagos"},
		{"city=Lagos&", "city=Lagos&"},
		{"api_key=x", ""},
		{"api_key", ""},
		{"a=1&api_key=x", "a=1"},
		{"api_key=x&a=1", "a=1"},
		{"a=%20&api_key=x&b=+&c", "a=%20&b=+&c"},
		{"api_key=x&a=1&%61pi%5fkey=y&API_KEY=z", "a=1"},
		{"a=1;api_key=x;b=2", "a=1;b=2"},
		{"xapi_key=1&api_keyx=2&api_key%zz=3", "xapi_key=1&api_keyx=2&api_key%zz=3"},
	}
	for _, test := range tests {
		u := &url.URL{RawQuery: test.in}
		StripQuery(u)
		if u.RawQuery != test.want {
			t.Errorf("StripQuery(%q) = %q, want %q", test.in, u.RawQuery, test.want)
		}
	}
	StripQuery(nil)
}

func TestChallenge(t *testing.T) {
	tests := []struct {
		realm string
		err   error
		want  string
	}{
		{"weather", nil, `Bearer realm="weather"`},
		{"a\"b\\c\r\n", nil, `Bearer realm="a\"b\\c"`},
		{"weather", &CredentialsError{401, "malformed", `Say "please".`}, `Bearer realm="weather", error="invalid_token", error_description="Say 'please'."`},
		{"weather", &CredentialsError{400, "malformed", "Twice."}, `Bearer realm="weather", error="invalid_request", error_description="Twice."`},
	}
	for _, test := range tests {
		if got := Challenge(test.realm, test.err); got != test.want {
			t.Errorf("Challenge(%q, %v) = %s, want %s", test.realm, test.err, got, test.want)
		}
	}
}

// FuzzFromRequest holds what FromRequest promises for any bytes: no panic, no error of another kind, nothing of what was sent in
// the error, only clean text in the result, and no key left in the query.
func FuzzFromRequest(f *testing.F) {
	key := credential(f, secret.Key, "a")
	f.Add("Bearer "+key, "", "", true)
	f.Add(basic(key+":"), key, "api_key="+key, false)
	f.Add("Bearer null", "\x00", "api%5fkey=%zz;api_key", true)
	f.Add("", "null", "&&;=&api_key=a%20b", true)
	f.Fuzz(func(t *testing.T, authorization, apiKey, query string, allowed bool) {
		r := &http.Request{Header: http.Header{"Authorization": {authorization}}, URL: &url.URL{RawQuery: query}}
		if apiKey != "" {
			r.Header["X-Api-Key"] = []string{apiKey}
		}
		c, err := FromRequest(r, CredentialOptions{Query: allowed})
		var refused *CredentialsError
		if err != nil && (!errors.As(err, &refused) || refused.Status != 400 && refused.Status != 401 || refused.Detail == "") {
			t.Fatalf("FromRequest: %#v", err)
		}
		if err == nil && c.None() {
			t.Fatal("FromRequest found nothing, and did not refuse an Authorization header")
		}
		if _, bad := secret.Parse(apiKey); bad == nil && refused != nil && strings.Contains(refused.Detail, apiKey) {
			t.Fatalf("the error %q holds what was sent", refused.Detail)
		}
		for _, s := range []Secret{c.APIKey, c.Token} {
			if !isVisible(s.Reveal()) || len(s.Reveal()) > maxCredential {
				t.Fatalf("FromRequest let %q through", s.Reveal())
			}
		}
		StripQuery(r.URL)
		if values := r.URL.Query(); values.Has(keyParam) {
			t.Fatalf("StripQuery(%q) left %q", query, r.URL.RawQuery)
		}
		if again, err := FromRequest(&http.Request{URL: r.URL}, CredentialOptions{Query: true}); err != nil || !again.None() {
			t.Fatalf("after StripQuery(%q) FromRequest finds %v, %v", query, again, err)
		}
	})
}
