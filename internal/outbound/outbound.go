// Package outbound is the one HTTP client for addresses that strangers name: metadata documents, key sets, logout and
// webhook targets. What it fetches is never inside the house: the address that is dialled must be public, whatever name or
// spelling led to it (SECURITY-CASES 148 to 152). It follows no redirects, uses no proxy, keeps no cookies, decompresses
// nothing and reads no more than it was told.
//
// What an answer means, and how long it may be kept, is the caller's to say.
package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

const (
	defaultTimeout = 5 * time.Second
	defaultBytes   = 64 << 10
	maxHeader      = 32 << 10
	userAgent      = "Lanyard"
)

// Resolver finds the addresses of a name. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Options are what a Client is made of. The zero value reaches public addresses by https.
type Options struct {
	Allow    []string      // hosts, hosts with ports, addresses and CIDRs that are let off the rules: see CheckAllow
	CAFile   string        // PEM file of authorities that are trusted besides the system's; may be empty
	Timeout  time.Duration // of a whole fetch; 0: 5 s
	Resolver Resolver      // nil: the system's
}

// Client fetches. Safe for concurrent use.
type Client struct {
	allow    allowed
	resolver Resolver
	dial     func(ctx context.Context, network, address string) (net.Conn, error) // takes addresses alone, never names
	http     *http.Client
	turns    turns
	timeout  time.Duration
}

// New makes a Client. It refuses entries that CheckAllow refuses and a CAFile that cannot be read or holds no certificate.
func New(o Options) (*Client, error) {
	allow, err := parseAllow(o.Allow)
	if err != nil {
		return nil, err
	}
	roots, err := authorities(o.CAFile)
	if err != nil {
		return nil, err
	}
	c := &Client{allow: allow, resolver: o.Resolver, dial: (&net.Dialer{}).DialContext, timeout: o.Timeout, turns: newTurns(atOnce, atOnceHost)}
	if c.resolver == nil {
		c.resolver = net.DefaultResolver
	}
	if c.timeout == 0 {
		c.timeout = defaultTimeout
	}
	// HTTP/1.1 and a connection a fetch: these are rare, and what is not kept cannot be mistaken for somebody else's.
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	c.http = &http.Client{
		Transport: &http.Transport{
			Proxy: nil, DialContext: c.dialGuarded, Protocols: protocols, DisableKeepAlives: true, DisableCompression: true,
			MaxResponseHeaderBytes: maxHeader, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// authorities returns the system's roots and those of a file; nil stands for the system's alone.
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file) //nolint:gosec // the operator names this file
	if err != nil {
		cause := err
		if pe := (*os.PathError)(nil); errors.As(err, &pe) {
			cause = pe.Err
		}
		return nil, fault.New(fault.Invalid, "the file named by LANYARD_OUTBOUND_CA_FILE cannot be read: %s", cause)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fault.New(fault.Invalid, "the file named by LANYARD_OUTBOUND_CA_FILE holds no certificate in PEM")
	}
	return roots, nil
}
