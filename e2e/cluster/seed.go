package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lanyard-auth/lanyard"
)

// seed makes an API, an app and a key of it, by way of nginx like everybody.
func (c *cluster) seed(ctx context.Context) (lanyard.NewKey, error) {
	client, err := lanyard.NewClient(c.url, c.token)
	if err != nil {
		return lanyard.NewKey{}, err
	}
	if _, err := client.ApplyCatalog(ctx, lanyard.Catalog{APIs: map[string]lanyard.API{"weather": {Takes: "key"}}}, false); err != nil {
		return lanyard.NewKey{}, err
	}
	team, err := client.CreateTeam(ctx, lanyard.TeamInput{Name: "Sunny"})
	if err != nil {
		return lanyard.NewKey{}, err
	}
	app, err := client.CreateApp(ctx, lanyard.AppInput{
		Name: "WeatherDashboard", TeamID: team.ID, Limits: []lanyard.Limit{{Name: "minute", Limit: 1_000_000, WindowSeconds: 60}},
	})
	if err != nil {
		return lanyard.NewKey{}, err
	}
	return client.CreateKey(ctx, app.ID, lanyard.KeyInput{Name: "cluster"})
}

// save puts what may not stand in anybody's arguments into files that only their owner reads: the management key, and a
// decision about a key as a configuration of curl.
func (c *cluster) save(key lanyard.NewKey) error {
	ask, err := json.Marshal(lanyard.VerifyRequest{Credential: key.Secret, API: "weather"})
	if err != nil {
		return err
	}
	verify := fmt.Sprintf("url = %q\nheader = %q\nheader = \"Content-Type: application/json\"\ndata = %q\n", c.url+"/v1/verify", "Authorization: Bearer "+c.token, ask)
	return errors.Join(
		os.WriteFile(filepath.Join(c.dir, "token"), []byte(c.token+"\n"), 0o600),
		os.WriteFile(filepath.Join(c.dir, "verify.curl"), []byte(verify), 0o600),
	)
}
