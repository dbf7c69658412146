// Package demo is `lanyard demo`: a whole Lanyard on a directory of its own, with example APIs behind its gateway,
// people, apps and keys, and a dozen lines that say what to paste.
//
// What it makes stands in seed.go, through the same management acts that everybody uses, what it says in text.go. With a
// directory that is kept it goes on where it was.
package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/examples/mail"
	"github.com/lanyard-auth/lanyard/examples/postpal"
	"github.com/lanyard-auth/lanyard/examples/weather"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/notify"
	"github.com/lanyard-auth/lanyard/internal/server"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// grace is for requests under way at the end.
const grace = 3 * time.Second

// Options say where the demo runs. Listen and GatewayListen are needed; their port may be 0.
type Options struct {
	Dir           string           // kept; "": a new one that goes at the end
	Listen        string           // of the server
	GatewayListen string           // of the gateway, behind which the example APIs stand
	PostPalListen string           // of PostPal, the page of an app
	TokenLifetime string           // of access tokens for mail, such as 30s; "": 15m
	Program       string           // how the program is called, for lines to paste; "": lanyard
	Out           io.Writer        // for what to paste
	Log           *slog.Logger     // nil: nothing is logged
	Now           func() time.Time // nil: the real clock
	Ready         func(Places)     // called once requests are answered; may be nil
}

// Places is where the demo is to be found.
type Places struct {
	Portal    string // http://localhost:8420
	Gateway   string // http://localhost:8421
	PostPal   string // http://localhost:8422
	Dir       string
	Key       string // WeatherDashboard's API key
	KeyHeader string // a file that holds it as the header X-API-Key, for curl
	KeyID     string
	ReportKey string // nightly-report's, good from 127.0.0.0/8
	TokenFile string // holds a credential with lanyard.admin

	PostPalClient string // PostPal's client id
}

// Run runs the demo until ctx ends. It leaves nothing behind, unless the directory was named.
func Run(ctx context.Context, o Options) (err error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Program == "" {
		o.Program = "lanyard"
	}
	at, err := listen(ctx, o)
	if err != nil {
		return err
	}
	defer at.close()
	dir, remove, err := directory(o.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()

	places := Places{Portal: localURL(at.main), Gateway: localURL(at.gateway), PostPal: localURL(at.postPal), Dir: dir}
	settings, err := config.Load(config.Source{Dir: filepath.Join(dir, "none"), Getenv: func(name string) string {
		return map[string]string{
			"LANYARD_DATA_DIR": dir, "LANYARD_PUBLIC_URL": places.Portal, "LANYARD_LISTEN": at.main.Addr().String(), "LANYARD_SIGNUP": config.Open, "LANYARD_DCR": config.Open,
			"LANYARD_OUTBOUND_ALLOW": "127.0.0.0/8,localhost", "LANYARD_GATEWAY_LISTEN": at.gateway.Addr().String(), "LANYARD_GATEWAY_URL": places.Gateway,
		}[name]
	}})
	if err != nil {
		return err
	}
	mails := &notify.Memory{}
	s, err := server.New(ctx, settings, server.Options{Log: o.Log, Now: o.Now, Sender: mails})
	if err != nil {
		return err
	}
	upstreams := upstreams{weather: "http://" + at.weather.Addr().String(), mail: "http://" + at.mail.Addr().String()}
	if err := seed(ctx, s.Manage, &places, upstreams, cmp.Or(o.TokenLifetime, "15m")); err != nil {
		return errors.Join(fmt.Errorf("fill the demo: %w", err), s.Close())
	}
	stop := s.Start(ctx)
	if err := o.tell(&places); err != nil {
		return errors.Join(err, stop())
	}
	if o.Ready != nil {
		o.Ready(places)
	}
	postPal := &later{make: func(ctx context.Context) (http.Handler, error) {
		return postpal.New(ctx, postpal.Config{Issuer: places.Portal, ClientID: places.PostPalClient, API: places.Gateway + "/mail", URL: places.PostPal, Provider: "Acme"})
	}}
	err = serveAll(ctx, o.Log, []site{
		{at.main, front(s, mails)},
		{at.gateway, s.Gateway()},
		{at.postPal, postPal},
		{at.weather, behind(places, "weather", weather.Handler())},
		{at.mail, behind(places, "mail", mail.Handler(mail.WithPeople(people(s))))},
	})
	return errors.Join(err, stop())
}

// site is one listener and what it serves.
type site struct {
	listener net.Listener
	handler  http.Handler
}

// serveAll serves until ctx ends or one site fails, and returns when all have ended.
func serveAll(ctx context.Context, log *slog.Logger, sites []site) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error)
	for _, at := range sites {
		go func() { ended <- web.Serve(ctx, web.NewServer(at.handler, log), at.listener, grace) }()
	}
	var err error
	for range sites {
		err = errors.Join(err, <-ended)
		cancel()
	}
	return err
}

// front is the server with two pages that only the demo has: the mails it would have sent, and how its pages are made.
func front(s *server.Server, mails *notify.Memory) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", s.Handler())
	mux.HandleFunc("GET /styleguide", s.Pages().Styleguide())
	mux.HandleFunc("GET /outbox", outbox(s.Pages(), mails))
	return mux
}

// behind is an example API behind the gateway: it answers nobody who finds the way around, and knows who calls.
func behind(at Places, name string, api http.Handler) http.Handler {
	door := &lanyard.Upstream{URL: at.Portal, Audience: at.Gateway + "/" + name}
	return door.Guard(api)
}

// people tells the mail API who its users are.
func people(s *server.Server) func(context.Context, string) (name, email string) {
	return func(ctx context.Context, userID string) (name, email string) {
		u, err := s.Manage.User(ctx, audit.Command("demo"), userID)
		if err != nil {
			return "Somebody", ""
		}
		return u.Name, u.Email
	}
}

// listeners are all the addresses of the demo.
type listeners struct{ main, gateway, postPal, weather, mail net.Listener }

// close frees what is not served; what serves has closed its listener already.
func (l *listeners) close() {
	for _, one := range []net.Listener{l.main, l.gateway, l.postPal, l.weather, l.mail} {
		if one != nil {
			_ = one.Close()
		}
	}
}

// anyPort is where the example APIs listen: nobody but the gateway has to find them.
const anyPort = "127.0.0.1:0"

// listen takes every address before anything else is made.
func listen(ctx context.Context, o Options) (at listeners, err error) {
	var lc net.ListenConfig
	for _, one := range []struct {
		into          *net.Listener
		address, flag string
	}{
		{&at.main, o.Listen, "--listen"},
		{&at.gateway, o.GatewayListen, "--gateway-listen"},
		{&at.postPal, o.PostPalListen, "--postpal-listen"},
		{&at.weather, anyPort, ""},
		{&at.mail, anyPort, ""},
	} {
		if *one.into, err = lc.Listen(ctx, "tcp", one.address); err != nil {
			*one.into = nil
			at.close()
			return at, busy(one.address, one.flag, err)
		}
	}
	return at, nil
}

func busy(address, flag string, err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		err = op.Err
	}
	return fault.Down(err, "cannot listen on %s (%s): end what runs there, perhaps another demo, or name a free address with %s", address, err, flag)
}

// localURL is how a browser on this machine reaches the listener.
func localURL(l net.Listener) string {
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return "http://" + l.Addr().String()
	}
	return "http://localhost:" + port
}

// directory makes the demo's directory, and says how it goes.
func directory(named string) (dir string, remove func() error, err error) {
	if named != "" {
		if err := os.MkdirAll(named, 0o700); err != nil {
			return "", nil, fault.Down(err, "the directory %s cannot be made: %s", named, err)
		}
		return named, func() error { return nil }, nil
	}
	dir, err = os.MkdirTemp("", "lanyard-demo-")
	if err != nil {
		return "", nil, fault.Down(err, "no directory can be made for the demo: %s; name one with --dir", err)
	}
	return dir, func() error { return os.RemoveAll(dir) }, nil
}
