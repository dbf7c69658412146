// Package mail is a small API to try access tokens on: everybody has a profile, some messages, and may post. The messages are
// made up, and stay the same for the same person.
//
//	GET /v1/me          who you are, and what you posted last
//	GET /v1/messages    your mail
//	POST /v1/posts      {"text": "Hello"}
//
// All of it is one person's, so an API key would not do: it says which app is calling, not for whom. The API takes access tokens
// only, and a token always has a user. There is no {user} in any path: whose mail it is comes from the token and from nowhere else,
// so nobody can ask for somebody else's.
//
// The package never sees a token. lanyard.Require checks it before (is it good, was it taken back, does it have the scope this
// operation needs) and leaves the Identity in the context. A whole program that guards it is:
//
//	func main() {
//		client, err := lanyard.FromEnv()
//		if err != nil {
//			log.Fatal(err)
//		}
//		log.Fatal(http.ListenAndServe("127.0.0.1:8421", lanyard.Require(client, "mail")(mail.Handler())))
//	}
package mail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/lanyard-auth/lanyard"
)

const (
	maxBody  = 8 << 10 // bytes of a request
	maxText  = 500     // characters of a post
	maxPosts = 1000    // of everybody together; older ones go
	shown    = 5       // posts on a profile
)

// Option changes how the API works.
type Option func(*server)

// WithPeople says where names and mail addresses come from. Without it, or where it returns "", a person has none.
func WithPeople(find func(ctx context.Context, userID string) (name, email string)) Option {
	return func(s *server) { s.people = find }
}

// WithClock sets another clock than the real one.
func WithClock(now func() time.Time) Option { return func(s *server) { s.now = now } }

type server struct {
	people func(ctx context.Context, userID string) (name, email string)
	now    func() time.Time

	mu    sync.Mutex
	count int
	posts []Post // the oldest first
}

// Handler returns the API. It belongs behind lanyard.Require: without an Identity in the context it lets nobody in.
func Handler(opts ...Option) http.Handler {
	s := &server{
		people: func(context.Context, string) (string, string) { return "", "" },
		now:    time.Now, //nolint:forbidigo // the real clock
	}
	for _, opt := range opts {
		opt(s)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/me", s.forUser(s.me))
	mux.HandleFunc("GET /v1/messages", s.forUser(s.messages))
	mux.HandleFunc("POST /v1/posts", s.forUser(s.post))
	return mux
}

// forUser hands a handler the user it works for. Require has refused whoever has no token; the check here is for the day that
// somebody mounts the handler without it.
func (s *server) forUser(next func(w http.ResponseWriter, r *http.Request, who lanyard.Identity)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, ok := lanyard.IdentityFrom(r.Context())
		if !ok || who.User == "" {
			refuse(w, http.StatusUnauthorized, "This is one person's mail, so it needs an access token. Nobody's came with this request.")
			return
		}
		next(w, r, who)
	}
}

// Profile is the answer to GET /v1/me.
type Profile struct {
	ID    string `json:"id"`
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
	Posts []Post `json:"posts"` // the newest first
}

// Post is what somebody, or an app for them, said to everybody.
type Post struct {
	ID   string    `json:"id"`
	Text string    `json:"text"`
	At   time.Time `json:"at"`
	Via  string    `json:"via"` // the app that posted it
	user string
}

func (s *server) me(w http.ResponseWriter, r *http.Request, who lanyard.Identity) {
	me := Profile{ID: who.User, Posts: []Post{}}
	me.Name, me.Email = s.people(r.Context(), who.User)
	s.mu.Lock()
	for i := len(s.posts) - 1; i >= 0 && len(me.Posts) < shown; i-- {
		if s.posts[i].user == who.User {
			me.Posts = append(me.Posts, s.posts[i])
		}
	}
	s.mu.Unlock()
	answer(w, http.StatusOK, "application/json", me)
}

func (s *server) messages(w http.ResponseWriter, _ *http.Request, who lanyard.Identity) {
	answer(w, http.StatusOK, "application/json", Messages{inbox(who.User, s.now())})
}

func (s *server) post(w http.ResponseWriter, r *http.Request, who lanyard.Identity) {
	text, err := readText(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	s.mu.Lock()
	s.count++
	p := Post{ID: fmt.Sprintf("post_%d", s.count), Text: text, At: s.now().UTC().Truncate(time.Second), Via: who.App.Name, user: who.User}
	s.posts = append(s.posts[max(0, len(s.posts)-maxPosts+1):], p) // memory has an end
	s.mu.Unlock()
	answer(w, http.StatusCreated, "application/json", p)
}

// readText reads {"text": "…"} and nothing else. Its errors are sentences for the caller.
func readText(body io.Reader) (string, error) {
	var in struct {
		Text string `json:"text"`
	}
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return "", errors.New(`Send JSON with one field: {"text": "Hello"}.`) //nolint:staticcheck // ST1005: a sentence for the caller
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return "", errors.New("Send one JSON object, and nothing after it.") //nolint:staticcheck // ST1005: a sentence for the caller
	}
	text := strings.TrimSpace(in.Text)
	if n := utf8.RuneCountInString(text); n == 0 || n > maxText {
		return "", fmt.Errorf("A post has 1 to %d characters; this one has %d.", maxText, n) //nolint:staticcheck // ST1005: a sentence for the caller
	}
	return text, nil
}

// problem is RFC 9457: the same shape in which lanyard.Require refuses, so that a client reads one.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

func refuse(w http.ResponseWriter, status int, detail string) {
	answer(w, status, "application/problem+json", problem{"about:blank", http.StatusText(status), status, detail})
}

// answer keeps what is somebody's own out of every cache.
func answer(w http.ResponseWriter, status int, contentType string, body any) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // whoever does not listen any more needs no answer
}
