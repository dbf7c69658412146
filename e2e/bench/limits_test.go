package main

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/server"
)

// TestLimits: what is measured has the limits and the quota that the table says.
func TestLimits(t *testing.T) {
	settings := settings(t.TempDir())
	seeded, err := seed(t.Context(), settings, 2, 2)
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
	address := strings.TrimPrefix(served.URL, "http://")
	for api, want := range map[string]int{"weather": 0, "limited": 2, "sold": 2} {
		requests := [][]byte{seeded.request(address, api, seeded.credentials[0])}
		if err := ask(address, slices.Values(requests), func(body []byte) error {
			if n := bytes.Count(body, []byte(`"name":"plan-`)); n != want || bytes.Contains(body, []byte(`"quota":{`)) != (api == "sold") {
				t.Errorf("%s answered %s, want %d limits, and a quota if it is sold", api, body, want)
			}
			return allowed(body)
		}); err != nil {
			t.Error(err)
		}
	}
}

func TestOnProgramsEndsWhatItBegan(t *testing.T) {
	var ended []int
	err := onPrograms(func(tb testing.TB) error {
		tb.Cleanup(func() { ended = append(ended, 1) })
		tb.Cleanup(func() {
			ended = append(ended, 2)
			tb.Errorf("cannot be removed")
		})
		tb.Fatalf("cannot be started")
		return errors.New("not reached")
	})
	if !slices.Equal(ended, []int{2, 1}) || err == nil || err.Error() != "cannot be started\ncannot be removed" {
		t.Errorf("onPrograms = %v, ended %v, want both failures, the last begun ended first", err, ended)
	}
}
