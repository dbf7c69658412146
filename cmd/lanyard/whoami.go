package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// whoIs is whom commands act as.
type whoIs struct {
	Server    string     `json:"server"`
	Kind      string     `json:"kind"` // login, or the kind of the credential in LANYARD_TOKEN
	Name      string     `json:"name,omitempty"`
	Email     string     `json:"email,omitempty"`
	ID        string     `json:"id,omitempty"`
	App       string     `json:"app,omitempty"`
	Scopes    []string   `json:"scopes,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

func present(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (p *program) whoami() *cobra.Command {
	return &cobra.Command{
		Use:   "whoami",
		Short: "Say whom commands act as, and where",
		Long: `Say whom commands act as at the server of --url or LANYARD_URL: the person that "lanyard login"
signed in, or the key or token in LANYARD_TOKEN, which goes before.`,
		Example: "  lanyard whoami\n  lanyard whoami -o json",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, err := p.who(cmd.Context())
			if err != nil {
				return err
			}
			if p.asJSON() {
				return p.json(found)
			}
			return p.fields(
				"name", found.Name, "mail", found.Email, "server", found.Server, "by", kindName(found.Kind), "id", found.ID, "app", found.App,
				"scopes", joined(found.Scopes), "expires", whenever(found.ExpiresAt),
			)
		},
	}
}

func (p *program) who(ctx context.Context) (whoIs, error) {
	getenv, err := p.environ()
	if err != nil {
		return whoIs{}, err
	}
	given, err := config.Secret(getenv, "LANYARD_TOKEN")
	if err != nil {
		return whoIs{}, err
	}
	if !given.IsZero() {
		return p.whoHolds(ctx, given)
	}
	file, err := p.loginFile()
	if err != nil {
		return whoIs{}, err
	}
	kept, err := file.read()
	if err != nil {
		return whoIs{}, err
	}
	server, err := p.serverURL(kept.Current)
	if err != nil {
		return whoIs{}, err
	}
	if _, there := kept.Servers[server]; !there {
		return whoIs{}, notSignedIn(server)
	}
	entry, err := p.refreshed(ctx, file, server)
	if err != nil {
		return whoIs{}, err
	}
	found := whoIs{Server: server, Kind: "login", Scopes: strings.Fields(entry.Scope), ExpiresAt: present(entry.Expiry)}
	who, err := p.person(ctx, server, entry.AccessToken)
	if fault.Is(err, fault.Unauthenticated) {
		return found, overLogin(server)
	}
	if err != nil && !fault.Is(err, fault.InsufficientScope) {
		return found, err
	}
	found.Name, found.Email, found.ID = short(who.Name), short(who.Email), short(who.Subject)
	return found, nil
}

// whoHolds says whose the credential in LANYARD_TOKEN is, as far as the server tells its holder.
func (p *program) whoHolds(ctx context.Context, given secret.Secret) (whoIs, error) {
	c, err := p.client()
	if err != nil {
		return whoIs{}, err
	}
	seen := inspectText(given.Reveal(), p.now())
	found := whoIs{Server: c.URL, Kind: seen.Kind, ID: seen.ID, App: seen.Client, Scopes: seen.Scopes, ExpiresAt: seen.ExpiresAt}
	if !strings.HasPrefix(seen.ID, "key_") {
		who, err := p.person(ctx, c.URL, given.Reveal())
		if fault.Is(err, fault.InsufficientScope) || err != nil && seen.Kind == string(secret.Personal) {
			return found, nil // the server tells nobody's name for this one
		}
		found.Name, found.Email = short(who.Name), short(who.Email)
		return found, err
	}
	k, err := c.Key(ctx, seen.ID)
	if tellsNothing(err) {
		return found, nil
	}
	if err != nil {
		return found, err
	}
	found.Name, found.App, found.Scopes, found.ExpiresAt = k.Name, k.AppID, k.Scopes, k.ExpiresAt
	a, err := c.App(ctx, k.AppID)
	if err == nil {
		found.App = a.Name + " (" + a.ID + ")"
	} else if !tellsNothing(err) {
		return found, err
	}
	return found, nil
}

// tellsNothing reports whether a server answered that this credential may not read such things: it works, and that is all.
func tellsNothing(err error) bool {
	var problem *lanyard.ProblemError
	return errors.As(err, &problem) && (problem.Code == string(fault.InsufficientScope) || problem.Code == string(fault.NotFound))
}
