package secret

import (
	"strings"
	"testing"
)

func TestHint(t *testing.T) {
	good := issue(t, "lyd", Key, Live)
	for _, tc := range []struct{ name, in, want string }{
		{"one of ours", good, "lyd_key_live_8fK2mQz7Lr0Xc41Z…"},
		{"mistyped", good[:len(good)-1] + "!", "lyd_… (67 bytes)"},
		{"wrong checksum", good[:len(good)-6] + "000000", "lyd_key_live_8fK2mQz7Lr0Xc41Z…"},
		{"doubled", good + good, "lyd_… (134 bytes)"},
		{"empty", "", "(0 bytes)"},
		{"a password", "correcthorse", "(12 bytes)"},
		{"13 bytes", "correcthorse!", "corr… (13 bytes)"},
		{"another vendor's", "ghp_abcdefghijklmnopqrstuvwxyz0123456789", "ghp_… (40 bytes)"},
		{"line break", "a\nbc567890123", "(13 bytes)"},
		{"not ASCII", "éé\xff5678901234", "(15 bytes)"},
	} {
		if got := Hint(tc.in); got != tc.want {
			t.Errorf("Hint(%s) = %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestRedact(t *testing.T) {
	key, code := issue(t, "lyd", Key, Live), issue(t, "acme", Code, Test)
	const keyHint, codeHint = "lyd_key_live_8fK2mQz7Lr0Xc41Z…", "acme_ac_test_8fK2mQz7Lr0Xc41Z…"
	for _, tc := range []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"no credential", "GET /v1/keys/key_8fK2mQz7Lr0Xc41Z 200", "GET /v1/keys/key_8fK2mQz7Lr0Xc41Z 200"},
		{"alone", key, keyHint},
		{"in a header", "Authorization: Bearer " + key + "\r\n", "Authorization: Bearer " + keyHint + "\r\n"},
		{"two", "a=" + key + "&code=" + code + "#", "a=" + keyHint + "&code=" + codeHint + "#"},
		{"doubled", key + key, keyHint + "_key_live_8fK2mQz7Lr0Xc41Z…"},
		{"joined by an underscore", key + "_" + code, keyHint + "_" + codeHint},
		{"cut short", key[:40], keyHint},
		{"with a tail", key + "extra", keyHint},
		{"wrong checksum", key[:len(key)-6] + "000000", keyHint},
		{"odd prefix", "MY_VAR_" + key[4:], "MY_VAR_key_live_8fK2mQz7Lr0Xc41Z…"},
		{"no prefix", key[3:], keyHint[3:]},
		{"only the id", "lyd_key_live_8fK2mQz7Lr0Xc41Z", "lyd_key_live_8fK2mQz7Lr0Xc41Z"},
		{"its own hint", keyHint, keyHint},
		{"head after head", "lyd_key_live_key_live_" + key[13:], "lyd_key_live_key_live_8fK2mQz7Lr0Xc41Z…"},
		{"JSON", `{"secret":"` + key + `"}`, `{"secret":"` + keyHint + `"}`},
	} {
		if got := Redact(tc.in); got != tc.want {
			t.Errorf("Redact(%s: %q) = %q, want %q", tc.name, tc.in, got, tc.want)
		}
	}
}

func TestHeadsAreAllKindsAndModes(t *testing.T) {
	n := 0
	for _, kind := range append(Kinds(), Access) {
		for _, mode := range []Mode{Live, Test} {
			n++
			if headOf("_"+string(kind)+"_"+string(mode)+"_") == 0 {
				t.Errorf("Redact does not know %s %s", kind, mode)
			}
		}
	}
	if len(heads) != n {
		t.Errorf("len(heads) = %d, want %d", len(heads), n)
	}
}

// One quadratic step over 8 MB would take minutes.
func TestRedactIsLinear(t *testing.T) {
	const size = 8 << 20
	for _, piece := range []string{"_", "_key_live_", "_key_live", "a", "_key_live_abc", "_key_live_8fK2mQz7Lr0Xc41Zabc", "a_"} {
		text := strings.Repeat(piece, size/len(piece))
		if got := Redact(text); len(got) > len(text)+len(text)/4 {
			t.Errorf("Redact(%q repeated) has %d bytes of %d", piece, len(got), len(text))
		}
	}
}
