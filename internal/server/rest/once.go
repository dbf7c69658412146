package rest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/node"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// keepReply is how long a repeated request gets the same answer, secret included.
const keepReply = 10 * time.Minute

// once runs a request that carries an Idempotency-Key, unless it was run before. The claim is written before the endpoint
// runs, so that of two at the same time one runs; a failure gives it back.
func (a *api) once(w http.ResponseWriter, r *http.Request, actor audit.Actor, keys []string, body []byte, run func(http.ResponseWriter)) error {
	if len(keys) > 1 || !validOnce(keys[0]) {
		return fault.Field("Idempotency-Key", "must be one text of 1 to 200 printable ASCII characters")
	}
	claim := node.Answer{
		Key:  digestOf(actor.Label, r.Method, r.URL.Path, keys[0]),
		Body: bodyDigest(r.URL.RawQuery, body),
		At:   a.Now(),
	}
	there, err := a.Answers.ClaimAnswer(r.Context(), claim)
	if err != nil {
		return err
	}
	if there != nil {
		return a.repeat(w, claim, there)
	}
	reply := &capture{header: w.Header()}
	defer func() {
		if !reply.done { // a panic: nobody knows what was made, and nothing was answered
			a.settle(r, claim, nil)
		}
	}()
	run(reply)
	reply.done = true
	a.settle(r, claim, reply)
	return reply.writeTo(w)
}

// settle keeps a success and gives the claim back otherwise. It does not depend on the caller's patience; if it fails the
// answer still goes out, since what was made is made, and a repeat is told that the first is under way.
func (a *api) settle(r *http.Request, claim node.Answer, reply *capture) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 5*time.Second)
	defer cancel()
	var err error
	if reply == nil || reply.status >= 300 {
		err = a.Answers.DropAnswer(ctx, claim.Key)
	} else {
		claim.Status, claim.Target = reply.status, targetOf(reply.body.Bytes())
		if claim.Reply, err = a.Seal(claim.Key, reply.body.Bytes()); err == nil {
			err = a.Answers.StoreAnswer(ctx, claim)
		}
	}
	if err != nil && a.Kit.Log != nil {
		a.Kit.Log.WarnContext(ctx, "the answer to an Idempotency-Key was not kept", slog.String("request_id", web.RequestID(r.Context())), slog.Any("error", err))
	}
}

// repeat answers a request whose key was used before.
func (a *api) repeat(w http.ResponseWriter, claim node.Answer, there *node.Answer) error {
	switch {
	case there.Body != claim.Body:
		return fault.New(fault.IdempotencyMismatch, "this Idempotency-Key was used with another body; take a new key for a new request")
	case there.Status == 0:
		return fault.New(fault.Conflict, "the first request with this Idempotency-Key is in progress, or broke off; look whether it did its work before you send it with a new key")
	case claim.At.Sub(there.At) >= keepReply || len(there.Reply) == 0:
		return &fault.Error{Kind: fault.Conflict, ID: there.Target, Detail: "this Idempotency-Key was used more than 10 minutes ago; what it made is there, but a secret is not shown again"}
	}
	reply, err := a.Unseal(claim.Key, there.Reply)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(there.Status)
	_, _ = w.Write(reply) // who does not read it has gone
	return nil
}

// bodyDigest tells one request from another under the same key.
func bodyDigest(query string, body []byte) [32]byte {
	return sha256.Sum256(append([]byte(query+"\n"), body...))
}

func validOnce(key string) bool {
	if key == "" || len(key) > 200 {
		return false
	}
	for i := range len(key) {
		if key[i] < ' ' || key[i] > '~' {
			return false
		}
	}
	return true
}

// digestOf digests texts so that no two lists of them look the same.
func digestOf(texts ...string) string {
	h := sha256.New()
	for _, t := range texts {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(t)))
		_, _ = h.Write(size[:]) // a hash takes everything
		_, _ = h.Write([]byte(t))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// targetOf is the id of what an answer tells of, or "".
func targetOf(reply []byte) string {
	var made struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(reply, &made); err != nil {
		return ""
	}
	return made.ID
}

// capture is a ResponseWriter that holds an answer back until it is kept.
type capture struct {
	header http.Header
	status int
	body   bytes.Buffer
	done   bool
}

func (c *capture) Header() http.Header { return c.header }

func (c *capture) WriteHeader(status int) {
	if c.status == 0 {
		c.status = status
	}
}

func (c *capture) Write(b []byte) (int, error) {
	c.WriteHeader(http.StatusOK)
	return c.body.Write(b)
}

func (c *capture) writeTo(w http.ResponseWriter) error {
	w.WriteHeader(max(c.status, http.StatusOK))
	_, _ = w.Write(c.body.Bytes()) // who does not read it has gone
	return nil
}
