package key

import (
	"time"

	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// Watched is a key with what is known of how it is used, for who looks for what should be said of it.
type Watched struct {
	*Key
	AppName  string
	Networks []advice.Seen // at most usage.MaxNetworks, about; of a secret API key
	InQuery  time.Time     // when it last stood in the address of a call; zero: never
	QueryAPI string        // of which API
}

// WatchFilter says which of the keys that work, or have just expired, are wanted. Those of a disabled app or a suspended team are
// left out. Before and BeforeID continue after the last one seen.
type WatchFilter struct {
	Team     id.Team // empty: any
	Key      id.Key  // empty: any
	Since    time.Time
	Before   time.Time
	BeforeID string
	Limit    int
}

// Facts are what warnings follow from.
func (w *Watched) Facts(now time.Time) advice.Facts {
	f := advice.Facts{
		Kind: advice.Kind(w.Kind), Test: w.Mode == secret.Test, Status: w.StatusAt(now), Now: now, CreatedAt: w.CreatedAt, SecretSince: w.CreatedAt, ExpiresAt: w.ExpiresAt,
		RotationDue: w.RotationDueAt(), LastUsed: w.LastUsed.At, Narrowed: len(w.Restrictions.IPs) > 0, Networks: w.Networks, InQuery: w.InQuery, QueryAPI: w.QueryAPI,
	}
	if current := w.Current(); current != nil {
		f.SecretSince = current.CreatedAt
	}
	return f
}
