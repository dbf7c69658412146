package postpal

import (
	"encoding/json"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// told is what the script on the page is told.
type told struct {
	Alive      bool
	Text, Left string
}

func (w *world) looks() (b told) {
	w.t.Helper()
	res := w.do("GET", "/", nil, "Accept", "application/json")
	if err := json.Unmarshal([]byte(res.text), &b); err != nil || res.StatusCode != 200 {
		w.t.Fatalf("GET / as JSON = %d %s", res.StatusCode, res.text)
	}
	return b
}

// press presses a button and returns the page it leads to.
func (w *world) press(what string, form url.Values) answered {
	w.t.Helper()
	res := w.do("POST", "/call/"+what, form)
	if res.StatusCode != 303 || res.Header.Get("Location") != "/#result" {
		w.t.Fatalf("POST /call/%s = %d %s", what, res.StatusCode, res.text)
	}
	return w.get("/")
}

func TestCallRefuses(t *testing.T) {
	w := newWorld(t)
	if res := w.do("POST", "/call/profile", nil); res.StatusCode != 303 || w.calls != 0 {
		t.Errorf("a call by nobody = %d, and %d calls", res.StatusCode, w.calls)
	}
	w.mustHave(w.do("GET", "/", nil, "Accept", "application/json"), `id="sign-in"`, `!"alive"`)
	w.signIn()
	for _, path := range []string{"/call/post", "/logout"} {
		for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}} {
			if res := w.do("POST", path, url.Values{"text": {"spam"}}, headers...); res.StatusCode != 403 {
				t.Errorf("POST %s with %v = %d, want 403", path, headers, res.StatusCode)
			}
		}
	}
	if len(w.posted) != 0 {
		t.Errorf("another site posted %v", w.posted)
	}
	before := w.calls
	if w.do("POST", "/call/everything", nil); w.calls != before {
		t.Error("a button that is none called the API")
	}
	if res := w.get("/call/profile"); res.StatusCode != 405 {
		t.Errorf("GET /call/profile = %d, want 405", res.StatusCode)
	}
}

// What was not ticked is refused by the API, in the API's words, and the badge is as good as before.
func TestNotTicked(t *testing.T) {
	w := newWorld(t)
	w.change(func() { w.scope = "openid messages.read" })
	w.signIn()
	w.mustHave(w.get("/"), "<li>read your mail</li>", `May <b class="not">NOT</b>`, "<h1>Hello</h1>")
	may, mayNot, _ := strings.Cut(w.get("/").text, `May <b class="not">NOT</b>`)
	if strings.Contains(may, "post for you</li>") || !strings.Contains(mayNot, "<li>post for you</li>") || !strings.Contains(mayNot, "<li>read your profile</li>") || strings.Contains(mayNot, "<li>read your mail") {
		t.Errorf("the badge shows the wrong things:\n%s", may+mayNot)
	}
	w.mustHave(w.press("post", url.Values{"text": {"hi"}}), `class="result warn" id="result"`, "403 Forbidden", "This needs posts.write, which was not ticked.", "!taken back")
	w.mustHave(w.press("profile", nil), "403 Forbidden", "This needs profile.read, which was not ticked.", "!posts.write")
	w.mustHave(w.press("messages", nil), `class="result good" id="result"`, "200 OK")
	if !w.looks().Alive || w.renewals != 0 {
		t.Errorf("after a 403: %+v, %d refreshes; want none, it would not help", w.looks(), w.renewals)
	}
}

func TestCalls(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	w.mustHave(w.press("profile", nil), `class="result good" id="result"`, "200 OK", "Read my profile", "Ada \\u003c3")
	w.mustHave(w.press("post", url.Values{"text": {`"quoted" <i>`}}), "201 Created")
	if len(w.posted) != 1 || w.posted[0] != `{"text":"\"quoted\" \u003ci\u003e"}` {
		t.Errorf("posted %q", w.posted)
	}
	w.get("/")
	if len(w.posted) != 1 {
		t.Error("a reload posted again")
	}
}

// Taking the badge back turns it red at the next look, and red it stays.
func TestTakenBack(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	w.get("/")
	if b := w.looks(); !b.Alive || b.Left < "14:30" || b.Left > "15:00" {
		t.Fatalf("the badge is %+v, want it alive for a quarter of an hour", b)
	}
	w.change(func() { w.back = true })
	if b := w.looks(); b.Alive || b.Text != "You took the badge back. Sign in again." {
		t.Errorf("the badge is %+v, want it taken back", b)
	}
	w.mustHave(w.get("/"), `class="pass badge gone"`, `class="stamp">taken back<`, "<s>PostPal</s>", "You took the badge back. Sign in again.", `id="sign-in"`, "!badge.js")
	calls := w.calls
	w.change(func() { w.back = false }) // whoever had it back would have to sign in anew
	if w.looks().Alive || w.calls != calls || w.renewals != 0 {
		t.Errorf("a dead badge was tried again: %d calls, %d refreshes", w.calls-calls, w.renewals)
	}
	w.signIn()
	w.mustHave(w.get("/"), "!taken back", `id="badge"`)
}

// Pressing a button finds out as well, without any script.
func TestTakenBackFoundByAButton(t *testing.T) {
	w := newWorld(t)
	w.change(func() { w.scope = "openid messages.read" })
	w.signIn()
	w.change(func() { w.back = true })
	w.mustHave(w.press("messages", nil), `class="result bad" id="result"`, "401 Unauthorized", "This badge is no good &lt;any&gt; more.", "You took the badge back. Sign in again.", `class="stamp">taken back<`)
}

// A token whose time is over is exchanged by itself, once however many ask: a refresh token used twice looks like theft.
func TestRefresh(t *testing.T) {
	w := newWorld(t)
	w.change(func() { w.lifetime = 5 })
	w.signIn()
	w.change(func() { w.lifetime = 900 })
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if res, err := w.browser.Get(w.postal.URL + "/"); err == nil {
				_ = res.Body.Close()
			}
		})
	}
	all.Wait()
	if b := w.looks(); !b.Alive || w.renewals != 1 {
		t.Errorf("twenty at once: %+v, %d refreshes; want 1", b, w.renewals)
	}
	w.mustHave(w.press("messages", nil), "200 OK")
}

// Taken back while the token was out of date anyway: there is no new one.
func TestTakenBackMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.change(func() { w.lifetime = 5 })
	w.signIn()
	w.change(func() { w.back = true })
	if b := w.looks(); b.Alive || !strings.Contains(b.Text, "took the badge back") {
		t.Errorf("taken back and expired: %+v", b)
	}
	w.mustHave(w.get("/"), `class="stamp">taken back<`, "<s>PostPal</s>")
}

// That nobody answers says nothing about the badge.
func TestOutOfReach(t *testing.T) {
	w := newWorld(t)
	w.change(func() { w.lifetime = 5 })
	w.signIn()
	w.change(func() { w.down = true })
	if !w.looks().Alive {
		t.Error("a provider that is down has taken no badge back")
	}
	w.mustHave(w.press("messages", nil), `class="result warn" id="result"`, "cannot be reached just now")
	w.change(func() { w.down = false })
	w.mustHave(w.press("messages", nil), "200 OK")
	w.api.Close()
	if !w.looks().Alive {
		t.Error("an API that is down has taken no badge back")
	}
	w.mustHave(w.press("messages", nil), "cannot be reached just now")
}
