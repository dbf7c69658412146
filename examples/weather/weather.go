// Package weather is a small API to try Lanyard on: forecasts and alerts for a dozen cities. The weather is made up but
// plausible, and the same for everybody who asks on the same day (UTC).
//
//	GET /v1/forecast?city=Lagos    five days
//	GET /v1/alerts                 warnings for today, everywhere
//
// The package knows nothing of credentials. A whole program that guards it is:
//
//	func main() {
//		client, err := lanyard.FromEnv()
//		if err != nil {
//			log.Fatal(err)
//		}
//		log.Fatal(http.ListenAndServe("127.0.0.1:8421", lanyard.Require(client, "weather")(weather.Handler())))
//	}
package weather

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// Handler returns the API on the real clock.
func Handler() http.Handler { return HandlerAt(nil) }

// HandlerAt returns the API on another clock; nil is the real one.
func HandlerAt(now func() time.Time) http.Handler {
	if now == nil {
		now = time.Now //nolint:forbidigo // the real clock
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/forecast", func(w http.ResponseWriter, r *http.Request) { forecast(w, r, now()) })
	mux.HandleFunc("GET /v1/alerts", func(w http.ResponseWriter, _ *http.Request) { alerts(w, now()) })
	return mux
}

// Forecast is the answer to GET /v1/forecast.
type Forecast struct {
	City    string `json:"city"`
	Country string `json:"country"`
	Days    []Day  `json:"days"`
}

// Alert is a warning for one city today.
type Alert struct {
	City    string `json:"city"`
	Date    string `json:"date"`
	Kind    string `json:"kind"` // heat, frost, wind or rain
	Message string `json:"message"`
}

// Alerts is the answer to GET /v1/alerts.
type Alerts struct {
	Alerts []Alert `json:"alerts"`
}

// problem is RFC 9457, with the cities one may ask for.
type problem struct {
	Type   string   `json:"type"`
	Title  string   `json:"title"`
	Status int      `json:"status"`
	Detail string   `json:"detail"`
	Cities []string `json:"cities"`
}

const forecastDays = 5

func forecast(w http.ResponseWriter, r *http.Request, now time.Time) {
	asked := r.URL.Query()["city"]
	if len(asked) != 1 || strings.TrimSpace(asked[0]) == "" {
		refuse(w, "Say which city, once: /v1/forecast?city=Lagos")
		return
	}
	where, ok := find(asked[0])
	if !ok {
		refuse(w, "There is no forecast for that city. These have one: "+strings.Join(names(), ", ")+".")
		return
	}
	out := Forecast{City: where.name, Country: where.country}
	for ahead := range forecastDays {
		out.Days = append(out.Days, where.on(now.UTC().AddDate(0, 0, ahead)))
	}
	answer(w, http.StatusOK, "application/json", out)
}

func alerts(w http.ResponseWriter, now time.Time) {
	out := Alerts{Alerts: []Alert{}}
	for _, c := range cities {
		day := c.on(now.UTC())
		if kind, message := day.warning(); kind != "" {
			out.Alerts = append(out.Alerts, Alert{c.name, day.Date, kind, message})
		}
	}
	answer(w, http.StatusOK, "application/json", out)
}

func refuse(w http.ResponseWriter, detail string) {
	answer(w, http.StatusBadRequest, "application/problem+json",
		problem{"about:blank", http.StatusText(http.StatusBadRequest), http.StatusBadRequest, detail, names()})
}

func answer(w http.ResponseWriter, status int, contentType string, body any) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // whoever does not listen any more needs no answer
}
