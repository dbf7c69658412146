package demo

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

// A site that cannot be made yet says so, and is made once when it can.
func TestLater(t *testing.T) {
	tries := 0
	l := &later{make: func(context.Context) (http.Handler, error) {
		if tries++; tries < 2 {
			return nil, errors.New("not yet")
		}
		return http.RedirectHandler("/there", http.StatusSeeOther), nil
	}}
	for i, want := range []int{http.StatusServiceUnavailable, http.StatusSeeOther, http.StatusSeeOther} {
		rec := httptest.NewRecorder()
		l.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
		if rec.Code != want || tries > 2 {
			t.Errorf("visit %d = %d after %d tries, want %d", i+1, rec.Code, tries, want)
		}
	}
}
