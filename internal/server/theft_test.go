package server_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/server"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// TestStolenDatabase: a copy of the database file without the master key starts no server, and nothing in it is a
// credential or any hash of one that could be computed without the pepper.
func TestStolenDatabase(t *testing.T) {
	dir := t.TempDir()
	n := servertest.Start(t, servertest.Options{Dir: dir})
	shop := n.Open(t)
	secrets := []string{n.AdminKey}
	for range 20 {
		secrets = append(secrets, n.Key(t, shop).Secret)
	}
	rotated, err := n.Admin.RotateKey(t.Context(), keyOf(t, n, shop), lanyard.RotateInput{})
	if err != nil {
		t.Fatal(err)
	}
	raw, hashed := "other-vendor-raw-0123456789abcdefghij", "other-vendor-hashed-0123456789abcdefg"
	sum := sha256.Sum256([]byte(hashed))
	if got, err := n.Admin.ImportKeys(t.Context(), lanyard.ImportInput{AppID: shop.App.ID, Keys: []lanyard.ImportKey{
		{Name: "raw", Secret: raw}, {Name: "hashed", Hash: &lanyard.ImportHash{Algorithm: "sha256", Value: hex.EncodeToString(sum[:])}},
	}}); err != nil || got.Created != 2 {
		t.Fatalf("ImportKeys = %+v, %v, want two created", got, err)
	}
	secrets = append(secrets, rotated.Secret, raw, hashed)
	var stolen loot
	stolen.steal(t, dir)
	n.Stop()
	stolen.steal(t, dir)

	away := t.TempDir()
	for _, name := range []string{"lanyard.db", "lanyard.db-wal"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(away, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := server.New(t.Context(), servertest.Settings(t, servertest.Options{Dir: away}), server.Options{}); err == nil {
		t.Error("a server started on the stolen file without the master key", s.Close())
	} else if !strings.Contains(err.Error(), "master key") {
		t.Errorf("New on the stolen file error = %v, want a sentence about the master key", err)
	}
	if s, err := server.New(t.Context(), servertest.Settings(t, servertest.Options{Dir: away, Master: servertest.Master(t)}), server.Options{}); err == nil {
		t.Error("a server started on the stolen file with a master key of the thief's", s.Close())
	}
	h := hunt{}
	for _, s := range secrets {
		h.secret(t, "a credential", s)
	}
	for _, found := range h.in(stolen.bytes) {
		t.Errorf("the database holds %s", found)
	}
}

func keyOf(t *testing.T, n *servertest.Node, shop servertest.Shop) string {
	t.Helper()
	page, err := n.Admin.Keys(t.Context(), lanyard.KeyQuery{AppID: shop.App.ID})
	if err != nil || len(page.Items) == 0 {
		t.Fatalf("Keys = %d, %v, want some", len(page.Items), err)
	}
	return page.Items[0].ID
}

// lines collects what is logged.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// TestNoSecretInLogs: at the most talkative level, through acts that succeed and fail, no issued secret and no master key
// is logged (SECURITY-CASES 144).
func TestNoSecretInLogs(t *testing.T) {
	var logged lines
	n := servertest.Start(t, servertest.Options{Log: slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	shop := n.Open(t)
	k := n.Key(t, shop)
	ctx := t.Context()
	secrets := []string{n.AdminKey, k.Secret}
	for _, credential := range []string{k.Secret, k.Secret + "x", k.Secret[:len(k.Secret)-1], ""} {
		_, _ = n.Admin.Verify(ctx, lanyard.VerifyRequest{Credential: credential, API: "weather"})
		_, _ = n.Admin.Verify(ctx, lanyard.VerifyRequest{Credential: credential, API: credential})
		_, _ = n.Client(t, k.Secret).CreateApp(ctx, lanyard.AppInput{Name: credential})
		_, _ = n.Admin.Key(ctx, credential)
	}
	rotated, err := n.Admin.RotateKey(ctx, k.ID, lanyard.RotateInput{})
	if err != nil {
		t.Fatal(err)
	}
	secrets = append(secrets, rotated.Secret)
	foreign := "sk_other_vendor_0123456789abcdefghij"
	if _, err := n.Admin.ImportKeys(ctx, lanyard.ImportInput{AppID: shop.App.ID, Keys: []lanyard.ImportKey{{Name: "old", Secret: foreign}}}); err != nil {
		t.Fatal(err)
	}
	secrets = append(secrets, foreign)
	n.Stop()
	text := logged.buf.String()
	if !strings.Contains(text, "POST /v1/") {
		t.Fatal("nothing was logged about requests, so nothing is proven")
	}
	for _, s := range secrets {
		if strings.Contains(text, s) {
			t.Errorf("the log holds the credential that begins %.12s", s)
		}
	}
}
