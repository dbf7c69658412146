package main

import (
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/server"
)

// TestPages: every page that is measured is there, and the lists have what is measured of them.
func TestPages(t *testing.T) {
	settings := settings(t.TempDir())
	o, err := seedOffice(t.Context(), settings, crowd{teams: 3, people: 60, apps: 70, large: 60, usage: 20_000}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(t.Context(), settings, server.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	stop := s.Start(t.Context())
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	served := httptest.NewServer(s.Handler())
	t.Cleanup(served.Close)
	v, err := visit(t.Context(), process{pid: os.Getpid(), address: strings.TrimPrefix(served.URL, "http://")})
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, path := range o.pages() {
		seen, err := v.look(t.Context(), path)
		if err != nil {
			t.Error(err)
		}
		for _, one := range seen {
			all.WriteString(o.named(one.path) + "\n")
		}
	}
	for _, want := range []string{
		"/admin\n", "/admin/apps, second page\n", "/admin/people?q=99\n", "/developers/{team}/keys?order=asc&sort=name\n", "/developers/{team}/keys, second page\n",
		"/developers/{team}/usage?span=hour\n", "/developers/{team}/keys/{key}\n",
	} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("look() did not measure %q", want)
		}
	}
}
