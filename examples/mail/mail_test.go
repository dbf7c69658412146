package mail

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
)

var monday = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// lobby is a Lanyard that knows two badges: the credential is the user, as in "token-of-ada".
func lobby(w http.ResponseWriter, r *http.Request) {
	var q lanyard.VerifyRequest
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	user, _ := strings.CutPrefix(q.Credential, "token-of-")
	if user == "no-one" { // client credentials: an app by itself
		user = ""
	}
	_, _ = fmt.Fprintf(w, `{"allowed":true,"code":"valid","app":{"id":"app_1","name":"PostPal"},"user":{"id":%q},"scopes":["profile.read"],"http":{"status":200},"revision":"r1"}`, user)
}

// guarded is the API as it is meant to stand: behind the middleware.
func guarded(t *testing.T, opts ...Option) http.Handler {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(lobby))
	t.Cleanup(server.Close)
	client, err := lanyard.NewClient(server.URL, "the-middleware's-own")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.HTTP.CloseIdleConnections)
	opts = append([]Option{WithClock(func() time.Time { return monday })}, opts...)
	return lanyard.Require(client, "mail")(Handler(opts...))
}

func ask(h http.Handler, user, method, target, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if user != "" {
		r.Header.Set("Authorization", "Bearer token-of-"+user)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func decode[T any](t *testing.T, w *httptest.ResponseRecorder) (out T) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatalf("answer %q: %v", w.Body, err)
	}
	return out
}

func TestNobody(t *testing.T) {
	for name, h := range map[string]http.Handler{"guarded": guarded(t), "not guarded": Handler()} {
		for _, target := range []string{"GET /v1/me", "GET /v1/messages", "POST /v1/posts"} {
			method, path, _ := strings.Cut(target, " ")
			if w := ask(h, "", method, path, `{"text":"hello"}`); w.Code != 401 || decode[problem](t, w).Detail == "" {
				t.Errorf("%s, %s = %d %s, want 401 in words", name, target, w.Code, w.Body)
			}
		}
	}
	// A good token before a handler that nothing guards is worth nothing.
	if w := ask(Handler(), "ada", "GET", "/v1/me", ""); w.Code != 401 {
		t.Errorf("a token without Require = %d, want 401", w.Code)
	}
	// An app by itself is no user.
	if w := ask(guarded(t), "no-one", "GET", "/v1/me", ""); w.Code != 401 {
		t.Errorf("no user = %d, want 401", w.Code)
	}
}

func TestElsewhere(t *testing.T) {
	h := guarded(t)
	for target, want := range map[string]int{"GET /v1/posts": 405, "DELETE /v1/me": 405, "GET /v1/messages/user_2": 404, "GET /": 404} {
		method, path, _ := strings.Cut(target, " ")
		if w := ask(h, "ada", method, path, ""); w.Code != want {
			t.Errorf("%s = %d, want %d", target, w.Code, want)
		}
	}
}

func TestPostRefuses(t *testing.T) {
	h := guarded(t)
	for _, body := range []string{
		"", "hello", `{}`, `{"text":""}`, `{"text":"  "}`, `{"text":7}`, `{"text":"a","user":"bob"}`, `{"text":"a"} {"text":"b"}`, `["a"]`,
		`{"text":"` + strings.Repeat("ä", maxText+1) + `"}`, `{"text":"` + strings.Repeat("a", maxBody) + `"}`,
	} {
		w := ask(h, "ada", "POST", "/v1/posts", body)
		if p := decode[problem](t, w); w.Code != 400 || p.Detail == "" || p.Status != 400 || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("post %.60q = %d %s, want 400 in words", body, w.Code, w.Body)
		}
	}
	if me := decode[Profile](t, ask(h, "ada", "GET", "/v1/me", "")); len(me.Posts) != 0 {
		t.Errorf("refused posts were kept: %v", me.Posts)
	}
}

func TestMe(t *testing.T) {
	people := WithPeople(func(_ context.Context, id string) (name, email string) {
		return map[string]string{"ada": "Ada"}[id], map[string]string{"ada": "ada@demo.test"}[id]
	})
	h := guarded(t, people)
	want := Profile{ID: "ada", Name: "Ada", Email: "ada@demo.test", Posts: []Post{}}
	w := ask(h, "ada", "GET", "/v1/me", "")
	if diff := cmp.Diff(want, decode[Profile](t, w), cmp.AllowUnexported(Post{})); w.Code != 200 || diff != "" {
		t.Errorf("GET /v1/me = %d, -want +got:\n%s", w.Code, diff)
	}
	if w.Header().Get("Cache-Control") != "no-store" {
		t.Error("somebody's profile may be cached")
	}
	if w := ask(h, "bob", "GET", "/v1/me", ""); decode[Profile](t, w).Name != "" || w.Code != 200 {
		t.Errorf("GET /v1/me of somebody without a name = %d %s", w.Code, w.Body)
	}
}

func TestMessages(t *testing.T) {
	h := guarded(t)
	ada := decode[Messages](t, ask(h, "ada", "GET", "/v1/messages", ""))
	if diff := cmp.Diff(ada, decode[Messages](t, ask(h, "ada", "GET", "/v1/messages", ""))); diff != "" {
		t.Errorf("asked twice:\n%s", diff)
	}
	if cmp.Equal(ada, decode[Messages](t, ask(h, "bob", "GET", "/v1/messages", ""))) {
		t.Error("Ada and Bob get the same mail")
	}
	if len(ada.Messages) != inboxSize {
		t.Fatalf("%d messages, want %d", len(ada.Messages), inboxSize)
	}
	seen := map[string]bool{}
	for i, m := range ada.Messages {
		if m.From == "" || m.Subject == "" || m.Text == "" || m.At.After(monday) || seen[m.ID] || i > 0 && m.At.After(ada.Messages[i-1].At) {
			t.Errorf("message %d: %+v", i, m)
		}
		seen[m.ID] = true
	}
}

func TestPost(t *testing.T) {
	h := guarded(t)
	w := ask(h, "ada", "POST", "/v1/posts", `{"text":" Hello <b> "}`)
	want := Post{ID: "post_1", Text: "Hello <b>", At: monday, Via: "PostPal"}
	if diff := cmp.Diff(want, decode[Post](t, w), cmp.AllowUnexported(Post{})); w.Code != 201 || diff != "" {
		t.Errorf("post = %d, -want +got:\n%s", w.Code, diff)
	}
	for range shown {
		ask(h, "ada", "POST", "/v1/posts", `{"text":"again"}`)
	}
	if got := decode[Profile](t, ask(h, "ada", "GET", "/v1/me", "")).Posts; len(got) != shown || got[0].ID != "post_6" || got[shown-1].ID != "post_2" {
		t.Errorf("Ada's last posts = %+v, want the newest %d", got, shown)
	}
	if got := decode[Profile](t, ask(h, "bob", "GET", "/v1/me", "")).Posts; len(got) != 0 {
		t.Errorf("Bob sees what Ada posted as his own: %+v", got)
	}
}

func TestPostsEnd(t *testing.T) {
	s := &server{now: func() time.Time { return monday }}
	for range maxPosts + 10 {
		w := httptest.NewRecorder()
		s.post(w, httptest.NewRequest("POST", "/v1/posts", strings.NewReader(`{"text":"a"}`)), lanyard.Identity{User: "ada"})
		if w.Code != 201 {
			t.Fatalf("post = %d", w.Code)
		}
	}
	if len(s.posts) != maxPosts || s.posts[maxPosts-1].ID != fmt.Sprintf("post_%d", maxPosts+10) {
		t.Errorf("%d posts are kept, the last %s; want %d", len(s.posts), s.posts[len(s.posts)-1].ID, maxPosts)
	}
}

func FuzzReadText(f *testing.F) {
	for _, body := range []string{`{"text":"Hello"}`, `{"text":""}`, `{}`, `null`, `{"text":"\ud800"}`, "\xff"} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		text, err := readText(io.LimitReader(strings.NewReader(body), maxBody))
		if (err == nil) == (text == "") || len([]rune(text)) > maxText || text != strings.TrimSpace(text) {
			t.Errorf("readText(%q) = %q, %v", body, text, err)
		}
	})
}
