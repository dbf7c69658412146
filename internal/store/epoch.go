package store

import (
	"context"
	"fmt"
	"time"

	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// epochs is what a change does to the epoch of a user or an app: tokens copy it, and those of an earlier one are refused.
type epochs struct {
	column string // by which grants name the owner: "user_id" or "app_id"
	owner  string
	was    int
	is     *int
	off    bool // the change disables or deletes the owner
}

// turnEpoch remembers an epoch that is over and returns the entry for it, or nothing if it goes on. Who is put out of
// service gets a new epoch in any case: no old token works again when they come back.
func (s *Store) turnEpoch(ctx context.Context, q querier, e epochs, at time.Time) ([]change, error) {
	if *e.is < e.was {
		return nil, fmt.Errorf("the epoch of %s would go back from %d to %d", e.owner, e.was, *e.is)
	}
	if *e.is > e.was {
		if err := endChains(ctx, q, e.column, e.owner, at); err != nil {
			return nil, err
		}
	}
	if *e.is == e.was && !e.off {
		return nil, nil
	}
	*e.is = max(*e.is, e.was+1)
	subject := user.EpochSubject(e.owner, e.was)
	return []change{{changes.Revocation, subject}}, s.revoke(ctx, q, subject, at)
}

// endChains ends the chains of refresh tokens under the grants of a user or an app, and what would begin new ones: codes and
// approved devices that were not redeemed yet. Those come first: whoever redeems one at the same moment has then made the
// chain that is ended after, or finds the code over.
func endChains(ctx context.Context, q querier, column, owner string, at time.Time) error {
	granted := `grant_id IN (SELECT g.id FROM grants g WHERE g.` + column + ` = $1)`
	for _, end := range []string{
		`UPDATE auth_code SET expires_at = $2 WHERE consumed_at = 0 AND expires_at > $2 AND ` + granted,
		`UPDATE device SET expires_at = $2 WHERE consumed_at = 0 AND expires_at > $2 AND ` + granted,
		`UPDATE family SET revoked_at = $2 WHERE revoked_at = 0 AND ` + granted,
	} {
		if _, err := q.ExecContext(ctx, end, owner, micros(at)); err != nil {
			return err
		}
	}
	return nil
}
