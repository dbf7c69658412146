// Package live is an API that streams: the temperature of a city once a second, as server-sent events, to whoever has an API key, and the alarm,
// which only a user may sound who signed in within five minutes. It shows what lanyard.Require does beside asking:
//
//   - With a Follower a stream ends within a second of the revocation of its key. The handler needs nothing for it but to heed its context.
//   - For an API with `metering: none` the Follower gives an answer again without asking, as long as nothing changed.
//   - WithMaxAge and WithScopes ask for more than the catalog does, in one place of the code.
//
// A whole program is:
//
//	func main() {
//		client, err := lanyard.FromEnv() // a token with the scopes lanyard.verify and lanyard.changes.read
//		if err != nil {
//			log.Fatal(err)
//		}
//		log.Fatal(http.ListenAndServe("127.0.0.1:8421", live.Handler(context.Background(), client)))
//	}
package live

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/lanyard-auth/lanyard"
)

// Handler returns the API, guarded. It follows the log of changes until ctx ends.
func Handler(ctx context.Context, client *lanyard.Client) http.Handler {
	changes := lanyard.Follow(ctx, client, lanyard.FollowOptions{})
	guard := lanyard.Require(client, "live", lanyard.WithFollower(changes))
	careful := lanyard.Require(client, "live", lanyard.WithFollower(changes), lanyard.WithMaxAge(5*time.Minute))
	mux := http.NewServeMux()
	mux.Handle("GET /v1/temperature", guard(http.HandlerFunc(temperature)))
	mux.Handle("GET /v1/live", guard(http.HandlerFunc(stream)))
	mux.Handle("POST /v1/alarm", careful(http.HandlerFunc(alarm)))
	return mux
}

// temperature answers at once.
func temperature(w http.ResponseWriter, _ *http.Request) {
	_, _ = fmt.Fprintf(w, "%.1f °C\n", degrees(time.Now())) //nolint:forbidigo // the weather is of the real clock
}

// stream goes on until its request ends: the caller left, or may not listen any more.
func stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for at := time.Now(); ; { //nolint:forbidigo // the weather is of the real clock
		if _, err := fmt.Fprintf(w, "data: %.1f\n\n", degrees(at)); err != nil {
			return
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case at = <-ticker.C:
		}
	}
}

// alarm is what cannot be undone.
func alarm(w http.ResponseWriter, r *http.Request) {
	who, _ := lanyard.IdentityFrom(r.Context())
	_, _ = fmt.Fprintf(w, "%s sounded the alarm.\n", who.User)
}

// degrees is warm by day and cold by night.
func degrees(at time.Time) float64 {
	return 18 + 7*math.Sin(2*math.Pi*(float64(at.UTC().Hour())-9)/24)
}
