package main

import (
	"context"
	"iter"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// candidate is a thing that a NAME may mean.
type candidate struct{ id, name, more string }

// maxShown is how many candidates an error lists.
const maxShown = 8

// pick returns the one thing of that name. None or several are an error that lists what there is.
func pick[T any](what, name string, named, all iter.Seq2[T, error], describe func(T) candidate) (T, error) {
	var none T
	var found []T
	var matches []string
	for item, err := range named {
		if err != nil {
			return none, err
		}
		if c := describe(item); c.name == name {
			found, matches = append(found, item), append(matches, c.id+" "+c.more)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return none, missing(what, name, all, describe)
	}
	return none, fault.New(fault.Conflict, "%d %ss are called %q; say which by its id: %s", len(found), what, name, some(matches))
}

// missing says that there is no such name, and which there are.
func missing[T any](what, name string, all iter.Seq2[T, error], describe func(T) candidate) error {
	var others []string
	for item, err := range all {
		if err != nil {
			return err
		}
		if others = append(others, describe(item).name); len(others) > maxShown {
			break
		}
	}
	if len(others) == 0 {
		return fault.New(fault.NotFound, "there is no %s %q within your reach, nor any other", what, name)
	}
	return fault.New(fault.NotFound, "there is no %s %q within your reach; there is %s", what, name, some(others))
}

// some lists the first few of many.
func some(items []string) string {
	if len(items) > maxShown {
		return strings.Join(items[:maxShown], ", ") + " and more"
	}
	return strings.Join(items, ", ")
}

// findApp returns the app of an id or unique name.
func findApp(ctx context.Context, c *lanyard.Client, name string) (lanyard.App, error) {
	if _, err := id.Parse[id.App](name); err == nil {
		return c.App(ctx, name)
	}
	named := lanyard.AppQuery{Name: name, ListQuery: biggest()}
	return pick("app", name, c.AllApps(ctx, named), c.AllApps(ctx, lanyard.AppQuery{}), func(a lanyard.App) candidate {
		return candidate{a.ID, a.Name, "(made " + when(a.CreatedAt) + ")"}
	})
}

// findKey returns the key of an id, or of a name that is unique within the app, if one is named, or within reach.
func findKey(ctx context.Context, c *lanyard.Client, name, app string) (lanyard.Key, error) {
	if _, err := id.Parse[id.Key](name); err == nil {
		return c.Key(ctx, name)
	}
	named, all := lanyard.KeyQuery{Name: name, ListQuery: biggest()}, lanyard.KeyQuery{}
	if app != "" {
		owner, err := findApp(ctx, c, app)
		if err != nil {
			return lanyard.Key{}, err
		}
		named.AppID, all.AppID = owner.ID, owner.ID
	}
	return pick("key", name, c.AllKeys(ctx, named), c.AllKeys(ctx, all), func(k lanyard.Key) candidate {
		return candidate{k.ID, k.Name, "(of " + k.AppID + ", " + k.Status + ")"}
	})
}

// findTeam returns the id of the team of an id or unique name.
func findTeam(ctx context.Context, c *lanyard.Client, name string) (string, error) {
	if _, err := id.Parse[id.Team](name); err == nil {
		return name, nil
	}
	named := lanyard.TeamQuery{Name: name, ListQuery: biggest()}
	team, err := pick("team", name, c.AllTeams(ctx, named), c.AllTeams(ctx, lanyard.TeamQuery{}), func(t lanyard.Team) candidate {
		return candidate{t.ID, t.Name, "(made " + when(t.CreatedAt) + ")"}
	})
	return team.ID, err
}

// findUser returns the user of an id or mail address.
func findUser(ctx context.Context, c *lanyard.Client, name string) (lanyard.User, error) {
	if _, err := id.Parse[id.User](name); err == nil {
		return c.User(ctx, name)
	}
	for u, err := range c.AllUsers(ctx, lanyard.UserQuery{Email: name}) {
		return u, err
	}
	return lanyard.User{}, fault.New(fault.NotFound, "nobody has an account with the address %q within your reach; `lanyard users list` shows who has", name)
}

// biggest asks for the largest pages.
func biggest() lanyard.ListQuery { return lanyard.ListQuery{Limit: 200} }
