package oauth_test

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// holder is a key that a client shows to hold (RFC 9449).
type holder struct {
	*signer
	now func() time.Time
}

func newHolder(tb testing.TB, now func() time.Time) *holder {
	tb.Helper()
	return &holder{newSigner(tb, jose.ES256, ""), now}
}

func (h *holder) thumbprint() string {
	h.tb.Helper()
	sum, err := (&jose.JSONWebKey{Key: h.key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		h.tb.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// says are the claims of a proof for a request with an access token; "" is none. change changes them; nil takes one away.
func (h *holder) says(method, address, access string, change map[string]any) map[string]any {
	claims := map[string]any{"jti": string(id.New[id.Grant]()), "htm": method, "htu": address, "iat": h.now().Unix()}
	if access != "" {
		sum := sha256.Sum256([]byte(access))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	maps.Copy(claims, change)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

// header is that of a proof, with changes; nil takes a member away.
func (h *holder) header(change map[jose.HeaderKey]any) map[jose.HeaderKey]any {
	members := map[jose.HeaderKey]any{"typ": "dpop+jwt", "jwk": jose.JSONWebKey{Key: h.key.Public()}}
	maps.Copy(members, change)
	maps.DeleteFunc(members, func(_ jose.HeaderKey, v any) bool { return v == nil })
	return members
}

// proof is one that is right.
func (h *holder) proof(method, address, access string) string {
	h.tb.Helper()
	return h.sign(h.says(method, address, access, nil), h.header(nil))
}

// prove calls the token endpoint as a public client with proofs; none is a call without the header.
func (c *client) prove(form url.Values, proofs ...string) *reply {
	c.w.tb.Helper()
	form.Set("client_id", c.id)
	header := http.Header{}
	if len(proofs) > 0 {
		header["Dpop"] = proofs
	}
	return c.w.post("/oauth/token", form, header)
}

// redemption is the form that redeems a code.
func redemption(code string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}}
}

// bound is a whole login whose tokens are bound to the holder's key.
func (c *client) bound(h *holder) *reply {
	c.w.tb.Helper()
	r := c.prove(redemption(c.code(nil)), h.proof("POST", c.w.node.URL+"/oauth/token", ""))
	if r.status != http.StatusOK || r.text("token_type") != "DPoP" {
		c.w.tb.Fatalf("redeem with a proof = %d %s, want tokens of type DPoP", r.status, r.raw)
	}
	return r
}

// symmetric is an HMAC where a signature should be, with whatever key in its header.
func (h *holder) symmetric(claims map[string]any, jwk string) string {
	h.tb.Helper()
	key := []byte("0123456789abcdef0123456789abcdef")
	made, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: key}, &jose.SignerOptions{ExtraHeaders: map[jose.HeaderKey]any{"typ": "dpop+jwt", "jwk": json.RawMessage(jwk)}})
	if err != nil {
		h.tb.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		h.tb.Fatal(err)
	}
	signed, err := made.Sign(payload)
	if err != nil {
		h.tb.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		h.tb.Fatal(err)
	}
	return text
}

func (h *holder) jwk() string {
	h.tb.Helper()
	text, err := (jose.JSONWebKey{Key: h.key.Public()}).MarshalJSON()
	if err != nil {
		h.tb.Fatal(err)
	}
	return string(text)
}

// plain is a proof that nobody signed.
func (h *holder) plain(claims map[string]any, alg string) string {
	h.tb.Helper()
	head, err := json.Marshal(map[string]any{"typ": "dpop+jwt", "alg": alg, "jwk": jose.JSONWebKey{Key: h.key.Public()}})
	if err != nil {
		h.tb.Fatal(err)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		h.tb.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(body) + "."
}

// TestProofRefused: what is no fresh proof for this very request gets no token, and leaves the code it came with as it was
// (RFC 9449 section 4.3, points 1 to 11).
func TestProofRefused(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	c := w.app(lanyard.AppInput{Type: "public"})
	h, other := newHolder(t, clock.Now), newHolder(t, clock.Now)
	token := w.node.URL + "/oauth/token"
	good := h.says("POST", token, "", nil)
	says := func(change map[string]any) string { return h.sign(h.says("POST", token, "", change), h.header(nil)) }
	head := func(change map[jose.HeaderKey]any) string { return h.sign(good, h.header(change)) }
	right := h.proof("POST", token, "")
	code := c.code(nil)
	for name, proofs := range map[string][]string{
		"two proofs":                  {h.proof("POST", token, ""), h.proof("POST", token, "")},
		"one proof twice":             {right, right},
		"two in one line":             {right + ", " + h.proof("POST", token, "")},
		"an empty header":             {""},
		"no JWT":                      {"proof"},
		"no signature":                {right[:strings.LastIndexByte(right, '.')+1]},
		"another's signature":         {right[:strings.LastIndexByte(right, '.')+1] + strings.Split(other.proof("POST", token, ""), ".")[2]},
		"oversized":                   {says(map[string]any{"x": strings.Repeat("x", 9000)})},
		"alg none":                    {h.plain(good, "none")},
		"alg None":                    {h.plain(good, "None")},
		"HS256 with a key of its own": {h.symmetric(good, `{"kty":"oct","k":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}`)},
		"HS256 with a public key":     {h.symmetric(good, h.jwk())},
		"no key":                      {head(map[jose.HeaderKey]any{"jwk": nil})},
		"a private key":               {head(map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: h.key}})},
		"another's key":               {head(map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: other.key.Public()}})},
		"typ JWT":                     {head(map[jose.HeaderKey]any{"typ": "JWT"})},
		"typ of an access token":      {head(map[jose.HeaderKey]any{"typ": "at+jwt"})},
		"no typ":                      {head(map[jose.HeaderKey]any{"typ": nil})},
		"a critical member":           {head(map[jose.HeaderKey]any{"crit": []string{"exp"}})},
		"no jti":                      {says(map[string]any{"jti": nil})},
		"a jti that is no text":       {says(map[string]any{"jti": 7})},
		"no htm":                      {says(map[string]any{"htm": nil})},
		"htm GET":                     {says(map[string]any{"htm": "GET"})},
		"htm in small letters":        {says(map[string]any{"htm": "post"})},
		"no htu":                      {says(map[string]any{"htu": nil})},
		"htu of another endpoint":     {says(map[string]any{"htu": w.node.URL + "/oauth/userinfo"})},
		"htu of another server":       {says(map[string]any{"htu": "https://evil.test/oauth/token"})},
		"htu with a slash":            {says(map[string]any{"htu": token + "/"})},
		"htu of the issuer":           {says(map[string]any{"htu": w.node.URL})},
		"htu by another scheme":       {says(map[string]any{"htu": strings.Replace(token, "http:", "https:", 1)})},
		"no iat":                      {says(map[string]any{"iat": nil})},
		"iat as text":                 {says(map[string]any{"iat": "now"})},
		"older than a minute":         {says(map[string]any{"iat": clock.Now().Unix() - 61})},
		"from beyond the next minute": {says(map[string]any{"iat": clock.Now().Unix() + 62})},
	} {
		w.refused(name, c.prove(redemption(code), proofs...), 400, "invalid_dpop_proof")
	}
	if r := c.prove(redemption(code), right); r.status != 200 || r.text("token_type") != "DPoP" {
		t.Errorf("the code after all this, with the right proof = %d %s, want it good", r.status, r.raw)
	}
}

// TestProofOnce: a proof counts once for as long as it could be shown, to whichever endpoint of ours (RFC 9449 section 11.1).
func TestProofOnce(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	c := w.machine(lanyard.AppInput{})
	h, other := newHolder(t, clock.Now), newHolder(t, clock.Now)
	token := w.node.URL + "/oauth/token"
	show := func(proof string) *reply {
		t.Helper()
		header := basicHeader(c.id, c.secret)
		header.Set("DPoP", proof)
		return w.post("/oauth/token", itself(nil), header)
	}
	early := map[string]any{"iat": clock.Now().Unix() + 60, "jti": "one"}
	proof := h.sign(h.says("POST", token, "", early), h.header(nil))
	if r := show(proof); r.status != 200 {
		t.Fatalf("a proof by a clock a minute ahead = %d %s, want 200", r.status, r.raw)
	}
	for _, step := range []time.Duration{0, time.Second, 58 * time.Second, time.Minute} {
		clock.Advance(step)
		w.sync()
		w.refused("the proof again", show(proof), 400, "invalid_dpop_proof")
		w.refused("its jti in another proof", show(h.sign(h.says("POST", token, "", map[string]any{"jti": "one"}), h.header(nil))), 400, "invalid_dpop_proof")
	}
	if r := show(other.sign(other.says("POST", token, "", map[string]any{"jti": "one"}), other.header(nil))); r.status != 200 {
		t.Errorf("the same jti by another key = %d %s, want 200: keys do not get into each other's way", r.status, r.raw)
	}
}

// TestProofTaken: what the specification leaves open is taken: other algorithms, a clock a minute off, htu with query and
// fragment or in another case (RFC 9449 section 4.3, point 9).
func TestProofTaken(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	c := w.machine(lanyard.AppInput{})
	h := newHolder(t, clock.Now)
	token := w.node.URL + "/oauth/token"
	proofs := map[string]string{
		"59 s old":              h.sign(h.says("POST", token, "", map[string]any{"iat": clock.Now().Add(-59 * time.Second).Unix()}), h.header(nil)),
		"with query":            h.proof("POST", token+"?x=y#z", ""),
		"scheme in capitals":    h.proof("POST", strings.Replace(token, "http", "HTTP", 1), ""),
		"with an ath of no use": h.proof("POST", token, "token"),
	}
	for _, alg := range []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.EdDSA} {
		by := &holder{newSigner(t, alg, ""), clock.Now}
		proofs["by "+string(alg)] = by.proof("POST", token, "")
	}
	for name, proof := range proofs {
		header := basicHeader(c.id, c.secret)
		header.Set("DPoP", proof)
		if r := w.post("/oauth/token", itself(nil), header); r.status != 200 || r.text("token_type") != "DPoP" {
			t.Errorf("%s = %d %s, want a token of type DPoP", name, r.status, r.raw)
		}
	}
}

// TestRaceProof: of 64 requests with one proof one is served, also across servers (RFC 9449 section 11.1, DESIGN promise 5).
func TestRaceProof(t *testing.T) {
	deployments(t, func(t *testing.T, w *world, nodes []string) {
		c, h := w.app(lanyard.AppInput{Type: "public"}), newHolder(t, time.Now)
		for range rounds() {
			won := 0
			for _, r := range atOnce(t, nodes, "/oauth/par", c.asked(nil), http.Header{"Dpop": {h.proof("POST", w.node.URL+"/oauth/par", "")}}) {
				switch {
				case r.status == http.StatusCreated:
					won++
				case r.status != http.StatusBadRequest || r.text("error") != "invalid_dpop_proof":
					t.Fatalf("a loser got %d %s", r.status, r.raw)
				}
			}
			if won != 1 {
				t.Fatalf("%d of %d requests with one proof were served, want 1", won, racers)
			}
		}
	})
}

// asked is ask as a form, for requests that are pushed.
func (c *client) asked(change url.Values) url.Values {
	c.w.tb.Helper()
	_, query, _ := strings.Cut(c.ask(change), "?")
	form, err := url.ParseQuery(query)
	if err != nil {
		c.w.tb.Fatal(err)
	}
	return form
}

// TestBoundDecision: the decision about a bound token asks for a proof by its key, for this request and this token; all else
// is sender_mismatch, answered with the scheme DPoP (PROTOCOLS OAuth 11; RFC 9449 section 7; SECURITY-CASES 58).
func TestBoundDecision(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	c := w.app(lanyard.AppInput{Type: "public"})
	h, other := newHolder(t, clock.Now), newHolder(t, clock.Now)
	const address = "https://api.test/mail/v1/me"
	access, unbound := c.bound(h).text("access_token"), c.tokens().text("access_token")
	decide := func(credential string, proof *lanyard.VerifyProof) lanyard.Decision {
		t.Helper()
		d, err := w.node.Admin.Verify(t.Context(), lanyard.VerifyRequest{Credential: credential, API: "mail", Method: "GET", Path: "/v1/me", DPoP: proof})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	shown := func(text string) *lanyard.VerifyProof {
		return &lanyard.VerifyProof{Proof: text, Method: "GET", URL: address}
	}
	says := func(change map[string]any) *lanyard.VerifyProof {
		return shown(h.sign(h.says("GET", address, access, change), h.header(nil)))
	}
	used := h.proof("GET", address, access)
	if d := decide(access, shown(used)); !d.Allowed || d.User == nil || d.User.ID != w.ada.ID {
		t.Fatalf("with its proof = %+v, want allowed for %s", d, w.ada.ID)
	}
	for name, tc := range map[string]struct {
		credential string
		proof      *lanyard.VerifyProof
	}{
		"as Bearer":                    {access, nil},
		"the proof again":              {access, shown(used)},
		"a proof by another key":       {access, shown(other.proof("GET", address, access))},
		"no proof in the proof":        {access, shown("x")},
		"a proof without ath":          {access, says(map[string]any{"ath": nil})},
		"a proof for another token":    {access, shown(h.proof("GET", address, unbound))},
		"the token itself as ath":      {access, says(map[string]any{"ath": access})},
		"a proof for another method":   {access, shown(h.proof("POST", address, access))},
		"a proof for another address":  {access, shown(h.proof("GET", address+"/x", access))},
		"a proof for the token server": {access, shown(h.proof("POST", w.node.URL+"/oauth/token", access))},
		"an old proof":                 {access, says(map[string]any{"iat": clock.Now().Unix() - 61})},
		"an unsigned proof":            {access, shown(h.plain(h.says("GET", address, access, nil), "none"))},
		"an HMAC for a proof":          {access, shown(h.symmetric(h.says("GET", address, access, nil), `{"kty":"oct","k":"AAAA"}`))},
		"a key that is private":        {access, shown(h.sign(h.says("GET", address, access, nil), h.header(map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: h.key}})))},
		"an oversized proof":           {access, says(map[string]any{"x": strings.Repeat("x", 9000)})},
		"an unbound token with one":    {unbound, shown(h.proof("GET", address, unbound))},
	} {
		d := decide(tc.credential, tc.proof)
		if d.Allowed || d.Code != "sender_mismatch" || d.HTTP.Status != 401 || !strings.HasPrefix(d.HTTP.Headers["WWW-Authenticate"], `DPoP realm=`) {
			t.Errorf("%s = %+v, want sender_mismatch with the scheme DPoP", name, d)
		}
	}
	if d := decide(access, shown(h.proof("GET", address+"?page=2", access))); !d.Allowed {
		t.Errorf("after all this, with the right proof = %+v, want allowed", d)
	}
}

// TestBoundTokenSaysSo: JWT and introspection name the thumbprint of the key (RFC 9449 sections 6.1 and 6.2).
func TestBoundTokenSaysSo(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	h := newHolder(t, time.Now)
	want := h.thumbprint()
	for _, scope := range []string{"profile.read", "files.read"} { // a JWT, an opaque one
		c := w.machine(lanyard.AppInput{})
		header := basicHeader(c.id, c.secret)
		header.Set("DPoP", h.proof("POST", w.node.URL+"/oauth/token", ""))
		access := w.post("/oauth/token", itself(url.Values{"scope": {scope}}), header).text("access_token")
		told := w.post("/oauth/introspect", url.Values{"token": {access}}, basicHeader(c.id, c.secret))
		if cnf, _ := told.body["cnf"].(map[string]any); told.text("token_type") != "DPoP" || cnf["jkt"] != want {
			t.Errorf("introspection of a token for %s = %s, want type DPoP and %s", scope, told.raw, want)
		}
		if parts := strings.Split(access, "."); len(parts) == 3 {
			body, err := base64.RawURLEncoding.DecodeString(parts[1])
			var claims struct {
				Cnf map[string]any `json:"cnf"`
			}
			if err != nil || json.Unmarshal(body, &claims) != nil || claims.Cnf["jkt"] != want {
				t.Errorf("the JWT says %s, want cnf %s", body, want)
			}
		}
	}
}

// TestBoundUserinfo: our own resource asks for the proof too, and says which scheme and algorithms (RFC 9449 section 7.1;
// SECURITY-CASES 58).
func TestBoundUserinfo(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	c := w.app(lanyard.AppInput{Type: "public"})
	h, other := newHolder(t, clock.Now), newHolder(t, clock.Now)
	address := w.node.URL + "/oauth/userinfo"
	access, unbound := c.bound(h).text("access_token"), c.tokens().text("access_token")
	get := func(scheme, credential string, proofs ...string) *reply {
		t.Helper()
		header := http.Header{"Authorization": {scheme + " " + credential}}
		if len(proofs) > 0 {
			header["Dpop"] = proofs
		}
		return call(t, http.MethodGet, address, nil, header)
	}
	says := func(change map[string]any) string {
		return h.sign(h.says("GET", address, access, change), h.header(nil))
	}
	used := h.proof("GET", address, access)
	if r := get("DPoP", access, used); r.status != 200 || r.text("sub") != w.ada.ID {
		t.Fatalf("with its proof = %d %s, want Ada", r.status, r.raw)
	}
	for name, tc := range map[string]struct {
		r    *reply
		code string
	}{
		"as Bearer":                  {get("Bearer", access), "invalid_token"},
		"as Bearer with a proof":     {get("Bearer", access, h.proof("GET", address, access)), "invalid_token"},
		"an unbound one as DPoP":     {get("DPoP", unbound, h.proof("GET", address, unbound)), "invalid_token"},
		"in the form, which is none": {call(t, http.MethodPost, address, url.Values{"access_token": {access}}, http.Header{"Dpop": {h.proof("POST", address, access)}}), "invalid_token"},
		"without a proof":            {get("DPoP", access), "invalid_dpop_proof"},
		"with two proofs":            {get("DPoP", access, h.proof("GET", address, access), h.proof("GET", address, access)), "invalid_dpop_proof"},
		"with the proof again":       {get("DPoP", access, used), "invalid_dpop_proof"},
		"with another's proof":       {get("DPoP", access, other.proof("GET", address, access)), "invalid_dpop_proof"},
		"with no ath":                {get("DPoP", access, says(map[string]any{"ath": nil})), "invalid_dpop_proof"},
		"with the ath of another":    {get("DPoP", access, h.proof("GET", address, unbound)), "invalid_dpop_proof"},
		"with another htm":           {get("DPoP", access, h.proof("POST", address, access)), "invalid_dpop_proof"},
		"with another htu":           {get("DPoP", access, h.proof("GET", w.node.URL+"/oauth/token", access)), "invalid_dpop_proof"},
		"with an old proof":          {get("DPoP", access, says(map[string]any{"iat": clock.Now().Unix() - 61})), "invalid_dpop_proof"},
	} {
		w.refused(name, tc.r, 401, tc.code)
		challenge := tc.r.header.Get("WWW-Authenticate")
		if !strings.HasPrefix(challenge, `DPoP realm=`) || !strings.Contains(challenge, `error="`+tc.code+`"`) || !strings.Contains(challenge, "algs=") {
			t.Errorf("%s: WWW-Authenticate = %s, want DPoP with %s and the algorithms", name, challenge, tc.code)
		}
	}
	if r := get("Bearer", unbound); r.status != 200 {
		t.Errorf("an unbound token as Bearer = %d %s, want 200", r.status, r.raw)
	}
	if r := get("dpop", access, h.proof("GET", address, access)); r.status != 200 {
		t.Errorf("after all this, with the right proof = %d %s, want 200", r.status, r.raw)
	}
}

// TestBoundAsker: a bound token does not open our own API or introspection as Bearer (SECURITY-CASES 58).
func TestBoundAsker(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c, h := w.machine(lanyard.AppInput{OAuthSettings: lanyard.OAuthSettings{Scopes: []string{"lanyard.verify"}}}), newHolder(t, time.Now)
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"lanyard.verify"}}
	header := basicHeader(c.id, c.secret)
	free := w.post("/oauth/token", form, header).text("access_token")
	header.Set("DPoP", h.proof("POST", w.node.URL+"/oauth/token", ""))
	access := w.post("/oauth/token", form, header).text("access_token")
	about := url.Values{"token": {free}}
	if r := w.post("/oauth/introspect", about, http.Header{"Authorization": {"Bearer " + free}}); r.status != 200 {
		t.Fatalf("introspection by an unbound token = %d %s, want 200", r.status, r.raw)
	}
	r := w.post("/oauth/introspect", about, http.Header{"Authorization": {"Bearer " + access}})
	w.refused("introspection by a bound token as Bearer", r, 401, "invalid_token")
	bearing, err := lanyard.NewClient(w.node.URL, access)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := bearing.Verify(t.Context(), lanyard.VerifyRequest{Credential: free, API: "mail", Method: "GET", Path: "/v1/me"}); err == nil {
		t.Errorf("/v1/verify by a bound token as Bearer = %+v, want it refused", d)
	}
}

// TestBoundRefresh: the refresh token of a public client goes on only with the key it began with, and a try with another
// harms nobody; a confidential client proves itself and may change its key (RFC 9449 section 5).
func TestBoundRefresh(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	public, confidential := w.app(lanyard.AppInput{Type: "public"}), w.app(lanyard.AppInput{Name: "Confidential"})
	h, other := newHolder(t, time.Now), newHolder(t, time.Now)
	token := w.node.URL + "/oauth/token"
	form := func(text string) url.Values {
		return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {text}}
	}
	first := public.bound(h).text("refresh_token")
	text := first
	for range 2 { // the first of the chain, and a later one
		w.refused("no proof", public.prove(form(text)), 400, "invalid_dpop_proof")
		w.refused("another's proof", public.prove(form(text), other.proof("POST", token, "")), 400, "invalid_dpop_proof")
		r := public.prove(form(text), h.proof("POST", token, ""))
		if r.status != 200 || r.text("token_type") != "DPoP" {
			t.Fatalf("refresh with its key = %d %s, want 200 and type DPoP", r.status, r.raw)
		}
		text = r.text("refresh_token")
	}
	// A thief without the key cannot have the chain revoked by showing an old token.
	w.refused("an old one with another's proof", public.prove(form(first), other.proof("POST", token, "")), 400, "invalid_dpop_proof")
	if r := public.prove(form(text), h.proof("POST", token, "")); r.status != 200 {
		t.Errorf("the chain after that = %d %s, want it alive", r.status, r.raw)
	}
	proved := func(form url.Values, h *holder) *reply {
		t.Helper()
		header := basicHeader(confidential.id, confidential.secret)
		header.Set("DPoP", h.proof("POST", token, ""))
		return w.post("/oauth/token", form, header)
	}
	began := proved(redemption(confidential.code(nil)), h)
	next := proved(form(began.text("refresh_token")), other)
	if next.status != 200 || next.text("token_type") != "DPoP" {
		t.Fatalf("a confidential client's refresh with a new key = %d %s, want 200", next.status, next.raw)
	}
	told := w.post("/oauth/introspect", url.Values{"token": {next.text("access_token")}}, basicHeader(confidential.id, confidential.secret))
	if cnf, _ := told.body["cnf"].(map[string]any); cnf["jkt"] != other.thumbprint() {
		t.Errorf("the new token is bound to %v, want the new key %s", told.body["cnf"], other.thumbprint())
	}
}

// TestBoundCode: a code that was asked for a key is redeemed with that key (RFC 9449 section 10), and a pushed request with
// a proof is one for its key (section 10.1).
func TestBoundCode(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public"})
	h, other := newHolder(t, time.Now), newHolder(t, time.Now)
	token, par := w.node.URL+"/oauth/token", w.node.URL+"/oauth/par"
	c.code(nil) // signed in, so that errors go to the app at once
	for _, jkt := range []string{"x", h.thumbprint() + "=", h.thumbprint()[:42], h.thumbprint()[:42] + "!"} {
		if got := c.login(url.Values{"dpop_jkt": {jkt}}); got.Get("error") != "invalid_request" {
			t.Errorf("dpop_jkt %s = %v, want invalid_request", jkt, got)
		}
	}
	push := func(change url.Values, proof string) *reply {
		t.Helper()
		return w.post("/oauth/par", c.asked(change), http.Header{"Dpop": {proof}})
	}
	w.refused("a pushed request for another key than its proof's", push(url.Values{"dpop_jkt": {other.thumbprint()}}, h.proof("POST", par, "")), 400, "invalid_request")
	w.refused("a pushed request with a proof for elsewhere", push(nil, h.proof("POST", token, "")), 400, "invalid_dpop_proof")
	pushed := push(nil, h.proof("POST", par, ""))
	if pushed.status != http.StatusCreated {
		t.Fatalf("push = %d %s, want 201", pushed.status, pushed.raw)
	}
	page := w.browser.Get("/oauth/authorize?" + url.Values{"client_id": {c.id}, "request_uri": {pushed.text("request_uri")}}.Encode())
	if page.Away == nil {
		t.Fatalf("authorize shows %d %.300s, want the app", page.Status, page.Text())
	}
	for name, code := range map[string]string{"dpop_jkt": c.code(url.Values{"dpop_jkt": {h.thumbprint()}}), "a proof pushed": page.Away.Query().Get("code")} {
		w.refused(name+", no proof", c.prove(redemption(code)), 400, "invalid_dpop_proof")
		w.refused(name+", another's proof", c.prove(redemption(code), other.proof("POST", token, "")), 400, "invalid_dpop_proof")
		if r := c.prove(redemption(code), h.proof("POST", token, "")); r.status != 200 || r.text("token_type") != "DPoP" {
			t.Errorf("%s, its own proof = %d %s, want 200", name, r.status, r.raw)
		}
	}
}

// TestBoundAlways: an app that registered dpop_bound_access_tokens gets no other token (RFC 9449 section 5.2).
func TestBoundAlways(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c, h := w.app(lanyard.AppInput{Type: "public", OAuthSettings: lanyard.OAuthSettings{DPoPBoundAccessTokens: true}}), newHolder(t, time.Now)
	code := c.code(nil)
	w.refused("no proof", c.prove(redemption(code)), 400, "invalid_dpop_proof")
	r := c.prove(redemption(code), h.proof("POST", w.node.URL+"/oauth/token", ""))
	if r.status != 200 || r.text("token_type") != "DPoP" {
		t.Fatalf("with a proof = %d %s, want 200", r.status, r.raw)
	}
	w.refused("refresh without a proof", c.prove(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {r.text("refresh_token")}}), 400, "invalid_dpop_proof")
}
