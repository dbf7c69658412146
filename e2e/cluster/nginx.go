package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// around is what surrounds a file of conf.d: a whole nginx that touches nothing outside its directory.
const around = `worker_processes 2;
daemon off;
%[2]spid %[1]s/nginx/pid;
error_log %[1]s/nginx.error.log;
events {
}
http {
	client_body_temp_path %[1]s/nginx/body;
	proxy_temp_path %[1]s/nginx/proxy;
	fastcgi_temp_path %[1]s/nginx/fastcgi;
	uwsgi_temp_path %[1]s/nginx/uwsgi;
	scgi_temp_path %[1]s/nginx/scgi;
	include %[1]s/nginx/lanyard.conf;
}
`

// configure writes nginx's configuration into dir: the shipped file, with these addresses and without TLS.
func configure(shipped []byte, dir, listen string, nodes []string) error {
	for _, change := range []struct {
		from, to string
		times    int
	}{
		{"listen 443 ssl http2;", "listen " + listen + ";", 1},
		{"listen [::]:443 ssl http2;", "", 1},
		{"ssl_certificate /etc/lanyard/tls/fullchain.pem;", "", 1},
		{"ssl_certificate_key /etc/lanyard/tls/privkey.pem;", "", 1},
		{"server_name auth.example.com;", "server_name localhost;", 1},
		{"/var/log/nginx/lanyard.log", filepath.Join(dir, "access.log"), 1},
		{"server 10.0.0.1:8420 ", "server " + nodes[0] + " ", 2},
		{"server 10.0.0.2:8420 ", "server " + nodes[1] + " ", 2},
		{"server 10.0.0.3:8420 ", "server " + nodes[2] + " ", 2},
	} {
		if n := bytes.Count(shipped, []byte(change.from)); n != change.times {
			return fmt.Errorf("the shipped configuration has %q %d times, want %d", change.from, n, change.times)
		}
		shipped = bytes.ReplaceAll(shipped, []byte(change.from), []byte(change.to))
	}
	own := filepath.Join(dir, "nginx")
	if err := os.MkdirAll(own, 0o700); err != nil {
		return err
	}
	user := ""
	if os.Geteuid() == 0 { // else its workers become somebody who cannot enter the directory
		user = "user root;\n"
	}
	return errors.Join(
		os.WriteFile(filepath.Join(own, "lanyard.conf"), shipped, 0o600),
		os.WriteFile(filepath.Join(own, "nginx.conf"), fmt.Appendf(nil, around, dir, user), 0o600),
	)
}

// newFront is nginx on the configuration in dir. It is ready when url answers, whatever the answer.
func newFront(dir, url string) (*service, error) {
	program, err := findNginx()
	if err != nil {
		return nil, err
	}
	return &service{
		name: "nginx", dir: dir, program: program, ready: url + "/healthz",
		args: []string{"-c", filepath.Join(dir, "nginx", "nginx.conf"), "-e", filepath.Join(dir, "nginx.error.log")},
	}, nil
}

// findNginx looks where Debian puts it, too, which is outside the PATH of most people.
func findNginx() (string, error) {
	for _, name := range []string{"nginx", "/usr/sbin/nginx"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("this needs the program nginx: apt-get install nginx")
}
