package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/server"
)

// service is an app that gets tokens for itself, and the credential of a guard.
type service struct{ id, secret, guard string }

// gated declares an API behind the doors, with two limits that are never reached, and one of which nothing is counted. It makes an app for the
// first, and a credential for who guards them and follows the log of changes.
func gated(ctx context.Context, where config.Settings, upstream string) (s service, err error) {
	core, err := server.Open(ctx, where, server.Options{})
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, core.Close()) }()
	actor := audit.Command("bench")
	api := lanyard.API{
		Takes: "either", Upstream: upstream, Routes: []lanyard.Route{{Prefix: "/gated", StripPrefix: true}}, Scopes: map[string]lanyard.Scope{"gate.read": {Text: "read behind the gate"}},
		Operations: map[string]lanyard.Operation{"GET /v1/forecast": {}},
		Plans:      map[string]lanyard.Plan{"free": {Default: true, Limits: []string{"100000000/second", "1000000000/minute"}}},
	}
	free := lanyard.API{Takes: "key", Metering: "none", Operations: map[string]lanyard.Operation{"GET /v1/forecast": {}}}
	if _, err := core.Manage.ApplyCatalog(ctx, actor, lanyard.Catalog{APIs: map[string]lanyard.API{"gated": api, "free": free}}, false); err != nil {
		return s, err
	}
	team, err := core.Manage.CreateTeam(ctx, actor, lanyard.TeamInput{Name: "Gate"})
	if err != nil {
		return s, err
	}
	app, err := core.Manage.CreateApp(ctx, actor, lanyard.AppInput{
		Name: "service", TeamID: team.ID, OAuthSettings: lanyard.OAuthSettings{GrantTypes: []string{"client_credentials"}, Scopes: []string{"gate.read"}},
	})
	if err != nil {
		return s, err
	}
	secret, err := core.Manage.CreateSecret(ctx, actor, app.ID, lanyard.SecretInput{Name: "bench"})
	if err != nil {
		return s, err
	}
	system, err := core.Manage.CreateSystemKey(ctx, actor, "guard", []string{"lanyard.verify", "lanyard.changes.read"})
	return service{app.ID, secret.Secret, system.Secret}, err
}

func (s service) token(ctx context.Context, address string) (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {s.id}, "client_secret": {s.secret}, "scope": {"gate.read"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var said struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&said); err != nil || said.Token == "" {
		return "", fmt.Errorf("no access token: %s, %w", res.Status, err)
	}
	return said.Token, nil
}
