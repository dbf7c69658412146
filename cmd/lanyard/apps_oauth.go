package main

import (
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard"
)

// oauthFlags are what `apps create` and `apps update` say of an app as an OAuth client.
type oauthFlags struct {
	redirects, grants, scopes, required, logouts []string
	method, jwks                                 string
	firstParty                                   bool
}

func (f *oauthFlags) flags(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&f.redirects, "redirect-uri", nil, "where users come back to after they signed in; exact; may be repeated")
	cmd.Flags().StringSliceVar(&f.grants, "grant", nil, "grant type: authorization_code, refresh_token, client_credentials, device_code, token-exchange, jwt-bearer; may be repeated")
	cmd.Flags().StringSliceVar(&f.scopes, "scope", nil, "the most it may ask for; may be repeated")
	cmd.Flags().StringSliceVar(&f.required, "required-scope", nil, "without which it is of no use: users cannot untick it; may be repeated")
	cmd.Flags().BoolVar(&f.firstParty, "first-party", false, "your own app: users are not asked (admins only)")
	cmd.Flags().StringVar(&f.method, "auth-method", "", "how it proves itself: client_secret_basic, client_secret_post, private_key_jwt or none")
	cmd.Flags().StringVar(&f.jwks, "jwks", "", "file with its public keys, a JWK Set")
	cmd.Flags().StringSliceVar(&f.logouts, "logout-uri", nil, "where users may come back to after they signed out; may be repeated")
}

// longGrant is the grant type of a name: some have an address for one (RFC 8628, 8693, 7523).
func longGrant(name string) string {
	switch name {
	case "device_code", "token-exchange", "jwt-bearer":
		return "urn:ietf:params:oauth:grant-type:" + name
	}
	return name
}

// patch is what the flags that were set say.
func (f *oauthFlags) patch(cmd *cobra.Command) (lanyard.OAuthPatch, error) {
	patch := lanyard.OAuthPatch{
		RedirectURIs: givenList(cmd, "redirect-uri", f.redirects), Scopes: givenList(cmd, "scope", f.scopes), RequiredScopes: givenList(cmd, "required-scope", f.required),
		PostLogoutRedirectURIs: givenList(cmd, "logout-uri", f.logouts), FirstParty: given(cmd, "first-party", f.firstParty),
		TokenEndpointAuthMethod: given(cmd, "auth-method", f.method),
	}
	if list := givenList(cmd, "grant", f.grants); list != nil {
		long := make([]string, 0, len(*list))
		for _, name := range *list {
			long = append(long, longGrant(name))
		}
		patch.GrantTypes = &long
	}
	if cmd.Flags().Changed("jwks") {
		keys, err := readJWKS(f.jwks)
		if err != nil {
			return patch, err
		}
		patch.JWKS = &keys
	}
	return patch, nil
}

// givenList is a list if its flag was set. One empty value is an empty list: --redirect-uri "" takes all away.
func givenList(cmd *cobra.Command, flag string, list []string) *[]string {
	if !cmd.Flags().Changed(flag) {
		return nil
	}
	list = slices.DeleteFunc(slices.Clone(list), func(item string) bool { return item == "" })
	if list == nil {
		list = []string{}
	}
	return &list
}

// maxJWKS is more than any set of public keys has, in bytes.
const maxJWKS = 64 << 10

// readJWKS reads public keys; "" is none. What they must be is the server's to say.
func readJWKS(path string) (json.RawMessage, error) {
	if path == "" {
		return json.RawMessage("{}"), nil
	}
	file, err := os.Open(path) // #nosec G304 -- the path is what the caller names
	if err != nil {
		return nil, usage("--jwks cannot be read: %s", err)
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxJWKS+1))
	if err != nil {
		return nil, usage("--jwks cannot be read: %s", err)
	}
	if len(text) > maxJWKS || !json.Valid(text) {
		return nil, usage("--jwks %s is no JSON of at most %d bytes: it wants a JWK Set of public keys", path, maxJWKS)
	}
	return text, nil
}

// settings are the same for a new app.
func (f *oauthFlags) settings(cmd *cobra.Command) (lanyard.OAuthSettings, error) {
	patch, err := f.patch(cmd)
	settings := lanyard.OAuthSettings{FirstParty: f.firstParty, TokenEndpointAuthMethod: f.method}
	for to, from := range map[*[]string]*[]string{
		&settings.RedirectURIs: patch.RedirectURIs, &settings.GrantTypes: patch.GrantTypes, &settings.Scopes: patch.Scopes,
		&settings.RequiredScopes: patch.RequiredScopes, &settings.PostLogoutRedirectURIs: patch.PostLogoutRedirectURIs,
	} {
		if from != nil {
			*to = *from
		}
	}
	if patch.JWKS != nil {
		settings.JWKS = *patch.JWKS
	}
	return settings, err
}

func oauthPairs(app lanyard.App) []string {
	first := ""
	if app.FirstParty {
		first = "yes"
	}
	return []string{
		"registered by", app.Origin, "redirect URIs", strings.Join(app.RedirectURIs, " "), "grant types", strings.Join(app.GrantTypes, " "),
		"proves itself by", app.TokenEndpointAuthMethod, "scopes", strings.Join(app.Scopes, " "), "required scopes", strings.Join(app.RequiredScopes, " "),
		"first party", first, "logout URIs", strings.Join(app.PostLogoutRedirectURIs, " "),
	}
}

func (p *program) appsSecrets() *cobra.Command {
	return parent(&cobra.Command{
		Use:   "secrets",
		Short: "Client secrets: what an app proves at the token endpoint that it is itself with",
		Long: `A client secret opens the token endpoint and nothing else. It has a key's life: rotate, disable and
revoke it with "lanyard keys".`,
	}, p.secretsCreate(), p.secretsList())
}

func (p *program) secretsCreate() *cobra.Command {
	var in lanyard.SecretInput
	var expires string
	var h handOver
	cmd := &cobra.Command{
		Use:     "create APP",
		Short:   "Make a client secret and show it once",
		Example: "  lanyard apps secrets create PostPal --save POSTPAL_CLIENT_SECRET\n  lanyard apps secrets create PostPal --name blue --expires 90d",
		Args:    takes("APP"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if expires != "" {
				if in.ExpiresAt, err = moment("--expires", expires, p.now()); err != nil {
					return err
				}
			}
			c, err := p.client()
			if err != nil {
				return err
			}
			app, err := findApp(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			if err := h.prepare(""); err != nil {
				return err
			}
			made, err := c.CreateSecret(cmd.Context(), app.ID, in)
			if err != nil {
				return err
			}
			return p.give(cmd.Context(), &h, issued{
				title: "Created the client secret " + cell(made.Name) + " (" + made.ID + ") of " + cell(app.Name) + ".", id: made.ID, secret: lanyard.NewSecret(made.Secret),
				ifStolen: cell(made.IfStolen), notes: []string{"The client id is " + app.ClientID + "."}, answer: made, public: withoutSecret(made),
			})
		},
	}
	cmd.Flags().StringVar(&in.Name, "name", "", "what you call it (default: client secret)")
	cmd.Flags().StringVar(&in.Mode, "mode", "", "live (default) or test")
	cmd.Flags().StringVar(&expires, "expires", "", "when it ends: 2026-12-31, 90d, 12h or RFC 3339 (default: never)")
	h.flags(cmd)
	return cmd
}

func (p *program) secretsList() *cobra.Command {
	return &cobra.Command{
		Use:     "list APP",
		Short:   "List an app's client secrets, newest first",
		Example: "  lanyard apps secrets list PostPal",
		Args:    takes("APP"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.client()
			if err != nil {
				return err
			}
			app, err := findApp(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			secrets, rows := []lanyard.Key{}, [][]string{}
			for k, err := range c.AllKeys(cmd.Context(), lanyard.KeyQuery{AppID: app.ID, Kind: "cs", ListQuery: biggest()}) {
				if err != nil {
					return err
				}
				secrets, rows = append(secrets, k), append(rows, []string{k.ID, k.Name, k.Mode, k.Status, when(k.CreatedAt), whenever(k.ExpiresAt)})
			}
			if p.asJSON() {
				return p.json(secrets)
			}
			return p.table([]string{"ID", "NAME", "MODE", "STATUS", "MADE", "EXPIRES"}, rows)
		},
	}
}
