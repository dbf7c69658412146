// Package demo is `lanyard demo`: a whole Lanyard on a directory of its own, with example APIs before which the middleware
// stands, people, apps and keys, and a dozen lines that say what to paste.
//
// What it makes stands in seed.go, through the same management acts that everybody uses, what it says in text.go. With a
// directory that is kept it goes on where it was.
package demo

import (
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
	"github.com/lanyard-auth/lanyard/examples/weather"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/server"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// grace is for requests under way at the end.
const grace = 3 * time.Second

// Options say where the demo runs. Listen and GatewayListen are needed; their port may be 0.
type Options struct {
	Dir           string           // kept; "": a new one that goes at the end
	Listen        string           // of the server
	GatewayListen string           // of the example APIs
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
	Dir       string
	Key       string // WeatherDashboard's API key
	KeyID     string
	ReportKey string // nightly-report's, good from 127.0.0.0/8
	TokenFile string // holds a credential with lanyard.admin
}

// Run runs the demo until ctx ends. It leaves nothing behind, unless the directory was named.
func Run(ctx context.Context, o Options) (err error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Program == "" {
		o.Program = "lanyard"
	}
	main, gateway, err := listen(ctx, o)
	if err != nil {
		return err
	}
	defer func() { // what serves has closed its listener already
		_ = main.Close()
		_ = gateway.Close()
	}()
	dir, remove, err := directory(o.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()

	places := Places{Portal: localURL(main), Gateway: localURL(gateway), Dir: dir}
	settings, err := config.Load(config.Source{Dir: filepath.Join(dir, "none"), Getenv: func(name string) string {
		return map[string]string{"LANYARD_DATA_DIR": dir, "LANYARD_PUBLIC_URL": places.Portal, "LANYARD_LISTEN": main.Addr().String()}[name]
	}})
	if err != nil {
		return err
	}
	s, err := server.New(ctx, settings, server.Options{Log: o.Log, Now: o.Now})
	if err != nil {
		return err
	}
	guard, err := seed(ctx, s.Manage, &places)
	if err != nil {
		return errors.Join(fmt.Errorf("fill the demo: %w", err), s.Close())
	}
	stop := s.Start(ctx)
	client, err := lanyard.NewClient(places.Portal, guard)
	if err != nil {
		return errors.Join(err, stop())
	}
	if err := o.tell(&places); err != nil {
		return errors.Join(err, stop())
	}
	if o.Ready != nil {
		o.Ready(places)
	}
	err = serveBoth(ctx, o.Log, s.Handler(), main, examples(client, o.Log), gateway)
	return errors.Join(err, stop())
}

// serveBoth serves on both listeners until ctx ends or one fails, and returns when both have ended.
func serveBoth(ctx context.Context, log *slog.Logger, portal http.Handler, main net.Listener, apis http.Handler, gateway net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error)
	go func() { ended <- web.Serve(ctx, web.NewServer(portal, log), main, grace) }()
	go func() { ended <- web.Serve(ctx, web.NewServer(apis, log), gateway, grace) }()
	first := <-ended
	cancel()
	return errors.Join(first, <-ended)
}

// examples are the example APIs, each behind the middleware. The path below the mount is what the catalog knows.
func examples(client *lanyard.Client, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	for name, api := range map[string]http.Handler{
		"weather": weather.Handler(),
		"mail":    http.NotFoundHandler(), // takes tokens, and there are no logins to get one by: it shows the refusal
	} {
		mux.Handle("/"+name+"/", http.StripPrefix("/"+name, lanyard.Require(client, name, lanyard.WithLogger(log))(api)))
	}
	return mux
}

// listen takes both addresses before anything else is made.
func listen(ctx context.Context, o Options) (main, gateway net.Listener, err error) {
	var lc net.ListenConfig
	if main, err = lc.Listen(ctx, "tcp", o.Listen); err != nil {
		return nil, nil, busy(o.Listen, "--listen", err)
	}
	if gateway, err = lc.Listen(ctx, "tcp", o.GatewayListen); err != nil {
		return nil, nil, errors.Join(busy(o.GatewayListen, "--gateway-listen", err), main.Close())
	}
	return main, gateway, nil
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
