package grant

import (
	"context"
	"time"

	"github.com/lanyard-auth/lanyard/internal/id"
)

// Code is an authorization code: one chance, for a minute, for the app it was made for, to fetch what the user allowed.
type Code struct {
	ID         id.Code
	Digest     []byte
	Pepper     int
	App        id.App
	User       id.User
	Grant      id.Grant
	Session    id.Session // as which apps know it (session.Session.Alias); "": of none
	Issue      Issue
	CreatedAt  time.Time
	ExpiresAt  time.Time
	ConsumedAt time.Time // zero: not yet
	Family     id.Family // what its redemption made; tokens carry it even where no refresh token was issued
}

// Outcome is what became of an attempt at something that has one winner.
type Outcome string

// The outcomes.
const (
	Won    Outcome = "won"    // this attempt, and no other
	Lost   Outcome = "lost"   // another attempt won a moment ago: a race, nothing is wrong
	Reused Outcome = "reused" // it was used before, so somebody else has it: what it led to is revoked
	Dead   Outcome = "dead"   // it expired, or its user, app or grant is no longer in force
	// Same is for chains: the predecessor within the grace window. The row says which successor to repeat.
	Same Outcome = "same"
	// Ahead is for chains: a genuine token that the row has not reached. Only a database that went back explains it, or a
	// stolen key; the chain is revoked.
	Ahead Outcome = "ahead"
)

// CodeStore keeps codes.
type CodeStore interface {
	// IssueCode consumes the request of this browser and app, keeps its code, and notes that the session signed in to the app, in
	// one step. false: the request was answered before, had expired when the code was made, or is another's. fault.NotFound if
	// the session ended.
	IssueCode(ctx context.Context, request id.Request, browser []byte, c *Code) (bool, error)
	// Code reads a code whatever became of it; fault.NotFound if there is none.
	Code(ctx context.Context, code id.Code) (*Code, error)
	// RedeemCode consumes a code, notes which family its tokens carry, and keeps f as the chain's row unless nil, in one step.
	// Won only while user, app (with its team) and grant are in force and the code has not expired. A second attempt within Race
	// of the first is Lost; a later one is Reused, and revokes the family that the first one made. fault.NotFound if there is none.
	RedeemCode(ctx context.Context, code id.Code, family id.Family, f *Family, now time.Time) (Outcome, error)
}
