package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/server"
	"github.com/lanyard-auth/lanyard/internal/token"
)

// The two APIs of the badge differ in the format of their tokens.
const (
	formatJWT    = "jwt"
	formatOpaque = "opaque"
)

func scopeOf(format string) string    { return format + ".read" }
func audienceOf(format string) string { return "https://" + format + ".test" }

const (
	callback = "https://client.test/callback"
	verifier = "a-verifier-of-forty-three-characters-at-the-least"
)

// badge is a database for measuring tokens, and who asks for them.
type badge struct {
	core    *server.Core
	minter  *token.Minter
	asker   string // a credential with lanyard.verify
	clients []*client
}

// client is an app with a secret and a user who let it do everything.
type client struct {
	app    id.App
	secret string
	user   id.User
	grant  id.Grant
}

// seedBadge makes a database with so many clients. The caller closes its core.
func seedBadge(ctx context.Context, settings config.Settings, clients int) (_ *badge, err error) {
	core, err := server.Open(ctx, settings, server.Options{})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, core.Close())
		}
	}()
	b := &badge{core: core, minter: &token.Minter{Keys: core.Ring, Issuer: settings.PublicURL, Now: time.Now}}
	actor := audit.Command("bench")
	system, err := core.Manage.CreateSystemKey(ctx, actor, "bench", []string{"lanyard.verify"})
	if err != nil {
		return nil, err
	}
	b.asker = system.Secret
	apis := map[string]lanyard.API{}
	for _, format := range []string{formatJWT, formatOpaque} {
		apis[format] = lanyard.API{
			Identifier: audienceOf(format), Takes: "token", Metering: "none", Token: &lanyard.TokenRules{Format: format},
			Scopes: map[string]lanyard.Scope{scopeOf(format): {Text: "read " + format}},
		}
	}
	if _, err := core.Manage.ApplyCatalog(ctx, actor, lanyard.Catalog{APIs: apis}, false); err != nil {
		return nil, err
	}
	team, err := core.Manage.CreateTeam(ctx, actor, lanyard.TeamInput{Name: "Sunny"})
	if err != nil {
		return nil, err
	}
	for i := range clients {
		c, err := b.newClient(ctx, actor, team.ID, i)
		if err != nil {
			return nil, fmt.Errorf("make client %d: %w", i, err)
		}
		b.clients = append(b.clients, c)
	}
	return b, nil
}

func (b *badge) newClient(ctx context.Context, actor audit.Actor, team string, i int) (*client, error) {
	name := fmt.Sprintf("client-%d", i)
	scopes := []string{scopeOf(formatJWT), scopeOf(formatOpaque)}
	a, err := b.core.Manage.CreateApp(ctx, actor, lanyard.AppInput{Name: name, TeamID: team, OAuthSettings: lanyard.OAuthSettings{
		RedirectURIs: []string{callback}, GrantTypes: []string{"authorization_code", "refresh_token", "client_credentials"}, Scopes: scopes, RefreshRotation: "always",
	}})
	if err != nil {
		return nil, err
	}
	made, err := b.core.Manage.CreateSecret(ctx, actor, a.ID, lanyard.SecretInput{})
	if err != nil {
		return nil, err
	}
	u, err := b.core.Manage.CreateUser(ctx, actor, lanyard.UserInput{Email: name + "@bench.test", Name: name})
	if err != nil {
		return nil, err
	}
	now := time.Now()
	g, err := b.core.Store.Allow(ctx, &grant.Grant{ID: id.New[id.Grant](), User: id.User(u.ID), App: id.App(a.ID), Scopes: scopes, CreatedAt: now, UpdatedAt: now},
		actor.New(now, "grant.allow", a.ID, id.Team(team), nil))
	if err != nil {
		return nil, err
	}
	return &client{app: id.App(a.ID), secret: made.Secret, user: g.User, grant: g.ID}, nil
}

// issue is what the client's user allowed for the API of a format.
func issue(format string) grant.Issue {
	return grant.Issue{Scopes: []string{scopeOf(format)}, API: format, Audience: audienceOf(format), AuthTime: time.Now().Unix()}
}

// code is an authorization code as the login would leave it: to be redeemed within a minute.
func (b *badge) code(ctx context.Context, c *client, format string) (string, error) {
	now := time.Now()
	browser := []byte(id.New[id.Session]())
	request := &grant.Request{ID: id.New[id.Request](), App: c.app, Browser: browser, CreatedAt: now, ExpiresAt: now.Add(grant.RequestLife)}
	if err := b.core.Store.SaveRequest(ctx, request); err != nil {
		return "", err
	}
	codeID := id.New[id.Code]()
	text, err := secret.New("lyd", secret.Code, secret.Live, id.Chars(codeID), rand.Reader)
	if err != nil {
		return "", err
	}
	pepper, digest := b.core.Ring.MAC(text.Reveal())
	issue := issue(format)
	challenge := sha256.Sum256([]byte(verifier))
	issue.RedirectURI, issue.RedirectGiven, issue.Challenge = callback, true, base64.RawURLEncoding.EncodeToString(challenge[:])
	won, err := b.core.Store.IssueCode(ctx, request.ID, browser, &grant.Code{
		ID: codeID, Digest: digest[:], Pepper: pepper, App: c.app, User: c.user, Grant: c.grant, Issue: issue, CreatedAt: now, ExpiresAt: now.Add(grant.CodeLife),
	})
	if err == nil && !won {
		err = errors.New("the request of the code is gone")
	}
	return text.Reveal(), err
}

// mint makes an access token under the client's grant, as the server would.
func (b *badge) mint(ctx context.Context, c *client, format string) (string, error) {
	chars, err := id.Base62(rand.Reader, id.Length)
	if err != nil {
		return "", err
	}
	family := id.New[id.Family]()
	issue := issue(format)
	now := time.Now().UTC().Truncate(time.Second)
	claims := token.Claims{
		ID: chars, App: c.app, Grant: c.grant, Family: id.Chars(family), User: c.user, Subject: string(c.user), Audience: issue.Audience, Scopes: issue.Scopes,
		Mode: secret.Live, IssuedAt: now, ExpiresAt: now.Add(time.Hour), AuthTime: now,
	}
	var text secret.Secret
	if format == formatOpaque {
		text, err = b.minter.Opaque(&claims, "lyd")
	} else {
		text, err = b.minter.JWT(ctx, &claims, "ES256")
	}
	return text.Reveal(), err
}
