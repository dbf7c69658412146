package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// TestScanNamesNoSecret: what stands before a credential may be a secret itself, and so may a file's name.
func TestScanNamesNoSecret(t *testing.T) {
	t.Chdir(t.TempDir())
	one, other := made(t, secret.Key, 1), made(t, secret.Key, 2)
	put(t, map[string]string{
		"two":              one + " " + other + "\n",
		"assigned":         one + "=" + other + "\n",
		"login":            "login admin s3cr3t.passw0rd_zz " + other + "\n",
		"token":            "y_other_service_token_9f8e7d6c5b4a: " + other + "\n",
		"dir/" + one + "x": "key = " + other,
	})
	for _, format := range []string{"text", "json", "sarif", "junit"} {
		got := command(t, nil, "", "scan", "--gitleaks", "off", "--format", format)
		shown := strings.ToLower(strings.ReplaceAll(got.stdout+got.stderr, "_", ""))
		for _, hidden := range []string{one[30:], other[30:], "s3cr3t", "passw0rd", "9f8e7d6c5b4a"} {
			for at := 0; at+6 <= len(hidden); at += 6 {
				if part := strings.ToLower(hidden[at : at+6]); len(hidden) > 12 && at+12 <= len(hidden) && strings.Contains(shown, strings.ToLower(hidden[at:at+12])) || len(hidden) <= 12 && strings.Contains(shown, part) {
					t.Errorf("in %s %q of %q is shown:\n%s", format, part, hidden, got.stdout)
				}
			}
		}
	}
}

// TestScanExcuses: what a push brings along excuses nothing on the server; a content that stands at an ignored path and at another is
// found; what another remote has is no reason to send it to an address; what cannot be opened is not clean in a hook.
func TestScanExcuses(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	gitHere(t, "init", "-q", "-b", "main")
	k := made(t, secret.Key, 1)
	put(t, map[string]string{"a": "k=" + k + " lanyard:allow\n"})
	gitHere(t, "add", "-A")
	gitHere(t, "commit", "-qm", "first")
	first := gitHere(t, "rev-parse", "HEAD")
	none := strings.Repeat("0", 40)
	gitHere(t, "clone", "-q", "--bare", ".", "server.git")
	gitHere(t, "-C", "server.git", "update-ref", "-d", "refs/heads/main")
	t.Run("marks", func(t *testing.T) {
		t.Chdir("server.git")
		if got, said := scanned(t, none+" "+first+" refs/heads/main\n", "--pre-receive"); said.code != exitNo || !slices.Equal(got.places(), []string{"a:1:3"}) {
			t.Errorf("pre-receive of a line that says it is allowed = %+v, want 1", said)
		}
	})
	t.Run("paths", func(t *testing.T) {
		put(t, map[string]string{ignoreFile: "testdata/\n", "testdata/k": "key " + k, "zprod/k": "key " + k, "testdata/only": "alone " + k})
		gitHere(t, "add", ignoreFile, "testdata", "zprod")
		gitHere(t, "commit", "-qm", "second")
		got, said := scanned(t, "", "--range", first+"..")
		if said.code != exitNo || len(got.Findings) != 1 {
			t.Errorf("a content at an ignored path and another = %+v, want it once and no more", said)
		}
	})
	t.Run("addresses", func(t *testing.T) {
		put(t, map[string]string{"b": "k=" + made(t, secret.Key, 2) + "\n"})
		gitHere(t, "add", "b")
		gitHere(t, "commit", "-qm", "third")
		gitHere(t, "remote", "add", "origin", "server.git")
		gitHere(t, "update-ref", "refs/remotes/origin/main", "HEAD")
		line := "refs/heads/main@{1 minute ago} " + gitHere(t, "rev-parse", "HEAD") + " refs/heads/main " + none + "\n"
		if _, said := scanned(t, line, "--pre-push", "origin"); said.code != exitDone {
			t.Errorf("a push of what origin has = %+v, want 0", said)
		}
		if _, said := scanned(t, line, "--pre-push", "https://git.example/other"); said.code != exitNo {
			t.Errorf("a push of it to an address = %+v, want 1", said)
		}
	})
	t.Run("archives", func(t *testing.T) {
		put(t, map[string]string{"broken.zip": "PK\x03\x04 and nothing"})
		gitHere(t, "add", "broken.zip")
		if _, said := scanned(t, "", "--staged"); said.code != exitFailed {
			t.Errorf("a staged archive that cannot be opened = %+v, want 3", said)
		}
	})
}

// TestScanStrangeServer: the tree that is looked through does not say where credentials are sent.
func TestScanStrangeServer(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, map[string]string{".env": "LANYARD_URL=http://127.0.0.1:9\n", "a": made(t, secret.Key, 1)})
	for _, flag := range []string{"--check-live", "--revoke"} {
		got := command(t, map[string]string{"LANYARD_TOKEN": made(t, secret.Key, 3)}, "", "scan", "--gitleaks", "off", flag)
		if got.code != exitUsage || !strings.Contains(got.stderr, "stands in the .env here alone") {
			t.Errorf("scan %s with an address from the tree = %+v, want 2", flag, got)
		}
	}
}
