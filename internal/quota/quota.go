// Package quota holds how much somebody may use in a period, on any number of nodes: never more, and hardly less.
//
// Units are leased to nodes in blocks. What is leased counts as used, so a node spends its blocks without asking, and the
// quota holds whatever is killed when. A block shrinks to single units as the pool runs dry; a node that has one it does
// not need, or that others want, gives back what is left of it. What a dead node left is given back when everything that
// it counted has been absorbed: then the database knows how much of its blocks was spent.
//
// How much a plan allows and which period a moment lies in is package billing's; that a use was counted is usage's.
package quota

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/id"
)

// Subject says whose units are counted: a key's, by its id, or those of an owner on an API in a mode.
type Subject string

// OnAPI is the subject of an owner, a team or a user, on an API in a mode: what is tried out in test mode spends nothing
// that is live.
func OnAPI(owner, api, mode string) Subject { return Subject(owner + "/" + api + "/" + mode) }

// Spend is the subject of what a team may spend on an API, counted on a meter of calls: requests or units. How much that is stands in no plan
// as units; it is worked out from the open bill at every lease, and an Ask has the Limit Unbounded.
func Spend(team, api, meter string) Subject { return OnAPI(team, api, "live") + Subject("#"+meter) }

// Spends reports whether it is a Spend, and of which meter.
func (s Subject) Spends() (meter string, ok bool) {
	_, meter, ok = strings.Cut(string(s), "#")
	return meter, ok
}

// Unbounded is the limit of what is bounded by money.
const Unbounded = math.MaxInt64

// Ask wants units of one quota.
type Ask struct {
	Subject    Subject
	Start, End time.Time // of the period, both at whole minutes: usage is counted by minute
	Limit      int64     // units of the whole period
	Cost       int64
	PerCall    bool // a call costs one, whatever its operation does
	seen       Status
	lease      int // that paid
}

// Status says how a quota stands. What other nodes hold counts as used.
type Status struct {
	Limit, Used, Remaining int64
	ResetsAt               time.Time
}

// Lease asks the database for a block.
type Lease struct {
	Node       id.Node
	Spool      string // of the node, Keeper.Spool
	Subject    Subject
	Start, End time.Time
	Limit      int64
	Need       int64 // the least that helps
	Want       int64 // the most that is granted, unless more is needed
	Now        time.Time
}

// Leased is what the database granted: 0 when less than was needed is left, which it then remembers as wanted.
type Leased struct {
	Granted int64
	Left    int64 // in the pool, after this
	Anew    bool  // the node had been taken for dead: what it held of this quota is no longer its own
}

// Return gives back units of a block that were not spent.
type Return struct {
	Subject Subject
	Start   time.Time
	Units   int64
}

// Held names a quota of which a node holds units that somebody else wants, or no longer holds any: it was taken for dead.
type Held struct {
	Subject Subject
	Start   time.Time
	Ended   bool
}

// Store keeps pools and what was leased of them. Each method is one atomic step.
type Store interface {
	// LeaseQuota leases a block. The first lease of a period takes into account what was counted in it before.
	LeaseQuota(ctx context.Context, l Lease) (Leased, error)
	// ReturnQuota gives back. It gives back nothing twice: what the node no longer holds is left alone.
	ReturnQuota(ctx context.Context, node id.Node, returns []Return) error
	// WantedQuotas lists of which quotas that the node holds somebody wanted more within a time, and those whose lease was ended.
	WantedQuotas(ctx context.Context, node id.Node, within time.Duration) ([]Held, error)
	// SettleSpool ends the leases of earlier nodes of a spool, all of whose uses are absorbed. What they did not spend is free again.
	SettleSpool(ctx context.Context, spool string, now id.Node) error
	// SettleDead does the same for nodes that count in the database itself and are unseen for that long. Such a node counts nothing any
	// more on its old leases: absorbing fails with ErrEnded.
	SettleDead(ctx context.Context, unseen time.Duration) error
	// TrimQuotas forgets the quotas of periods that ended before a time.
	TrimQuotas(ctx context.Context, before time.Time) error
}

// ErrEnded says that a node's lease was ended because the node was taken for dead.
var ErrEnded = errors.New("the quota's lease was ended: this node was taken for dead")
