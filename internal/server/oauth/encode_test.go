package oauth

import (
	"encoding/json"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/token"
)

// What is written by hand is what json.Marshal writes: every member by itself, all of them, none, and with what needs an
// escape.
func TestAppendTo(t *testing.T) {
	odd := "a\"b\\c<d>&e\x01\u2028ü\xff"
	for _, a := range []answer{
		{},
		{AccessToken: "at", TokenType: "Bearer", ExpiresIn: 900, Scope: "read write"},
		{AccessToken: "at", IssuedType: "urn", TokenType: "DPoP", ExpiresIn: -1, RefreshToken: "rt", IDToken: "id", Scope: ""},
		{AccessToken: odd, IssuedType: odd, TokenType: odd, RefreshToken: odd, IDToken: odd, Scope: odd},
	} {
		want, err := json.Marshal(&a)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.appendTo(nil); string(got) != string(want) {
			t.Errorf("appendTo() = %s, want %s", got, want)
		}
	}
	full := introspected{
		Active: true, Scope: "s", ClientID: "c", TokenType: "DPoP", Exp: 1, Iat: 2, Sub: "u", Aud: "a", Iss: "i", Jti: "j", AuthTime: 3, ACR: "r", AMR: []string{"pwd", odd, "mfa"},
		Cnf: &cnf{JKT: "k", X5T: "x"}, Act: &token.Act{Sub: odd, Act: &token.Act{Sub: "b"}}, Mode: "live", GrantID: "g",
	}
	escaped := introspected{
		Scope: odd, ClientID: odd, TokenType: odd, Sub: odd, Aud: odd, Iss: odd, Jti: odd, ACR: odd, AMR: []string{odd}, Cnf: &cnf{}, Mode: odd, GrantID: odd,
	}
	for _, i := range []introspected{{}, {Active: true}, full, escaped, {Act: &token.Act{}}, {AMR: []string{}}, {Cnf: &cnf{X5T: odd}, Exp: -5}} {
		want, err := json.Marshal(&i)
		if err != nil {
			t.Fatal(err)
		}
		if got := i.appendTo(nil); string(got) != string(want) {
			t.Errorf("appendTo() = %s, want %s", got, want)
		}
	}
}

// An answer has the headers of every other, and the room that is kept for it holds nothing of it afterwards.
func TestWriteQuick(t *testing.T) {
	quick, slow := httptest.NewRecorder(), httptest.NewRecorder()
	a := &answer{AccessToken: "a-token-of-somebody", TokenType: "Bearer", ExpiresIn: 900, Scope: "read"}
	writeQuick(quick, a)
	if err := writeJSON(slow, 200, a); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slow.Result().Header, quick.Result().Header); diff != "" || quick.Body.String() != slow.Body.String() || quick.Code != slow.Code {
		t.Errorf("writeQuick() = %d %s, want %d %s; headers (-want +got):\n%s", quick.Code, quick.Body, slow.Code, slow.Body, diff)
	}
}

// FuzzAppendText holds the quick way to the standard one, whatever the text.
func FuzzAppendText(f *testing.F) {
	for _, seed := range []string{"", "plain", "a\"b", "\u2028", "\xff", "<&>", "\x7f"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := appendText(nil, text); string(got) != string(want) {
			t.Errorf("appendText(%q) = %s, want %s", text, got, want)
		}
	})
}
