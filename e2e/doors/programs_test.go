package doors_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/pgtest"
)

// shipped is where the configurations stand that people install.
const shipped = "../../docs/doors"

func fronts() []front {
	return []front{
		{name: "nginx", start: startNginx, byName: true},
		{name: "caddy", start: startCaddy, wholeQuery: true, trims: true},
		{name: "haproxy", start: startHAProxy, wantsLength: true, strict: true},
	}
}

// around is what surrounds a file of nginx's conf.d: a whole nginx that touches nothing outside its directory.
const around = `worker_processes 1;
daemon off;
%[2]spid %[1]s/pid;
error_log stderr;
events {
}
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	include %[1]s/lanyard.conf;
}
`

func startNginx(t *testing.T, w *world) string {
	t.Helper()
	dir, listen := t.TempDir(), port(t)
	text, err := os.ReadFile(filepath.Join(shipped, "nginx.conf"))
	must(t, err)
	for _, change := range [][2]string{
		{"listen 8080;", "listen " + listen + ";"},
		{"server 127.0.0.1:8420;", "server " + strings.TrimPrefix(w.node.URL, "http://") + ";"},
		{"server 127.0.0.1:9001;", "server " + w.upstream.Listener.Addr().String() + ";"},
	} {
		if bytes.Count(text, []byte(change[0])) != 1 {
			t.Fatalf("docs/doors/nginx.conf does not have %q once", change[0])
		}
		text = bytes.Replace(text, []byte(change[0]), []byte(change[1]), 1)
	}
	user := ""
	if os.Geteuid() == 0 { // else its workers become somebody who cannot enter the directory
		user = "user root;\n"
	}
	must(t, os.WriteFile(filepath.Join(dir, "lanyard.conf"), text, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "nginx.conf"), fmt.Appendf(nil, around, dir, user), 0o600))
	run(t, dir, listen, nil, "nginx", "-c", filepath.Join(dir, "nginx.conf"), "-e", "stderr")
	return listen
}

func startCaddy(t *testing.T, w *world) string {
	t.Helper()
	dir, listen := t.TempDir(), port(t)
	_, number, err := net.SplitHostPort(listen)
	must(t, err)
	env := []string{
		"SITE=http://:" + number, "LANYARD=" + strings.TrimPrefix(w.node.URL, "http://"), "UPSTREAM=" + w.upstream.Listener.Addr().String(),
		"HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir,
	}
	run(t, dir, listen, env, "caddy", "run", "--config", absolute(t, "Caddyfile"), "--adapter", "caddyfile")
	return listen
}

func startHAProxy(t *testing.T, w *world) string {
	t.Helper()
	dir, listen := t.TempDir(), port(t)
	env := []string{"LISTEN=" + listen, "UPSTREAM=" + w.upstream.Listener.Addr().String(), "LANYARD_URL=" + w.node.URL, "LUA=" + absolute(t, "lanyard.lua")}
	run(t, dir, listen, env, "haproxy", "-f", absolute(t, "haproxy.cfg"))
	return listen
}

func absolute(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(shipped, name))
	must(t, err)
	return path
}

// run starts a program and returns when it listens. It ends with the test; what it said is shown if the test failed.
func run(t *testing.T, dir, listen string, env []string, name string, args ...string) {
	t.Helper()
	path, err := find(name)
	must(t, err)
	var said bytes.Buffer
	cmd := &exec.Cmd{Path: path, Args: append([]string{path}, args...), Dir: dir, Env: append([]string{"PATH=/usr/bin:/bin"}, env...), Stdout: &said, Stderr: &said}
	must(t, cmd.Start())
	ended := make(chan struct{})
	var result error // to be read once ended is closed
	go func() {
		result = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // one that ended already is looked at below
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Errorf("%s does not end", name)
			_ = cmd.Process.Kill()
			<-ended
		}
		if t.Failed() {
			t.Logf("%s said:\n%.4000s", name, said.String())
		}
	})
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", listen)
		if err == nil {
			must(t, conn.Close())
			return
		}
		select {
		case <-ended:
			t.Fatalf("%s ended while starting: %v\n%s", name, result, said.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Fatalf("%s does not listen on %s", name, listen)
}

// find looks where Debian puts programs, too, which is outside the PATH of most people.
func find(name string) (string, error) {
	for _, at := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(at); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("this needs the program %s: apt-get install %s", name, name)
}

// port is an address where nobody listens until the test does.
func port(t *testing.T) string {
	t.Helper()
	p, err := pgtest.Reserve()
	must(t, err)
	t.Cleanup(func() { must(t, p.Release()) })
	return p.Address()
}
