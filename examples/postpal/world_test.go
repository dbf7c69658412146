package postpal

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// world is a provider, an API and PostPal, with a browser before it.
type world struct {
	t                     *testing.T
	provider, api, postal *httptest.Server
	browser               *http.Client
	key                   *ecdsa.PrivateKey

	mu       sync.Mutex
	codes    map[string]code // the code is used once
	serial   int
	access   string // the one access token that is good, "" none
	lifetime int    // of access tokens, in seconds; the library asks for a new one ten seconds before the end
	refresh  string // the one refresh token that is good
	back     bool   // the badge was taken back
	scope    string // what was ticked; "": everything, and the answer does not say
	nonce    string // instead of the one that was sent
	audience string // of ID tokens, instead of PostPal
	down     bool   // the token endpoint answers 500
	posted   []string
	calls    int // of the API
	renewals int
}

type code struct{ challenge, nonce string }

const clientID = "app_0123456789abcdef"

func newWorld(t *testing.T) *world {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, key: key, lifetime: 900, codes: map[string]code{}}
	w.provider = httptest.NewServer(http.HandlerFunc(w.serveProvider))
	w.api = httptest.NewServer(http.HandlerFunc(w.serveAPI))
	var pal http.Handler
	w.postal = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { pal.ServeHTTP(rw, r) }))
	for _, server := range []*httptest.Server{w.provider, w.api, w.postal} {
		t.Cleanup(server.Close)
	}
	if pal, err = New(t.Context(), Config{Issuer: w.provider.URL, ClientID: clientID, API: w.api.URL, URL: w.postal.URL, Provider: "Acme"}); err != nil {
		t.Fatal(err)
	}
	w.browser = newBrowser(t)
	return w
}

// newBrowser keeps cookies and follows nothing by itself.
func newBrowser(t *testing.T) *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// change changes the world while it turns.
func (w *world) change(how func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	how()
}

func (w *world) serveProvider(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	point, err := w.key.PublicKey.Bytes() // 4, then both halves
	if err != nil {
		w.t.Error(err)
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		writeJSON(rw, 200, map[string]any{
			"issuer": w.provider.URL, "authorization_endpoint": w.provider.URL + "/authorize", "token_endpoint": w.provider.URL + "/token",
			"jwks_uri": w.provider.URL + "/keys", "end_session_endpoint": w.provider.URL + "/logout",
			"id_token_signing_alg_values_supported": []string{"ES256"},
		})
	case "/keys":
		writeJSON(rw, 200, map[string]any{"keys": []any{map[string]any{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "one", "x": b64(point[1:33]), "y": b64(point[33:])}}})
	case "/token":
		w.token(rw, r)
	default:
		rw.WriteHeader(http.StatusTeapot)
	}
}

// token is a token endpoint that is strict with a public client.
func (w *world) token(rw http.ResponseWriter, r *http.Request) {
	refuse := func(code string) { writeJSON(rw, 400, map[string]string{"error": code}) }
	if w.down {
		rw.WriteHeader(http.StatusInternalServerError)
		return
	}
	if err := r.ParseForm(); err != nil || r.Method != http.MethodPost || r.PostForm.Get("client_id") != clientID || r.PostForm.Has("client_secret") || r.Header.Get("Authorization") != "" {
		refuse("invalid_client")
		return
	}
	nonce := ""
	switch r.PostForm.Get("grant_type") {
	case "authorization_code":
		sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
		known, ok := w.codes[r.PostForm.Get("code")]
		delete(w.codes, r.PostForm.Get("code"))
		if !ok || known.challenge != b64(sum[:]) || r.PostForm.Get("redirect_uri") != w.postal.URL+"/callback" {
			refuse("invalid_grant")
			return
		}
		nonce = known.nonce
	case "refresh_token":
		w.renewals++
		if w.back || w.refresh == "" || r.PostForm.Get("refresh_token") != w.refresh {
			refuse("invalid_grant")
			return
		}
	default:
		refuse("unsupported_grant_type")
		return
	}
	w.serial++
	w.access, w.refresh, w.back = fmt.Sprintf("access-%d", w.serial), fmt.Sprintf("refresh-%d", w.serial), false
	out := map[string]any{"access_token": w.access, "token_type": "Bearer", "expires_in": w.lifetime}
	out["refresh_token"] = w.refresh
	if w.scope != "" {
		out["scope"] = w.scope
	}
	if nonce != "" {
		out["id_token"] = w.idToken(nonce)
	}
	writeJSON(rw, 200, out)
}

func (w *world) idToken(nonce string) string {
	audience := clientID
	if w.audience != "" {
		audience = w.audience
	}
	if w.nonce != "" {
		nonce = w.nonce
	}
	claims, _ := json.Marshal(map[string]any{"iss": w.provider.URL, "aud": audience, "sub": "user_ada", "nonce": nonce, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()})
	text := b64([]byte(`{"alg":"ES256","kid":"one"}`)) + "." + b64(claims)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, w.key, sum[:])
	if err != nil {
		panic(err)
	}
	return text + "." + b64(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

func (w *world) serveAPI(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	needs := map[string]string{"GET /v1/me": "profile.read", "GET /v1/messages": "messages.read", "POST /v1/posts": "posts.write"}[r.Method+" "+r.URL.Path]
	switch {
	case w.back, w.access == "", r.Header.Get("Authorization") != "Bearer "+w.access:
		writeJSON(rw, 401, map[string]any{"status": 401, "detail": "This badge is no good <any> more."})
	case w.scope != "" && !strings.Contains(w.scope, needs):
		writeJSON(rw, 403, map[string]any{"status": 403, "detail": "This needs " + needs + ", which was not ticked."})
	case needs == "profile.read":
		writeJSON(rw, 200, map[string]string{"id": "user_ada", "name": "Ada <3"})
	case needs == "posts.write":
		body, _ := io.ReadAll(r.Body)
		w.posted = append(w.posted, string(body))
		writeJSON(rw, 201, map[string]string{"id": "post_1"})
	default:
		writeJSON(rw, 200, map[string]string{"messages": "some"})
	}
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// answered is a response and its text.
type answered struct {
	*http.Response
	text string
}

func (w *world) do(method, address string, form url.Values, headers ...string) answered {
	w.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = w.postal.URL + address
	}
	r, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := w.browser.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answered{res, string(text)}
}

func (w *world) get(address string) answered { w.t.Helper(); return w.do("GET", address, nil) }

// begin presses the button and returns what the provider is asked.
func (w *world) begin() url.Values {
	w.t.Helper()
	res := w.get("/login")
	to, err := res.Location()
	if err != nil || res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to.String(), w.provider.URL+"/authorize?") {
		w.t.Fatalf("GET /login = %d to %v, want the provider", res.StatusCode, to)
	}
	return to.Query()
}

// approve is the provider's answer to what was asked.
func (w *world) approve(asked url.Values) url.Values {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.serial++
	made := fmt.Sprintf("code-%d", w.serial)
	w.codes[made] = code{asked.Get("code_challenge"), asked.Get("nonce")}
	return url.Values{"code": {made}, "state": {asked.Get("state")}, "iss": {w.provider.URL}}
}

// signIn goes all the way.
func (w *world) signIn() {
	w.t.Helper()
	if res := w.get("/callback?" + w.approve(w.begin()).Encode()); res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/" {
		w.t.Fatalf("GET /callback = %d %s, want the page", res.StatusCode, res.text)
	}
}

// mustHave checks a page for texts; one that begins with "!" must not be there.
func (w *world) mustHave(page answered, texts ...string) {
	w.t.Helper()
	for _, text := range texts {
		bare, not := strings.CutPrefix(text, "!")
		if strings.Contains(page.text, bare) == not {
			w.t.Errorf("%s %s = %d: want %q in it:\n%s", page.Request.Method, page.Request.URL.Path, page.StatusCode, text, page.text)
		}
	}
}
