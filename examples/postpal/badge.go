package postpal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// act is something PostPal does with the badge.
type act struct{ name, method, path string }

var acts = map[string]act{
	"profile":  {"Read my profile", http.MethodGet, "/v1/me"},
	"messages": {"Read my mail", http.MethodGet, "/v1/messages"},
	"post":     {"Post for me", http.MethodPost, "/v1/posts"},
}

// What the scopes mean, in the words that stand after "PostPal may".
var texts = map[string]string{
	"profile.read":  "read your profile",
	"messages.read": "read your mail",
	"posts.write":   "post for you",
}

// answer is what the API said.
type answer struct {
	status int
	body   []byte
}

const maxAnswer = 64 << 10 // bytes

// ask calls the API with the badge of a session. The API decides, not we: an app that hides a button because of a scope it thinks it
// lacks knows less than the API does.
//
//	401  the badge is no good: get a new one once, and when there is none, or it is no good either, it was taken back
//	403  the badge is good, but not for this: a new one would not help, so say what is missing
func (a *app) ask(ctx context.Context, s *session, method, path, body string) (answer, error) {
	token, err := a.token(ctx, s, "")
	if err != nil {
		return answer{}, err
	}
	got, err := a.send(ctx, method, path, body, token)
	if err != nil || got.status != http.StatusUnauthorized {
		return got, err
	}
	fresh, err := a.token(ctx, s, token)
	if err != nil || fresh == token {
		return got, err
	}
	got, err = a.send(ctx, method, path, body, fresh)
	if err == nil && got.status == http.StatusUnauthorized {
		s.lose(takenBack)
	}
	return got, err
}

func (a *app) send(ctx context.Context, method, path, body, token string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, a.API+path, strings.NewReader(body))
	if err != nil {
		return answer{}, fmt.Errorf("call %s: %w", path, err)
	}
	req.Header.Set("Authorization", "Bearer "+token) // RFC 6750 section 2.1: in the header, and never in the URL
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := a.HTTPClient.Do(req)
	if err != nil {
		return answer{}, fmt.Errorf("call %s: %w", path, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return answer{}, fmt.Errorf("call %s: %w", path, err)
	}
	return answer{res.StatusCode, text}, nil
}

// check finds out whether the badge still works by using it: one small call. Any answer but 401 means it does, a refusal for want of a
// scope among them; no answer means nothing.
func (a *app) check(ctx context.Context, s *session) {
	s.mu.Lock()
	gone := s.gone != ""
	s.mu.Unlock()
	if gone {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	got, err := a.ask(ctx, s, http.MethodGet, "/v1/me", "")
	if err != nil || got.status != http.StatusOK {
		return
	}
	var me struct {
		Name string `json:"name"`
	}
	if json.Unmarshal(got.body, &me) == nil && me.Name != "" {
		s.mu.Lock()
		s.name = me.Name
		s.mu.Unlock()
	}
}

// call does what a button says and keeps the result for the page, which the browser is led to: so a reload does nothing twice.
func (a *app) call(w http.ResponseWriter, r *http.Request) {
	s := a.sessions.of(r)
	what, ok := acts[r.PathValue("what")]
	switch {
	case !ok:
		http.NotFound(w, r)
		return
	case !s.signedIn():
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	body := ""
	if what.method == http.MethodPost {
		r.Body = http.MaxBytesReader(w, r.Body, 8<<10)
		text, _ := json.Marshal(map[string]string{"text": r.FormValue("text")}) // strings always marshal
		body = string(text)
	}
	got, err := a.ask(r.Context(), s, what.method, what.path, body)
	shown := read(what.name, got)
	if err != nil {
		shown = &result{Name: what.name, Tone: "warn", Status: "no answer", Text: "The API or " + a.Provider + " cannot be reached just now. Try again in a moment."}
	}
	s.mu.Lock()
	s.result = shown
	s.mu.Unlock()
	http.Redirect(w, r, "/#result", http.StatusSeeOther)
}

// result is an answer as the page shows it.
type result struct {
	Name, Tone, Status, Text string
	Body                     string // JSON, indented; "": not shown
}

// read puts an answer into words. A refusal is a problem document (RFC 9457) whose detail was written for people: show it as it is.
func read(name string, got answer) *result {
	out := &result{Name: name, Tone: "warn", Status: fmt.Sprintf("%d %s", got.status, http.StatusText(got.status))}
	if got.status >= 200 && got.status < 300 {
		out.Tone, out.Text = "good", "The API let PostPal do this for you."
		var pretty bytes.Buffer
		if json.Indent(&pretty, bytes.TrimSpace(got.body), "", "  ") == nil {
			out.Body = pretty.String()
		}
		return out
	}
	if got.status == http.StatusUnauthorized {
		out.Tone = "bad"
	}
	var problem struct {
		Detail string `json:"detail"`
	}
	if json.Unmarshal(got.body, &problem) != nil || problem.Detail == "" {
		problem.Detail = "The API did not say why."
	}
	out.Text = problem.Detail
	return out
}
