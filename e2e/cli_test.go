// Package e2e runs Lanyard as its users do: the built program, in scripts that a person who writes no Go can follow and repeat
// by hand. The scripts stand in scripts; what they may say beside testscript's own commands is listed at scriptCommands.
package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long a script waits for a server to answer.
const patience = 30 * time.Second

func TestCommandLine(t *testing.T) {
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(bin, "lanyard"), "../cmd/lanyard")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	testscript.Run(t, testscript.Params{
		Dir: "scripts",
		Setup: func(env *testscript.Env) error {
			port, err := freePort()
			if err != nil {
				return err
			}
			env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("GIT_CONFIG_NOSYSTEM", "1")
			env.Setenv("LANYARD_LISTEN", "127.0.0.1:"+port)
			env.Setenv("LANYARD_URL", "http://127.0.0.1:"+port)
			return nil
		},
		Cmds: scriptCommands(),
	})
}

// scriptCommands are what scripts may say beside testscript's own commands.
//
//	await URL                 waits until URL answers 200
//	appears FILE REGEXP       waits until FILE holds a line like that
//	port NAME                 puts a free port into the variable NAME
//	keep NAME REGEXP          puts what the first group matches in stdout into the variable NAME
//	times N COMMAND…          runs a command N times; all must succeed
//	exits CODE COMMAND…       runs a command that must end with that code
//	fetch [-H HEADER] URL     prints the status and the body
//	paste FILE N              does what the Nth curl line in FILE says
func scriptCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"await":   await,
		"appears": appears,
		"port": func(ts *testscript.TestScript, _ bool, args []string) {
			port, err := freePort()
			ts.Check(err)
			ts.Setenv(args[0], port)
		},
		"keep": func(ts *testscript.TestScript, _ bool, args []string) {
			found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
			if found == nil {
				ts.Fatalf("nothing in stdout matches %s", args[1])
			}
			ts.Setenv(args[0], found[1])
		},
		"times": func(ts *testscript.TestScript, _ bool, args []string) {
			n, err := strconv.Atoi(args[0])
			ts.Check(err)
			for range n {
				ts.Check(ts.Exec(args[1], args[2:]...))
			}
		},
		"exits": func(ts *testscript.TestScript, _ bool, args []string) {
			var ended *exec.ExitError
			code := 0
			if err := ts.Exec(args[1], args[2:]...); errors.As(err, &ended) {
				code = ended.ExitCode()
			} else {
				ts.Check(err)
			}
			if strconv.Itoa(code) != args[0] {
				ts.Fatalf("exit code %d, want %s", code, args[0])
			}
		},
		"fetch": func(ts *testscript.TestScript, _ bool, args []string) { fetch(ts, args) },
		"paste": func(ts *testscript.TestScript, _ bool, args []string) {
			n, err := strconv.Atoi(args[1])
			ts.Check(err)
			lines := regexp.MustCompile(`(?m)^ *curl (.*)$`).FindAllStringSubmatch(ts.ReadFile(args[0]), -1)
			if len(lines) < n {
				ts.Fatalf("%s has %d curl lines", args[0], len(lines))
			}
			var words []string
			for _, word := range regexp.MustCompile(`'[^']*'|\S+`).FindAllString(lines[n-1][1], -1) {
				words = append(words, strings.Trim(word, "'"))
			}
			fetch(ts, words)
		},
	}
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}

func await(ts *testscript.TestScript, _ bool, args []string) {
	until(ts, args[0]+" did not answer 200", func() bool {
		res, err := http.Get(args[0])
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

func appears(ts *testscript.TestScript, _ bool, args []string) {
	until(ts, "nothing in "+args[0]+" matches "+args[1], func() bool {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		return err == nil && regexp.MustCompile(args[1]).Match(text)
	})
}

// until waits for another process, which nothing but looking again and again can tell of.
func until(ts *testscript.TestScript, failure string, done func() bool) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			ts.Fatalf("%s within %s", failure, patience)
		case <-again.C:
		}
	}
}

func fetch(ts *testscript.TestScript, args []string) {
	req, err := http.NewRequest(http.MethodGet, args[len(args)-1], nil)
	ts.Check(err)
	for i := 0; i+2 < len(args); i += 2 {
		if args[i] != "-H" {
			ts.Fatalf("fetch knows -H alone, not %s", args[i])
		}
		header := args[i+1]
		if file, ok := strings.CutPrefix(header, "@"); ok {
			header = strings.TrimSpace(ts.ReadFile(file))
		}
		name, value, _ := strings.Cut(header, ": ")
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	ts.Check(err)
	_, err = fmt.Fprintf(ts.Stdout(), "%d\n%s", res.StatusCode, body)
	ts.Check(err)
}
