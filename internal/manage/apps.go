package manage

import (
	"context"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// CreateApp makes an app in the team named, or in the actor's own. It needs lanyard.apps.write.
func (s *Service) CreateApp(ctx context.Context, actor audit.Actor, in lanyard.AppInput) (lanyard.App, error) {
	reach, err := s.may(actor, appsWrite)
	if err != nil {
		return lanyard.App{}, err
	}
	owner, err := s.teamFor(ctx, actor, reach, in.TeamID)
	if err != nil {
		return lanyard.App{}, err
	}
	newID, err := id.NewFrom[id.App](s.random())
	if err != nil {
		return lanyard.App{}, err
	}
	now := s.now()
	a := &app.App{ID: newID, Team: owner, Name: in.Name, Type: app.Type(in.Type), Description: in.Description, HomepageURL: in.HomepageURL, CreatedAt: now}
	if a.Type == "" {
		a.Type = app.Confidential
	}
	if a.Limits, err = limitsFrom(in.Limits); err != nil {
		return lanyard.App{}, err
	}
	if a.Metadata, err = metadataFrom(in.Metadata); err != nil {
		return lanyard.App{}, err
	}
	if err := checkApp(a); err != nil {
		return lanyard.App{}, err
	}
	d := details{"name": a.Name, "type": string(a.Type)}
	if err := s.declare(ctx, actor, a, in.OAuthSettings, d); err != nil {
		return lanyard.App{}, err
	}
	ev := actor.New(now, "app.create", string(a.ID), a.Team, said(d))
	if _, err := s.AppStore.CreateApp(ctx, a, ev); err != nil {
		return lanyard.App{}, err
	}
	return wireApp(a), nil
}

// declare gives a new app what it declares as an OAuth client, and says so in the details of its audit line.
func (s *Service) declare(ctx context.Context, actor audit.Actor, a *app.App, in lanyard.OAuthSettings, d details) error {
	a.OAuth = oauthFrom(in)
	completeOAuth(a)
	g, err := s.granting(ctx, actor, a)
	if err != nil {
		return err
	}
	if err := g.checkOAuth(a, &app.OAuth{}); err != nil {
		return err
	}
	oauthDetails(d, &a.OAuth, &app.OAuth{})
	return nil
}

func checkApp(a *app.App) error {
	if err := checkText("description", a.Description, maxDescription); err != nil {
		return err
	}
	return a.Validate()
}

// teamFor is the team in which a new thing is made: the one named, which must lie within reach, or the actor's own.
func (s *Service) teamFor(ctx context.Context, actor audit.Actor, reach audit.Reach, named string) (id.Team, error) {
	owner := actor.Team
	if named != "" {
		var err error
		if owner, err = parseID[id.Team]("team", named); err != nil {
			return "", err
		}
	}
	if owner == "" {
		return "", fault.Field("team_id", "name the team that it belongs to: your credential belongs to none")
	}
	_, err := s.TeamStore.Team(ctx, reach, owner)
	return owner, err
}

func (s *Service) appWithin(ctx context.Context, reach audit.Reach, appID string) (*app.App, error) {
	parsed, err := parseID[id.App]("app", appID)
	if err != nil {
		return nil, err
	}
	return s.AppStore.App(ctx, reach, parsed)
}

// App shows an app. It needs lanyard.apps.read.
func (s *Service) App(ctx context.Context, actor audit.Actor, appID string) (lanyard.App, error) {
	reach, err := s.may(actor, appsRead)
	if err != nil {
		return lanyard.App{}, err
	}
	a, err := s.appWithin(ctx, reach, appID)
	if err != nil {
		return lanyard.App{}, err
	}
	return wireApp(a), nil
}

// Apps lists the apps within reach, newest first; teamID and name narrow the list unless "". It needs lanyard.apps.read.
func (s *Service) Apps(ctx context.Context, actor audit.Actor, teamID, name string, list List) (lanyard.Page[lanyard.App], error) {
	return s.SearchApps(ctx, actor, AppSearch{Team: teamID, Name: name}, list)
}

// AppSearch narrows a list of apps; "" is any.
type AppSearch struct {
	Team, Name string
	Origin     string // dcr or cimd
}

// SearchApps lists the apps within reach that a search finds, newest first. It needs lanyard.apps.read.
func (s *Service) SearchApps(ctx context.Context, actor audit.Actor, q AppSearch, list List) (lanyard.Page[lanyard.App], error) {
	reach, err := s.may(actor, appsRead)
	if err != nil {
		return lanyard.Page[lanyard.App]{}, err
	}
	filter := app.Filter{Name: q.Name, Origin: app.Origin(q.Origin)}
	if filter.Team, err = s.teamFilter(ctx, reach, q.Team); err != nil {
		return lanyard.Page[lanyard.App]{}, err
	}
	if err := checkText("name", q.Name, maxFilter); err != nil {
		return lanyard.Page[lanyard.App]{}, err
	}
	if o := filter.Origin; o != app.MadeHere && o != app.DCR && o != app.ByAddress {
		return lanyard.Page[lanyard.App]{}, fault.Field("origin", "must be dcr or cimd")
	}
	return readPage(s, list, lister[*app.App, lanyard.App]{
		name: "apps", filters: []string{q.Team, q.Name, q.Origin},
		fetch: func(before time.Time, beforeID string, limit int) ([]*app.App, error) {
			filter.Before, filter.BeforeID, filter.Limit = before, beforeID, limit
			return s.AppStore.Apps(ctx, reach, filter)
		},
		place: func(a *app.App) (time.Time, string) { return a.CreatedAt, string(a.ID) },
		wire:  wireApp,
	})
}

// teamFilter reads the team that a list is narrowed to; a foreign one is not found rather than empty.
func (s *Service) teamFilter(ctx context.Context, reach audit.Reach, teamID string) (id.Team, error) {
	if teamID == "" {
		return "", nil
	}
	parsed, err := parseID[id.Team]("team", teamID)
	if err != nil {
		return "", err
	}
	_, err = s.TeamStore.Team(ctx, reach, parsed)
	return parsed, err
}

// UpdateApp changes what the patch names. It needs lanyard.apps.write.
func (s *Service) UpdateApp(ctx context.Context, actor audit.Actor, appID string, patch lanyard.AppPatch) (lanyard.App, error) {
	reach, err := s.may(actor, appsWrite)
	if err != nil {
		return lanyard.App{}, err
	}
	a, err := s.appWithin(ctx, reach, appID)
	if err != nil {
		return lanyard.App{}, err
	}
	if patch.Name != nil || patch.Disabled != nil && *patch.Disabled {
		if err := s.keepsSystem(ctx, a); err != nil {
			return lanyard.App{}, err
		}
	}
	g, err := s.granting(ctx, actor, a)
	if err != nil {
		return lanyard.App{}, err
	}
	now := s.now()
	d := details(appPatchDetails(patch))
	updated, _, err := s.AppStore.UpdateApp(ctx, reach, a.ID, actor.New(now, "app.update", string(a.ID), a.Team, d), func(a *app.App) error {
		if err := patchApp(a, patch, now); err != nil || patch.OAuthPatch == (lanyard.OAuthPatch{}) {
			return err
		}
		before := a.OAuth
		patchOAuth(&a.OAuth, patch.OAuthPatch)
		completeOAuth(a)
		if err := g.checkOAuth(a, &before); err != nil {
			return err
		}
		oauthDetails(d, &a.OAuth, &before)
		return nil
	})
	if err != nil {
		return lanyard.App{}, err
	}
	return wireApp(updated), nil
}

func patchApp(a *app.App, patch lanyard.AppPatch, now time.Time) (err error) {
	if patch.Name != nil {
		a.Name = *patch.Name
	}
	if patch.Description != nil {
		a.Description = *patch.Description
	}
	if patch.HomepageURL != nil {
		a.HomepageURL = *patch.HomepageURL
	}
	if patch.Limits != nil {
		if a.Limits, err = limitsFrom(*patch.Limits); err != nil {
			return err
		}
	}
	if patch.Metadata != nil {
		if a.Metadata, err = metadataFrom(*patch.Metadata); err != nil {
			return err
		}
	}
	if patch.Disabled != nil {
		switch {
		case !*patch.Disabled:
			a.DisabledAt = time.Time{}
		case a.DisabledAt.IsZero():
			a.DisabledAt = now
		}
	}
	return checkApp(a)
}

func appPatchDetails(patch lanyard.AppPatch) map[string]string {
	d := details{}
	if patch.Name != nil {
		d["name"] = *patch.Name
	}
	if patch.Description != nil {
		d["description"] = "changed"
	}
	if patch.HomepageURL != nil {
		d["homepage_url"] = *patch.HomepageURL
	}
	if patch.Limits != nil {
		d["limits"] = LimitsText(*patch.Limits)
	}
	if patch.Metadata != nil {
		d["metadata"] = "changed"
	}
	if patch.Disabled != nil {
		d["disabled"] = boolText(*patch.Disabled)
	}
	return said(d)
}

// DeleteApp hides an app and stops all its keys at once. Its usage stays on the books. It needs lanyard.apps.write.
func (s *Service) DeleteApp(ctx context.Context, actor audit.Actor, appID string) (id.Revision, error) {
	reach, err := s.may(actor, appsWrite)
	if err != nil {
		return 0, err
	}
	a, err := s.appWithin(ctx, reach, appID)
	if err != nil {
		return 0, err
	}
	if err := s.keepsSystem(ctx, a); err != nil {
		return 0, err
	}
	now := s.now()
	ev := actor.New(now, "app.delete", string(a.ID), a.Team, said(details{"name": a.Name}))
	_, rev, err := s.AppStore.UpdateApp(ctx, reach, a.ID, ev, func(a *app.App) error {
		a.DeletedAt = now
		return nil
	})
	return rev, err
}

// keepsSystem refuses to stop or rename the app under which the server's own management keys live: `lanyard admin key
// create` is the way back in for who has lost every other.
func (s *Service) keepsSystem(ctx context.Context, a *app.App) error {
	owner, err := s.TeamStore.Team(ctx, audit.ServerReach(), a.Team)
	if err != nil || !owner.System {
		return err
	}
	_, builtIn, err := s.TeamStore.SystemTeam(ctx, s.now())
	if err == nil && builtIn == a.ID {
		return fault.New(fault.Conflict, "the built-in app holds the server's management keys and stays as it is; revoke single keys instead")
	}
	return err
}
