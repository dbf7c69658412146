package server_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/pgtest"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// told is one message that a receiver got.
type told struct {
	id, timestamp, signature, body string
}

// receiver is a team's own server. It checks nothing by itself: what it got is looked at.
type receiver struct {
	URL string

	mu     sync.Mutex
	answer int
	got    []told
}

func newReceiver(t *testing.T, answer int) *receiver {
	t.Helper()
	r := &receiver{answer: answer}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, told{req.Header.Get("webhook-id"), req.Header.Get("webhook-timestamp"), req.Header.Get("webhook-signature"), string(body)})
		w.WriteHeader(r.answer)
	}))
	t.Cleanup(s.Close)
	r.URL = s.URL + "/hooks"
	return r
}

func (r *receiver) answers(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = status
}

func (r *receiver) messages() []told {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]told{}, r.got...)
}

// signed computes the signature as a receiver does that knows nothing of Lanyard.
func (m told) signed(t *testing.T, secret string) string {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, key)
	_, _ = io.WriteString(mac, m.id+"."+m.timestamp+"."+m.body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// loopback lets webhooks reach this machine.
func loopback(s *config.Settings) { s.OutboundAllow = []string{"127.0.0.1"} }

func deliver(t *testing.T, n *servertest.Node) {
	t.Helper()
	if err := n.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestWebhookTargets: what leads inside is refused when it is typed, whatever the spelling.
func TestWebhookTargets(t *testing.T) {
	n := servertest.Start(t, servertest.Options{})
	shop := n.Open(t)
	for _, address := range []string{
		"", "app.example", "http://app.example/hooks", "https://127.0.0.1/", "https://[::1]/", "https://localhost/", "https://10.1.2.3/", "https://169.254.169.254/",
		"https://2130706433/", "https://0x7f000001/", "https://127.1/", "https://user:pass@app.example/", "https://metadata.google.internal/", "https://app.example:22/",
		"javascript:alert(1)", "https://app.example/\u202e", "https://app.example/" + strings.Repeat("a", 500),
	} {
		_, err := n.Admin.CreateWebhook(t.Context(), lanyard.WebhookInput{TeamID: shop.Team.ID, URL: address})
		if p := problem(err); p == nil || p.Status != 400 {
			t.Errorf("CreateWebhook to %q = %v, want 400", address, err)
		}
	}
	if _, err := n.Admin.CreateWebhook(t.Context(), lanyard.WebhookInput{TeamID: shop.Team.ID, URL: "https://app.example/", Events: []string{"key.revoked", "key.eaten"}}); problem(err) == nil {
		t.Errorf("CreateWebhook of an unknown event = %v, want 400", err)
	}
	made, err := n.Admin.CreateWebhook(t.Context(), lanyard.WebhookInput{TeamID: shop.Team.ID, URL: "https://app.example/hooks"})
	if err != nil || !strings.HasPrefix(made.Secret, "whsec_") {
		t.Fatalf("CreateWebhook = %v", err)
	}
	inside := "https://127.0.0.1/"
	if _, err := n.Admin.UpdateWebhook(t.Context(), made.ID, lanyard.WebhookPatch{URL: &inside}); problem(err) == nil {
		t.Errorf("UpdateWebhook to the inside = %v, want 400", err)
	}
}

// TestWebhook is the whole way: an act, its message, a signature that holds, a log; a rotation with both signatures; a replay
// under the same id; the end by 410 with a mail.
func TestWebhook(t *testing.T) {
	dir := t.TempDir()
	n := servertest.Start(t, servertest.Options{Dir: dir, Settings: loopback})
	shop, ctx := n.Open(t), t.Context()
	owner, err := n.Admin.CreateUser(ctx, lanyard.UserInput{Email: "dara@demo.test", Name: "Dara"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Admin.PutMember(ctx, shop.Team.ID, owner.ID, lanyard.MemberInput{Role: "owner"}); err != nil {
		t.Fatal(err)
	}
	r := newReceiver(t, 204)
	hook, err := n.Admin.CreateWebhook(ctx, lanyard.WebhookInput{TeamID: shop.Team.ID, URL: r.URL, Events: []string{"key.created", "key.revoked"}})
	if err != nil {
		t.Fatal(err)
	}
	k := n.Key(t, shop)
	if _, err := n.Admin.DisableKey(ctx, k.ID); err != nil { // not asked for
		t.Fatal(err)
	}
	if _, err := n.Admin.RevokeKey(ctx, k.ID, lanyard.RevokeInput{Reason: "pasted " + k.Secret}, 0); err != nil {
		t.Fatal(err)
	}
	deliver(t, n)
	got := r.messages()
	if len(got) != 2 {
		t.Fatalf("the receiver got %d messages, want key.created and key.revoked: %+v", len(got), got)
	}
	for i, kind := range []string{"key.created", "key.revoked"} {
		m := got[i]
		var said struct {
			Type string
			Data struct {
				ID string
			}
		}
		if err := json.Unmarshal([]byte(m.body), &said); err != nil || said.Type != kind || said.Data.ID != k.ID || m.signature != m.signed(t, hook.Secret) {
			t.Errorf("message %d is %+v, %v; want a signed %s", i, m, err, kind)
		}
		if strings.Contains(m.body, k.Secret[len(k.Secret)-30:]) {
			t.Errorf("message %d holds the secret: %s", i, m.body)
		}
	}

	rotated, err := n.Admin.RotateWebhookSecret(ctx, hook.ID)
	if err != nil || rotated.Secret == hook.Secret || rotated.OldSecretUntil == nil {
		t.Fatalf("RotateWebhookSecret = %+v, %v", rotated.Webhook, err)
	}
	if _, err := n.Admin.ReplayWebhook(ctx, hook.ID, got[1].id); err != nil {
		t.Fatal(err)
	}
	deliver(t, n)
	again := r.messages()[2]
	if again.id != got[1].id || again.body != got[1].body || again.signature != again.signed(t, rotated.Secret)+" "+again.signed(t, hook.Secret) {
		t.Errorf("sent again %+v, want the same message by both secrets", again)
	}
	if other := newReceiver(t, 200); problem(second(n.Admin.ReplayWebhook(ctx, hook.ID, "msg_0000000000000000"))) == nil || len(other.messages()) != 0 {
		t.Error("a message that is not there was sent again")
	}

	r.answers(http.StatusGone)
	if _, err := n.Admin.TestWebhook(ctx, hook.ID); err != nil {
		t.Fatal(err)
	}
	deliver(t, n)
	deliver(t, n)
	shown, err := n.Admin.Webhook(ctx, hook.ID)
	if err != nil || !shown.Disabled || shown.DisabledReason != "gone" {
		t.Errorf("after 410 the webhook is %+v, %v, want it disabled", shown, err)
	}
	if mails := n.Mails.List(); len(mails) != 1 || mails[0].To != owner.Email || !strings.Contains(mails[0].Text, hook.ID) {
		t.Errorf("mails %+v, want one to the owner with the way to the webhook", mails)
	}
	if p := problem(second(n.Admin.TestWebhook(ctx, hook.ID))); p == nil || p.Code != "conflict" {
		t.Error("a disabled webhook is tested")
	}
	deliveries, err := n.Admin.WebhookDeliveries(ctx, hook.ID, lanyard.ListQuery{})
	if err != nil || len(deliveries.Items) != 3 || deliveries.Items[0].Type != "webhook.test" || deliveries.Items[0].State != "failed" || deliveries.Items[0].Attempts[0].Status != 410 ||
		len(deliveries.Items[1].Attempts) != 2 || deliveries.Items[1].State != "delivered" {
		t.Errorf("the log is %+v, %v", deliveries.Items, err)
	}
	var stolen loot
	stolen.steal(t, dir)
	h := hunt{}
	for _, s := range []string{hook.Secret, rotated.Secret} {
		h.secret(t, "a signing secret", strings.TrimPrefix(s, "whsec_"))
	}
	for _, found := range h.in(stolen.bytes) {
		t.Errorf("the database holds %s", found)
	}
}

func second[T any](_ T, err error) error { return err }

// TestWebhookOutlivesKill: what waited when a node was killed, at any moment after the act was acknowledged, is sent by the next:
// on SQLite from the files as they lay there, on PostgreSQL by another node.
func TestWebhookOutlivesKill(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			o := servertest.Options{Dir: t.TempDir(), Settings: loopback, Master: servertest.Master(t)}
			if engine == "postgres" {
				o.DatabaseURL = pgtest.Start(t)
			}
			n := servertest.Start(t, o)
			shop, r := n.Open(t), newReceiver(t, http.StatusInternalServerError)
			hook, err := n.Admin.CreateWebhook(t.Context(), lanyard.WebhookInput{TeamID: shop.Team.ID, URL: r.URL, Events: []string{"key.created"}})
			if err != nil {
				t.Fatal(err)
			}
			n.Key(t, shop)
			deliver(t, n)
			o.Now = func() time.Time { return time.Now().Add(time.Minute) } // past the pause after the failure
			if engine == "sqlite" {
				left := o.Dir
				o.Dir = t.TempDir()
				for _, name := range []string{"lanyard.db", "lanyard.db-wal"} {
					data, err := os.ReadFile(filepath.Join(left, name))
					if err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(filepath.Join(o.Dir, name), data, 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			n.Stop()
			before := r.messages()
			if len(before) == 0 {
				t.Fatal("the message was not tried")
			}
			r.answers(http.StatusOK)
			next := servertest.Start(t, o)
			deliver(t, next)
			after := r.messages()[len(before):]
			if len(after) != 1 || after[0].id != before[0].id || after[0].signature != after[0].signed(t, hook.Secret) {
				t.Errorf("the next node sent %+v, want message %s once", after, before[0].id)
			}
		})
	}
}

// problem is the document of a refusal, or nil.
func problem(err error) *lanyard.ProblemError {
	var p *lanyard.ProblemError
	errors.As(err, &p)
	return p
}
