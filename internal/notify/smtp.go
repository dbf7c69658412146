package notify

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	netmail "net/mail"
	"net/netip"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

const smtpTimeout = 30 * time.Second

// SMTP sends through a mail server. Safe for concurrent use; each mail has a connection of its own.
type SMTP struct {
	host     string
	port     int
	user     string
	password secret.Secret // zero: none
	implicit bool          // TLS from the first byte
	plain    bool          // no TLS at all
	from     netmail.Address
	roots    *x509.CertPool // nil: the system's
	reach    func(ctx context.Context, network, address string) (net.Conn, error)
}

// NewSMTP makes an SMTP of LANYARD_SMTP_URL, such as smtp://user:password@mail.example:587 or smtps://…, and
// LANYARD_MAIL_FROM, such as "Acme <no-reply@acme.example>". Without smtps, the server must offer STARTTLS; a loopback
// host or ?tls=none does without, and then a password goes to loopback alone. The faults quote nothing of the address.
func NewSMTP(address secret.Secret, from string) (*SMTP, error) {
	bad := func(why string) error { return fault.New(fault.Invalid, "LANYARD_SMTP_URL %s", why) }
	u, err := url.Parse(address.Reveal())
	if err != nil || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.Fragment != "" {
		return nil, bad("must read smtp://user:password@host:587 or smtps://user:password@host:465, with odd characters of the password as %xx")
	}
	s := &SMTP{host: u.Hostname(), port: 587, implicit: u.Scheme == "smtps", reach: (&net.Dialer{}).DialContext}
	if s.implicit {
		s.port = 465
	}
	if text := u.Port(); text != "" {
		if s.port, err = strconv.Atoi(text); err != nil || s.port < 1 || s.port > 65535 {
			return nil, bad("has a port that is none")
		}
	}
	query, err := url.ParseQuery(u.RawQuery)
	none := query.Get("tls") == "none"
	if err != nil || len(query) > 1 || len(query) == 1 && !none || none && s.implicit {
		return nil, bad("may end in ?tls=none after smtp:// and in nothing else")
	}
	s.plain = !s.implicit && (none || loopback(s.host))
	if u.User != nil {
		password, given := u.User.Password()
		if s.user = u.User.Username(); s.user == "" || !given || password == "" {
			return nil, bad("has a user without a password, or a password without a user")
		}
		if s.plain && !loopback(s.host) {
			return nil, bad("would send the password without TLS: leave out ?tls=none, or the password")
		}
		s.password = secret.Of(password)
	}
	sender, err := netmail.ParseAddress(from)
	if err != nil || !bareAddress(sender.Address) || strings.ContainsFunc(sender.Name, invisible) {
		return nil, fault.New(fault.Invalid, `LANYARD_MAIL_FROM must be an address such as no-reply@acme.example or "Acme <no-reply@acme.example>"`)
	}
	s.from = *sender
	return s, nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// Send implements Sender.
func (s *SMTP) Send(ctx context.Context, m Mail) error {
	message, err := s.message(m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, smtpTimeout)
	defer cancel()
	// go-mail leaves a connection open when a server refuses it half-way, renews its deadline with every command and takes
	// no notice of ctx once it is connected: so the connection is kept and closed here.
	wire := make(chan net.Conn, 1)
	stop := context.AfterFunc(ctx, func() { hangUp(wire) })
	defer hangUp(wire)
	defer stop()
	dial := func(dialing context.Context, network, address string) (net.Conn, error) {
		conn, err := s.dial(dialing, network, address)
		if err == nil {
			wire <- conn
		}
		return conn, err
	}
	client, err := mail.NewClient(s.host, append(s.options(), mail.WithDialContextFunc(dial))...)
	if err != nil {
		return fault.Down(err, "the mail server's settings do not work")
	}
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return fault.Down(quiet(err), "the mail server %s did not let us in", s.host)
	}
	if err := client.SendWithSMTPClient(session, message); err != nil {
		return s.refused(err)
	}
	_ = client.CloseWithSMTPClient(session) // the server has the mail, whatever it answers to the farewell
	return nil
}

// hangUp closes the connection if there is one.
func hangUp(wire chan net.Conn) {
	select {
	case conn := <-wire:
		_ = conn.Close() // whatever it had to say came before
	default:
	}
}

// options are how to talk to the server.
func (s *SMTP) options() []mail.Option {
	o := []mail.Option{mail.WithPort(s.port), mail.WithTimeout(smtpTimeout), mail.WithTLSConfig(s.tls())}
	switch {
	case s.implicit:
		o = append(o, mail.WithSSL())
	case s.plain:
		o = append(o, mail.WithTLSPolicy(mail.NoTLS))
	default:
		o = append(o, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if !s.password.IsZero() {
		mechanisms := []mail.SMTPAuthType{mail.SMTPAuthPlain, mail.SMTPAuthLogin}
		if s.plain {
			mechanisms = []mail.SMTPAuthType{mail.SMTPAuthPlainNoEnc, mail.SMTPAuthLoginNoEnc}
		}
		o = append(o, mail.WithUsername(s.user), mail.WithPassword(s.password.Reveal()), mail.WithOpportunisticSMTPAuth(mechanisms...))
	}
	return o
}

func (s *SMTP) tls() *tls.Config {
	return &tls.Config{ServerName: s.host, RootCAs: s.roots, MinVersion: tls.VersionTLS12}
}

func (s *SMTP) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := s.reach(ctx, network, address)
	if err != nil || !s.implicit {
		return conn, err
	}
	secured := tls.Client(conn, s.tls())
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secured, nil
}

// message makes what goes over the wire. Only addresses that were looked at and one-line texts get into its head.
func (s *SMTP) message(m Mail) (*mail.Msg, error) {
	if !bareAddress(m.To) {
		return nil, fault.New(fault.Invalid, "the address is none that mail can be sent to")
	}
	from := s.from
	if from.Name == "" {
		from.Name = oneLine(m.FromName, maxName)
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	unique := id.Chars(m.ID)
	if unique == "" {
		unique = rand.Text()
	}
	message := mail.NewMsg(mail.WithNoDefaultUserAgent())
	message.FromMailAddress(&from)
	message.ToMailAddress(&netmail.Address{Address: m.To})
	message.Subject(oneLine(m.Subject, 200))
	message.SetMessageIDWithValue(unique + "@" + domain)
	message.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no holiday notes in return
	message.SetBodyString(mail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		message.AddAlternativeString(mail.TypeTextHTML, m.HTML)
	}
	return message, nil
}

// refused makes a fault of a mail that the server did not take. The address was refused for good if the server said so
// about the recipient; all else may be different later.
func (s *SMTP) refused(err error) error {
	var sent *mail.SendError
	if !errors.As(err, &sent) {
		return fault.Down(quiet(err), "the mail server %s did not take the mail", s.host)
	}
	if sent.Reason == mail.ErrSMTPRcptTo && !sent.IsTemp() {
		return fault.New(fault.Invalid, "the mail server %s refuses the address (%d)", s.host, sent.ErrorCode())
	}
	return fault.New(fault.Unavailable, "the mail server %s did not take the mail (%d)", s.host, sent.ErrorCode())
}

// quiet keeps of an error what names neither addresses nor what was said: servers quote both in their answers.
func quiet(err error) error {
	var answer *textproto.Error
	if errors.As(err, &answer) {
		return errors.New("it answered " + strconv.Itoa(answer.Code))
	}
	return err
}
