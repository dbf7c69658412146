package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/keyring"
)

func TestKeyring(t *testing.T) {
	t.Chdir(t.TempDir())
	list := func() (keys []keyring.Info) {
		t.Helper()
		got := command(t, nil, "", "keyring", "list", "-o", "json")
		if err := json.Unmarshal([]byte(got.stdout), &keys); got.code != exitDone || err != nil {
			t.Fatalf("keyring list = %+v, %v", got, err)
		}
		return keys
	}
	before := list()
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"rotate", exitUsage, "PURPOSE is missing"},
		{"rotate future", exitUsage, "choose one of"},
		{"revoke pepper", exitUsage, "VERSION is missing"},
		{"revoke pepper first", exitUsage, "whole number from 1"},
		{"revoke pepper 0", exitUsage, "whole number from 1"},
		{"revoke future 1 --yes", exitUsage, "choose one of"},
		{"revoke pepper 1", exitUsage, "refused for ever. This is for good. Say --yes"},
		{"revoke sign_es256 1", exitUsage, "Say --yes"},
		{"revoke pepper 1 --yes", exitFailed, "run `lanyard keyring rotate pepper` first"},
		{"revoke pepper 2 --yes", exitFailed, "look at `lanyard keyring list`"},
	} {
		got := command(t, nil, "", append([]string{"keyring"}, strings.Fields(tt.args)...)...)
		if got.code != tt.code || !strings.Contains(got.stderr, tt.want) || got.stdout != "" {
			t.Errorf("keyring %s = %+v, want exit %d and %q", tt.args, got, tt.code, tt.want)
		}
	}
	if after := list(); len(after) != len(before) {
		t.Errorf("refused commands left %d keys, want %d", len(after), len(before))
	}

	for _, tt := range []struct{ args, want string }{
		{"rotate pepper", "Version 2 for pepper is made and in use from now on.\n"},
		{"revoke pepper 1 --yes", "Revoked version 1 for pepper."},
		{"rotate sign_eddsa", "Version 1 for sign_eddsa is made and in use from now on.\n"},
		{"rotate sign_es256", "Version 2 for sign_es256 is made and published as "},
		{"revoke sign_es256 1 --yes", "until the copy is replaced"},
		{"list", "\nsign_es256   2         current"},
	} {
		got := command(t, nil, "", append([]string{"keyring"}, strings.Fields(tt.args)...)...)
		if got.code != exitDone || !strings.Contains(got.stdout, tt.want) {
			t.Errorf("keyring %s = %+v, want %q", tt.args, got, tt.want)
		}
	}
	for _, k := range list() {
		if strings.HasPrefix(string(k.Purpose), "sign_") == (k.KeyID == "") {
			t.Errorf("keyring list has %+v, want a key id for keys that sign and no other", k)
		}
	}
}
