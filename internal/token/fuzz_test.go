package token_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/token"
)

// FuzzOpenJWT: no text is read as an access token but the very ones that were made, byte by byte.
func FuzzOpenJWT(f *testing.F) {
	m := minter(f)
	made := map[string]bool{}
	for _, alg := range []string{"ES256", "EdDSA", "RS256"} {
		text, err := m.JWT(f.Context(), claims(), alg)
		if err != nil {
			f.Fatal(err)
		}
		made[text.Reveal()] = true
		head, rest, _ := strings.Cut(text.Reveal(), ".")
		body, tail, _ := strings.Cut(rest, ".")
		for _, seed := range []string{text.Reveal(), head + "." + body + ".", head + "." + body + "." + tail + "=", head + ".." + tail, "." + body + "." + tail, head + ".\n" + body + "." + tail, body + "." + head + "." + tail} {
			f.Add(seed)
		}
	}
	for _, seed := range []string{"", "..", "eyJhbGciOiJub25lIn0..", "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.e30.", "lyd_at_live_x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := token.Claims{Audience: "of before"}
		err := m.OpenJWT(text, &c)
		if (err == nil) != made[text] {
			t.Errorf("OpenJWT(%q) = %v, want it read: %t", text, err, made[text])
		}
		if diff := cmp.Diff(token.Claims{}, c); err != nil && diff != "" {
			t.Errorf("OpenJWT(%q) = %v, and leaves claims:\n%s", text, err, diff)
		}
	})
}

// FuzzOpenJWTSigned: what our own key signed is an access token only if it says that it is one, of this issuer, and well formed;
// what is read of it means the same when it is made again.
func FuzzOpenJWTSigned(f *testing.F) {
	m := minter(f)
	types := []string{"at+jwt", "JWT", "logout+jwt", "token-introspection+jwt"}
	const good = `{"iss":"https://auth.test","sub":"user_DDDDDDDDDDDDDDDD","aud":"a","client_id":"app_AAAAAAAAAAAAAAAA","exp":2000000000,"iat":1,"jti":"0123456789abcdef","scope":"a.b c","mode":"live"`
	for i, payload := range []string{
		good + `}`, good + `,"grant_id":"grant_BBBBBBBBBBBBBBBB","fid":"CCCCCCCCCCCCCCCC","epoch":[1,0,2],"cnf":{"jkt":"x"},"act":{"sub":"y"},"auth_time":5,"acr":"1","amr":["pwd"]}`,
		good + `,"exp":1}`, good + `,"EXP":1}`, good + `,"nbf":1}`, good + `,"acr":null}`, good + `,"epoch":[1]}`, good + `,"app":"app_9"}`, strings.Replace(good, "a.b c", "a.b  c", 1) + `}`,
		strings.Replace(good, "auth.test", "evil.test", 1) + `}`, strings.Replace(good, "live", "dead", 1) + `}`, strings.Replace(good, "2000000000", "2e9", 1) + `}`, `{}`, `[]`, `null`, ``, "\xff",
	} {
		f.Add(byte(i), []byte(payload))
		f.Add(byte(0), []byte(payload))
	}
	f.Fuzz(func(t *testing.T, kind byte, payload []byte) {
		typ := types[int(kind)%len(types)]
		text, err := m.Sign(t.Context(), typ, "ES256", payload)
		if err != nil {
			t.Fatal(err)
		}
		var c, again token.Claims
		if m.OpenJWT(text, &c) != nil {
			return
		}
		if typ != "at+jwt" || c.Audience == "" || c.Subject == "" || !c.Mode.Known() {
			t.Errorf("a %s of %q is read as %+v", typ, payload, c)
		}
		for _, scope := range c.Scopes {
			if err := policy.ValidScope(scope); err != nil {
				t.Errorf("%q is read with a scope that is none: %v", payload, err)
			}
		}
		made, err := m.JWT(t.Context(), &c, "ES256")
		if err != nil {
			t.Fatal(err)
		}
		if c.JKT != "" {
			c.X5T = "" // a token is bound to one key
		}
		if err := m.OpenJWT(made.Reveal(), &again); err != nil {
			t.Errorf("%q is read as %+v, and made again refused: %v", payload, c, err)
		} else if diff := cmp.Diff(c, again, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%q is read, and made again (-first +again):\n%s", payload, diff)
		}
	})
}
