package outbox

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

func TestSignRefuses(t *testing.T) {
	for _, text := range []string{"", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_not base64", "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} {
		if got, err := Sign("msg_1", time.Unix(1, 0), "{}", secret.Of(text)); err == nil || text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("Sign by %q = %q, %v, want an error that does not repeat it", text, got, err)
		}
	}
	if _, err := NewSecret(bytes.NewReader(make([]byte, secretBytes-1))); err == nil {
		t.Error("NewSecret of a source that ends = no error")
	}
}

// The known answer is the one of the reference implementations of Standard Webhooks.
func TestSign(t *testing.T) {
	reference := secret.Of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	const want = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	sign := func(secrets ...secret.Secret) string {
		got, err := Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), `{"test": 2432232314}`, secrets...)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := sign(reference); got != want {
		t.Errorf("Sign = %s, want %s", got, want)
	}
	made, err := NewSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(sign(made, reference)); len(got) != 2 || got[1] != want || got[0] == want {
		t.Errorf("Sign by two = %q, want the new one's and %s", got, want)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(made.Reveal(), "whsec_"))
	if err != nil || len(key) != 32 {
		t.Errorf("NewSecret has %d bytes behind whsec_, %v, want 32", len(key), err)
	}
	now := time.Unix(1614265330, 0)
	joined := JoinSecrets(made, Former{reference, now.Add(time.Hour)}, Former{made, now.Add(time.Second)})
	if current, former := SplitSecrets(joined, now); current.Reveal() != made.Reveal() || len(former) != 2 || former[0].Secret.Reveal() != reference.Reveal() || !former[0].Until.Equal(now.Add(time.Hour)) {
		t.Error("SplitSecrets is not the way back from JoinSecrets")
	}
	if _, former := SplitSecrets(joined, now.Add(time.Second)); len(former) != 1 || former[0].Secret.Reveal() != reference.Reveal() {
		t.Errorf("SplitSecrets gives %d former secrets when the time of one has ended, want the other", len(former))
	}
	for _, text := range []string{made.Reveal(), made.Reveal() + "\n", made.Reveal() + "\nwhsec_x", made.Reveal() + "\nwhsec_x soon"} {
		if current, former := SplitSecrets([]byte(text), now); current.Reveal() != made.Reveal() || len(former) != 0 {
			t.Error("SplitSecrets invents a former secret")
		}
	}
}

// No credential leaves in a payload, whoever wrote it where.
func TestPayload(t *testing.T) {
	credential, err := secret.New("acme", secret.Key, secret.Live, "0123456789ABCDEF", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 7, 1, 12, 0, 0, 344522000, time.UTC)
	ev := audit.Event{
		ID: id.New[id.Event](), At: at, Actor: "user_1", Action: "key.revoke", Target: "key_1", Team: "team_1",
		Details: map[string]string{"reason": `pasted "` + credential.Reveal() + `" into a chat`},
	}
	kind, told := KindOf(ev.Action)
	m, err := OfAct(ev, kind)
	if !told || err != nil {
		t.Fatalf("OfAct = %v, told %t", err, told)
	}
	text, err := m.Payload()
	if err != nil || strings.Contains(text, credential.Reveal()[30:]) || len(text) > 20_000 {
		t.Errorf("Payload = %s, %v, want it without the credential", text, err)
	}
	var got struct {
		Type      string
		Timestamp time.Time
		Data      struct {
			ID      string
			Team    string `json:"team_id"`
			By      string
			Details map[string]string
		}
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil || got.Type != "key.revoked" || !got.Timestamp.Equal(at) || got.Data.ID != "key_1" || got.Data.Team != "team_1" || got.Data.By != "user_1" {
		t.Errorf("Payload = %s, %v", text, err)
	}
	again, err := OfAct(ev, kind)
	if err != nil || again.ID != m.ID || id.Chars(m.ID) != id.Chars(ev.ID) {
		t.Errorf("the same act is message %s and then %s, want one", m.ID, again.ID)
	}
}

func TestKindOf(t *testing.T) {
	for _, action := range []string{"", "session.end", "user.set_password", "key.import", "webhook.create"} {
		if kind, told := KindOf(action); told {
			t.Errorf("KindOf(%q) = %q, want nothing", action, kind)
		}
	}
	seen := map[Kind]bool{}
	for _, e := range Events() {
		if seen[e.Kind] || e.Text == "" || strings.Trim(string(e.Kind), "abcdefghijklmnopqrstuvwxyz_.") != "" {
			t.Errorf("event %s stands there twice, says nothing, or is written as no type is", e.Kind)
		}
		seen[e.Kind] = true
	}
	// A dynamic registration and a metadata document make and change apps too. An import is one act about many keys, and is not told.
	for action, want := range map[string]Kind{"app.create": "app.created", "app.register": "app.created", "app.update": "app.updated", "app.document": "app.updated"} {
		if kind, told := KindOf(action); kind != want || !told {
			t.Errorf("KindOf(%q) = %q, %t, want %q", action, kind, told, want)
		}
	}
	if kind, told := KindOf("member.leave"); kind != "member.left" || !told {
		t.Errorf("KindOf(member.leave) = %q, %t", kind, told)
	}
	all, some := Endpoint{}, Endpoint{Events: []Kind{"key.created"}}
	if !all.Wants("key.revoked") || some.Wants("key.revoked") || !some.Wants("key.created") {
		t.Error("Wants is wrong")
	}
}
