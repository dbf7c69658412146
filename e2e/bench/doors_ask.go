package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// The call that every door is asked about, and who makes it.
const (
	forecastTarget = "/v1/forecast?city=Lagos"
	gatedTarget    = "/gated" + forecastTarget
	callerAddress  = "203.0.113.7"
	callerLines    = "Accept: application/json\r\nUser-Agent: bench\r\n"
)

func headers(before string, credentials []string) []string {
	made := make([]string, len(credentials))
	for i, c := range credentials {
		made[i] = before + c
	}
	return made
}

// asks is a request for each header, at random: the same target, and lines beside the header.
func asks(name, address, target, lines string, with []string, answer string) subject {
	made := make([][]byte, len(with))
	for i, header := range with {
		made[i] = fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n%s\r\n", target, address, header, lines)
	}
	right := func(body []byte) error { return begins(body, []byte(answer)) }
	return subject{name: name, address: address, open: func(int) talk { return &repeated{made, right} }}
}

// calls makes the call, to the API or to a proxy before it.
func calls(name, address, target string, with []string) subject {
	return asks(name, address, target, callerLines, with, sunny)
}

// asNginx asks about the call as docs/doors/nginx.conf does.
func asNginx(name, address string, with []string) subject {
	lines := "X-Original-Method: GET\r\nX-Original-URI: " + gatedTarget + "\r\nX-Original-Host: api.example.test:443\r\nX-Original-Scheme: https\r\nX-Forwarded-For: " + callerAddress + "\r\n"
	return asks(name, address, "/forward-auth/nginx?api=gated", lines+callerLines, with, yes)
}

// asEnvoy asks about the call as Envoy's http_service does.
func asEnvoy(name, address string, with []string) subject {
	return asks(name, address, "/ext_authz"+gatedTarget, "X-Forwarded-For: "+callerAddress+"\r\nX-Forwarded-Proto: https\r\n"+callerLines, with, "")
}

// envoyConnections are how many connections questions over gRPC share: Envoy has one for each of its workers.
const envoyConnections = 2

// asEnvoyChecks asks about the call as Envoy does over gRPC, with the library's client. done closes the connections.
func asEnvoyChecks(ctx context.Context, name, address string, keys []string) (s subject, done func() error, err error) {
	clients := make([]authv3.AuthorizationClient, envoyConnections)
	var open []*grpc.ClientConn
	done = func() (err error) {
		for _, conn := range open {
			err = errors.Join(err, conn.Close())
		}
		return err
	}
	for i := range clients {
		conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return s, nil, errors.Join(err, done())
		}
		clients[i], open = authv3.NewAuthorizationClient(conn), append(open, conn)
	}
	questions := make([]*authv3.CheckRequest, len(keys))
	for i, k := range keys {
		questions[i] = check(k)
	}
	return subject{name: name, drive: func(conn int, until time.Time) (took []time.Duration, err error) {
		for {
			began := time.Now()
			if began.After(until) {
				return took, nil
			}
			answer, err := clients[conn%len(clients)].Check(ctx, questions[mathrand.IntN(len(questions))])
			if err != nil {
				return nil, err
			}
			if answer.GetStatus().GetCode() != 0 || answer.GetOkResponse() == nil {
				return nil, fmt.Errorf("the server answered %d, %s", answer.GetStatus().GetCode(), answer.GetDeniedResponse().GetStatus().GetCode())
			}
			took = append(took, time.Since(began))
		}
	}}, done, nil
}

// check is what Envoy asks about the call with a key, with encode_raw_headers.
func check(key string) *authv3.CheckRequest {
	raw := &corev3.HeaderMap{}
	for _, line := range [][2]string{{":path", gatedTarget}, {"x-forwarded-for", callerAddress}, {"x-api-key", key}, {"accept", "application/json"}, {"user-agent", "bench"}} {
		raw.Headers = append(raw.Headers, &corev3.HeaderValue{Key: line[0], RawValue: []byte(line[1])})
	}
	peer := &corev3.SocketAddress{Address: callerAddress, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 4711}}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: peer}}},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: http.MethodGet, Path: gatedTarget, Host: "api.example.test", Scheme: "https", Protocol: "HTTP/2", Size: -1, HeaderMap: raw,
		}},
	}}
}

// decided is how many decisions a server has made, of every outcome.
func decided(ctx context.Context, metrics string) (n int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+metrics+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	found := false
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		text, ok := strings.CutPrefix(lines.Text(), "lanyard_decisions_total{")
		if !ok {
			continue
		}
		_, number, _ := strings.Cut(text, "} ")
		of, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return 0, err
		}
		n, found = n+int(of), true
	}
	if !found {
		return 0, fmt.Errorf("the server shows no count of its decisions: %s", res.Status)
	}
	return n, lines.Err()
}
