package manage

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/outbox"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// Watch keeps what warnings about keys follow from, and when whose keys are looked over.
type Watch interface {
	// Watched lists the keys within reach that work, or have expired since the filter's time, newest first.
	Watched(ctx context.Context, reach audit.Reach, filter key.WatchFilter) ([]*key.Watched, error)
	// LooksDue lists the teams whose keys are to be looked over, those that wait longest first.
	LooksDue(ctx context.Context, now time.Time, limit int) ([]outbox.Look, error)
	// Looked writes down what a look led to, all of it or nothing, unless somebody else's look came first: then false.
	Looked(ctx context.Context, l outbox.Looked, now time.Time) (bool, error)
}

// WarningsFilter narrows a list of warnings; "" is any.
type WarningsFilter struct {
	Team    string
	Key     string
	Gravity string // those at least so grave
}

// watchedAtOnce is how many keys are read at once.
const watchedAtOnce = 500

// found is a warning with the key that it is about.
type found struct {
	advice.Warning
	of *key.Watched
}

// name tells a warning from every other one.
func (f found) name() string { return string(f.of.ID) + "/" + f.Code + "/" + f.Mark }

// Warnings lists what there is to say of keys and client secrets within reach: newest key first, of each the gravest first. All of one key
// stand on one page. It needs lanyard.keys.read.
func (s *Service) Warnings(ctx context.Context, actor audit.Actor, f WarningsFilter, list List) (lanyard.Page[lanyard.Warning], error) {
	none := lanyard.Page[lanyard.Warning]{}
	reach, filter, err := s.warningsFilter(ctx, actor, f)
	if err != nil {
		return none, err
	}
	now := s.now()
	least := advice.Gravity(f.Gravity)
	return readPage(s, list, lister[found, lanyard.Warning]{
		name: "warnings", filters: []string{f.Team, f.Key, f.Gravity},
		fetch: func(before time.Time, beforeID string, limit int) ([]found, error) {
			filter.Before, filter.BeforeID = before, beforeID
			return s.find(ctx, reach, filter, least, now, limit)
		},
		place: func(f found) (time.Time, string) { return f.of.CreatedAt, string(f.of.ID) },
		wire:  s.wireWarning,
	})
}

// warningsAtMost bounds what GravestWarnings looks through.
const warningsAtMost = 1000

// GravestWarnings are the gravest of those that Warnings lists, at most so many; more says that there are others. Where there are very many
// they are the gravest of the newest keys. It needs lanyard.keys.read.
func (s *Service) GravestWarnings(ctx context.Context, actor audit.Actor, f WarningsFilter, most int) (list []lanyard.Warning, more bool, err error) {
	reach, filter, err := s.warningsFilter(ctx, actor, f)
	if err != nil {
		return nil, false, err
	}
	all, err := s.find(ctx, reach, filter, advice.Gravity(f.Gravity), s.now(), warningsAtMost)
	if err != nil {
		return nil, false, err
	}
	sortFound(all)
	for _, one := range all[:min(most, len(all))] {
		list = append(list, s.wireWarning(one))
	}
	return list, len(all) > most, nil
}

func (s *Service) warningsFilter(ctx context.Context, actor audit.Actor, f WarningsFilter) (audit.Reach, key.WatchFilter, error) {
	none := key.WatchFilter{}
	reach, err := s.may(actor, keysRead)
	if err != nil {
		return reach, none, err
	}
	filter := none
	if filter.Team, err = s.teamFilter(ctx, reach, f.Team); err != nil {
		return reach, none, err
	}
	if f.Key != "" {
		k, err := s.keyWithin(ctx, reach, f.Key)
		if err != nil {
			return reach, none, err
		}
		filter.Key = k.ID
	}
	if f.Gravity != "" && !advice.Gravity(f.Gravity).Known() {
		return reach, none, fault.Field("gravity", "must be note, warn or grave")
	}
	return reach, filter, nil
}

// find looks keys over until there are so many warnings, all of the last key among them.
func (s *Service) find(ctx context.Context, reach audit.Reach, filter key.WatchFilter, least advice.Gravity, now time.Time, limit int) (all []found, err error) {
	filter.Since, filter.Limit = now.Add(-advice.ExpiredFor), watchedAtOnce
	for len(all) < limit {
		keys, err := s.Watch.Watched(ctx, reach, filter)
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			for _, w := range advice.Warnings(k.Facts(now)) {
				if least == "" || w.Gravity.AtLeast(least) {
					all = append(all, found{w, k})
				}
			}
			filter.Before, filter.BeforeID = k.CreatedAt, string(k.ID)
			if len(all) >= limit {
				break
			}
		}
		if len(keys) < watchedAtOnce || filter.Key != "" {
			break
		}
	}
	return all, nil
}

// sortFound puts the gravest first, and those of one gravity in the order of their codes.
func sortFound(all []found) {
	codes := advice.WarningCodes()
	slices.SortStableFunc(all, func(a, b found) int {
		if a.Gravity != b.Gravity {
			if a.Gravity.AtLeast(b.Gravity) {
				return -1
			}
			return 1
		}
		return cmp.Compare(slices.Index(codes, a.Code), slices.Index(codes, b.Code))
	})
}

func (s *Service) wireWarning(f found) lanyard.Warning {
	url := s.PublicURL + keyPage(f.of.Key)
	if f.Do == advice.DoNarrow {
		url += "/edit"
	}
	return lanyard.Warning{
		Code: f.Code, Gravity: string(f.Gravity), Text: f.Text, Do: f.Do, Since: at(f.Since), KeyID: string(f.of.ID), KeyName: f.of.Name, Kind: string(f.of.Kind),
		AppID: string(f.of.App), AppName: f.of.AppName, TeamID: string(f.of.Team), URL: url,
	}
}

// keyPage is where a key stands at its team's desk: a client secret with its client.
func keyPage(k *key.Key) string {
	if k.Kind == secret.Client {
		return deskPath(k.Team) + "/clients/" + string(k.App)
	}
	return deskPath(k.Team) + "/keys/" + string(k.ID)
}

func deskPath(teamID id.Team) string { return "/developers/" + string(teamID) }
