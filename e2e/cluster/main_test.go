package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/lanyard-auth/lanyard"
)

// TestCommand is `make cluster` as who types it sees it: it says where everything is, starts again what is killed, shows no
// secret to other users, and leaves nothing behind.
func TestCommand(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	interrupt, typed := context.WithCancel(ctx)
	defer typed()
	reader, writer := io.Pipe()
	defer reader.Close() // a program that goes on after a failure must not wait for a reader
	ended := make(chan error, 1)
	program := built(t)
	go func() {
		err := run(interrupt, []string{"-program", program, "-nginx", "../../deploy/nginx.conf", "-listen", port(t)}, writer)
		ended <- errors.Join(err, writer.Close())
	}()
	says := said{t, bufio.NewScanner(reader)}
	url := says.until(`behind nginx at (\S+)`)
	dir := says.until(`lies in (\S+)`)
	says.until(`Ctrl-C ends it all`)

	token := mode0600(t, filepath.Join(dir, "token"))
	client, err := lanyard.NewClient(url, token)
	must(t, err)
	if apps, err := client.Apps(ctx, lanyard.AppQuery{}); err != nil || len(apps.Items) == 0 {
		t.Errorf("the saved key lists %v, %v, want an app", apps, err)
	}
	ask := mode0600(t, filepath.Join(dir, "verify.curl"))
	if want := "url = \"" + url + "/v1/verify\"\nheader = \"Authorization: Bearer " + token + "\"\n"; !strings.HasPrefix(ask, want) {
		t.Errorf("verify.curl = %q, want it to begin %q", ask, want)
	}
	master := mode0600(t, filepath.Join(dir, "master.key"))
	for _, name := range []string{"node-1", "node-2", "node-3", "nginx"} {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid(t, dir, name)))
		must(t, err)
		if strings.Contains(string(line), token) || strings.Contains(string(line), master) {
			t.Errorf("the arguments of %s hold a secret", name)
		}
	}

	must(t, syscall.Kill(pid(t, dir, "node-2"), syscall.SIGKILL))
	says.until(`node-2 has ended \(signal: killed\)`)
	says.until(`node-2 is back`)
	typed()
	if _, err := io.Copy(io.Discard, reader); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("run = %v, want none", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory: %v, want it gone", err)
	}
	if res, err := http.Get(url); err == nil {
		res.Body.Close()
		t.Error("nginx still answers")
	}
}

// said is what the program prints.
type said struct {
	t     *testing.T
	lines *bufio.Scanner
}

// until reads to a line like that, and returns its first group.
func (s said) until(pattern string) string {
	s.t.Helper()
	line := regexp.MustCompile(pattern + "()")
	for s.lines.Scan() {
		if found := line.FindStringSubmatch(s.lines.Text()); found != nil {
			return found[1]
		}
	}
	s.t.Fatalf("no line says %s", pattern)
	return ""
}

// mode0600 returns the text of a file that only its owner can read.
func mode0600(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("%s has mode %v, want 0600", path, info.Mode())
	}
	text, err := os.ReadFile(path)
	must(t, err)
	return strings.TrimSpace(string(text))
}

func pid(t *testing.T, dir, name string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name+".pid"))
	must(t, err)
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	must(t, err)
	return n
}
