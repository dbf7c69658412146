package lanyard

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lanyard-auth/lanyard/internal/policy"
)

// Upstream is an API that stands behind a Lanyard gateway, or behind another proxy that asks Lanyard before it forwards. It is told who
// calls in headers, X-Lanyard-User and others; that they come from the door, and not from somebody who found a way around it, only the
// signature of X-Lanyard-Assertion says. Fields are set before the first request.
type Upstream struct {
	URL      string           // where the Lanyard server is: https, or http on a loopback address
	Audience string           // the API's identifier, as the catalog has it
	HTTP     *http.Client     // nil: one of its own
	Now      func() time.Time // nil: time.Now

	fetching sync.Mutex // by whoever fetches keys: one at a time, and nobody waits for it who has a key
	mu       sync.Mutex
	keys     map[string]*ecdsa.PublicKey
	fetched  time.Time
	tried    time.Time
	known    map[string]knownAssertion
}

type knownAssertion struct {
	who  Identity
	ends time.Time
}

const (
	assertionHeader = "X-Lanyard-Assertion"
	assertionType   = "lanyard-assertion+jwt"
	assertionKeys   = "/.well-known/lanyard-assertion-jwks.json"
	maxAssertion    = 8 << 10
	maxKnown        = 1000
	keysLast        = 5 * time.Minute  // then they are fetched anew: one may have been taken back
	keysPause       = 10 * time.Second // between fetches for keys that are not known
	clockSlack      = 60 * time.Second
)

// errKeys says that the keys cannot be had, which is not the caller's fault.
var errKeys = errors.New("the keys of the Lanyard server cannot be fetched")

// Guard lets requests through that came through the door of this API, with the Identity in their context (IdentityFrom), and answers
// others 401, or 503 while the server's keys cannot be fetched. Of the Identity's Decision only the grant is known here.
func (u *Upstream) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lines := r.Header[assertionHeader]
		if len(lines) != 1 {
			u.refuse(w, errors.New("This API answers only what comes through its gateway, which tells it who calls.")) //nolint:staticcheck // ST1005: a sentence for the caller
			return
		}
		who, err := u.identify(r.Context(), lines[0])
		if err != nil {
			u.refuse(w, err)
			return
		}
		said := r.Clone(context.WithValue(r.Context(), identityKey{}, &who))
		// Beside what was checked nothing stays that was not.
		said.Header.Set("X-Lanyard-App", who.App.ID)
		said.Header.Set("X-Lanyard-Team", who.Team)
		said.Header.Set("X-Lanyard-User", who.User)
		said.Header.Set("X-Lanyard-Scopes", strings.Join(who.Scopes, " "))
		said.Header.Set("X-Lanyard-Credential", who.Credential)
		said.Header.Set("X-Lanyard-Mode", who.Mode)
		next.ServeHTTP(w, said)
	})
}

func (u *Upstream) refuse(w http.ResponseWriter, err error) {
	n := Denial{Problem: Problem{Type: strings.TrimRight(u.URL, "/") + "/errors/missing", Title: "Not through the door", Status: http.StatusUnauthorized, Code: string(policy.Missing), Detail: err.Error()}}
	if errors.Is(err, errKeys) {
		n = Denial{Problem: Problem{
			Type: strings.TrimRight(u.URL, "/") + "/errors/unavailable", Title: "No decision", Status: http.StatusServiceUnavailable, Code: "unavailable",
			Detail: "Who is calling could not be checked just now. Try again in a moment.",
		}}
		w.Header().Set("Retry-After", "1")
	}
	n.Answer(w)
}

func (u *Upstream) now() time.Time {
	if u.Now != nil {
		return u.Now()
	}
	return time.Now() //nolint:forbidigo // the clock field's zero value is the real clock
}

// identify checks an assertion and says who it speaks of. One that was checked is believed until it ends.
func (u *Upstream) identify(ctx context.Context, text string) (Identity, error) {
	now := u.now()
	u.mu.Lock()
	there, ok := u.known[text]
	u.mu.Unlock()
	if ok && now.Before(there.ends) {
		return there.who, nil
	}
	who, ends, err := u.check(ctx, text)
	if err != nil {
		return Identity{}, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.known) >= maxKnown || u.known == nil {
		u.known = map[string]knownAssertion{}
	}
	u.known[text] = knownAssertion{who, ends}
	return who, nil
}

var errAssertion = errors.New("What the gateway says about who calls is not good: it was made for another API, has ended, or was made by somebody else.") //nolint:staticcheck // ST1005: a sentence for the caller

// check verifies an assertion: signed by the server for this API, and not over (RFC 7519 section 7.2, RFC 8725).
func (u *Upstream) check(ctx context.Context, text string) (who Identity, ends time.Time, err error) {
	parts := strings.Split(text, ".")
	if len(text) > maxAssertion || len(parts) != 3 {
		return who, ends, errAssertion
	}
	var head struct {
		Alg  string `json:"alg"`
		Typ  string `json:"typ"`
		Kid  string `json:"kid"`
		Crit []any  `json:"crit"`
	}
	var said struct {
		Audience   string `json:"aud"`
		IssuedAt   int64  `json:"iat"`
		Expires    int64  `json:"exp"`
		App        string `json:"app"`
		AppName    string `json:"app_name"`
		Team       string `json:"team"`
		User       string `json:"user"`
		Grant      string `json:"grant_id"`
		Scope      string `json:"scope"`
		Credential string `json:"credential"`
		Mode       string `json:"mode"`
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || unpack(parts[0], &head) != nil || unpack(parts[1], &said) != nil {
		return who, ends, errAssertion
	}
	if head.Alg != "ES256" || head.Typ != assertionType || len(head.Crit) > 0 || len(signature) != 64 {
		return who, ends, errAssertion
	}
	key, err := u.key(ctx, head.Kid)
	if err != nil {
		return who, ends, err
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if key == nil || !ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		return who, ends, errAssertion
	}
	ends = time.Unix(said.Expires, 0)
	now := u.now() // after the wait for keys
	if said.Audience != u.Audience || !now.Before(ends) || time.Unix(said.IssuedAt, 0).After(now.Add(clockSlack)) {
		return who, ends, errAssertion
	}
	return Identity{
		App: DecisionApp{ID: said.App, Name: said.AppName}, Team: said.Team, User: said.User, Scopes: strings.Fields(said.Scope), Credential: said.Credential, Mode: said.Mode,
		Decision: Decision{Allowed: true, Code: string(policy.Valid), GrantID: said.Grant},
	}, ends, nil
}

func unpack(part string, into any) error {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// key is the server's key of that id; nil: it has none. One that is not known may be new, but neither strangers nor a server that does not
// answer make us ask for more than one fetch in a while, and who has a key does not wait for one.
func (u *Upstream) key(ctx context.Context, kid string) (*ecdsa.PublicKey, error) {
	key, settled, err := u.have(kid)
	if settled {
		return key, err
	}
	if key != nil { // good enough until somebody else has fetched
		if u.fetching.TryLock() {
			defer u.fetching.Unlock()
			return u.refresh(ctx, kid, key)
		}
		return key, nil
	}
	u.fetching.Lock()
	defer u.fetching.Unlock()
	if key, settled, err = u.have(kid); settled { // somebody did while we waited
		return key, err
	}
	return u.refresh(ctx, kid, key)
}

// have is what is known of a key without asking; settled: it need not be asked.
func (u *Upstream) have(kid string) (key *ecdsa.PublicKey, settled bool, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := u.now()
	key = u.keys[kid]
	age, pause := now.Sub(u.fetched), now.Sub(u.tried)
	resting := pause >= 0 && pause < keysPause
	switch {
	case key != nil && age >= 0 && age < keysLast, key != nil && resting && age < 2*keysLast:
		return key, true, nil
	case resting && (u.keys == nil || key != nil): // none was ever had, or this one is too old to be relied on
		return nil, true, errKeys
	case resting:
		return nil, true, nil
	}
	return key, false, nil
}

// refresh fetches the keys, and returns the one asked for: as it was known, if the server does not answer just now.
func (u *Upstream) refresh(ctx context.Context, kid string, known *ecdsa.PublicKey) (*ecdsa.PublicKey, error) {
	u.mu.Lock()
	u.tried = u.now()
	u.mu.Unlock()
	keys, err := u.fetch(ctx)
	u.mu.Lock()
	defer u.mu.Unlock()
	if err == nil {
		u.keys, u.fetched, u.known = keys, u.now(), nil
		return keys[kid], nil
	}
	if known != nil && u.now().Sub(u.fetched) < 2*keysLast {
		return known, nil
	}
	return nil, fmt.Errorf("%w: %w", errKeys, err)
}

func (u *Upstream) fetch(ctx context.Context) (map[string]*ecdsa.PublicKey, error) {
	base, err := baseURL(u.URL)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), DefaultTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+assertionKeys, nil)
	if err != nil {
		return nil, err
	}
	client := http.Client{}
	if u.HTTP != nil {
		client = *u.HTTP
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	var set struct {
		Keys []struct {
			Kty string `json:"kty"`
			Crv string `json:"crv"`
			Alg string `json:"alg"`
			Kid string `json:"kid"`
			X   string `json:"x"`
			Y   string `json:"y"`
		} `json:"keys"`
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil || res.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("the server answered %d", res.StatusCode), err)
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, err
	}
	keys := map[string]*ecdsa.PublicKey{}
	for _, k := range set.Keys {
		x, errX := base64.RawURLEncoding.DecodeString(k.X)
		y, errY := base64.RawURLEncoding.DecodeString(k.Y)
		if k.Kty != "EC" || k.Crv != "P-256" || k.Alg != "ES256" || errX != nil || errY != nil || len(x) != 32 || len(y) != 32 {
			continue // of another kind than we check
		}
		if key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y)); err == nil {
			keys[k.Kid] = key
		}
	}
	return keys, nil
}
