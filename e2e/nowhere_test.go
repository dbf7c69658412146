package e2e

import (
	"context"
	"encoding/base64"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// day is what a person types in a day with Lanyard, as the guides say it. `read -rs` takes the line after it, which is no command.
const day = `git init -q -b main
git config user.name Ada; git config user.email ada@example.com
lanyard admin key create --scope lanyard.admin --save LANYARD_TOKEN
lanyard admin create --email ada@example.com < password.txt
lanyard apply -f lanyard.yaml
lanyard teams create Sunny
lanyard apps create WeatherDashboard --team Sunny --grant client_credentials --scope forecast.read
lanyard keys create WeatherDashboard --name production --scope forecast.read --save WEATHER_API_KEY
lanyard keys create WeatherDashboard --name piped --scope forecast.read > piped.txt
lanyard verify --api weather --operation 'GET /v1/forecast' --from WEATHER_API_KEY
lanyard verify --api weather --operation 'GET /v1/forecast' --file piped.txt
lanyard inspect < piped.txt
lanyard keys rotate production --save WEATHER_API_KEY
lanyard apps secrets create WeatherDashboard --save CLIENT_SECRET
lanyard token --app WeatherDashboard --scope forecast.read --client-credentials --client-secret-from CLIENT_SECRET > token.txt
lanyard inspect --file token.txt
lanyard env add PASSWORD < password.txt
lanyard env add COPIED_KEY --from WEATHER_API_KEY
lanyard env check
lanyard keys import WeatherDashboard old.json
lanyard run -- sh -c 'test -n "$WEATHER_API_KEY" && sleep 0.2'
lanyard run --mask -- printenv WEATHER_API_KEY
lanyard keys create WeatherDashboard --name shown --scope forecast.read -o json > shown.json
read -rs KEY
{{KEY}}
curl -sS -H @- "$LANYARD_URL/v1/keys" <<< "Authorization: Bearer $KEY"
curl -sS -X POST -H @- "$LANYARD_URL/v1/keys/revoke-self?wait=1s" <<< "Authorization: Bearer $KEY"
lanyard scan install --pre-commit --pre-push
cp piped.txt leaked.txt; git add leaked.txt; git commit -m 'with a key'
git commit -m 'with a key' --no-verify
lanyard scan --history --check-live
lanyard scan --format sarif; lanyard scan -o json; lanyard scan --format junit
lanyard scan --revoke --yes
lanyard env add NAME=value
lanyard keys list; lanyard usage show WeatherDashboard; lanyard doctor
`

// TestSecretsStandNowhere: through a whole day no secret stands in the arguments of any process, in what commands print, in the server's
// log or in the shell's history: only in .env and in the files that were asked for.
func TestSecretsStandNowhere(t *testing.T) {
	bin, home := t.TempDir(), t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(bin, "lanyard"), "../cmd/lanyard")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	address := "http://127.0.0.1:" + port
	env := append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "HOME="+home, "HISTFILE="+filepath.Join(home, "history"), "HISTCONTROL=",
		"GIT_CONFIG_NOSYSTEM=1", "LANYARD_LISTEN=127.0.0.1:"+port, "LANYARD_URL="+address, "PS1=", "LANYARD_LOG_LEVEL=debug")
	const password = "five copper kettles, whistling"
	catalog := "apis:\n  weather:\n    takes: either\n    scopes: {forecast.read: {text: read forecasts}}\n    operations: {\"GET /v1/forecast\": {scopes: [forecast.read]}}\n"
	const imported = "old-and-imported-0123456789abcdef"
	old := `[{"name":"old","secret":"` + imported + `","scopes":["forecast.read"]}]`
	for name, text := range map[string]string{"old.json": old, "password.txt": password + "\n", "lanyard.yaml": catalog} {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	start := func(ctx context.Context, log string, args ...string) *exec.Cmd {
		t.Helper()
		file, err := os.Create(filepath.Join(home, log))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = file.Close() })
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = home, env, file, file
		return cmd
	}
	serving, stop := context.WithCancel(t.Context())
	defer stop()
	serve := start(serving, "serve.log", filepath.Join(bin, "lanyard"), "serve")
	serve.Cancel = func() error { return serve.Process.Signal(os.Interrupt) }
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	soon(t, "the server is not ready", func() bool {
		res, err := http.Get(address + "/readyz")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})

	seen := watchArguments(t)
	// The key that is typed is one of the day's own: the first commands are run before it is known.
	first, rest, _ := strings.Cut(day, "read -rs KEY\n{{KEY}}\n")
	typed := func(log, lines string) {
		t.Helper()
		shell := start(t.Context(), log, "bash", "--norc", "--noprofile", "-i")
		shell.Stdin = strings.NewReader("set -o history\n" + lines + "history -a\n")
		if err := shell.Run(); err != nil && shell.ProcessState == nil {
			t.Fatal(err)
		}
	}
	read := func(name string) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(home, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	typed("morning.log", first)
	issued := regexp.MustCompile(`lyd_(?:key|cs|pat|pub)_live_[0-9A-Za-z]{54}`)
	key := issued.FindString(read("shown.json"))
	if key == "" {
		t.Fatalf("the morning made no key:\n%s", read("morning.log"))
	}
	typed("afternoon.log", "read -rs KEY\n"+key+"\n"+rest)
	stop()
	_ = serve.Wait()

	token := strings.TrimSpace(read("token.txt"))
	if token == "" {
		t.Fatalf("the morning got no token:\n%s", read("morning.log"))
	}
	secrets := map[string]bool{password: true, imported: true, token: true}
	for _, holder := range []string{".env", "piped.txt", "shown.json"} {
		for _, one := range issued.FindAllString(read(holder), -1) {
			secrets[one] = true
		}
	}
	if len(secrets) < 8 {
		t.Errorf("the day made %d secrets, want a token, two of others and five more:\n%s%s", len(secrets), read("morning.log"), read("afternoon.log"))
	}
	morning, afternoon := read("morning.log"), read("afternoon.log")
	for _, want := range []string{"allowed", "[redacted]", "WEATHER_API_KEY in .env", "1 key imported"} {
		if !strings.Contains(morning, want) {
			t.Errorf("the morning went otherwise than planned: no %q in\n%s", want, morning)
		}
	}
	for _, want := range []string{"The commit is refused", "IT WORKS", `"2.1.0"`, "<testsuites", "takes the name alone"} {
		if !strings.Contains(afternoon, want) {
			t.Errorf("the afternoon went otherwise than planned: no %q in\n%s", want, afternoon)
		}
	}
	if history := read("history"); !strings.Contains(history, "lanyard keys create WeatherDashboard") || !strings.Contains(history, "read -rs KEY") {
		t.Errorf("the shell kept no history: %q", history)
	}
	for secret := range secrets {
		written := []string{secret, secret[max(0, len(secret)-30):], base64.StdEncoding.EncodeToString([]byte(secret))}
		for _, name := range []string{"morning.log", "afternoon.log", "serve.log", "history"} {
			for _, form := range written {
				if strings.Contains(read(name), form) {
					t.Errorf("%s holds a secret that ends with %s", name, secret[len(secret)-4:])
				}
			}
		}
	}

	// The watcher would have seen one: it sees this.
	decoy := "lyd_key_live_" + strings.Repeat("d", 54)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	visible := exec.CommandContext(ctx, "sh", "-c", "sleep 60; :", decoy)
	if err := visible.Start(); err != nil {
		t.Fatal(err)
	}
	soon(t, "the watcher does not see arguments", func() bool { return strings.Contains(seen(), decoy) })
	cancel()
	_ = visible.Wait()
	for secret := range secrets {
		if strings.Contains(seen(), secret) {
			t.Errorf("a process had a secret among its arguments that ends with %s", secret[len(secret)-4:])
		}
	}
}

// watchArguments looks at the arguments of all processes again and again until the test ends, and returns what to ask for all that were
// seen so far.
func watchArguments(t *testing.T) func() string {
	t.Helper()
	var mu sync.Mutex
	all := map[string]bool{}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		for ctx.Err() == nil {
			for _, line := range arguments(ctx) {
				mu.Lock()
				all[line] = true
				mu.Unlock()
			}
			select { // half of the time is left to those who are watched
			case <-ctx.Done():
			case <-time.After(2 * time.Millisecond):
			}
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		var text strings.Builder
		for line := range all {
			text.WriteString(line + "\n")
		}
		return text.String()
	}
}

// arguments are the command lines of the processes that run.
func arguments(ctx context.Context) []string {
	if runtime.GOOS != "linux" {
		out, _ := exec.CommandContext(ctx, "ps", "-axww", "-o", "command").Output() // nothing to see is found out by the decoy
		return strings.Split(string(out), "\n")
	}
	paths, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	var lines []string
	for _, path := range paths {
		if text, err := os.ReadFile(path); err == nil && len(text) > 0 {
			lines = append(lines, strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
	return lines
}

// soon waits for another process, as until does for scripts.
func soon(t *testing.T, failure string, done func() bool) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for range int(patience / (20 * time.Millisecond)) {
		if done() {
			return
		}
		<-again.C
	}
	t.Fatal(failure)
}
