package doors_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// framed is a request of HTTP/2 as no client would send it.
type framed struct {
	name    string
	head    []string // lines "name: value", in place of those of a good head that have the same name; "-name" leaves one out
	body    string
	trailer []string
	want    int // the status; 0: the stream or the connection is reset. 200 reaches the upstream
}

func frames() (all []framed) {
	for path, want := range map[string]int{
		"": 0, "weather/v1/forecast": 0, "*": 0, "/weather/v1/forecast#x": 400, "/weather/v1/fore\x00cast": 0, "/weather/v1/fore cast": 403, "/weather/v1/places/a b": 200, "//weather/v1/forecast": 400, "/weather//v1/forecast": 400, "/weather/../weather/v1/forecast": 400,
		"/weather/v1/%2e%2e/x": 400, "/weather%2fv1/forecast": 400, "/weather/v1/forecast;x": 400, `/weather\v1/forecast`: 400, "/weather/v1/fore\r\nX-Lanyard-User: me": 0, "http://api.test/weather/v1/forecast": 0, "/weather/v1/forecast?a#b": 400,
		"/weather/v1/forecast?a b": 0, "/weather/v1/forecast HTTP/1.1": 403, "/weather/v1/%": 0, "/weather/v1/\xff": 400, "/private?/weather/v1/forecast": 404, "/%77eather/v1/forecast": 200, "/weather/v1/places/S%C3%A3o": 200,
	} {
		all = append(all, framed{name: ":path " + path, head: []string{":path: " + path}, want: want})
	}
	for _, lines := range []string{
		"X-Upper: x", "X-Api-Key: {key}", "connection: x-lanyard-user", "connection: close", "transfer-encoding: chunked", "keep-alive: 5", "proxy-connection: x", "upgrade: websocket", "te: gzip", "x-a: a\r\nx-lanyard-user: me", "x-a: a\x00b", "x a: 1",
		": x", "x-a\x00: 1", ":lanyard: x", ":status: 200", "x-\u00e9: 1", "x-lanyard-user: me\n",
	} {
		all = append(all, framed{name: "header " + lines, head: []string{"+" + lines}, want: 0})
	}
	for lines, want := range map[string]int{
		"host: other.test": 0, "host: api.test": 200, "host: api.test|host: other.test": 0, "host: API.TEST": 200, "te: trailers": 200, "x-lanyard-user: me": 200, "x_lanyard_user: me": 200, "x.lanyard.user: me": 200, "x-lanyard-app: a|x-lanyard-app: b": 200, "x-http-method-override: DELETE": 200,
		"cookie: a=1|cookie: lanyard=session|cookie: b=2": 200, "cookie: lan|cookie: yard=session": 200, "cookie: a=1; |cookie: __Host-lanyard=session": 200, "cookie: a=1; lanyard|cookie: =session": 200, "authorization: Bearer {key}": 400, "x-api-key: {key}": 400,
		"http2-settings: AAMAAABkAAQAAP__": 200, "x-forwarded-for: 1.2.3.4": 200, "expect: 100-continue": 200, "trailer: x-lanyard-user": 200, "content-length: 0": 200,
	} {
		var head []string
		for line := range strings.SplitSeq(lines, "|") {
			head = append(head, "+"+line)
		}
		all = append(all, framed{name: "header " + lines, head: head, want: want})
	}
	for host, want := range map[string]int{
		"": 400, "me@api.test": 0, "api.test/weather": 0, "api.test, other": 400, "a b": 0, "api.test#": 0, "api.test:80": 200, "API.test.": 200, "api.test..": 400, "[::1]:1": 200, "a:b:c": 0, "api%2etest": 0,
	} {
		all = append(all, framed{name: ":authority " + host, head: []string{":authority: " + host}, want: want})
	}
	post := []string{":method: POST"}
	return append(all,
		framed{name: "nothing odd", want: 200},
		framed{name: "no :authority, a host", head: []string{"-:authority", "+host: api.test"}, want: 200},
		framed{name: "no host at all", head: []string{"-:authority"}, want: 400},
		framed{name: "no :path", head: []string{"-:path"}, want: 0},
		framed{name: "no :method", head: []string{"-:method"}, want: 0},
		framed{name: "no :scheme", head: []string{"-:scheme"}, want: 0},
		framed{name: ":scheme ftp", head: []string{":scheme: ftp"}, want: 0},
		framed{name: ":scheme empty", head: []string{":scheme: "}, want: 0},
		framed{name: ":scheme with a slash", head: []string{":scheme: http://evil/"}, want: 0},
		framed{name: "two paths", head: []string{"+:path: /private"}, want: 0},
		framed{name: "two authorities", head: []string{"+:authority: other.test"}, want: 0},
		framed{name: "two methods", head: []string{"+:method: GET"}, want: 0},
		framed{name: "a pseudo header behind others", head: []string{"-:path", "+:path: /weather/v1/forecast"}, want: 0},
		framed{name: "CONNECT", head: []string{":method: CONNECT", "-:path", "-:scheme"}, want: 405},
		framed{name: "CONNECT with a path", head: []string{":method: CONNECT"}, want: 0},
		framed{name: "extended CONNECT", head: []string{":method: CONNECT", "^:protocol: websocket"}, want: 0},
		framed{name: ":protocol", head: []string{"^:protocol: websocket"}, want: 0},
		framed{name: "TRACE", head: []string{":method: TRACE"}, want: 405},
		framed{name: "a method with a space", head: []string{":method: GET /x"}, want: 0},
		framed{name: "an empty method", head: []string{":method: "}, want: 0},
		framed{name: "a method in small letters", head: []string{":method: get"}, want: 403},
		framed{name: "who calls after the body", head: post, body: "hello", trailer: []string{"x-lanyard-user: me", "authorization: Bearer {key}", "x-api-key: {key}"}, want: 200},
		framed{name: "who calls after the body, as said", head: append(post, "+trailer: x-lanyard-user"), body: "hello", trailer: []string{"x-lanyard-user: me"}, want: 200},
		framed{name: "a pseudo header after the body", head: post, body: "hello", trailer: []string{":path: /private"}, want: 0},
		framed{name: "a header in capitals after the body", head: post, body: "hello", trailer: []string{"X-A: 1"}, want: 0},
		framed{name: "a length", head: append(post, "+content-length: 5"), body: "hello", want: 200},
		framed{name: "a length that is too short", head: append(post, "+content-length: 3"), body: "hello", want: 0},
		framed{name: "a length that is too long", head: append(post, "+content-length: 9"), body: "hello", want: 0},
		framed{name: "two lengths", head: append(post, "+content-length: 5", "+content-length: 6"), body: "hello", want: 400},
		framed{name: "one length twice", head: append(post, "+content-length: 5", "+content-length: 5"), body: "hello", want: 200},
		framed{name: "a length that is none", head: append(post, "+content-length: x"), body: "hello", want: 0},
		framed{name: "a length and no body", head: append(post, "+content-length: 5"), want: 200},
	)
}

// TestFrames: over HTTP/2 as well the gateway refuses, or the upstream is asked once for what was ruled on.
func TestFrames(t *testing.T) {
	l := newLedger(t, nil)
	for _, r := range frames() {
		t.Run(strconv.QuoteToASCII(r.name), func(t *testing.T) {
			status, err := l.frame(t, r)
			// What breaks the rules of HTTP/2 may be reset, or be answered 400.
			if status != r.want && (r.want != 0 || status != http.StatusBadRequest) {
				t.Errorf("%v: %d, %v; want %d", r.head, status, err, r.want)
			}
			arrived := l.arrived(t)
			if (arrived == 1) != (r.want == http.StatusOK) || arrived > 1 {
				t.Errorf("%v: reached the upstream %d times", r.head, arrived)
			}
		})
	}
}

// headOf are the lines of a framed request in turn.
func (r framed) headOf(fill func(string) string) (lines [][2]string) {
	lines = [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", "api.test"}, {":path", open}, {"x-api-key", fill("{key}")}}
	for _, line := range r.head {
		first, rest := line[0], line[1:]
		switch first {
		case '-':
			lines = slices.DeleteFunc(lines, func(l [2]string) bool { return l[0] == rest })
			continue
		case '+', '^':
			line = rest
		}
		name, value, _ := strings.Cut(line[1:], ": ")
		pair := [2]string{line[:1] + name, fill(value)}
		switch i := slices.IndexFunc(lines, func(l [2]string) bool { return l[0] == pair[0] }); {
		case first == '+':
			lines = append(lines, pair)
		case first == '^':
			lines = slices.Insert(lines, 0, pair)
		default:
			lines[i] = pair
		}
	}
	return lines
}

// frame sends a request by hand, without TLS as a proxy would, and returns the status it is answered; 0: the stream or the connection ended without.
func (l *ledger) frame(t *testing.T, r framed) (int, error) {
	t.Helper()
	conn, err := net.Dial("tcp", l.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(deadline))
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	f := http2.NewFramer(conn, conn)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.AllowIllegalWrites = true
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	encoded := func(lines [][2]string) []byte {
		block.Reset()
		for _, line := range lines {
			_ = encoder.WriteField(hpack.HeaderField{Name: line[0], Value: line[1]}) // into memory
		}
		return slices.Clone(block.Bytes())
	}
	var after [][2]string
	for _, line := range r.trailer {
		name, value, _ := strings.Cut(line[1:], ": ")
		after = append(after, [2]string{line[:1] + name, l.fill(value)})
	}
	err = errors.Join(f.WriteSettings(), f.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, BlockFragment: encoded(r.headOf(l.fill)), EndHeaders: true, EndStream: r.body == "" && after == nil,
	}))
	if r.body != "" {
		err = errors.Join(err, f.WriteData(1, after == nil, []byte(r.body)))
	}
	if after != nil {
		err = errors.Join(err, f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: encoded(after), EndHeaders: true, EndStream: true}))
	}
	if err != nil {
		return 0, err // it was closed meanwhile
	}
	status := 0
	for {
		frame, err := f.ReadFrame()
		if late, is := errors.AsType[net.Error](err); is && late.Timeout() {
			t.Error("there was no answer")
		}
		if err != nil {
			return status, err
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			if status, err = strconv.Atoi(frame.PseudoValue("status")); err != nil {
				return 0, err
			}
			if status < 200 {
				status = 0
			} else if frame.StreamEnded() {
				return status, nil
			}
		case *http2.DataFrame:
			if frame.StreamEnded() {
				return status, nil
			}
		case *http2.RSTStreamFrame:
			return status, errors.New(frame.ErrCode.String())
		case *http2.GoAwayFrame:
			return status, errors.New(frame.ErrCode.String())
		}
	}
}
