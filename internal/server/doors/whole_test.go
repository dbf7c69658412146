package doors_test

import (
	"bufio"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
)

// whole is the text of requests, and what they are answered, in turn. 200 stands for what reached the upstream, 0 for a connection that ends before
// another answer.
type whole struct {
	name string
	text string // {key} stands for a key that may
	want []int  // nil: whatever, but nothing passes
}

// wholes are requests as no client would write them.
func wholes() []whole {
	return slices.Concat(targets(), names(), framings(), pretences())
}

// get is a request whose head is good but for what is given.
func get(target string, lines ...string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: api.test\r\nX-Api-Key: {key}\r\n" + strings.Join(append(lines, "", ""), "\r\n")
}

// post is one with a body whose length is said by lines.
func post(body string, lines ...string) string {
	return "POST /weather/v1/forecast HTTP/1.1\r\nHost: api.test\r\nX-Api-Key: {key}\r\n" + strings.Join(append(lines, "", ""), "\r\n") + body
}

const open = "/weather/v1/forecast"

func targets() (all []whole) {
	for status, list := range map[int][]string{
		400: {
			"/weather/v1/%2e%2e/v1/forecast", "/weather/v1/.%2e/v1/forecast", "/weather%2fv1/forecast", "/weather/v1%2Fforecast", "/weather/v1%5cforecast", "/weather/v1/forecast%00",
			"/weather/v1/forecast%0d%0aX-Lanyard-User:%20me", "/weather/v1%252fforecast", "/weather/v1/%252e%252e/x", "/weather/v1/%25%32%65", "/weather/v1/%c0%ae/forecast", "/weather/v1%c0%afforecast",
			"/weather/v1/%e0%80%af", "/weather/v1/%ff", "/weather/v1/%ed%a0%80", "/weather/%zz", "/weather/%", "/weather/v1/%u002e", "//weather/v1/forecast", "/weather//v1/forecast", "/weather/v1/forecast//",
			"/./weather/v1/forecast", "/weather/./v1/forecast", "/weather/v1/forecast/.", "/public/../weather/v1/forecast", "/weather/v1/../v1/forecast", "/weather/v1/forecast/..", "/../weather/v1/forecast",
			"/weather/..;/weather/v1/forecast", "/weather/v1/forecast;x=1", "/weather/v1;/forecast", "/weather/v1/%3b/forecast", "/weather/v1/forecast#x", "/weather/v1/forecast%23", "/weather/v1/forecast?a#b",
			"/weather/v1/fore\x00cast", "/weather/v1/fore\x01cast", "/weather/v1/fore\x7fcast", "/weather/v1/fore\tcast", "/weather/v1/forecast?a=\x7f", "/weather/v1/%c2%85", "/weather/v1/\xc2\x85",
			`/weather\v1\forecast`, `\weather\v1\forecast`, "/weather/v1/forecast%5c..", "/weather/v1/forecast%3fx", "*", "weather/v1/forecast", "?/weather/v1/forecast", "", ".", "api.test:80",
			"http://api.test//weather/v1/forecast", "http:///weather/v1/forecast", "http:/weather/v1/forecast", "http:weather/v1/forecast", "http://api.test/weather/../weather/v1/forecast",
			"http://me@api.test/weather/v1/forecast", "http://api.test:80:80/weather/v1/forecast", "http://api.test/weather/v1%2fforecast", "http://a/b@api.test//weather/v1/forecast", "://api.test/weather/v1/forecast", "http://api.test",
			"/weather/v1/forecast HTTP/1.1 x", "/weather/v1/ forecast", " /weather/v1/forecast", "/weather/v1/places/\xff", "/" + strings.Repeat("a", 8<<10),
		},
		403: {"/weather/v1/forecast/", "/weather/v1/Forecast", "/weather", "/weather/v1/forecast\u00e9", "/weather/v1/forecast%20"},
		404: {"/", "/WEATHER/v1/forecast", "/weatherx", "/%57eather/v1/forecast", "/private?/weather/v1/forecast", "http://api.test/v1/forecast", "/[weather]/v1/forecast"},
		200: {
			"/weather/v1/forecast", "/%77eather/v1/forecast", "/weather/v1/%66%6F%72ecast", "/weather/v1/places/S%C3%A3o", "/weather/v1/places/S\u00e3o", "/weather/v1/places/a%20b", "/weather/v1/places/a+b",
			"/weather/v1/places/a:b@c", "/weather/v1/places/...", "/weather/v1/places/%F0%9F%8C%A7", "/weather/v1/places/!$&'()*,=~", "/weather/v1/places/%7Bx%7D|^`\"<>", "/weather/v1/forecast?", "/weather/v1/forecast??a=?", "/weather/v1/forecast?a;b;c",
			"/weather/v1/forecast?x=/../..//%2e%2e%2f%00", "/weather/v1/forecast?%zz&a=%", "/weather/v1/forecast?a=\xff\xfe", "/weather/v1/forecast?API_KEYS=1", "http://elsewhere/weather/v1/forecast", "http://api.test:8421/weather/v1/forecast?x",
			"HTTP://API.TEST./weather/v1/forecast", "ftp://elsewhere/weather/v1/forecast",
		},
	} {
		for _, target := range list {
			all = append(all, whole{"target " + target[:min(len(target), 60)], get(target), []int{status}})
		}
	}
	return append(all,
		whole{"a key in the query", strings.Replace(get("/weather/v1/forecast?a=1&api_key={key}&b=%2"), "X-Api-Key: {key}\r\n", "", 1), []int{200}},
		whole{"a key in the query of an address", strings.Replace(get("http://api.test/weather/v1/forecast?api%5fkey={key}"), "X-Api-Key: {key}\r\n", "", 1), []int{200}},
		whole{"a key in the query twice", strings.Replace(get("/weather/v1/forecast?api_key={key}&API%5FKEY={key}"), "X-Api-Key: {key}\r\n", "", 1), []int{400}},
		whole{"a key behind a semicolon", strings.Replace(get("/weather/v1/forecast?a;api_key={key}"), "X-Api-Key: {key}\r\n", "", 1), []int{400}},
		whole{"authority form", "CONNECT api.test:80 HTTP/1.1\r\nHost: api.test:80\r\nX-Api-Key: {key}\r\n\r\n", []int{405}},
		whole{"CONNECT to a path", "CONNECT /weather/v1/forecast HTTP/1.1\r\nHost: api.test\r\nX-Api-Key: {key}\r\n\r\n", []int{405}},
		whole{"TRACE", "TRACE /weather/v1/forecast HTTP/1.1\r\nHost: api.test\r\nX-Api-Key: {key}\r\n\r\n", []int{405}},
		whole{"a method in small letters", "get /weather/v1/forecast HTTP/1.1\r\nHost: api.test\r\nX-Api-Key: {key}\r\n\r\n", []int{403}},
		whole{"a method that is none", "G(T /weather/v1/forecast HTTP/1.1\r\nHost: api.test\r\nX-Api-Key: {key}\r\n\r\n", []int{400}},
		whole{"no method", " /weather/v1/forecast HTTP/1.1\r\nHost: api.test\r\nX-Api-Key: {key}\r\n\r\n", []int{400}},
		whole{"HTTP/1.0", "GET /weather/v1/forecast HTTP/1.0\r\nHost: api.test\r\nX-Api-Key: {key}\r\n\r\n", []int{200}},
		whole{"HTTP/1.0 without a host", "GET /weather/v1/forecast HTTP/1.0\r\nX-Api-Key: {key}\r\n\r\n", []int{400}},
		whole{"HTTP/0.9", "GET /weather/v1/forecast\r\n\r\n", []int{400}},
		whole{"HTTP/1.2", strings.Replace(get(open), "HTTP/1.1", "HTTP/1.2", 1), []int{200}},
		whole{"HTTP/2.0", strings.Replace(get(open), "HTTP/1.1", "HTTP/2.0", 1), []int{505}},
		whole{"no HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", []int{400}},
	)
}

func names() (all []whole) {
	for status, list := range map[int][]string{
		400: {
			"Host: other.test", "Host:", "host: api.test", "X-Lanyard-User : me", "X-Lanyard-User\t: me", ": x", "no colon", "X-A: a\x00b", "X-A: a\x01b", "X-A: a\rX-Lanyard-User: me", "X A: 1",
			"X-A\x00: 1", "X-(A): 1", "X-A\u00e9: 1", "X-Api-Key: {key}", "x-API-key: {key}", "X-Api-Key: other", "X-Api-Key:", "Authorization: Bearer {key}", "Authorization: Basic eDo=",
			"Authorization: Bearer a\r\nAuthorization: Bearer a", "authorization: Bearer a\r\nAUTHORIZATION: Bearer b",
		},
		401: {"Authorization:", "Authorization: Bearer", "Authorization: Digest x", "Authorization: DPoP x", " which belongs to the key above"},
		200: {
			"X-Lanyard-User: me", "x-lanyard-user: me", "X_Lanyard_User: me", "X_LANYARD_USER: me", "X.Lanyard.User: me", "X-Lanyard_User: me", "X-Lanyard.Team: me", "X-Lanyard: me", "X-Lanyard-: me", "X-Lanyard-Status: 200", "X~Lanyard~User: me", "X!Lanyard-App: me",
			"X-Lanyard-App: a\r\nX-Lanyard-App: b\r\nx-lanyard-APP: c", "X_Api_Key: x", "X.Api.Key: {key}", "Authoriza_tion: x", "DPoP: x", "D.PoP: x", "Proxy-Authorization: Bearer {key}",
			"Connection: X-Lanyard-User", "Connection: X-Lanyard-User, X-Lanyard-App\r\nX-Lanyard-User: me", "Connection: Authorization", "Connection: close, X-Api-Key", "Connection: keep-alive, Host, Content-Length, X-Request-Id, X-Forwarded-For",
			"Connection: x_lanyard_user, X.Lanyard.App", "connection: X-Lanyard-User\r\nConnection: close", "Keep-Alive: timeout=5", "Proxy-Connection: X-Lanyard-User", "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
			"Upgrade: websocket, h2c\r\nConnection: upgrade", "Upgrade: websocket\r\nUpgrade: h2c\r\nConnection: upgrade", "Upgrade: h2c", "Connection: Upgrade", "Upgrade: TLS/1.3\r\nConnection: Upgrade", "Upgrade: websocket", "TE: trailers", "TE: gzip, trailers\r\nConnection: TE",
			"Trailer: X-Lanyard-User", "Trailer: Authorization", "X-HTTP-Method-Override: DELETE", "X_HTTP_Method: DELETE", "x.method.override: DELETE", "X-Request-Id: mine\r\nX_Request_Id: mine", "X-Forwarded-For: 1.2.3.4\r\nX_Forwarded_Host: me", "X-Original-Url: /admin\r\nX-Rewrite-Url: /admin",
			"Cookie: lanyard=session", "Cookie: a=1; LANYARD=session; __Host-lanyard=session\r\nCookie: __host-Lanyard=session", "X-A: a\tb", "X-A: 1\r\n X-Lanyard-User: me", "X-A: 1\r\n\tb", "X-A: \xff\xfe", "X-A:", "X-A:x", "X-A: " + strings.Repeat("a", 16<<10), "Expect: 100-continue", "Range: bytes=0-1", "Max-Forwards: 0", "Via: 1.1 me",
		},
		417: {"Expect: something"},
		431: {"X-A: " + strings.Repeat("a", 64<<10), strings.Repeat("X-A: a\r\n", 8<<10) + "X-B: b"},
	} {
		for _, lines := range list {
			all = append(all, whole{"header " + lines[:min(len(lines), 60)], get(open, lines), []int{status}})
		}
	}
	for host, status := range map[string]int{
		"": 400, "me@api.test": 400, "api.test:80": 200, "api.test:": 200, "api.test.": 200, "API.Test.:80": 200, "api.test:80:80": 400, "api.test:8o": 400, "api.test/weather": 400, "api.test, other.test": 400, "api.test other.test": 400, "api.test#": 400,
		"api.test?": 400, `api.test\`: 400, "api%2etest": 400, "[::1]": 200, "[::1]:80": 200, "::1": 400, "[api.test": 400, "api.test..": 400, ".": 400, "api.test;": 400, "\xff": 400, "api.test\x00": 400, "http://api.test": 400, strings.Repeat("a", 301): 400,
	} {
		all = append(all, whole{"host " + host[:min(len(host), 30)], "GET /weather/v1/forecast HTTP/1.1\r\nHost: " + host + "\r\nX-Api-Key: {key}\r\n\r\n", []int{status}})
	}
	return append(all,
		whole{"no host", "GET /weather/v1/forecast HTTP/1.1\r\nX-Api-Key: {key}\r\n\r\n", []int{400}},
		whole{"an address and no host", "GET http://api.test/weather/v1/forecast HTTP/1.1\r\nX-Api-Key: {key}\r\n\r\n", []int{400}},
		whole{"an address and a host that is none", "GET http://api.test/weather/v1/forecast HTTP/1.1\r\nHost: a b\r\nX-Api-Key: {key}\r\n\r\n", []int{400}},
		whole{"bare LF", strings.ReplaceAll(get(open), "\r\n", "\n"), []int{200}},
		whole{"bare LF before a header of ours", get(open, "X-A: 1\nX-Lanyard-User: me"), []int{200}},
		whole{"bare CR for an end", strings.ReplaceAll(get(open), "\r\n", "\r"), nil},
		whole{"an empty line first", "\r\n" + get(open), []int{400}},
		whole{"half a head", "GET /weather/v1/forecast HTTP/1.1\r\nHost: api.test\r\nX-Api-Key: {key}\r\n", nil},
		whole{"nothing", "", nil},
	)
}

// framings are bodies of two lengths, and what could be a request behind one.
func framings() []whole {
	const chunked = "Transfer-Encoding: chunked"
	second := get("/weather/v1/history")
	return []whole{
		{"two lengths", post("hello", "Content-Length: 5", "Content-Length: 6"), []int{400}},
		{"two lengths in one", post("hello", "Content-Length: 5, 6"), []int{400}},
		{"one length twice", post("hello", "Content-Length: 5", "content-length: 5"), []int{200}},
		{"a length with a sign", post("hello", "Content-Length: +5"), []int{400}},
		{"a negative length", post("hello", "Content-Length: -1"), []int{400}},
		{"a length in hex", post("hello", "Content-Length: 0x5"), []int{400}},
		{"a length with an underscore", post("hello", "Content-Length: 0_5"), []int{400}},
		{"a length beyond numbers", post("hello", "Content-Length: 99999999999999999999"), []int{400}},
		{"an empty length", post("", "Content-Length:"), []int{400}},
		{"no length", post("hello\r\n\r\n"), []int{200, 400}},
		{"a length in another spelling", post("5\r\nhello\r\n0\r\n\r\n", "Content_Length: 3", chunked), []int{200}},
		{"length and chunks", post("5\r\nhello\r\n0\r\n\r\n", "Content-Length: 3", chunked), []int{200}},
		{"chunks and a request behind them", post("0\r\n\r\n"+second, chunked), []int{200, 0}},
		{"chunks in HTTP/1.0 and a request behind them", strings.Replace(post("0\r\n\r\n"+second, chunked, "Connection: keep-alive"), "HTTP/1.1", "HTTP/1.0", 1), []int{200, 0}},
		{"chunks and length", post("0\r\n\r\n"+second, chunked, "Content-Length: 200"), []int{200, 0}},
		{"chunks of another name", post("5\r\nhello\r\n0\r\n\r\n", "Transfer-Encoding: xchunked"), []int{501}},
		{"chunks twice", post("5\r\nhello\r\n0\r\n\r\n", chunked, chunked), []int{501}},
		{"chunks in a list", post("5\r\nhello\r\n0\r\n\r\n", "Transfer-Encoding: chunked, identity"), []int{501}},
		{"chunks in gzip", post("5\r\nhello\r\n0\r\n\r\n", "Transfer-Encoding: gzip, chunked"), []int{501}},
		{"chunks behind a tab", post("5\r\nhello\r\n0\r\n\r\n", "Transfer-Encoding:\tchunked"), []int{200}},
		{"chunks in capitals", post("5\r\nhello\r\n0\r\n\r\n", "transfer-encoding: CHUNKED"), []int{200}},
		{"chunks with a vertical tab", post("5\r\nhello\r\n0\r\n\r\n", "Transfer-Encoding: \x0bchunked"), []int{400}},
		{"chunks, folded", post("5\r\nhello\r\n0\r\n\r\n", "Transfer-Encoding:\r\n chunked"), []int{200}},
		{"chunks before a colon and a space", post("5\r\nhello\r\n0\r\n\r\n", "Transfer-Encoding : chunked"), []int{400}},
		{"chunks with an underscore", post("5\r\nhello\r\n0\r\n\r\n", "Transfer_Encoding: chunked", "Content-Length: 15"), []int{200}},
		{"chunks in HTTP/1.0", strings.Replace(post("5\r\nhello\r\n0\r\n\r\n", chunked), "HTTP/1.1", "HTTP/1.0", 1), []int{200}},
		{"an empty coding", post("hello", "Transfer-Encoding:", "Content-Length: 5"), []int{501}},
		{"identity", post("hello", "Transfer-Encoding: identity", "Content-Length: 5"), []int{501}},
		{"an extension", post("5;a=b\r\nhello\r\n0;c=\"d\"\r\n\r\n", chunked), []int{200}},
		{"an extension with a line in it", post("5;\nxx\r\nhello\r\n0\r\n\r\n", chunked), []int{400}},
		{"a chunk's size with a sign", post("+5\r\nhello\r\n0\r\n\r\n", chunked), []int{400}},
		{"a chunk's size in 0x", post("0x5\r\nhello\r\n0\r\n\r\n", chunked), []int{400}},
		{"a chunk's size beyond numbers", post("10000000000000005\r\nhello\r\n0\r\n\r\n", chunked), []int{400}},
		{"a chunk longer than it says", post("4\r\nhello\r\n0\r\n\r\n", chunked), []int{400}},
		{"chunks that end with bare LF", post("5\nhello\n0\n\n", chunked), []int{400}},
		{"a last chunk of many noughts", post("5\r\nhello\r\n000\r\n\r\n", chunked), []int{200}},
		{"who calls after the body", post("5\r\nhello\r\n0\r\nX-Lanyard-App: me\r\nAuthorization: Bearer {key}\r\n\r\n", chunked, "Trailer: X-Lanyard-App, Authorization"), []int{200}},
		{"who calls after the body, unsaid", post("5\r\nhello\r\n0\r\nX-Lanyard-App: me\r\nTransfer-Encoding: chunked\r\nHost: other\r\n\r\n", chunked), []int{200}},
		{"a length after the body", post("5\r\nhello\r\n0\r\nContent-Length: 100\r\n\r\n", chunked, "Trailer: Content-Length"), []int{400}},
		{"a coding after the body", post("5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n", chunked, "Trailer: Transfer-Encoding"), []int{400}},
		{"a credential after the body alone", strings.Replace(post("5\r\nhello\r\n0\r\nX-Api-Key: {key}\r\n\r\n", chunked, "Trailer: X-Api-Key"), "X-Api-Key: {key}\r\n", "", 1), []int{401}},
		{"a body to come", post("hello", "Expect: 100-continue", "Content-Length: 5"), []int{200}},
		{"a body with a request in it", post(second, "Content-Length: {length}"), []int{200}},
		{"a request behind a body", post("hello"+second, "Content-Length: 5"), []int{200, 200}},
		{"a request without a key behind one", get(open) + strings.Replace(second, "X-Api-Key: {key}\r\n", "", 1), []int{200, 401}},
		{"a refused body with a request in it", strings.Replace(post(second, "Content-Length: {length}"), "X-Api-Key: {key}\r\n", "", 1), []int{401}},
		{"a GET with a body", get(open, "Content-Length: 5") + "hello", []int{200}},
		{"a GET with chunks", get(open, chunked) + "5\r\nhello\r\n0\r\n\r\n", []int{200}},
		{"HTTP/2 after HTTP/1", get(open) + "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []int{200, 400}},
		{"a tunnel's second request", get(open, "Connection: Upgrade", "Upgrade: websocket") + second, []int{200, 200}},
	}
}

// pretences are calls that would pass for another's.
func pretences() []whole {
	return []whole{
		{"an override of the method", strings.Replace(get(open, "X-HTTP-Method-Override: GET"), "GET", "DELETE", 1), []int{403}},
		{"an override in the query", strings.Replace(get(open+"?_method=GET"), "GET", "DELETE", 1), []int{403}},
		{"who calls without a credential", strings.Replace(get(open, "X-Lanyard-User: me", "X-Lanyard-Assertion: x"), "X-Api-Key: {key}\r\n", "", 1), []int{401}},
		{"a credential that Connection names", get(open, "Connection: X-Api-Key"), []int{200}},
		{"a question before a call", strings.Replace(get(open, "Origin: https://app.test", "Access-Control-Request-Method: GET"), "GET", "OPTIONS", 1), []int{204}},
		{"a document of the gateway's", get("/.well-known/lanyard-assertion-jwks.json"), []int{200}},
		{"a document through the API", get("/weather/.well-known/lanyard-assertion-jwks.json"), []int{403}},
		{"a document on the way back", get("/.well-known/../weather/v1/forecast"), []int{400}},
	}
}

// TestWholeRequests: whatever bytes come, the gateway refuses, or the upstream is asked once for what was ruled on.
func TestWholeRequests(t *testing.T) {
	l := newLedger(t, nil)
	for _, r := range wholes() {
		t.Run(r.name, func(t *testing.T) {
			text := l.fill(r.text)
			_, body, _ := strings.Cut(text, "\r\n\r\n")
			text = strings.Replace(text, "{length}", strconv.Itoa(len(body)), 1)
			least := len(r.want) // before a connection is taken to be done
			if least > 0 && r.want[least-1] == 0 {
				least--
			}
			got := answers(l.send(t, text, least, 5*time.Millisecond))
			// What comes after an answer that closes the connection is not read.
			if r.want != nil && !slices.Equal(got, r.want) && !slices.Equal(append(got, 0), r.want) {
				t.Errorf("%q\nis answered %v, want %v", text[:min(len(text), 400)], got, r.want)
			}
			arrived := l.arrived(t)
			passed := 0
			for _, status := range r.want {
				if status == http.StatusOK && !strings.Contains(r.text, "GET /.well-known/lanyard") {
					passed++
				}
			}
			if arrived != passed {
				t.Errorf("%q\nreached the upstream %d times, want %d", text[:min(len(text), 400)], arrived, passed)
			}
		})
	}
	if text := l.log.text(); strings.Contains(text, l.key.Secret) {
		t.Error("the key stands in the log")
	}
}

// answers are the statuses of answers that came one after another.
func answers(text string) (statuses []int) {
	r := bufio.NewReader(strings.NewReader(text))
	for {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			return statuses
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			return statuses
		}
		if res.StatusCode >= 200 {
			statuses = append(statuses, res.StatusCode)
		}
	}
}

// FuzzWholeRequests: the same of any bytes.
func FuzzWholeRequests(f *testing.F) {
	l := newLedger(f, func(a *lanyard.API) { a.Metering = "none" }) // else every input would be written down
	l.log.level.Set(slog.LevelError)
	for _, r := range wholes() {
		f.Add([]byte(r.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 16<<10 {
			return
		}
		_ = l.send(t, l.fill(string(text)), 0, 5*time.Millisecond)
		if _, faults := l.taken(); len(faults) > 0 {
			t.Fatalf("%q\n%s", text, strings.Join(faults, "\n"))
		}
	})
}
