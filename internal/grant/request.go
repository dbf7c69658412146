package grant

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard/internal/id"
)

// Ask is an authorization request after its checks: what the app wants of the user.
type Ask struct {
	Issue
	ResponseMode string   `json:"response_mode"` // query or form_post
	State        string   `json:"state,omitempty"`
	Prompt       []string `json:"prompt,omitempty"`
	MaxAge       *int     `json:"max_age,omitempty"` // seconds
	LoginHint    string   `json:"login_hint,omitempty"`
	HintedUser   id.User  `json:"hinted_user,omitempty"` // of the id_token_hint: nobody else may answer
}

// Wants reports whether the request has a prompt value (OpenID Connect Core section 3.1.2.1).
func (a *Ask) Wants(prompt string) bool { return slices.Contains(a.Prompt, prompt) }

// Progress is how far the user has come with a request.
type Progress struct {
	Allowed   []string  `json:"allowed,omitempty"`  // what was ticked
	Document  string    `json:"document,omitempty"` // digest of the app's metadata document that was shown
	AllowedBy id.User   `json:"allowed_by,omitempty"`
	AllowedAt time.Time `json:"allowed_at,omitzero"`
	Denied    bool      `json:"denied,omitempty"`
}

// Request is an authorization request under way. Its id is no secret: it is good only in the browser that brought it.
type Request struct {
	ID        id.Request
	App       id.App
	Browser   []byte // digest of the browser's cookie
	Ask       Ask
	Progress  Progress
	CreatedAt time.Time
	ExpiresAt time.Time
}

// Pushed is a pushed authorization request (RFC 9126): parameters that wait to be fetched once.
type Pushed struct {
	ID        string // of its ticket
	Digest    []byte
	Pepper    int
	App       id.App
	Params    json.RawMessage
	ExpiresAt time.Time
}

// RequestStore keeps requests under way.
type RequestStore interface {
	SaveRequest(ctx context.Context, r *Request) error
	// Request reads a request of this browser; fault.NotFound for another's, an unknown or an expired one.
	Request(ctx context.Context, request id.Request, browser []byte, now time.Time) (*Request, error)
	// AdvanceRequest notes progress on a request of this browser. fault.NotFound as above.
	AdvanceRequest(ctx context.Context, request id.Request, browser []byte, p Progress, now time.Time) error
	// DropRequest ends a request of this browser; false if that was done before: it is answered once.
	DropRequest(ctx context.Context, request id.Request, browser []byte) (bool, error)

	PushRequest(ctx context.Context, p *Pushed) error
	// Pushed reads a pushed request whatever became of it; fault.NotFound if there is none.
	Pushed(ctx context.Context, ticket string) (*Pushed, error)
	// TakePushed consumes a pushed request; false if it was taken before or has expired.
	TakePushed(ctx context.Context, ticket string, now time.Time) (bool, error)
}
