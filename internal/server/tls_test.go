package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/server"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// certify writes a new certificate of this machine's into a directory, with a number.
func certify(t *testing.T, dir string, number int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(number), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.ParseIP("127.0.0.1")},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	stamp := time.Now().Add(time.Duration(number) * time.Minute) // file systems may keep whole seconds
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(file, pem.EncodeToMemory(block), 0o600), os.Chtimes(file, stamp, stamp)); err != nil {
			t.Fatal(err)
		}
	}
}

// freePort is an address that is free again in a moment.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// TestTLS: every listener has the certificate, also a renewed one while it runs, speaks HTTP/1.1 and HTTP/2, and no TLS that is too old.
func TestTLS(t *testing.T) {
	dir, clock := t.TempDir(), servertest.NewClock()
	certify(t, dir, 1)
	gateway, envoy := freePort(t), freePort(t)
	settings := servertest.Settings(t, servertest.Options{Settings: func(s *config.Settings) {
		s.Listen, s.GatewayListen, s.GatewayURL, s.ExtAuthzListen = "127.0.0.1:0", gateway, "https://"+gateway, envoy
		s.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		s.TLSCertFile, s.TLSKeyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	}})
	s, err := server.New(t.Context(), settings, server.Options{Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	listening, done := make(chan net.Addr, 1), make(chan error, 1)
	go func() { done <- s.Run(ctx, func(a net.Addr) { listening <- a }) }()
	addresses := map[string]string{"the gateway": gateway, "ext_authz": envoy}
	select {
	case a := <-listening:
		addresses["the server"] = a.String()
	case err := <-done:
		t.Fatalf("Run = %v", err)
	}
	for name, address := range addresses {
		if conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
			t.Errorf("%s speaks TLS %x", name, conn.ConnectionState().Version)
			_ = conn.Close()
		}
		for _, protocols := range [][]string{{"http/1.1"}, {"h2", "http/1.1"}} {
			state := hello(ctx, t, address, protocols)
			if state.NegotiatedProtocol != protocols[0] || state.PeerCertificates[0].SerialNumber.Int64() != 1 || state.Version != tls.VersionTLS13 {
				t.Errorf("%s: %q of %q, certificate %d", name, state.NegotiatedProtocol, protocols, state.PeerCertificates[0].SerialNumber)
			}
		}
		plain, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if res, err := http.DefaultTransport.RoundTrip(plain); err == nil {
			if _ = res.Body.Close(); res.StatusCode != http.StatusBadRequest {
				t.Errorf("%s answers %d without TLS", name, res.StatusCode)
			}
		}
	}
	for _, major := range []int{1, 2} {
		for url, want := range map[string]int{"https://" + gateway + "/nowhere": 404, "https://" + envoy + "/ext_authz/nowhere": 404, "https://" + addresses["the server"] + "/healthz": 200} {
			if res := secured(ctx, t, url, major); res.StatusCode != want || res.ProtoMajor != major || res.TLS.PeerCertificates[0].SerialNumber.Int64() != 1 {
				t.Errorf("%s: %s %d, want HTTP/%d and %d", url, res.Proto, res.StatusCode, major, want)
			}
		}
	}
	overGRPC(ctx, t, envoy)

	// Half a renewal is none: the key is not yet the certificate's.
	before, err := os.ReadFile(settings.TLSKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	certify(t, dir, 2)
	after, err := os.ReadFile(settings.TLSKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		key  []byte
		want int64
	}{{before, 1}, {after, 2}} {
		if err := os.WriteFile(settings.TLSKeyFile, step.key, 0o600); err != nil {
			t.Fatal(err)
		}
		clock.Advance(time.Minute)
		for name, address := range addresses {
			if got := hello(ctx, t, address, nil).PeerCertificates[0].SerialNumber.Int64(); got != step.want {
				t.Errorf("%s has the certificate %d, want %d", name, got, step.want)
			}
		}
	}
	overGRPC(ctx, t, envoy)
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run = %v", err)
	}
}

// hello shakes hands.
func hello(ctx context.Context, t *testing.T, address string, protocols []string) tls.ConnectionState {
	t.Helper()
	conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: protocols}}).DialContext(ctx, "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	return conn.(*tls.Conn).ConnectionState()
}

// secured asks over a version of HTTP.
func secured(ctx context.Context, t *testing.T, url string, major int) *http.Response {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(major == 1)
	protocols.SetHTTP2(major == 2)
	client := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: protocols}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"X-Forwarded-For": {"203.0.113.7"}, "X-Forwarded-Proto": {"https"}}
	res, err := client.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Error(err)
	}
	_ = res.Body.Close()
	return res
}

// overGRPC asks as Envoy does, with TLS.
func overGRPC(ctx context.Context, t *testing.T, address string) {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	res, err := authv3.NewAuthorizationClient(conn).Check(ctx, &authv3.CheckRequest{})
	if err != nil || res.GetDeniedResponse().GetStatus().GetCode() != http.StatusBadRequest {
		t.Errorf("Check of nothing over TLS = %v, %v, want a refusal with 400", res, err)
	}
}
