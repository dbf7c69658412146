package rest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/verify"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// maxMaxAge is the longest max_age that can be asked for, in seconds: a year.
const maxMaxAge = 366 * 24 * 60 * 60

// maxBatch is how many decisions one request may ask for.
const maxBatch = 100

// Decisions serves POST /v1/verify and /v1/verify/batch: plain handlers, since every request of every API passes here.
type Decisions struct {
	Kit          *web.Kit
	Verifier     *verify.Verifier
	Management   *policy.API
	Authenticate func(*http.Request) (audit.Actor, error)
}

// work is room for one decision, kept between requests.
type work struct {
	in       lanyard.VerifyRequest
	req      verify.Request
	decision verify.Decision
	headers  []ratelimit.Header
	body     []byte
	out      []byte
}

var works = sync.Pool{New: func() any { return &work{out: make([]byte, 0, 1024)} }} //nolint:gochecknoglobals // a pool is shared by nature

// Verify answers one decision.
func (s *Decisions) Verify(w http.ResponseWriter, r *http.Request) error {
	actor, err := s.asker(r)
	if err != nil {
		return err
	}
	k, _ := works.Get().(*work)
	defer k.giveBack()
	if err := s.read(w, r, k); err != nil {
		return err
	}
	if err := s.decide(r.Context(), actor, k); err != nil {
		return err
	}
	k.out, k.headers = appendDecision(k.out[:0], &k.decision, k.req.API, k.headers)
	h := w.Header()
	web.Guard(h)
	h["Content-Type"] = jsonType
	h["X-Content-Type-Options"] = noSniff
	_, err = w.Write(k.out)
	return clientGone(err)
}

// Values of headers that every answer has; net/http does not change them.
var (
	jsonType = []string{"application/json"}
	noSniff  = []string{"nosniff"}
)

// read reads the request. A short body of known length goes into room that is kept; the asker is known by then, so nobody
// can make it wait who could not ask anyway.
func (s *Decisions) read(w http.ResponseWriter, r *http.Request, k *work) error {
	if n := r.ContentLength; n > 0 && n <= maxQuick && len(r.Header["Content-Type"]) == 1 && r.Header["Content-Type"][0] == jsonType[0] {
		k.body = slices.Grow(k.body[:0], maxQuick)[:n]
		if _, err := io.ReadFull(r.Body, k.body); err != nil {
			return &fault.Error{Kind: fault.Invalid, Detail: "the body did not arrive whole", Err: err}
		}
		if quickDecode(k.body, &k.in) {
			return nil
		}
		k.in = lanyard.VerifyRequest{}
		return web.DecodeStrict(k.body, &k.in)
	}
	body, err := s.Kit.ReadBody(w, r)
	if err != nil {
		return err
	}
	return web.DecodeStrict(body, &k.in)
}

// maxQuick is the longest body that is read into kept room, in bytes.
const maxQuick = 4 << 10

// Batch answers up to 100 decisions, each for itself: one that cannot be made does not spoil the others.
func (s *Decisions) Batch(w http.ResponseWriter, r *http.Request) error {
	actor, err := s.asker(r)
	if err != nil {
		return err
	}
	body, err := s.Kit.ReadBody(w, r)
	if err != nil {
		return err
	}
	var in lanyard.BatchRequest
	if err := web.DecodeStrict(body, &in); err != nil {
		return err
	}
	if len(in.Items) == 0 || len(in.Items) > maxBatch {
		return fault.Field("items", "must be 1 to %d requests", maxBatch)
	}
	answer := lanyard.BatchAnswer{Items: make([]lanyard.BatchItem, len(in.Items))}
	k, _ := works.Get().(*work)
	defer k.giveBack()
	for i := range in.Items {
		k.in = in.Items[i]
		if err := s.decide(r.Context(), actor, k); err != nil {
			p := s.Kit.Problem(http.Header{}, r, err)
			answer.Items[i].Problem = &p
			continue
		}
		d := k.decision.Wire(k.req.API)
		answer.Items[i].Decision = &d
	}
	h := w.Header()
	web.Guard(h)
	h["Content-Type"] = jsonType
	return clientGone(json.NewEncoder(w).Encode(answer))
}

// clientGone drops an error of writing an answer: who does not read it has gone.
func clientGone(error) error { return nil }

// asker is who asks, and holds lanyard.verify.
func (s *Decisions) asker(r *http.Request) (audit.Actor, error) {
	actor, err := s.Authenticate(r)
	if err != nil {
		return actor, err
	}
	if !s.Management.Scopes.Covers(actor.Scopes, "lanyard.verify", actor.Reach.Server()) {
		return actor, fault.New(fault.InsufficientScope, "asking for decisions needs the scope lanyard.verify, which your credential does not have")
	}
	return actor, nil
}

func (s *Decisions) decide(ctx context.Context, actor audit.Actor, k *work) error {
	if err := parse(&k.in, &k.req); err != nil {
		return err
	}
	if len(actor.APIs) > 0 && !slices.Contains(actor.APIs, k.req.API) {
		return fault.Missing("API", k.req.API)
	}
	k.req.Source = actor.Label
	return s.Verifier.Verify(ctx, &k.req, &k.decision)
}

// parse checks the shape of a request once, at the edge.
func parse(in *lanyard.VerifyRequest, req *verify.Request) error {
	*req = verify.Request{
		Credential: in.Credential, APIKey: in.APIKey, API: in.API, Operation: in.Operation, Method: in.Method, Path: in.Path, Scopes: in.Scopes,
		Mode: in.Mode, Cost: verify.DefaultCost, IdempotencyKey: in.IdempotencyKey, DryRun: in.DryRun,
		MaxAge: time.Duration(in.MaxAge) * time.Second,
	}
	switch {
	case in.API == "":
		return fault.Field("api", "must name the API the request is for")
	case in.Operation != "" && (in.Method != "" || in.Path != ""):
		return fault.Field("operation", "goes instead of method and path, not with them")
	case (in.Method == "") != (in.Path == ""):
		return fault.Field("path", "method and path go together")
	case in.Mode != "" && in.Mode != "live" && in.Mode != "test":
		return fault.Field("mode", "must be live or test")
	case in.KeyIn != "" && in.KeyIn != "header" && in.KeyIn != "query":
		return fault.Field("key_in", "must be header or query")
	case in.Consistency != "" && in.Consistency != "cached" && in.Consistency != "strict":
		return fault.Field("consistency", "must be cached or strict")
	case in.MaxAge < 0 || in.MaxAge > maxMaxAge:
		return fault.Field("max_age", "must be seconds between 0 and %d", maxMaxAge)
	case utf8.RuneCountInString(in.IdempotencyKey) > 200:
		return fault.Field("idempotency_key", "must have at most 200 characters")
	case len(in.Scopes) > 100:
		return fault.Field("scopes", "must be at most 100")
	case in.Cost != nil && (*in.Cost < 0 || *in.Cost > verify.MaxCost):
		return fault.Field("cost", "must be between 0 and %d", verify.MaxCost)
	}
	req.Strict, req.InQuery = in.Consistency == "strict", in.KeyIn == "query"
	if p := in.DPoP; p != nil {
		if p.Method == "" || p.URL == "" {
			return fault.Field("dpop", "needs the method and the url of the request")
		}
		req.DPoP = &verify.Proof{Proof: p.Proof, Method: p.Method, URL: p.URL}
	}
	if in.Cost != nil {
		req.Cost = *in.Cost
	}
	for i, scope := range in.Scopes {
		// Missing scopes are named in a header, so nothing odd may stand in one.
		if err := policy.ValidScope(scope); err != nil {
			return fault.Field("scopes["+strconv.Itoa(i)+"]", "%s", err)
		}
	}
	var err error
	if in.Path != "" {
		if req.Path, err = policy.NormalPath(in.Path); err != nil {
			return fault.Field("path", "%s", err)
		}
	}
	if in.IP != "" {
		if req.IP, err = netip.ParseAddr(in.IP); err != nil {
			return fault.Field("ip", "must be an address such as 203.0.113.7 or 2001:db8::1")
		}
		req.IP = req.IP.Unmap().WithZone("")
	}
	if in.Origin != "" && in.Origin != "null" {
		if req.Origin, err = policy.ParseOrigin(in.Origin); err != nil {
			return fault.Field("origin", "%s", err)
		}
	}
	return nil
}

// giveBack forgets the request, which holds a credential, and keeps the room.
func (k *work) giveBack() {
	k.in, k.req = lanyard.VerifyRequest{}, verify.Request{}
	clear(k.body)
	works.Put(k)
}
