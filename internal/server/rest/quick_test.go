package rest

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/web"
)

var quickSeeds = []string{
	``, `{}`, `{ }`, `{"api":"a"}`, ` {"api" : "a" , "credential":"c" } `, `{"api":"a","api":"b"}`, `{"API":"a"}`, `{"api":"a",}`, `{,"api":"a"}`, `{"api":"a"}x`, `{"api":"a"`, `{"api":1}`,
	`{"api":null}`, `{"api":"\u0061"}`, `{"api":"é"}`, `{"api":"` + "\x00" + `"}`, `{"dry_run":true,"dry_run":true}`, `{"dry_run":false}`, `{"dry_run":"true"}`, `{"dry_run":truex}`, `{"cost":1}`,
	`{"credential":"c","api":"a","operation":"o","method":"m","path":"/p","ip":"i","origin":"o","mode":"live","idempotency_key":"k","consistency":"strict","api_key":"x","dry_run":true}`, `[]`, `{"":""}`,
}

// TestQuickDecodeTakesTheUsual: the shapes it is for do not fall through to the slower reader.
func TestQuickDecodeTakesTheUsual(t *testing.T) {
	for _, in := range []lanyard.VerifyRequest{
		{Credential: "c", API: "a"}, {Credential: "c", API: "a", Method: "GET", Path: "/v1/forecast", IP: "203.0.113.7", Origin: "https://app.example", DryRun: true},
	} {
		body, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var got lanyard.VerifyRequest
		if !quickDecode(body, &got) {
			t.Errorf("quickDecode(%s) = false, want it taken", body)
		}
		if diff := cmp.Diff(in, got); diff != "" {
			t.Errorf("quickDecode(%s) (-want +got)\n%s", body, diff)
		}
	}
}

// FuzzQuickDecode holds that what quickDecode takes, the strict reader takes too and reads alike.
func FuzzQuickDecode(f *testing.F) {
	for _, s := range quickSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var fast, strict lanyard.VerifyRequest
		if !quickDecode(body, &fast) {
			return
		}
		if err := web.DecodeStrict(body, &strict); err != nil {
			t.Fatalf("quickDecode(%q) = true, but DecodeStrict error = %v", body, err)
		}
		if diff := cmp.Diff(strict, fast); diff != "" {
			t.Fatalf("quickDecode(%q) (-strict +fast)\n%s", body, diff)
		}
	})
}
