package postpal

import (
	"encoding/json"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// looks is what the script on the page is told.
func (w *world) looks() badge {
	w.t.Helper()
	res := w.get("/badge")
	var b badge
	if err := json.Unmarshal([]byte(res.text), &b); err != nil || res.StatusCode != 200 {
		w.t.Fatalf("GET /badge = %d %s", res.StatusCode, res.text)
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
	if res := w.do("POST", "/call/profile", nil); res.StatusCode != 303 || res.Header.Get("Location") != "/" {
		t.Errorf("a call by nobody = %d to %s", res.StatusCode, res.Header.Get("Location"))
	}
	if b := w.looks(); b.Alive || b.Text == "" {
		t.Errorf("GET /badge of nobody = %+v", b)
	}
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
	if res := w.do("POST", "/call/everything", nil); res.StatusCode != 404 {
		t.Errorf("POST /call/everything = %d, want 404", res.StatusCode)
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
	if b := w.looks(); !b.Alive || b.Left != "15:00" {
		t.Fatalf("GET /badge = %+v, want it alive", b)
	}
	w.change(func() { w.back = true })
	if b := w.looks(); b.Alive || b.Text != "Ada <3 took the badge back. Sign in again." {
		t.Errorf("GET /badge = %+v, want it taken back", b)
	}
	w.mustHave(w.get("/"), `class="pass badge gone"`, `class="stamp">taken back<`, "<s>PostPal</s>", "Ada &lt;3 took the badge back. Sign in again.", `id="sign-in"`, "!badge.js")
	w.mustHave(w.press("messages", nil), `class="result bad" id="result"`, "401 Unauthorized", "This badge is no good &lt;any&gt; more.")

	calls := w.calls
	w.change(func() { w.back = false }) // whoever had it back would have to sign in anew
	if w.looks().Alive || w.calls != calls || w.renewals != 1 {
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
	w.mustHave(w.press("messages", nil), "401 Unauthorized", "You took the badge back. Sign in again.", `class="stamp">taken back<`)
}

func TestRefresh(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	w.change(func() { w.now = w.now.Add(14*time.Minute + 30*time.Second) })
	if b := w.looks(); b.Left != "00:30" || b.Dash != "5.9 175.9" || w.renewals != 0 {
		t.Errorf("half a minute before the end: %+v, %d refreshes", b, w.renewals)
	}
	w.change(func() { w.now = w.now.Add(time.Minute) })
	if b := w.looks(); !b.Alive || b.Left != "15:00" || w.renewals != 1 {
		t.Errorf("after the end: %+v, %d refreshes; want a new badge", b, w.renewals)
	}
	w.mustHave(w.press("messages", nil), "200 OK")
	// Taken back while the token was out of date anyway.
	w.change(func() { w.now, w.back = w.now.Add(time.Hour), true })
	if b := w.looks(); b.Alive || !strings.Contains(b.Text, "took the badge back") {
		t.Errorf("taken back and expired: %+v", b)
	}
}

// Our clock may be behind: the API's word counts.
func TestRefreshWhenTheAPISaysSo(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	w.change(func() { w.dies = w.now })
	w.mustHave(w.press("messages", nil), "200 OK", "!taken back")
	if w.renewals != 1 {
		t.Errorf("%d refreshes, want 1", w.renewals)
	}
}

// A refresh token used twice looks like theft, so however many ask at once, one refreshes.
func TestRefreshOnce(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	w.change(func() { w.now = w.now.Add(16 * time.Minute) })
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if res, err := w.browser.Get(w.postal.URL + "/badge"); err == nil {
				_ = res.Body.Close()
			}
		})
	}
	all.Wait()
	if b := w.looks(); !b.Alive || w.renewals != 1 {
		t.Errorf("twenty at once: %+v, %d refreshes; want 1", b, w.renewals)
	}
}

func TestNoRefreshToken(t *testing.T) {
	w := newWorld(t)
	w.change(func() { w.noRenew = true })
	w.signIn()
	w.get("/")
	w.change(func() { w.now = w.now.Add(15 * time.Minute) })
	if b := w.looks(); b.Alive || b.Text != "The badge ran out. Sign in again." || b.Left != "00:00" {
		t.Errorf("a badge that ran out: %+v", b)
	}
	w.mustHave(w.get("/"), `class="stamp">expired<`)
	w.signIn()
	w.change(func() { w.back = true })
	if b := w.looks(); b.Alive || !strings.Contains(b.Text, "took the badge back") {
		t.Errorf("refused before its time: %+v", b)
	}
}

// That nobody answers says nothing about the badge.
func TestOutOfReach(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	w.change(func() { w.down, w.now = true, w.now.Add(16*time.Minute) })
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

func FuzzRead(f *testing.F) {
	for _, body := range []string{`{"detail":"No."}`, `{}`, ``, `[]`, `{"detail":7}`, "\xff", `{"detail":""}`} {
		f.Add(403, []byte(body))
		f.Add(200, []byte(body))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		got := read("x", answer{status, body})
		if got.Text == "" || (got.Tone == "good") != (status >= 200 && status < 300) || (got.Tone == "bad") != (status == 401) {
			t.Errorf("read(%d, %q) = %+v", status, body, got)
		}
	})
}
