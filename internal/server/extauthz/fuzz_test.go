package extauthz

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/server/doors"
)

// FuzzReadCheck: whatever comes as a question is refused or read as one clear call, and every answer about it can be sent.
func FuzzReadCheck(f *testing.F) {
	for _, said := range []*authv3.AttributeContext_HttpRequest{
		{Method: "GET", Path: "/a?b", Host: "a.test", Scheme: "https", Headers: map[string]string{":path": "/a?b", "x-api-key": "k,k", "cookie": "a=1,lanyard=x"}},
		{Method: "GET", Path: "/a", Host: "a.test", Scheme: "http", HeaderMap: &corev3.HeaderMap{Headers: []*corev3.HeaderValue{
			{Key: "X_Lanyard.user", RawValue: []byte("x")}, {Key: "cookie", RawValue: []byte("\xff; lanyard=x")}, {Key: "X-Forwarded-For", RawValue: []byte("::1, 203.0.113.7")},
		}}},
	} {
		source := &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{Address: "127.0.0.1"}}}
		seed, err := proto.Marshal(&authv3.CheckRequest{Attributes: &authv3.AttributeContext{
			Source: &authv3.AttributeContext_Peer{Address: source}, Request: &authv3.AttributeContext_Request{Http: said},
		}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	f.Fuzz(func(t *testing.T, message []byte) {
		var req authv3.CheckRequest
		if proto.Unmarshal(message, &req) != nil {
			return
		}
		call, err := readCheck(&req, proxies)
		if err != nil {
			return
		}
		if !call.IP.IsValid() || call.Host == "" || !strings.HasPrefix(call.Path, "/") || strings.Contains(call.Path, "?") || call.Method == "" {
			t.Fatalf("readCheck = %+v", call)
		}
		res := allowed(&call, &doors.Ruling{Forward: call.Path, Headers: http.Header{"Vary": {"Origin"}}}, http.Header{"X-Lanyard-User": {""}})
		if _, err := proto.Marshal(res); err != nil {
			t.Fatalf("the answer to %q cannot be sent: %v", message, err)
		}
		removed := map[string]bool{}
		for _, name := range res.GetOkResponse().GetHeadersToRemove() {
			removed[name] = true
		}
		for _, o := range res.GetOkResponse().GetHeaders() {
			if removed[o.GetHeader().GetKey()] {
				t.Fatalf("%s is set and removed", o.GetHeader().GetKey())
			}
			if cookie := o.GetHeader(); cookie.GetKey() == "cookie" {
				again := http.Header{"Cookie": {cookie.GetValue()}}
				if lanyard.StripHeaders(again); len(again["Cookie"]) != 1 || again["Cookie"][0] != cookie.GetValue() {
					t.Fatalf("the upstream would see the cookies %q", cookie.GetValue())
				}
			}
		}
		for name := range call.Header {
			alone := http.Header{name: {""}}
			lanyard.StripHeaders(alone)
			if len(alone) == 0 && !removed[strings.ToLower(name)] && !slices.Contains(doors.IdentityHeaders(), name) {
				t.Fatalf("%s reaches the upstream", name)
			}
		}
	})
}
