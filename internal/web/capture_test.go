package web

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// No more is kept than was asked for, however it is written, and the handler is not told.
func TestCapture(t *testing.T) {
	c := Capture{Max: 5}
	c.WriteHeader(http.StatusEarlyHints)
	c.WriteHeader(http.StatusTeapot)
	c.WriteHeader(http.StatusOK)
	for _, part := range []string{"abc", "defg", "h"} {
		if n, err := c.Write([]byte(part)); n != len(part) || err != nil {
			t.Errorf("Write(%s) = %d, %v", part, n, err)
		}
	}
	if c.Status != http.StatusTeapot || c.Body.String() != "abcde" || !c.Cut {
		t.Errorf("kept %d %q, cut %v; want 418 abcde, cut", c.Status, c.Body.String(), c.Cut)
	}
	whole := Capture{Max: 3}
	_, _ = whole.Write([]byte("abc"))
	if whole.Cut || whole.Status != http.StatusOK {
		t.Errorf("a body of just so many bytes: %d, cut %v", whole.Status, whole.Cut)
	}
}

func TestInProcess(t *testing.T) {
	client := http.Client{Transport: InProcess{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("X-Was", r.Method)
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(body)
	})}}
	for method, body := range map[string]io.Reader{http.MethodGet: nil, http.MethodPost: strings.NewReader("sent")} {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://localhost/x", body)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusCreated || res.Header.Get("X-Was") != method || (body != nil) != (string(got) == "sent") {
			t.Errorf("%s = %d %v %q (%v)", method, res.StatusCode, res.Header, got, err)
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}
