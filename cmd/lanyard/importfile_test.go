package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
)

func TestParseImportRefuses(t *testing.T) {
	for name, test := range map[string]struct{ format, text, want string }{
		"format":        {"xml", "", "--format must be json or csv"},
		"empty":         {"", "", "there are no keys"},
		"head alone":    {"csv", "name,secret\n", "there are no keys"},
		"no head":       {"csv", "sekrit,a\n", "must name its columns"},
		"no name":       {"csv", "secret\nsekrit\n", "must name its columns"},
		"column twice":  {"csv", "name,secret,secret\n", "must name its columns"},
		"short line":    {"csv", "name,secret\nsekrit\n", "near line 2"},
		"quote":         {"csv", "name,secret\na,\"sekrit\n", "near line 2"},
		"date":          {"csv", "name,expires_at\na,sekrit\n", "line 2 of the CSV: expires_at"},
		"broken JSON":   {"", `[{"secret": "sekrit"`, "malformed"},
		"unknown field": {"", `[{"sekret": "x"}]`, `unknown field "sekret"`},
		"wrong type":    {"", `[{"name": 5}]`, "wrong type"},
		"more":          {"", `[{"name": "a"}] sekrit`, "more after its end"},
		"odd hash":      {"", `[{"hash": {"salt": "sekrit"}}]`, "unknown field"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseImport(test.format, "-", []byte(test.text), false)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "sekrit") {
				t.Errorf("parseImport = %v, want an error with %q that quotes no secret", err, test.want)
			}
		})
	}
}

func TestParseImport(t *testing.T) {
	end := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	want := []lanyard.ImportKey{
		{Name: "one", Secret: "s1", Scopes: []string{"a.read", "b.read"}, Mode: "test", ExpiresAt: &end},
		{Name: "two", Hash: &lanyard.ImportHash{Algorithm: "sha256", Value: "h2"}},
	}
	for name, text := range map[string]string{
		"keys.csv":  "\ufeffName, secret,hash,scopes,mode,expires_at\none,s1,,a.read b.read,test,2027-01-01T00:00:00Z\ntwo,,h2,,,\n",
		"keys.json": `[{"name":"one","secret":"s1","scopes":["a.read","b.read"],"mode":"test","expires_at":"2027-01-01T00:00:00Z"},{"name":"two","hash":"h2"}]`,
		"-":         ` {"keys":[{"name":"one","secret":"s1","scopes":["a.read","b.read"],"mode":"test","expires_at":"2027-01-01T00:00:00Z"},{"name":"two","hash":{"algorithm":"sha256","value":"h2"}}]}`,
	} {
		got, err := parseImport("", name, []byte(text), false)
		for i := range got {
			if len(got[i].Scopes) == 0 {
				got[i].Scopes = nil
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("parseImport(%s) = %v (-want +got):\n%s", name, err, diff)
		}
	}
	got, err := parseImport("csv", "-", []byte("name,secret\na,digest\n"), true)
	if err != nil || got[0].Secret != "" || got[0].Hash == nil || got[0].Hash.Value != "digest" {
		t.Errorf("parseImport with --hash = %+v, %v, want the secret as a digest", got, err)
	}
}

func TestBatch(t *testing.T) {
	small, large := lanyard.ImportKey{Name: "a"}, lanyard.ImportKey{Name: strings.Repeat("a", importBytes*2/3)}
	for name, test := range map[string]struct {
		keys []lanyard.ImportKey
		want int
	}{
		"none":        {nil, 0},
		"few":         {[]lanyard.ImportKey{small, small}, 2},
		"many":        {slices.Repeat([]lanyard.ImportKey{small}, importBatch+1), importBatch},
		"large":       {[]lanyard.ImportKey{large, large, large}, 1},
		"small first": {[]lanyard.ImportKey{small, large, large}, 2},
	} {
		if got := batch(test.keys); got != test.want {
			t.Errorf("batch of %s = %d, want %d", name, got, test.want)
		}
	}
}

func FuzzParseImport(f *testing.F) {
	f.Add("csv", "name,secret\na,b\n")
	f.Add("json", `[{"name":"a","hash":"b"}]`)
	f.Add("", "{}")
	f.Fuzz(func(t *testing.T, format, text string) {
		keys, err := parseImport(format, "-", []byte(text), false)
		if err == nil && len(keys) == 0 {
			t.Errorf("parseImport(%q, %q) = nothing and no error", format, text)
		}
	})
}
