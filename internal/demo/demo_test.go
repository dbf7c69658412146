package demo

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// start runs a demo on free ports until the returned function ends it.
func start(t *testing.T, o Options) (Places, string, func()) {
	t.Helper()
	var out strings.Builder
	ready, ended := make(chan Places, 1), make(chan error, 1)
	o.Listen, o.GatewayListen, o.PostPalListen, o.Out = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", &out
	o.Ready = func(at Places) { ready <- at }
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go func() { ended <- Run(ctx, o) }()
	select {
	case at := <-ready:
		return at, out.String(), func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Run = %v, want nil", err)
			}
		}
	case err := <-ended:
		t.Fatalf("Run = %v, want it to go on", err)
	}
	return Places{}, "", nil
}

func get(t *testing.T, address, key string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("X-Api-Key", key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestRun(t *testing.T) {
	at, text, end := start(t, Options{Program: "bin/lanyard"})
	for _, test := range []struct {
		path, key string
		status    int
		want      string
	}{
		{"/weather/v1/forecast?city=Lagos", "", 401, `"code":"missing"`},
		{"/weather/v1/forecast?city=Lagos", at.Key + "x", 401, `"code":"malformed"`},
		{"/weather/v1/secrets", at.Key, 403, `"code":"operation_unknown"`},
		{"/mail/v1/me", at.Key, 403, "This reads one person's mail, so it needs an access token (a visitor badge). You sent an API key (an ID card): it says which app is calling, not for whom."},
		{"/weather/v1/forecast?city=Atlantis", at.Key, 400, "There is no forecast for that city"},
		{"/weather/v1/forecast?city=Lagos", at.Key, 200, `"city":"Lagos"`},
		{"/weather/v1/forecast?city=Lagos", at.ReportKey, 200, `"city":"Lagos"`},
	} {
		status, body := get(t, at.Gateway+test.path, test.key)
		if status != test.status || !strings.Contains(body, test.want) {
			t.Errorf("GET %s = %d %s, want %d with %s", test.path, status, body, test.status, test.want)
		}
	}
	if lines := strings.Count(text, "\n"); lines > 17 {
		t.Errorf("the demo prints %d lines, want about a dozen", lines)
	}
	for _, want := range []string{at.KeyHeader, at.KeyID, at.TokenFile, "bin/lanyard usage show WeatherDashboard", "dev@demo.test", at.PostPal, Password} {
		if !strings.Contains(text, want) {
			t.Errorf("the demo prints %q, want %q in it", text, want)
		}
	}
	if info, err := os.Stat(at.TokenFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the token's file: %v, %v, want mode 600", info, err)
	}
	end()
	if _, err := os.Stat(at.Dir); !os.IsNotExist(err) {
		t.Errorf("after the end %s is there (%v), want it gone", at.Dir, err)
	}
}

// A directory that is kept goes on with the same things and new secrets, also after the key was taken back.
func TestRunAgain(t *testing.T) {
	dir := t.TempDir()
	first, _, end := start(t, Options{Dir: dir})
	end()
	second, _, end := start(t, Options{Dir: dir})
	defer end()
	if second.KeyID != first.KeyID || second.Key == first.Key {
		t.Errorf("the second start has key %s, want %s with a new secret", second.KeyID, first.KeyID)
	}
	for key, want := range map[string]int{first.Key: 401, second.Key: 200} {
		if status, body := get(t, second.Gateway+"/weather/v1/forecast?city=Lagos", key); status != want {
			t.Errorf("GET with a key of %v = %d %s, want %d", key == second.Key, status, body, want)
		}
	}
}

func TestRunBusy(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, o := range []Options{
		{Listen: l.Addr().String(), GatewayListen: "127.0.0.1:0"},
		{Listen: "127.0.0.1:0", GatewayListen: l.Addr().String()},
	} {
		err := Run(t.Context(), o)
		if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), l.Addr().String()) || !strings.Contains(err.Error(), "listen ") {
			t.Errorf("Run on a busy port = %v, want which one it is and what to do", err)
		}
	}
}
