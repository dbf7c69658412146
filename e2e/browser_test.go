package e2e

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/demo"
)

// TestBrowser runs the scripts of e2e/browser against a demo: the story, the portal and a tour of every page in Chromium, and
// OAuth and MCP clients that nobody here wrote. They need node, npm and Chromium; make test sees to them.
func TestBrowser(t *testing.T) {
	modules(t)
	for _, script := range []string{"story.mjs", "portal.mjs", "tour.mjs", "interop.mjs", "mcp.mjs"} {
		t.Run(strings.TrimSuffix(script, ".mjs"), func(t *testing.T) {
			at := startDemo(t)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "node", script)
			cmd.Dir = "browser"
			cmd.Env = append(os.Environ(),
				"PORTAL_URL="+at.Portal, "GATEWAY_URL="+at.Gateway, "POSTPAL_URL="+at.PostPal, "DEMO_PASSWORD="+demo.Password, "ADMIN_TOKEN_FILE="+at.TokenFile)
			if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "ok "+strings.TrimSuffix(script, ".mjs")) {
				t.Fatalf("node %s: %v\n%s", script, err, out)
			}
		})
	}
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
