package manage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/leak"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// LeakStore keeps leaks, and knows keys whatever became of them.
type LeakStore interface {
	leak.Store
	KeyForDecision(ctx context.Context, key id.Key) (*key.Key, error)
}

// foundTime bounds the work on one report by a service. It goes on when the service hangs up: what leaked ends all the same.
const foundTime = 25 * time.Second

// ReportFound does for what a service found, which has shown who it is, what ReportLeak does for anybody's report, without its limits of
// number and network, and says of each entry whether its token is or was one of this server's. What fails of one keeps no other alive;
// then the service is to send the report again.
func (s *Service) ReportFound(ctx context.Context, from leak.Source, found []leak.Found) ([]bool, error) {
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), foundTime)
	defer done()
	credentials, ids := make([]string, len(found)), make([]id.Key, 0, len(found))
	for i := range found {
		// The checksum comes before any look-up, and one look-up is for many.
		if text, c, ok := oneOf(found[i].Token); ok && leak.Reported(c.Kind) {
			credentials[i] = text
			ids = append(ids, id.Of[id.Key](c.ID))
		}
	}
	known, err := s.KeyLeaks.KnownIDs(ctx, ids)
	if err != nil {
		return nil, err
	}
	issued, seen := make([]bool, len(found)), map[string]bool{}
	var failed []error
	for i, credential := range credentials {
		if credential == "" || !known[idOf(credential)] {
			continue
		}
		ours, before := seen[credential]
		if !before {
			ours, err = s.reportOne(ctx, credential, leak.CleanPlace(found[i].Place()), from.In(found[i].Source))
			failed = append(failed, err)
			seen[credential] = ours
		}
		issued[i] = ours
	}
	return issued, errors.Join(failed...)
}

// oneOf is the credential that a token is, or that stands in it: what matched a service's pattern may be more than it.
func oneOf(token string) (text string, c secret.Credential, ok bool) {
	if c, err := secret.Parse(token); err == nil {
		return token, c, true
	}
	secret.Find(token, func(credential string, in secret.Credential) bool {
		text, c, ok = credential, in, true
		return false
	})
	return text, c, ok
}

// idOf is the id in a credential that was parsed before.
func idOf(credential string) id.Key {
	c, err := secret.Parse(credential)
	if err != nil {
		return ""
	}
	return id.Of[id.Key](c.ID)
}

// leaksAtOnce is how many leaks one look ends; the rest come with the next.
const leaksAtOnce = 100

// EndLeaked ends what leaked and whose time has come, and returns how many leaks wait no more. It is a chore that every node may do: no
// actor, no rights.
func (s *Service) EndLeaked(ctx context.Context) (ended int, err error) {
	due, err := s.KeyLeaks.DueLeaks(ctx, s.now(), leaksAtOnce)
	if err != nil {
		return 0, err
	}
	var failed []error
	for _, l := range due {
		now := s.now()
		done, _, err := s.KeyLeaks.EndLeak(ctx, l, now, leakReason, leakRevoked(l, now))
		if err != nil {
			failed = append(failed, fmt.Errorf("end what leaked with %s: %w", l.Key, err))
		}
		if done {
			ended++
		}
	}
	return ended, errors.Join(failed...)
}

// LeakTypes are the names of this deployment's kinds for services that scan for them: as they stand, and as GitLab's analyser calls a
// rule of that name.
func (s *Service) LeakTypes(ctx context.Context) []string {
	names := leak.Types(s.Prefix(ctx))
	for _, name := range names[:len(names):len(names)] {
		names = append(names, "gitleaks_rule_id_"+name)
	}
	return names
}
