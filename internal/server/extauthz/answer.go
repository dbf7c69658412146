package extauthz

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/server/doors"
)

// allowed is the answer that lets a call through. Envoy is told what the upstream gets: the path that was ruled on, who calls, and neither
// credentials nor anything that only a door may say. A header that is set must not be removed as well: Envoy removes last.
func allowed(call *doors.Call, r *doors.Ruling, identity http.Header) *authv3.CheckResponse {
	left := leave(call.Header)
	ok := &authv3.OkHttpResponse{HeadersToRemove: left.remove, ResponseHeadersToAdd: options(r.Headers)}
	ok.Headers = append(options(identity), option(":path", doors.Target(r.Forward, call.Query)))
	if left.cookie != "" {
		ok.Headers = append(ok.Headers, option("cookie", left.cookie))
	}
	return &authv3.CheckResponse{Status: &status.Status{}, HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: ok}}
}

// denied is the answer that stops a call, with all that its caller is to read.
func denied(a *doors.Answer) *authv3.CheckResponse {
	said := written{header: http.Header{}}
	a.Write(&said)
	return &authv3.CheckResponse{
		Status: &status.Status{Code: int32(codeOf(a.Status)), Message: a.Code}, //nolint:gosec // codes are small
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
			Status:  &typev3.HttpStatus{Code: typev3.StatusCode(said.status)}, //nolint:gosec // so are statuses
			Headers: options(said.header), Body: said.body.String(),
		}},
	}
}

// codeOf is for logs and statistics: Envoy only looks whether it is OK.
func codeOf(status int) codes.Code {
	switch status {
	case http.StatusBadRequest, http.StatusRequestHeaderFieldsTooLarge:
		return codes.InvalidArgument
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusTooManyRequests:
		return codes.ResourceExhausted
	case http.StatusServiceUnavailable:
		return codes.Unavailable
	}
	return codes.PermissionDenied
}

// written is an answer that goes into a message.
type written struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (w *written) Header() http.Header         { return w.header }
func (w *written) WriteHeader(status int)      { w.status = status }
func (w *written) Write(b []byte) (int, error) { return w.body.Write(b) }

// options are headers as Envoy is to set them, in a steady order.
func options(h http.Header) []*corev3.HeaderValueOption {
	out := make([]*corev3.HeaderValueOption, 0, len(h)+2)
	for name, values := range h {
		out = append(out, option(strings.ToLower(name), strings.Join(values, ", ")))
	}
	slices.SortFunc(out, func(x, y *corev3.HeaderValueOption) int { return strings.Compare(x.Header.Key, y.Header.Key) })
	return out
}

// option is a header that takes the place of all of its name. An empty one stays: today's Envoy keeps it anyhow, and one that did not would leave
// the caller's own in place. Vary and Warning are lists that an upstream may have its own part in.
func option(name, value string) *corev3.HeaderValueOption {
	action := corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
	if name == "vary" || name == "warning" {
		action = corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD
	}
	return &corev3.HeaderValueOption{Header: &corev3.HeaderValue{Key: name, Value: strings.ToValidUTF8(value, "")}, AppendAction: action, KeepEmptyValue: true}
}

// leaving is what a front has to do to a caller's headers.
type leaving struct {
	remove []string // in lower case
	cookie string   // in place of the caller's; "": they stay, or are removed
}

// leave says what must not reach an upstream of the headers of a call.
func leave(h http.Header) leaving {
	// Known names are there whether the call has them or not: Envoy may have been told not to show them.
	known := []string{"authorization", "x-api-key", "dpop", "x-http-method-override", "x-http-method", "x-method-override", "forwarded", "x-real-ip"}
	ours := doors.IdentityHeaders()
	var others []string
	for name := range h {
		lower := strings.ToLower(name)
		if slices.Contains(known, lower) || envoys(lower) || slices.Contains(ours, name) {
			continue
		}
		alone := http.Header{name: {""}}
		if lanyard.StripHeaders(alone); len(alone) == 0 || doors.RoutingHeader(name) {
			others = append(others, lower)
		}
	}
	slices.Sort(others)
	out := leaving{remove: append(known, others...)}
	came := h["Cookie"]
	kept := http.Header{"Cookie": slices.Clone(came)}
	lanyard.StripHeaders(kept)
	if slices.Equal(came, kept["Cookie"]) {
		return out
	}
	out.cookie = strings.Join(kept["Cookie"], "; ")
	if !utf8.ValidString(out.cookie) { // Envoy takes text; a cookie with a piece missing would be another
		out.cookie = ""
	}
	if out.cookie == "" {
		out.remove = append(out.remove, "cookie")
	}
	return out
}

// envoys says whether Envoy sets a header itself, over what a caller may have sent.
func envoys(name string) bool {
	switch name {
	case "x-forwarded-for", "x-forwarded-proto", "x-forwarded-client-cert", "x-request-id":
		return true
	}
	return false
}
