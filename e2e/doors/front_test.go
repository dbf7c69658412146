// Package doors_test holds every front of Lanyard to one table of calls: the same decisions, the right status for the caller, and an
// upstream that sees nothing a caller made up. Fronts are real programs with the configurations of docs/doors as they are.
package doors_test

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
)

// front stands between callers and an upstream and asks Lanyard about every call.
type front struct {
	name  string
	start func(t *testing.T, w *world) (address string) // until the test ends

	trusts []string // whose forwarded headers Lanyard believes; none: those of who is on this machine

	byName      bool // it takes out the headers of ours that it lists, so no other may be there
	exact       bool // it passes names with other signs in place of a dash, so none of ours may be spelt so
	trims       bool // it cannot forward a path that ends with a space
	strict      bool // it refuses a target that names another host than the header, which others overrule by the target
	mute        bool // to an answer of the upstream it adds nothing
	wholeQuery  bool // it cannot take an API key out of the query, so none may stand there
	wantsLength bool // it cannot drop what follows a body, so the body must say how long it is
}

// gateway is our own: Lanyard itself stands there, and callers come to it directly, so it trusts none of them.
func gateway() front {
	return front{name: "gateway", trusts: []string{"192.0.2.0/24"}, start: func(_ *testing.T, w *world) string {
		w.tellsHost = true
		return strings.TrimPrefix(w.node.GatewayURL, "http://")
	}}
}

// TestFronts sends every call of the table to every front.
func TestFronts(t *testing.T) {
	for _, f := range append(fronts(), documented(), gateway()) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, f.trusts...)
			address := f.start(t, w)
			passed := map[string]int64{}
			for _, r := range table() {
				r = r.at(f)
				t.Run(r.name, func(t *testing.T) { hold(t, w, address, r) })
				if r.sees != nil {
					passed[w.identities[r.sees.as]["Credential"]]++
				}
			}
			w.counted(t, passed)
			w.silent(t)
		})
	}
}

// counted: what passed is counted once, and nothing else: no refusal, no preflight.
func (w *world) counted(t *testing.T, passed map[string]int64) {
	t.Helper()
	rows, err := w.node.Admin.Usage(t.Context(), lanyard.UsageQuery{GroupBy: []string{"key"}, Outcome: "valid", From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour)})
	must(t, err)
	got := map[string]int64{}
	for _, row := range rows.Items {
		got[row.Key] += row.Count
	}
	for key, want := range passed {
		if key != "" && got[key] != want {
			t.Errorf("%d calls of %s are counted, want the %d that passed", got[key], key, want)
		}
	}
}

// TestUpgrade: a WebSocket is opened with who calls, and then both sides speak.
func TestUpgrade(t *testing.T) {
	for _, f := range append(fronts(), gateway()) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, f.trusts...)
			conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(t.Context(), "tcp", f.start(t, w))
			must(t, err)
			defer conn.Close()
			must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
			fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"+
				"Sec-WebSocket-Version: 13\r\nx-api-key: %s\r\n\r\n", forecast, w.credentials["live"])
			r := bufio.NewReader(conn)
			res, err := http.ReadResponse(r, nil)
			must(t, err)
			if res.StatusCode != http.StatusSwitchingProtocols {
				t.Fatalf("status %d, want 101", res.StatusCode)
			}
			_, err = io.WriteString(conn, "hello\n")
			must(t, err)
			if line, err := r.ReadString('\n'); err != nil || line != "hello\n" {
				t.Errorf("the upstream says %q, %v, want what it was told", line, err)
			}
			calls := w.taken()
			if len(calls) != 1 {
				t.Fatalf("the upstream was asked %d times, want once", len(calls))
			}
			w.compare(t, row{target: forecast, sees: seen("live")}, calls[0])
		})
	}
}

// TestLanyardIsAway: without an answer nobody gets in, and 503 says that it is not the caller's fault.
func TestLanyardIsAway(t *testing.T) {
	for _, f := range fronts() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			address := f.start(t, w)
			w.node.Stop()
			hold(t, w, address, row{target: forecast, header: []string{"x-api-key: {live}"}, status: 503, code: "unavailable", answer: []string{"Retry-After: 1"}})
		})
	}
}

// TestNobodyTrusts: a Lanyard that does not trust the front believes nothing it says.
func TestNobodyTrusts(t *testing.T) {
	for _, f := range fronts() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "192.0.2.0/24")
			hold(t, w, f.start(t, w), row{target: forecast, header: []string{"x-api-key: {live}"}, status: 403, code: "ip_denied"})
		})
	}
}

// hold sends a call and compares what became of it with what had to.
func hold(t *testing.T, w *world, address string, r row) {
	t.Helper()
	w.taken()
	res, body := w.send(t, address, r)
	calls := w.taken()
	if res.StatusCode != r.status {
		t.Errorf("status %d, want %d; the answer: %v %.300s", res.StatusCode, r.status, res.Header, body)
	}
	var problem struct {
		Code   string
		Status int
	}
	if r.code != "" {
		if err := json.Unmarshal([]byte(body), &problem); err != nil || problem.Code != r.code || problem.Status != r.status || res.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("the caller reads %q (%s), want a problem of code %s", body, res.Header.Get("Content-Type"), r.code)
		}
	}
	for _, want := range r.answer {
		name, value, _ := strings.Cut(want, ": ")
		got := res.Header.Values(strings.TrimPrefix(name, "!"))
		switch {
		case strings.HasPrefix(name, "!") != (len(got) == 0):
			t.Errorf("the answer has %s %q, want %q", name, got, want)
		case len(got) > 0 && !strings.Contains(strings.Join(got, ", "), value):
			t.Errorf("the answer has %s %q, want %q in it", name, got, value)
		case name == "Access-Control-Allow-Origin" && len(got) > 1:
			t.Errorf("the answer has %s %q, which is none", name, got)
		}
	}
	if r.sees == nil {
		if len(calls) > 0 {
			t.Errorf("the upstream was asked for %s %s, want nothing", calls[0].request.Method, calls[0].request.RequestURI)
		}
		return
	}
	if len(calls) != 1 {
		t.Errorf("the upstream was asked %d times, want once", len(calls))
		return
	}
	w.compare(t, r, calls[0])
}

// compare looks at what the upstream saw.
func (w *world) compare(t *testing.T, r row, got call) {
	t.Helper()
	req, want := got.request, r.sees
	if method := cmp.Or(want.method, "GET"); req.Method != method || req.URL.Path != want.path || req.URL.RawQuery != want.query || got.body != r.body {
		t.Errorf("the upstream was asked for %s %q ? %q with %q, want %s %q ? %q with %q", req.Method, req.URL.Path, req.URL.RawQuery, got.body, method, want.path, want.query, r.body)
	}
	host := strings.ToLower(cmp.Or(r.host, "localhost"))
	if u, err := url.Parse(r.target); err == nil && u.Host != "" {
		host = u.Host
	}
	told := req.Host
	if w.tellsHost {
		told = req.Header.Get("X-Forwarded-Host")
	}
	if name := strings.ToLower(told); strings.TrimSuffix(strings.Split(name, ":")[0], ".") != strings.TrimSuffix(strings.Split(host, ":")[0], ".") {
		t.Errorf("the upstream has the host %q, want %q, which was ruled on", told, host)
	}
	for _, line := range want.header {
		name, value, _ := strings.Cut(line, ": ")
		if !strings.Contains(strings.Join(req.Header.Values(name), "; "), value) {
			t.Errorf("the upstream has %s %q, want %q in it", name, req.Header.Values(name), value)
		}
	}
	identity := w.identities[want.as]
	for _, name := range []string{"App", "Team", "User", "Scopes", "Credential", "Mode"} {
		value, said := identity[name], req.Header.Values("X-Lanyard-"+name)
		if name == "Credential" && value == "" { // of a token: its id, which nobody knows before
			continue
		}
		if len(said) > 1 || strings.Join(said, "") != value {
			t.Errorf("the upstream has X-Lanyard-%s %q, want %q", name, said, value)
		}
	}
	checkAssertion(t, req.Header.Values("X-Lanyard-Assertion"), identity)
	w.checkClean(t, got)
}

// checkAssertion: signatures are the business of other tests; here it must be there, once, and of the same caller.
func checkAssertion(t *testing.T, got []string, identity map[string]string) {
	t.Helper()
	var claims struct{ App, User, Team string }
	if len(got) == 1 {
		if parts := strings.Split(got[0], "."); len(parts) == 3 {
			if payload, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil && json.Unmarshal(payload, &claims) == nil {
				if claims.App == identity["App"] && claims.User == identity["User"] && claims.Team == identity["Team"] {
					return
				}
			}
		}
	}
	t.Errorf("the upstream has X-Lanyard-Assertion %q, want one of %v", got, identity)
}

// checkClean: nothing spoofed, no credential and none of our names in another spelling reaches the upstream.
func (w *world) checkClean(t *testing.T, got call) {
	t.Helper()
	var all strings.Builder
	fmt.Fprintln(&all, got.request.Method, got.request.RequestURI, got.request.Host)
	must(t, got.request.Header.Write(&all))
	must(t, got.request.Trailer.Write(&all))
	text := all.String()
	if strings.Contains(strings.ToLower(text), "spoofed") {
		t.Errorf("the upstream sees what the caller made up:\n%s", text)
	}
	for name, credential := range w.credentials {
		if strings.Contains(text, credential) {
			t.Errorf("the upstream sees the credential %q", name)
		}
	}
	for name := range got.request.Header {
		plain := strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name))
		rest, ours := strings.CutPrefix(plain, "x-lanyard-")
		if ours && (plain != strings.ToLower(name) || !strings.Contains(" app team user scopes credential mode assertion ", " "+rest+" ")) {
			t.Errorf("the upstream has the header %s", name)
		}
	}
	for _, value := range got.request.Header.Values("Connection") {
		if strings.Contains(strings.ToLower(value), "x-") {
			t.Errorf("the upstream has Connection %q: the next program would drop what it names", value)
		}
	}
}

// send writes the call as it stands in the row: a client would tidy it up.
func (w *world) send(t *testing.T, address string, r row) (*http.Response, string) {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", cmp.Or(r.method, "GET"), r.target, cmp.Or(r.host, "localhost"))
	lines := strings.Join(r.header, "\r\n")
	if !strings.Contains(lines, "Connection:") {
		b.WriteString("Connection: close\r\n")
	}
	if lines != "" {
		b.WriteString(lines + "\r\n")
	}
	b.WriteString("\r\n")
	if len(r.trail) > 0 {
		fmt.Fprintf(&b, "%x\r\n%s\r\n0\r\n%s\r\n\r\n", len(r.body), r.body, strings.Join(r.trail, "\r\n"))
	} else {
		b.WriteString(r.body)
	}
	text := b.String()
	for name, credential := range w.credentials {
		text = strings.ReplaceAll(text, "{"+name+"}", credential)
	}
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(t.Context(), "tcp", address)
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = io.WriteString(conn, text)
	must(t, err)
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: cmp.Or(r.method, "GET")})
	must(t, err)
	body, err := io.ReadAll(res.Body)
	must(t, err)
	must(t, res.Body.Close())
	return res, string(body)
}
