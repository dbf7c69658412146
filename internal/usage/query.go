package usage

import (
	"context"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
)

// Query asks for counted calls. From is inclusive, To exclusive; both lie on starts of Granularity.
type Query struct {
	From, To    time.Time
	Granularity Granularity
	GroupBy     []Dimension
	Filter      map[Dimension][]string
	Whole       bool // one row for the whole time, the most calls first
	ByUnits     bool // with Whole: units order the rows, not calls
	Least       bool // with Whole: the fewest first
	Offset      int  // rows to skip: the order is by start, then by the dimensions grouped by
	Limit       int  // 0: all
}

// Sum is one answer row: what was grouped by is filled in, the rest empty.
type Sum struct {
	Start time.Time
	Row
}

// Difference is a rollup that does not say what the ledger says.
type Difference struct {
	Granularity Granularity
	Start       time.Time
	Row         Row   // its dimensions; Count and Units are those of the ledger
	RollupCount int64 // what the rollup says
	RollupUnits int64
}

// Attempt is refused credentials that belong to nobody, summed by source and hour.
type Attempt struct {
	Source string
	Code   string
	Start  time.Time // the hour
	Count  int64
	LastAt time.Time
	Sample string // public part of the latest
}

// Reader reads what was counted.
type Reader interface {
	UsageSums(ctx context.Context, reach audit.Reach, q Query) ([]Sum, error)
	// ReconcileUsage counts the ledger anew for the days that [from, to) touches and compares every rollup with it. It returns
	// the calls of the ledger, and the differences.
	ReconcileUsage(ctx context.Context, from, to time.Time) (ledger int64, differences []Difference, err error)
	Attempts(ctx context.Context, before time.Time, beforeSource string, limit int) ([]Attempt, error)
	// AddAttempts adds counts to what stands there.
	AddAttempts(ctx context.Context, attempts []Attempt) error
}
