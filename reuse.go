package lanyard

import (
	"context"
	"crypto/sha256"
	"net/netip"
	"time"

	"github.com/lanyard-auth/lanyard/internal/policy"
)

// maxRemembered is how many answers a Follower keeps.
const maxRemembered = 1 << 16

// question is what an answer is remembered by: all that it depends on, save what the server names in DecisionReuse. Credentials are kept as
// a digest, so a dump of memory holds none for long.
type question struct {
	digest    [sha256.Size]byte // of the credentials
	gate      *gate             // with its scopes and the age of a sign-in
	api       string
	operation string
}

// remembered is an answer that may be given again.
type remembered struct {
	who      *Identity
	ends     time.Time // zero: when something changes
	ip       netip.Addr
	origin   string
	byIP     bool
	byOrigin bool
}

// followedAPI is what a guard has to know of an API to tell its operations apart.
type followedAPI struct {
	operations *policy.Operations
	free       bool // metering: none
	known      bool
	heard      int  // how often it was forgotten
	refused    bool // it cannot be read, and that was logged
}

// want forgets an API, so that it is read again. The lock is held.
func (f *Follower) want(api *followedAPI) {
	api.known = false
	api.heard++
	select {
	case f.wanted <- struct{}{}:
	default: // somebody is awake already
	}
}

// lookup is one look for an answer: what it was looked for by is what a new answer is stored under.
type lookup struct {
	key      question
	sent     time.Time
	ip       netip.Addr
	origin   string
	heard    int // changes of the API, by whose operations it was looked for
	epoch    int
	possible bool  // an answer could be remembered
	revision int64 // which the answer that was found knows
}

// find returns who calls if an answer holds for a request now, else nil: ask, and remember it by the lookup.
func (f *Follower) find(g *gate, c *Credentials, q *VerifyRequest, ip netip.Addr, now time.Time) (*Identity, lookup) {
	l := lookup{sent: now, ip: ip, origin: q.Origin}
	if c.Proof != "" { // it counts once
		return nil, l
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	api := f.apis[g.api]
	if api == nil || !api.known || !api.free {
		return nil, l
	}
	l.key = question{gate: g, api: g.api, operation: g.operation}
	if g.operation == "" {
		op := api.operations.Match(q.Method, q.Path)
		if op == nil {
			return nil, l // the server says why
		}
		l.key.operation = op.Name
	}
	l.key.digest, l.heard, l.epoch, l.possible, l.revision = digestOf(c), api.heard, f.epoch, true, f.revision
	a := f.answers[l.key]
	if a == nil || !f.fresh(now) || !a.ends.IsZero() && !now.Before(a.ends) || a.byIP && a.ip != ip || a.byOrigin && a.origin != q.Origin {
		return nil, l
	}
	return a.who, l
}

// digestOf names the credentials of a request. Neither holds a zero byte.
func digestOf(c *Credentials) [sha256.Size]byte {
	var room [512]byte
	text := append(room[:0], c.Token.Reveal()...)
	text = append(text, 0)
	return sha256.Sum256(append(text, c.APIKey.Reveal()...))
}

// remember keeps an answer if the server says that it may be given again, and if it knows at least as much as we do: what it did not know
// of when it was made is then still to come.
func (f *Follower) remember(l lookup, who *Identity) {
	d := &who.Decision
	if !l.possible || d.Reuse == nil || !d.Allowed {
		return
	}
	revision, err := parseRevision(d.Revision)
	if err != nil {
		return
	}
	a := &remembered{who: who, ends: d.ends(l.sent), ip: l.ip, origin: l.origin, byIP: d.Reuse.IP, byOrigin: d.Reuse.Origin}
	f.mu.Lock()
	defer f.mu.Unlock()
	api := f.apis[l.key.api]
	switch {
	case f.done, f.cursor == "", l.epoch != f.epoch, revision < f.revision:
		return
	case api == nil || !api.known || api.heard != l.heard: // it may be another operation by now
		return
	case l.sent.Before(f.settled):
		return
	}
	if len(f.answers) >= maxRemembered {
		room := maxRemembered / 8
		for q := range f.answers { // in no order
			delete(f.answers, q)
			if room--; room == 0 {
				break
			}
		}
	}
	f.answers[l.key] = a
}

// guards notes that the rules of an API are of interest.
func (f *Follower) guards(api string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.apis[api] == nil {
		f.apis[api] = &followedAPI{}
		f.want(f.apis[api])
	}
}

// ends is when something ends that the decision rests on, by the clock of who asked for it then; zero: nothing does. The server's clock does not
// matter, and what the answer needed to come here is to the safe side.
func (d *Decision) ends(sent time.Time) time.Time {
	if d.EndsInMS <= 0 {
		return time.Time{}
	}
	return sent.Add(time.Duration(d.EndsInMS) * time.Millisecond)
}

// fetchAPIs reads the APIs that are guarded and not known. One that changed meanwhile is read again.
func (f *Follower) fetchAPIs(ctx context.Context) {
	missing := map[string]int{}
	f.mu.RLock()
	for name, api := range f.apis {
		if !api.known {
			missing[name] = api.heard
		}
	}
	f.mu.RUnlock()
	for name, before := range missing {
		spec, err := f.client.API(ctx, name)
		var operations *policy.Operations
		if err == nil {
			operations, err = operationsOf(spec.Operations)
		}
		f.mu.Lock()
		api := f.apis[name]
		again := api.refused
		api.refused = err != nil
		if err == nil && api.heard == before {
			api.operations, api.free, api.known = operations, spec.Metering == "none", true
		}
		f.mu.Unlock()
		if err != nil && !again && ctx.Err() == nil {
			f.log.WarnContext(ctx, "lanyard: an API that is guarded cannot be read, so every request is asked about", "api", name, "error", err.Error())
		}
	}
}

// operationsOf compiles what tells operations apart, their names: what they ask is the server's to say.
func operationsOf(declared map[string]Operation) (*policy.Operations, error) {
	all := make([]policy.Operation, 0, len(declared))
	for name := range declared {
		all = append(all, policy.Operation{Name: name})
	}
	return policy.NewOperations(all)
}
