package lanyard_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/lanyard-auth/lanyard"
)

// A handler behind Require knows who calls, and never sees the credential. The server here is a stand-in that knows one key; a
// program would use lanyard.FromEnv.
func ExampleRequire() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		question, _ := io.ReadAll(r.Body)
		fmt.Println("asked:", string(question))
		_, _ = io.WriteString(w, `{"allowed": true, "code": "valid", "app": {"id": "app_8fK2mQz7Lr0Xc41Z", "name": "WeatherDashboard"}, "http": {"status": 200}}`)
	}))
	defer server.Close()
	client, err := lanyard.NewClient(server.URL, "token-with-the-scope-lanyard.verify")
	if err != nil {
		fmt.Println(err)
		return
	}

	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _ := lanyard.IdentityFrom(r.Context())
		_, _ = fmt.Fprintf(w, "Hello, %s. Your key here: %q", who.App.Name, r.Header.Get("X-Api-Key"))
	})
	guarded := lanyard.Require(client, "weather")(hello)

	for _, key := range []string{"", "a-key"} {
		r := httptest.NewRequest(http.MethodGet, "/v1/forecast", nil)
		if key != "" {
			r.Header.Set("X-Api-Key", key)
		}
		w := httptest.NewRecorder()
		guarded.ServeHTTP(w, r)
		if w.Code == http.StatusOK {
			fmt.Println(w.Code, w.Body)
		} else {
			fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
		}
	}
	// Output:
	// 401 Bearer realm="weather"
	// asked: {"credential":"a-key","api":"weather","method":"GET","path":"/v1/forecast","ip":"192.0.2.1"}
	// 200 Hello, WeatherDashboard. Your key here: ""
}
