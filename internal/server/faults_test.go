package server_test

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// TestDiskFull: when nothing can be written any more, a metered call is answered 503 and not counted; with room again the
// server goes on, and the count is what was acknowledged.
func TestDiskFull(t *testing.T) {
	n := servertest.Start(t, servertest.Options{})
	shop := n.Open(t)
	k := n.Key(t, shop)
	acknowledged := int64(0)
	ask := func() error {
		d, err := n.Admin.Verify(t.Context(), lanyard.VerifyRequest{Credential: k.Secret, API: "weather"})
		if err == nil && d.Allowed {
			acknowledged++
		}
		return err
	}
	for range 10 {
		if err := ask(); err != nil {
			t.Fatal(err)
		}
	}
	room := servertest.NoRoom(t)
	defer room()
	refused := 0
	for range 20 {
		if err := ask(); status(err) == http.StatusServiceUnavailable {
			refused++
		} else if err != nil {
			t.Errorf("a call on the full disk failed with %v, want 503 or a yes", err)
		}
	}
	if refused < 20 {
		t.Errorf("%d of 20 metered calls on a full disk were refused with 503, want all", refused)
	}
	room()
	until(t, "a yes when there is room again", func() bool { return ask() == nil })
	if got := counted(t, n, k.ID); got != acknowledged {
		t.Errorf("%d uses counted, %d acknowledged", got, acknowledged)
	}
}

func counted(t *testing.T, n *servertest.Node, keyID string) int64 {
	t.Helper()
	now := time.Now().UTC()
	page, err := n.Admin.Usage(t.Context(), lanyard.UsageQuery{
		From: now.Add(-24 * time.Hour).Truncate(24 * time.Hour), To: now.Add(48 * time.Hour).Truncate(24 * time.Hour), Granularity: "day", GroupBy: []string{"outcome"}, Key: keyID,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range page.Items {
		if row.Outcome == "valid" {
			return row.Count
		}
	}
	return 0
}

// TestRestoreUnderway: an older backup is restored while a server runs. It drops what it knew, and a key that was revoked
// since the backup stays refused, here and after a restart.
func TestRestoreUnderway(t *testing.T) {
	dir := t.TempDir()
	n := servertest.Start(t, servertest.Options{Dir: dir})
	shop := n.Open(t)
	kept, revoked := n.Key(t, shop), n.Key(t, shop)
	code := func(secret string) string {
		d, err := n.Admin.Verify(t.Context(), lanyard.VerifyRequest{Credential: secret, API: "weather"})
		if err != nil {
			t.Fatal(err)
		}
		return d.Code
	}
	for _, k := range []lanyard.NewKey{kept, revoked} {
		if got := code(k.Secret); got != "valid" {
			t.Fatalf("at first = %s, want valid", got)
		}
	}
	var backup bytes.Buffer
	if _, err := n.Store.Backup(t.Context(), &backup, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Admin.RevokeKey(t.Context(), revoked.ID, lanyard.RevokeInput{Reason: "leaked"}, time.Second); err != nil {
		t.Fatal(err)
	}
	late := n.Key(t, shop)
	if got := code(late.Secret); got != "valid" {
		t.Fatalf("a key made after the backup = %s, want valid", got)
	}
	now := time.Now()
	if _, err := n.Store.Restore(t.Context(), &backup, now, audit.Command("restore").New(now, "backup.restore", "database", "", nil)); err != nil {
		t.Fatal(err)
	}
	until(t, "the key made after the backup is unknown", func() bool { return code(late.Secret) == "not_found" })
	if got := code(kept.Secret); got != "valid" {
		t.Errorf("a key from before the backup = %s, want valid", got)
	}
	if got := code(revoked.Secret); got != "revoked" {
		t.Errorf("a key revoked after the backup = %s, want revoked", got)
	}
	n.Stop()
	n = servertest.Start(t, servertest.Options{Dir: dir})
	if got := code(revoked.Secret); got != "revoked" {
		t.Errorf("after a restart = %s, want revoked: the restore carried it over", got)
	}
	if got := counted(t, n, kept.ID); got != 2 {
		t.Errorf("%d uses of the kept key counted, want 2: usage is a fact and was not rolled back", got)
	}
}
