package extauthz

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"golang.org/x/net/http/httpguts"

	"github.com/lanyard-auth/lanyard/internal/server/doors"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// errTooLarge is of a call whose headers are more than any door reads.
var errTooLarge = errors.New("the headers of the call are too large")

// described is a call as Envoy tells of it, before anything is believed.
type described struct {
	method, target, host, scheme string
	header                       http.Header
	source                       string // host:port of who is connected to Envoy
}

// readCheck turns a question over gRPC into a call. It fails on whatever is not said once, and clearly.
func readCheck(req *authv3.CheckRequest, proxies []netip.Prefix) (doors.Call, error) {
	said := req.GetAttributes().GetRequest().GetHttp()
	if said == nil {
		return doors.Call{}, errors.New("it tells of no HTTP request: the filter belongs among the HTTP filters")
	}
	if said.GetQuery() != "" || said.GetFragment() != "" {
		return doors.Call{}, errors.New("it tells of a query or a fragment apart from the path")
	}
	source, err := readSource(req.GetAttributes().GetSource().GetAddress())
	if err != nil {
		return doors.Call{}, err
	}
	h, err := readHeaders(said)
	if err != nil {
		return doors.Call{}, err
	}
	d := described{method: said.GetMethod(), target: said.GetPath(), host: said.GetHost(), scheme: said.GetScheme(), header: h, source: source}
	return d.call(proxies)
}

// readSource is the address of who is connected to Envoy. Without one the caller would be taken for nobody, or for Envoy itself.
func readSource(a *corev3.Address) (string, error) {
	at := a.GetSocketAddress()
	if at == nil {
		return "", errors.New("it does not tell what address the call came from")
	}
	ip, err := netip.ParseAddr(at.GetAddress())
	if err != nil || ip.Zone() != "" {
		return "", errors.New("the address that the call came from is none")
	}
	return net.JoinHostPort(ip.String(), strconv.Itoa(int(at.GetPortValue()&0xffff))), nil
}

// readHeaders returns the headers of a call. Envoy sends them as they came, line by line (encode_raw_headers), or with the lines of a name
// joined by commas. Joined credentials hold a comma and are refused for that where they are read.
func readHeaders(said *authv3.AttributeContext_HttpRequest) (http.Header, error) {
	joined, lines := said.GetHeaders(), said.GetHeaderMap().GetHeaders()
	if len(joined) > 0 && len(lines) > 0 {
		return nil, errors.New("it tells of the headers twice")
	}
	h, size := make(http.Header, len(joined)+len(lines)), 0
	add := func(name, value string) error {
		if strings.HasPrefix(name, ":") {
			return nil // of HTTP/2; what they say stands in fields of its own
		}
		if size += len(name) + len(value); size > maxHeaders {
			return errTooLarge
		}
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return fmt.Errorf("the header %.60q is none", name)
		}
		name = http.CanonicalHeaderKey(name)
		h[name] = append(h[name], value)
		return nil
	}
	for name, value := range joined {
		if strings.EqualFold(name, "cookie") {
			value = apart(value)
		}
		if err := add(name, value); err != nil {
			return nil, err
		}
	}
	for _, line := range lines {
		value := line.GetValue()
		if raw := line.GetRawValue(); len(raw) > 0 {
			if value != "" {
				return nil, errors.New("it tells of the value of a header twice")
			}
			value = string(raw)
		}
		if err := add(line.GetKey(), value); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// apart divides lines of cookies that were joined by commas, if one of Lanyard's may stand after a comma. Others keep their commas, which some
// have in their values.
func apart(cookies string) string {
	if strings.Contains(cookies, ",") && strings.Contains(strings.ToLower(cookies), "lanyard") {
		return strings.ReplaceAll(cookies, ",", ";")
	}
	return cookies
}

// call checks what was described. Trusted proxies before Envoy are believed as everywhere: the caller is the last address that is none of theirs.
func (d *described) call(proxies []netip.Prefix) (doors.Call, error) {
	path, query, _ := strings.Cut(d.target, "?")
	switch {
	case len(d.method) > maxMethod || !httpguts.ValidHeaderFieldName(d.method):
		return doors.Call{}, errors.New("it tells of no method")
	case d.method == http.MethodConnect || d.method == http.MethodTrace:
		return doors.Call{}, errors.New("its method is none for an API")
	case !strings.HasPrefix(d.target, "/") || len(d.target) > maxTarget:
		return doors.Call{}, errors.New("it tells of no path")
	case d.host == "":
		return doors.Call{}, errors.New("it tells of no host")
	case d.scheme != "http" && d.scheme != "https":
		return doors.Call{}, errors.New("its scheme is neither http nor https")
	}
	return doors.Call{
		Method: d.method, Host: d.host, Path: path, Query: query, Header: d.header, Address: d.scheme + "://" + d.host + path,
		IP: web.ClientAddr(&http.Request{RemoteAddr: d.source, Header: d.header}, proxies),
	}, nil
}
