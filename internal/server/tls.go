package server

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// reloadEvery is how often the certificate's files are looked at.
const reloadEvery = 10 * time.Second

// certificate serves a certificate from two files and reads them again when they change, so that renewal needs no restart.
type certificate struct {
	certFile, keyFile string
	now               func() time.Time
	log               *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	stamp   time.Time // modification time of what is loaded
	looked  time.Time
}

// secured puts TLS on a listener, if there is a certificate.
func (s *Server) secured(l net.Listener) (net.Listener, error) {
	if s.Settings.TLSCertFile == "" {
		return l, nil
	}
	reload := &certificate{certFile: s.Settings.TLSCertFile, keyFile: s.Settings.TLSKeyFile, now: s.opts.Now, log: s.log}
	secured, err := reload.listen(l)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return secured, nil
}

func (c *certificate) listen(l net.Listener) (net.Listener, error) {
	if err := c.load(); err != nil {
		return nil, fault.New(fault.Invalid, "the TLS certificate cannot be loaded from LANYARD_TLS_CERT_FILE and LANYARD_TLS_KEY_FILE: %s", err)
	}
	return tls.NewListener(l, &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.get(), nil },
	}), nil
}

func (c *certificate) load() error {
	stamp, err := modified(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.current, c.stamp = &pair, stamp
	return nil
}

// get returns the newest certificate that loads. A half-written renewal leaves the one before in place.
func (c *certificate) get() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if now.Sub(c.looked) < reloadEvery {
		return c.current
	}
	c.looked = now
	if stamp, err := modified(c.certFile, c.keyFile); err == nil && stamp.Equal(c.stamp) {
		return c.current
	}
	if err := c.load(); err != nil {
		c.log.Warn("the renewed TLS certificate cannot be loaded; serving the one before", "error", err)
	} else {
		c.log.Info("serving a renewed TLS certificate")
	}
	return c.current
}

func modified(files ...string) (newest time.Time, err error) {
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			return newest, err
		}
		if info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	return newest, nil
}
