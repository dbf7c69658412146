package admin

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
)

const (
	perPage = 50              // rows of a list
	fresh   = 5 * time.Minute // how long a page says what was done
)

// searchOf is what a list asks for.
func searchOf(l page.List) manage.Search {
	return manage.Search{Like: l.Search.Query, Where: l.Where(), Sort: l.Sort, Down: l.Down, Limit: perPage, Cursor: l.Cursor}
}

// pagesOf are the pages beside a found one.
func pagesOf[T any](found manage.Found[T]) page.Pages {
	return page.Pages{Previous: found.Previous, Next: found.Next, Short: found.Short}
}

// done is the address of a page that says what an act did: told looks it up.
func done(to, action, target string) string {
	return to + "?" + url.Values{"done": {action}, "of": {target}}.Encode()
}

// told says what the form before this page did. The address only says where to look: what is said stands in the audit log, as the
// asker's own act of a moment ago, so that a link that somebody made up says nothing.
func (p *rooms) told(r *http.Request, d *desk) (*page.Alert, error) {
	query := r.URL.Query()
	say, known := deeds[query.Get("done")]
	if !known || query.Get("of") == "" {
		return nil, nil //nolint:nilnil // there is nothing to say
	}
	found, err := p.Manage.SearchAudit(r.Context(), d.Actor, manage.AuditSearch{Action: query.Get("done"), Target: query.Get("of"), Actor: d.Actor.Label, From: p.Now().Add(-fresh)}, manage.List{Limit: 1})
	if fault.Is(err, fault.Invalid) || err == nil && len(found.Items) == 0 {
		return nil, nil //nolint:nilnil // as above
	}
	if err != nil {
		return nil, err
	}
	made := say(found.Items[0])
	made.ID, made.Tone = "told", "good"
	return &made, nil
}

// deeds are the acts of these pages, in the words that tell of them.
var deeds = map[string]func(lanyard.AuditEvent) page.Alert{
	"api.put": func(ev lanyard.AuditEvent) page.Alert {
		return page.Alert{Title: "The API " + ev.Target + " is changed.", Text: page.Upper(ev.Details["changes"]) + ". Every server decides by it within a second."}
	},
	"api.delete": func(ev lanyard.AuditEvent) page.Alert {
		return page.Alert{Title: "The API " + ev.Target + " is gone.", Text: "Calls to it are refused from now on."}
	},
	"user.create": func(ev lanyard.AuditEvent) page.Alert {
		return page.Alert{Title: "The account is made.", Text: "They sign in with the password you set, or by a link in a mail."}
	},
	"user.update": toldOfPerson,
	"session.end": func(lanyard.AuditEvent) page.Alert {
		return page.Alert{Title: "Every browser of theirs is signed out.", Text: "Apps keep their badges."}
	},
	"team.create": func(ev lanyard.AuditEvent) page.Alert {
		return page.Alert{Title: "The team " + ev.Details["name"] + " is made."}
	},
	"team.update": func(ev lanyard.AuditEvent) page.Alert {
		if ev.Details["limits"] != "" {
			return toldOfLimits(ev.Details, "the team’s calls")
		}
		if ev.Details["suspended"] == "true" {
			return page.Alert{Title: "The team is suspended.", Text: "Every credential of its apps is refused until you lift it."}
		}
		return page.Alert{Title: "The suspension is lifted.", Text: "The team’s credentials work again."}
	},
	"subscription.set": func(ev lanyard.AuditEvent) page.Alert {
		return page.Alert{Title: "The plan for " + ev.Details["api"] + " is " + ev.Details["plan"] + " now.", Text: "Its limits hold from the next call on."}
	},
	"grant.revoke": func(lanyard.AuditEvent) page.Alert {
		return page.Alert{Title: "The badge is taken back.", Text: "The app has to ask the person again."}
	},
	"keyring.rotate": func(ev lanyard.AuditEvent) page.Alert {
		return page.Alert{Title: "A new key is published.", Text: "It signs from tomorrow on, once every verifier had a day to fetch it."}
	},
	"keyring.revoke": func(ev lanyard.AuditEvent) page.Alert {
		return page.Alert{Title: "The key is gone.", Text: "Who keeps a copy of the key set believes it until the copy is replaced."}
	},
	"catalog.apply": func(lanyard.AuditEvent) page.Alert {
		return page.Alert{Title: "The brand is saved.", Text: "Every page wears it from now on."}
	},
}

func toldOfPerson(ev lanyard.AuditEvent) page.Alert {
	switch is := ev.Details; {
	case is["disabled"] == "true":
		return page.Alert{Title: "The account is disabled.", Text: "They are signed out everywhere, and none of their badges and tokens works."}
	case is["disabled"] == "false":
		return page.Alert{Title: "The account works again.", Text: "They can sign in."}
	case is["admin"] == "true":
		return page.Alert{Title: "They are an admin now.", Text: "These pages are open to them."}
	case is["admin"] == "false":
		return page.Alert{Title: "They are no admin any more."}
	case is["limits"] != "":
		return toldOfLimits(is, "calls on their behalf")
	case is["revoke_tokens"] == "true":
		return page.Alert{Title: "Every session and token of theirs is dead.", Text: "They sign in again, and apps ask for a new badge."}
	}
	return page.Alert{Title: "The account is changed."}
}

// fact is a line of what is known about one thing.
type fact struct{ Term, Text string }

// date is a day as people write it.
func date(t time.Time) string { return t.UTC().Format("2 January 2006") }

// moment is a time to the second, in UTC.
func moment(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04:05") + " UTC" }

// names finds what teams, apps and people are called, once each.
type names struct {
	p     *rooms
	d     *desk
	known map[string]string
}

func (p *rooms) names(d *desk) *names { return &names{p, d, map[string]string{}} }

// of returns the name for an id, or the id where there is no such thing any more.
func (n *names) of(ctx context.Context, id string) (string, error) {
	if name, known := n.known[id]; known {
		return name, nil
	}
	name, err := n.find(ctx, id)
	if fault.Is(err, fault.NotFound) {
		name, err = id, nil
	}
	if err == nil {
		n.known[id] = name
	}
	return name, err
}

func (n *names) find(ctx context.Context, id string) (string, error) {
	kind, _, _ := strings.Cut(id, "_")
	switch kind {
	case "team":
		t, err := n.p.Manage.Team(ctx, n.d.Actor, id)
		return t.Name, err
	case "app":
		a, err := n.p.Manage.App(ctx, n.d.Actor, id)
		return a.Name, err
	case "user":
		u, err := n.p.Manage.User(ctx, n.d.Actor, id)
		return called(u), err
	case "key":
		k, err := n.p.Manage.Key(ctx, n.d.Actor, id)
		return k.Name, err
	}
	return id, nil
}

// called is how a person is called.
func called(u lanyard.User) string {
	if u.Name != "" {
		return u.Name
	}
	return u.Email
}
