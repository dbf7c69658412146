package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/demo"
	"github.com/lanyard-auth/lanyard/internal/server"
)

// TestBrowser runs the scripts of e2e/browser against a demo: the story, the portal and a tour of every page in Chromium, and
// OAuth and MCP clients that nobody here wrote. They need node, npm and Chromium; make test sees to them. Those that are about how pages
// look are left out of the short tests, which run once more to find races.
func TestBrowser(t *testing.T) {
	modules(t)
	for _, script := range []string{"story", "portal", "tour", "interop", "mcp"} {
		t.Run(script, func(t *testing.T) {
			if testing.Short() && script == "tour" {
				t.Skip("the tour looks at pages; the other scripts call on everything that runs at once")
			}
			at := startDemo(t)
			walk(t, script, "PORTAL_URL="+at.Portal, "GATEWAY_URL="+at.Gateway, "POSTPAL_URL="+at.PostPal, "DEMO_PASSWORD="+demo.Password, "ADMIN_TOKEN_FILE="+at.TokenFile)
		})
	}
	t.Run("setup", func(t *testing.T) {
		portal, link := startServer(t)
		walk(t, "setup", "PORTAL_URL="+portal, "SETUP_URL="+link)
	})
}

// walk runs a script of e2e/browser.
func walk(t *testing.T, script string, env ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", script+".mjs")
	cmd.Dir = "browser"
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "ok "+script) {
		t.Fatalf("node %s.mjs: %v\n%s", script, err, out)
	}
}

// startServer runs a new server until the test ends, and returns its address and the link that makes its first admin.
func startServer(t *testing.T) (portal, link string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	portal = fmt.Sprintf("http://localhost:%d", l.Addr().(*net.TCPAddr).Port)
	dir := t.TempDir()
	settings, err := config.Load(config.Source{Dir: dir, Getenv: func(name string) string {
		return map[string]string{"LANYARD_DATA_DIR": dir, "LANYARD_PUBLIC_URL": portal}[name]
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.WithoutCancel(t.Context())
	s, err := server.New(ctx, settings, server.Options{Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		t.Fatal(err)
	}
	if link, err = s.FirstAdmin(ctx); err != nil || link == "" {
		t.Fatalf("FirstAdmin = %q, %v; want a link", link, err)
	}
	stop := s.Start(ctx)
	srv := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	t.Cleanup(func() {
		if err := errors.Join(srv.Close(), stop()); err != nil {
			t.Errorf("the server ended with %v", err)
		}
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serving ended with %v", err)
		}
	})
	return portal, link
}

// modules brings the npm packages that package-lock.json names.
func modules(t *testing.T) {
	t.Helper()
	lock, err := os.ReadFile(filepath.Join("browser", "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	mark := filepath.Join("browser", "node_modules", ".lanyard-lock")
	if there, err := os.ReadFile(mark); err == nil && string(there) == string(lock) {
		return
	}
	cmd := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	cmd.Dir = "browser"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	if err := os.WriteFile(mark, lock, 0o600); err != nil {
		t.Fatal(err)
	}
}

// startDemo runs a demo until the test ends.
func startDemo(t *testing.T) demo.Places {
	t.Helper()
	ready, ended := make(chan demo.Places, 1), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	go func() {
		ended <- demo.Run(ctx, demo.Options{
			Listen: "127.0.0.1:0", GatewayListen: "127.0.0.1:0", PostPalListen: "127.0.0.1:0", Out: io.Discard, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
			Ready: func(at demo.Places) { ready <- at },
		})
	}()
	select {
	case at := <-ready:
		t.Cleanup(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("the demo ended with %v", err)
			}
		})
		return at
	case err := <-ended:
		cancel()
		t.Fatalf("the demo does not start: %v", err)
	}
	return demo.Places{}
}
