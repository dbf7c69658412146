package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// A reference that is not understood starts nothing.
func TestRunRefusesReferences(t *testing.T) {
	t.Chdir(t.TempDir())
	for reference, want := range map[string]string{
		"lanyard://":                                 "there is no reference lanyard://",
		"lanyard://vault/x":                          "there is no reference lanyard://vault",
		"lanyard://keys":                             "it does not read as",
		"lanyard://keys/":                            "it does not read as",
		"lanyard://keys/A?scop=x":                    `lanyard://keys has no "scop"`,
		"lanyard://keys/A?mode=live&mode=test":       "mode is given twice",
		"lanyard://keys/A?mode=":                     "mode is empty",
		"lanyard://keys/A?scope=a;b":                 "cannot be read",
		"lanyard://keys/A?expires=soon":              "no time",
		"lanyard://me@keys/A":                        "cannot be read",
		"lanyard://keys/A#b":                         "cannot be read",
		"lanyard://keys/A%zz":                        "cannot be read",
		"lanyard://keys/A":                           "set LANYARD_TOKEN",
		"lanyard://token":                            "from=NAME",
		"lanyard://token/x":                          "it does not read as",
		"lanyard://token?app=a&scope=b":              "from=NAME",
		"lanyard://token?app=a&scope=b&from=NOTHING": "NOTHING is not set",
		"lanyard://login/x":                          "it does not read as",
		"lanyard://login":                            "set HOME",
		"lanyard://file":                             "it does not read as",
		"lanyard://file/./nothing":                   "no such file",
		"lanyard://credential/NOTHING":               "NOTHING_FILE",
	} {
		write(t, ".env", "API_KEY='"+reference+"'\n")
		got := command(t, nil, "", "run", "--", "sh", "-c", "touch started")
		if got.code != exitUsage || !strings.Contains(got.stderr, "API_KEY: ") || !strings.Contains(got.stderr, want) {
			t.Errorf("run with %s = %d, %q, want %q", reference, got.code, got.stderr, want)
		}
	}
	if _, err := os.Stat("started"); err == nil {
		t.Error("the program was started")
	}
}

func TestRunRefuses(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, "plain", "text")
	write(t, "garbage", "\x00")
	if err := os.Chmod("garbage", 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, "broken.env", "hunter2\n")
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"run"}, exitUsage, "there is no program to start"},
		{[]string{"run", "--"}, exitUsage, "there is no program to start"},
		{[]string{"run", "--env-file", "none", "true"}, exitUsage, "none cannot be read: no such file"},
		{[]string{"run", "--env-file", "broken.env", "true"}, exitUsage, "broken.env cannot be read: line 1"},
		{[]string{"run", "--only", "NOTHING", "true"}, exitUsage, `--only "NOTHING" is set neither`},
		{[]string{"run", "--", "no-such-program"}, exitNotFound, "there is no program no-such-program"},
		{[]string{"run", "--", "./none"}, exitNotFound, "there is no program ./none"},
		{[]string{"run", "--", "./plain"}, exitNotExecutable, "./plain cannot be executed: permission denied"},
		{[]string{"run", "--", "./garbage"}, exitNotExecutable, "./garbage cannot be executed"},
		{[]string{"run", "--", "sh", "-c", "echo " + credential}, exitUsage, "an argument looks like a credential"},
	} {
		got := command(t, nil, "", test.args...)
		if got.code != test.code || !strings.Contains(got.stderr, test.want) || strings.Contains(got.stderr, "hunter2") {
			t.Errorf("lanyard %q = %d, %q, want %d with %q", test.args, got.code, got.stderr, test.code, test.want)
		}
	}
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("TAKEN", "real")
	t.Setenv("EMPTY", "")
	write(t, ".env", "TAKEN=file\nEMPTY=file\nA='a b'\nLANYARD_TOKEN=own\nSECRET=lanyard://file/./secret\nABSOLUTE='lanyard://file"+filepath.ToSlash(dir)+"/secret'\nDB=lanyard://credential/DB\nDB_FILE=./db\nAPI_KEY=hunter2hunter2\n")
	write(t, "secret", "from the file\n")
	write(t, "db", "of the database\n")
	for name, test := range map[string]struct {
		flags, stdin, script string
		code                 int
		stdout, stderr       string
	}{
		"the environment goes before": {script: `echo "$TAKEN|$EMPTY|$A"`, stdout: "real||a b\n"},
		"its own settings stay":       {script: `echo "$LANYARD_TOKEN."`, stdout: ".\n"},
		"unless asked for":            {flags: "--only LANYARD_TOKEN,A,TAKEN", script: `echo "$LANYARD_TOKEN|$A|$SECRET|$TAKEN"`, stdout: "own|a b||real\n"},
		"files":                       {script: `echo "$SECRET|$ABSOLUTE|$DB"`, stdout: "from the file|from the file|of the database\n"},
		"stdin, stderr, status":       {stdin: "hello", script: `cat; echo no >&2; exit 7`, code: 7, stdout: "hello", stderr: "no\n"},
		"ended by a signal":           {script: `kill -TERM $$`, code: 143},
		"masked": {
			flags: "--mask", script: `printf 'from the '; printf 'file, %s, %s' "$DB" "$A" ; printf %s "$API_KEY" | base64; echo "$SECRET" >&2; exit 3`, code: 3,
			stdout: "[redacted], [redacted], a b[redacted]\n", stderr: "[redacted]\n",
		},
	} {
		args := append([]string{"run"}, strings.Fields(test.flags)...)
		got := command(t, nil, test.stdin, append(args, "--", "sh", "-c", test.script)...)
		if got.code != test.code || got.stdout != test.stdout || got.stderr != test.stderr {
			t.Errorf("%s: %+v, want %d, %q, %q", name, got, test.code, test.stdout, test.stderr)
		}
	}
}

// Keys are made once for each reference, work while the program runs, and are revoked afterwards, also when nothing is started.
func TestRunMakesKeys(t *testing.T) {
	t.Chdir(t.TempDir())
	n := servertest.Start(t, servertest.Options{})
	shop := n.Open(t)
	env := map[string]string{"LANYARD_URL": n.URL, "LANYARD_TOKEN": n.AdminKey}
	made := func() (all []lanyard.Key) {
		t.Helper()
		for k, err := range n.Admin.AllKeys(t.Context(), lanyard.KeyQuery{AppID: shop.App.ID}) {
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(k.Name, "run of ") {
				all = append(all, k)
			}
		}
		return all
	}
	reference := "lanyard://keys/" + shop.App.ID + "?mode=test&expires=1h"

	write(t, ".env", "A='"+reference+"'\nB=lanyard://file/./nothing\n")
	got := command(t, env, "", "run", "--", "true")
	if keys := made(); got.code != exitUsage || len(keys) != 1 || keys[0].RevokedAt == nil {
		t.Errorf("run with a reference that fails = %+v, keys %+v, want the one made before revoked", got, keys)
	}

	write(t, ".env", "A='"+reference+"'\nB='"+reference+"'\n")
	got = command(t, env, "", "run", "--", "sh", "-c", `echo "$A" && test "$A" = "$B"`)
	keys := made()
	if got.code != exitDone || !strings.Contains(got.stdout, "_key_test_") || len(keys) != 2 {
		t.Fatalf("run = %+v, keys %+v, want one more key, twice", got, keys)
	}
	if k := keys[0]; k.RevokedAt == nil || k.RevokeReason == "" || k.ExpiresAt == nil || !strings.HasPrefix(k.Name, "run of sh on ") {
		t.Errorf("the key of a run is %+v, want it named, dated and revoked", k)
	}

	got = command(t, env, "", "run", "--mask", "--", "sh", "-c", `echo "$A"`)
	if got.stdout != "[redacted]\n" {
		t.Errorf("run --mask = %+v, want the key masked", got)
	}
}

// A token is got with a client secret that the program does not see.
func TestRunGetsTokens(t *testing.T) {
	n, shop, env := people(t)
	env["LANYARD_TOKEN"] = n.AdminKey
	a, err := n.Admin.CreateApp(t.Context(), lanyard.AppInput{
		Name: "nightly", TeamID: shop.Team.ID, OAuthSettings: lanyard.OAuthSettings{GrantTypes: []string{"client_credentials"}, RedirectURIs: []string{}, Scopes: []string{"news.read"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	made, err := n.Admin.CreateSecret(t.Context(), a.ID, lanyard.SecretInput{})
	if err != nil {
		t.Fatal(err)
	}
	reference := "TOKEN='lanyard://token?app=nightly&scope=news.read&from=NIGHTLY'\n"
	write(t, ".env", reference+"NIGHTLY="+credential+"\n")
	if got := command(t, env, "", "run", "--", "true"); got.code != exitFailed || !strings.Contains(got.stderr, "TOKEN: ") || strings.Contains(got.stderr, credential) {
		t.Errorf("run with a wrong client secret = %+v", got)
	}
	write(t, ".env", reference+"NIGHTLY="+made.Secret+"\n")
	got := command(t, env, "", "run", "--", "sh", "-c", `echo "$TOKEN" >&2; echo "$NIGHTLY."`)
	if got.code != exitDone || got.stdout != ".\n" || strings.Count(got.stderr, ".") != 2 {
		t.Errorf("run = %+v, want a token and not what it was got with", got)
	}
}

func TestRunUsesLoginAndCredentials(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, "lanyard/login.json", `{"servers": {"http://localhost:8420": {"client_id": "c", "access_token": "badge"}}}`)
	if err := os.Chmod("lanyard/login.json", 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, "given/DB", "of systemd\n")
	write(t, ".env", "TOKEN=lanyard://login\nDB=lanyard://credential/DB\n")
	env := map[string]string{"XDG_CONFIG_HOME": dir, "CREDENTIALS_DIRECTORY": filepath.Join(dir, "given")}
	if got := command(t, env, "", "run", "--", "sh", "-c", `echo "$TOKEN, $DB"`); got.code != exitDone || got.stdout != "badge, of systemd\n" {
		t.Errorf("run = %+v, want the login's token and the credential", got)
	}
	env["LANYARD_URL"] = "https://other.example"
	if got := command(t, env, "", "run", "--", "true"); got.code != exitUsage || !strings.Contains(got.stderr, "TOKEN: you are not signed in to https://other.example") {
		t.Errorf("run for another server = %+v, want to be told how to sign in", got)
	}
}
