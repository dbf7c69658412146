package main

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

func jwt(head, payload string) string {
	e := base64.RawURLEncoding.EncodeToString
	return e([]byte(head)) + "." + e([]byte(payload)) + "." + e([]byte("signature"))
}

func TestInspectText(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	exp := `"exp":` + "1795428660" // 10:11 on that day
	for name, test := range map[string]struct {
		text, problem, stolen string
	}{
		"empty":         {"", secret.ErrEmpty.Error(), ""},
		"cut":           {credential[:50], secret.ErrLength.Error(), ""},
		"mistyped":      {credential[:len(credential)-1] + "x", secret.ErrChecksum.Error(), ""},
		"padded":        {credential + "\n", secret.ErrShape.Error(), ""},
		"foreign":       {"ghp_0123456789abcdef", secret.ErrShape.Error(), ""},
		"no JSON":       {"a.b.c", secret.ErrShape.Error(), ""},
		"key":           {credential, "", "If stolen: works until you rotate it, from anywhere."},
		"JWT":           {jwt(`{"typ":"at+jwt"}`, `{"sub":"user_ada",`+exp+`}`), "", "If stolen: works 11 more minutes."},
		"no end":        {jwt(`{}`, `{"sub":"user_ada"}`), "", "If stolen: works until you revoke it."},
		"absurd end":    {jwt(`{}`, `{"exp":9223372036854775807}`), "", "If stolen: works until you revoke it."},
		"two audiences": {jwt(`{}`, `{"aud":["a","b"],`+exp+`}`), "", "If stolen: works 11 more minutes."},
		"odd audience":  {jwt(`{}`, `{"aud":5}`), secret.ErrShape.Error(), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := inspectText(test.text, now)
			if got.Problem != test.problem || got.IfStolen != test.stolen || strings.Contains(got.Hint, "BBBB") {
				t.Errorf("inspectText = %+v, want problem %q and %q", got, test.problem, test.stolen)
			}
		})
	}
}

func TestInspectKinds(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for kind, want := range map[secret.Kind]string{
		secret.Key: "until you rotate it", secret.Publishable: "until you rotate it", secret.Client: "until you rotate it",
		secret.Personal: "until you revoke it", secret.Refresh: "until you revoke it", secret.Code: "works 1 more minute",
	} {
		made, err := secret.Assemble("lyd", kind, secret.Test, "AAAAAAAAAAAAAAAA", [32]byte([]byte(strings.Repeat("B", 32))))
		if err != nil {
			t.Fatal(err)
		}
		got := inspectText(made.Reveal(), now)
		if got.Kind != string(kind) || !strings.Contains(got.IfStolen, want) || !strings.Contains(got.IfStolen, "in test mode only") || kindName(got.Kind) == got.Kind {
			t.Errorf("inspectText of kind %s = %+v, want %q", kind, got, want)
		}
	}
}

func FuzzInspect(f *testing.F) {
	f.Add(credential)
	f.Add(jwt(`{"typ":"at+jwt"}`, `{"aud":["a"],"exp":1}`))
	f.Fuzz(func(t *testing.T, text string) {
		got := inspectText(text, time.Unix(0, 0))
		if (got.Problem == "") != (got.IfStolen != "") {
			t.Errorf("inspectText(%q) = %+v, want a problem or a worth", text, got)
		}
	})
}
