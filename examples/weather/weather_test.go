package weather

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var monday = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func get(t *testing.T, now time.Time, method, target string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	HandlerAt(func() time.Time { return now }).ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w
}

func decode[T any](t *testing.T, w *httptest.ResponseRecorder) (out T) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatalf("answer %q: %v", w.Body, err)
	}
	return out
}

func TestForecastRefuses(t *testing.T) {
	for _, query := range []string{"", "?city=", "?city=%20", "?city=Atlantis", "?city=Lagos&city=Paris", "?town=Lagos", "?city=%00"} {
		w := get(t, monday, "GET", "/v1/forecast"+query)
		p := decode[problem](t, w)
		if w.Code != http.StatusBadRequest || p.Status != w.Code || p.Detail == "" || len(p.Cities) != len(cities) || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("GET /v1/forecast%s = %d %s, want 400 with the cities", query, w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), "Atlantis") {
			t.Errorf("GET /v1/forecast%s repeats what was sent", query)
		}
	}
	for target, want := range map[string]int{"POST /v1/forecast": 405, "GET /v1": 404, "GET /": 404, "DELETE /v1/alerts": 405} {
		method, path, _ := strings.Cut(target, " ")
		if w := get(t, monday, method, path); w.Code != want {
			t.Errorf("%s = %d, want %d", target, w.Code, want)
		}
	}
}

func TestForecast(t *testing.T) {
	for _, query := range []string{"Lagos", "lagos", "+LAGOS+"} {
		w := get(t, monday, "GET", "/v1/forecast?city="+query)
		f := decode[Forecast](t, w)
		if w.Code != 200 || f.City != "Lagos" || f.Country != "Nigeria" || len(f.Days) != forecastDays || f.Days[0].Date != "2026-11-23" {
			t.Errorf("forecast for %q = %d %+v", query, w.Code, f)
		}
	}
	// What Monday says of Friday is what Friday says of itself, at any hour.
	early := decode[Forecast](t, get(t, monday, "GET", "/v1/forecast?city=S%C3%A3o+Paulo"))
	late := decode[Forecast](t, get(t, monday.AddDate(0, 0, 4).Add(14*time.Hour), "GET", "/v1/forecast?city=sao+paulo"))
	if diff := cmp.Diff(early.Days[4], late.Days[0]); diff != "" {
		t.Errorf("Friday, as told on Monday and on Friday: -Monday +Friday\n%s", diff)
	}
}

// Plausible: a year of every city stays within what has been measured there or near it, and summers are warm.
func TestClimate(t *testing.T) {
	for _, c := range cities {
		january, july := 0, 0
		for day := range 365 {
			at := time.Date(2026, 1, 1+day, 0, 0, 0, 0, time.UTC)
			d := c.on(at)
			if d.HighC < d.LowC || d.LowC < -30 || d.HighC > 48 || d.RainChance < 0 || d.RainChance > 100 || d.WindKMH < 2 || d.WindKMH > 130 || d.Summary == "" {
				t.Errorf("%s: %+v", c.name, d)
			}
			switch at.Month() {
			case time.January:
				january += d.HighC
			case time.July:
				july += d.HighC
			default: // between
			}
		}
		if c.swing > 3 && (july > january) == c.south {
			t.Errorf("%s: July %d, January %d", c.name, july/31, january/31)
		}
	}
}

func TestAlerts(t *testing.T) {
	warned := 0
	for day := range 365 {
		now := monday.AddDate(0, 0, day)
		w := get(t, now, "GET", "/v1/alerts")
		a := decode[Alerts](t, w)
		if w.Code != 200 || a.Alerts == nil {
			t.Fatalf("alerts = %d %s, want 200 and a list", w.Code, w.Body)
		}
		for _, alert := range a.Alerts {
			warned++
			if alert.Date != now.Format(time.DateOnly) || alert.City == "" || alert.Kind == "" || alert.Message == "" {
				t.Errorf("alert %+v on %v", alert, now)
			}
		}
	}
	if warned == 0 || warned > 365*3 {
		t.Errorf("%d alerts in a year: too few to show, or too many to be believed", warned)
	}
}

func TestHandlerOnTheRealClock(t *testing.T) {
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, httptest.NewRequest("GET", "/v1/forecast?city=Tokyo", nil))
	if f := decode[Forecast](t, w); w.Code != 200 || len(f.Days) != forecastDays {
		t.Errorf("forecast = %d %s", w.Code, w.Body)
	}
}
