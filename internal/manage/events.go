package manage

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

const (
	maxMeterEvents = 1000 // of one call
	maxEventUnits  = 1_000_000_000_000
	eventSkew      = 5 * time.Minute // that a sender's clock may be ahead
)

// RecordEvents counts events on the meters that they feed: all of them, or none where one is refused. One whose source and id are known
// was counted before and is not again. It needs lanyard.usage.write for the whole server.
func (s *Service) RecordEvents(ctx context.Context, actor audit.Actor, events []lanyard.CloudEvent) (lanyard.EventsCounted, error) {
	none := lanyard.EventsCounted{}
	if err := s.mayOnServer(actor, usageWrite); err != nil {
		return none, err
	}
	if err := checkCount("events", len(events), maxMeterEvents); err != nil {
		return none, err
	}
	state, err := s.CatalogStore.Catalog(ctx)
	if err != nil {
		return none, err
	}
	r := eventReader{Service: s, now: s.now(), meters: metersByType(state), teams: map[string]id.Team{}}
	counted := make([]billing.MeterEvent, len(events))
	for i := range events {
		if counted[i], err = r.read(ctx, &events[i]); err != nil {
			return none, under(fmt.Sprintf("events[%d]", i), err)
		}
	}
	again, err := s.BillingStore.RecordEvents(ctx, counted, r.now)
	if err != nil {
		return none, err
	}
	out := lanyard.EventsCounted{Counted: len(events)}
	for _, known := range again {
		if known {
			out.Counted, out.Repeated = out.Counted-1, out.Repeated+1
		}
	}
	return out, nil
}

// metersByType are the APIs that count events of a type, each with the meter that it does so on.
func metersByType(state catalog.State) map[string]map[string]billing.Meter {
	of := map[string]map[string]billing.Meter{}
	for api, declared := range state.APIs {
		for name, m := range declared.Meters {
			if of[m.Event] == nil {
				of[m.Event] = map[string]billing.Meter{}
			}
			of[m.Event][api] = billing.Meter(name)
		}
	}
	return of
}

// eventReader reads the events of one call.
type eventReader struct {
	*Service
	now    time.Time
	meters map[string]map[string]billing.Meter
	teams  map[string]id.Team // by subject
}

func (r *eventReader) read(ctx context.Context, e *lanyard.CloudEvent) (out billing.MeterEvent, err error) {
	if e.SpecVersion != "1.0" {
		return out, fault.Field("specversion", `must be "1.0", not %.20q`, e.SpecVersion)
	}
	for _, one := range [][2]string{{"id", e.ID}, {"source", e.Source}, {"type", e.Type}} {
		if one[1] == "" {
			return out, fault.Field(one[0], "is missing")
		}
		if err := checkText(one[0], one[1], 200); err != nil {
			return out, err
		}
	}
	out = billing.MeterEvent{Source: e.Source, ID: e.ID, At: e.Time.UTC(), Units: 1}
	if out.API, out.Meter, err = r.meter(e); err != nil {
		return out, err
	}
	if e.Data.Units != nil {
		if out.Units = *e.Data.Units; out.Units < 0 || out.Units > maxEventUnits {
			return out, fault.Field("data.units", "must be a whole number from 0 to %d", int64(maxEventUnits))
		}
	}
	if e.Time.IsZero() {
		out.At = r.now
	}
	switch {
	case out.At.After(r.now.Add(eventSkew)):
		return out, fault.Field("time", "lies in the future: it is %s here", r.now.UTC().Format(time.RFC3339))
	case out.At.Before(r.now.Add(-billing.EventWindow)):
		return out, fault.Field("time", "lies more than 35 days back: whether it was counted is not known any more")
	}
	if out.Team, err = r.team(ctx, e.Subject); fault.Is(err, fault.NotFound) {
		err = fault.Field("subject", "names nothing: there is no %.60q here", e.Subject)
	}
	return out, err
}

// meter finds which API's meter an event feeds.
func (r *eventReader) meter(e *lanyard.CloudEvent) (api string, m billing.Meter, err error) {
	fed := r.meters[e.Type]
	apis := slices.Sorted(maps.Keys(fed))
	switch {
	case len(apis) == 0:
		return "", "", fault.Field("type", "no API has a meter for events of the type %.80q; declare one under meters in lanyard.yaml", e.Type)
	case e.Data.API != "" && fed[e.Data.API] == "":
		return "", "", fault.Field("data.api", "the API %.60q has no meter for events of this type; %s has", e.Data.API, strings.Join(apis, ", "))
	case e.Data.API != "":
		return e.Data.API, fed[e.Data.API], nil
	case len(apis) > 1:
		return "", "", fault.Field("data.api", "say which API it is for: %s have a meter for events of this type", strings.Join(apis, " and "))
	}
	return apis[0], fed[apis[0]], nil
}

// team finds whose use it was.
func (r *eventReader) team(ctx context.Context, subject string) (team id.Team, err error) {
	if team, known := r.teams[subject]; known {
		return team, nil
	}
	word, _, _ := strings.Cut(subject, "_")
	switch word {
	case "team":
		t, err := r.teamWithin(ctx, audit.ServerReach(), subject)
		if err != nil {
			return "", err
		}
		team = t.ID
	case "app":
		appID, err := parseID[id.App]("app", subject)
		if err != nil {
			return "", err
		}
		a, err := r.AppStore.App(ctx, audit.ServerReach(), appID)
		if err != nil {
			return "", err
		}
		team = a.Team
	case "key":
		keyID, err := parseID[id.Key]("key", subject)
		if err != nil {
			return "", err
		}
		k, err := r.KeyStore.Key(ctx, audit.ServerReach(), keyID)
		if err != nil {
			return "", err
		}
		team = k.Team
	default:
		return "", fault.Field("subject", "must say who used it: the id of a team, an app or a key")
	}
	r.teams[subject] = team
	return team, nil
}
