package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// sink is a mail server that keeps what it gets. It knows ada:hush, and refuses gone@demo.test for good and busy@ for now.
type sink struct {
	t         *testing.T
	address   string
	roots     *x509.CertPool
	mu        sync.Mutex
	to        []string
	mails     []string
	signedIn  []string
	encrypted []bool
}

// newSink starts a mail server: "" without TLS, "starttls", or "tls" from the first byte.
func newSink(t *testing.T, security string) *sink {
	t.Helper()
	certificates := httptest.NewTLSServer(nil) // for its certificate, which is good for 127.0.0.1 and example.com
	certificates.Close()
	k := &sink{t: t, roots: x509.NewCertPool()}
	k.roots.AddCert(certificates.Certificate())
	server := smtp.NewServer(k)
	server.Domain, server.AllowInsecureAuth = "example.com", true
	server.ErrorLog = quietLog{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k.address = listener.Addr().String()
	settings := &tls.Config{Certificates: certificates.TLS.Certificates}
	switch security {
	case "tls":
		listener = tls.NewListener(listener, settings)
	case "starttls":
		server.TLSConfig = settings
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return k
}

type quietLog struct{}

func (quietLog) Printf(string, ...any) {}
func (quietLog) Println(...any)        {}

func (k *sink) NewSession(c *smtp.Conn) (smtp.Session, error) {
	_, encrypted := c.TLSConnectionState()
	return &visit{sink: k, encrypted: encrypted}, nil
}

type visit struct {
	*sink
	encrypted bool
}

func (v *visit) AuthMechanisms() []string { return []string{sasl.Plain} }

func (v *visit) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "ada" || password != "hush" {
			return &smtp.SMTPError{Code: 535, Message: "wrong password hush"}
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		v.signedIn = append(v.signedIn, user)
		return nil
	}), nil
}

func (v *visit) Mail(string, *smtp.MailOptions) error { return nil }

func (v *visit) Rcpt(to string, _ *smtp.RcptOptions) error {
	switch {
	case strings.HasPrefix(to, "gone@"):
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user " + to}
	case strings.HasPrefix(to, "busy@"):
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "greylisted " + to}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.to = append(v.to, to)
	return nil
}

func (v *visit) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if bytes.Contains(text, []byte("too large")) {
		return &smtp.SMTPError{Code: 552, Message: "refused: too large"}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.mails, v.sink.encrypted = append(v.mails, string(text)), append(v.sink.encrypted, v.encrypted)
	return err
}

func (v *visit) Reset()        {}
func (v *visit) Logout() error { return nil }

// client makes an SMTP that reaches the sink whatever its host is called.
func (k *sink) client(address, from string) *SMTP {
	k.t.Helper()
	s, err := NewSMTP(secret.Of(address), from)
	if err != nil {
		k.t.Fatal(err)
	}
	s.roots = k.roots
	s.reach = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, k.address)
	}
	return s
}

func TestNewSMTPRefuses(t *testing.T) {
	const from = "no-reply@acme.example"
	for _, tc := range []struct{ address, from, says string }{
		{"", from, "must read smtp://"},
		{"mail.example:587", from, "must read smtp://"},
		{"http://ada:hush@mail.example", from, "must read smtp://"},
		{"smtp://ada:hush@", from, "must read smtp://"},
		{"smtp://ada:hush@mail.example/box", from, "must read smtp://"},
		{"smtp://ada:hush%@mail.example", from, "must read smtp://"},
		{"smtp://ada:hush@mail.example#x", from, "must read smtp://"},
		{"smtp://ada:hush@mail.example:99999", from, "port"},
		{"smtp://ada:hush@mail.example:0", from, "port"},
		{"smtp://ada:hush@mail.example?tls=maybe", from, "?tls=none"},
		{"smtp://ada:hush@mail.example?starttls=none", from, "?tls=none"},
		{"smtp://mail.example?tls=none&a=b", from, "?tls=none"},
		{"smtps://mail.example?tls=none", from, "?tls=none"},
		{"smtp://ada:hush@mail.example?tls=none", from, "without TLS"},
		{"smtp://hush@mail.example", from, "without a password"},
		{"smtp://:hush@mail.example", from, "without a user"},
		{"smtp://mail.example", "", "LANYARD_MAIL_FROM"},
		{"smtp://mail.example", "Acme", "LANYARD_MAIL_FROM"},
		{"smtp://mail.example", "a@acme.example, b@acme.example", "LANYARD_MAIL_FROM"},
		{"smtp://mail.example", "a@acme.example\r\nBcc: b@acme.example", "LANYARD_MAIL_FROM"},
	} {
		_, err := NewSMTP(secret.Of(tc.address), tc.from)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "hush") {
			t.Errorf("NewSMTP(%q, %q) = %v, want invalid_request that says %q and not the password", tc.address, tc.from, err, tc.says)
		}
	}
}

// TestSendRefuses: what goes wrong, how, and that nothing of the mail is told.
func TestSendRefuses(t *testing.T) {
	plain, secured := newSink(t, ""), newSink(t, "starttls")
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	unreachable := plain.client("smtp://mail.example?tls=none", "a@acme.example")
	unreachable.reach = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no route") }
	silent := plain.client("smtp://mail.example?tls=none", "a@acme.example")
	silent.reach = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, mute.Addr().String())
	}
	distrusting := secured.client("smtp://example.com", "a@acme.example")
	distrusting.roots = x509.NewCertPool()
	for _, tc := range []struct {
		name string
		s    *SMTP
		to   string
		kind fault.Kind
	}{
		{"no STARTTLS", plain.client("smtp://ada:hush@example.com", "a@acme.example"), "ada@demo.test", fault.Unavailable},
		{"TLS where there is none", plain.client("smtps://ada:hush@example.com", "a@acme.example"), "ada@demo.test", fault.Unavailable},
		{"certificate of another name", secured.client("smtp://mail.example", "a@acme.example"), "ada@demo.test", fault.Unavailable},
		{"certificate nobody vouches for", distrusting, "ada@demo.test", fault.Unavailable},
		{"wrong password", secured.client("smtp://eve:hush@example.com", "a@acme.example"), "ada@demo.test", fault.Unavailable},
		{"unreachable", unreachable, "ada@demo.test", fault.Unavailable},
		{"silent", silent, "ada@demo.test", fault.Unavailable},
		{"refused for good", plain.client("smtp://mail.example?tls=none", "a@acme.example"), "gone@demo.test", fault.Invalid},
		{"refused for now", plain.client("smtp://mail.example?tls=none", "a@acme.example"), "busy@demo.test", fault.Unavailable},
		{"refused for its text", plain.client("smtp://mail.example?tls=none", "a@acme.example"), "large@demo.test", fault.Unavailable},
		{"injection", plain.client("smtp://mail.example?tls=none", "a@acme.example"), "ada@demo.test>\r\nRCPT TO:<eve@demo.test", fault.Invalid},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if tc.name == "silent" {
			ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
		}
		err := tc.s.Send(ctx, Mail{To: tc.to, Subject: "hush", Text: "hush " + map[bool]string{true: "too large"}[tc.name == "refused for its text"]})
		cancel()
		if !fault.Is(err, tc.kind) || strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "demo.test") {
			t.Errorf("Send, %s = %v, want %s that tells nothing of the mail", tc.name, err, tc.kind)
		}
	}
	if len(plain.mails)+len(secured.mails) != 0 {
		t.Errorf("%d mails came through, want none", len(plain.mails)+len(secured.mails))
	}
}

func TestSend(t *testing.T) {
	for _, tc := range []struct {
		security, address  string
		signedIn, encrypts bool
	}{
		{"", "smtp://mail.example?tls=none", false, false},
		{"", "smtp://127.0.0.1:2525", false, false},
		{"", "smtp://ada:hush@localhost", true, false},
		{"starttls", "smtp://ada:hush@example.com", true, true},
		{"starttls", "smtp://example.com", false, true},
		{"tls", "smtps://ada:hush@example.com", true, true},
	} {
		k := newSink(t, tc.security)
		s := k.client(tc.address, "Acme Inc <no-reply@acme.example>")
		m := Mail{ID: message, FromName: "Acme", To: "ada@demo.test", Subject: "Grüße\r\nBcc: eve@demo.test", Text: "Grüße\n\n" + link + "\n.\nend", HTML: "<p>Grüße</p>"}
		if err := s.Send(t.Context(), m); err != nil {
			t.Errorf("Send by %s = %v", tc.address, err)
			continue
		}
		if len(k.mails) != 1 || len(k.to) != 1 || k.to[0] != "ada@demo.test" || (len(k.signedIn) == 1) != tc.signedIn || k.encrypted[0] != tc.encrypts {
			t.Errorf("by %s: %d mails to %q, signed in %q, encrypted %v", tc.address, len(k.mails), k.to, k.signedIn, k.encrypted)
			continue
		}
		read(t, k.mails[0], m)
	}
}

// read checks a mail as it came over the wire.
func read(t *testing.T, raw string, m Mail) {
	t.Helper()
	got, err := netmail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	subject, _ := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
	for what, pair := range map[string][2]string{
		"Subject": {subject, "Grüße Bcc: eve@demo.test"}, "Bcc": {got.Header.Get("Bcc"), ""}, "To": {got.Header.Get("To"), "<ada@demo.test>"},
		"From": {got.Header.Get("From"), `"Acme Inc" <no-reply@acme.example>`}, "Message-ID": {got.Header.Get("Message-ID"), "<AAAAAAAAAAAAAAAA@acme.example>"},
		"Auto-Submitted": {got.Header.Get("Auto-Submitted"), "auto-generated"}, "User-Agent": {got.Header.Get("User-Agent"), ""}, "X-Mailer": {got.Header.Get("X-Mailer"), ""},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s = %q, want %q", what, pair[0], pair[1])
		}
	}
	_, params, err := mime.ParseMediaType(got.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(got.Body, params["boundary"])
	for _, want := range []string{m.Text, m.HTML} {
		part, err := parts.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil || strings.ReplaceAll(string(body), "\r\n", "\n") != want {
			t.Errorf("a part reads %q, %v, want %q", body, err, want)
		}
	}
}
