package oauth

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	strict "github.com/go-json-experiment/json"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/outbound"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// registrationScope is what an initial access token has to hold where registration asks for one.
const registrationScope = "lanyard.apps.write"

// register is POST /oauth/register (RFC 7591): a client makes itself known. What it gets is no more than what any app may
// ask users for, and none of this server's own scopes.
func (s *Server) register(w http.ResponseWriter, r *http.Request) error {
	if err := s.mayRegister(r); err != nil {
		return err
	}
	reg, err := s.readRegistrationBody(w, r)
	if err != nil {
		return err
	}
	if err := s.checkRegistration(r.Context(), reg); err != nil {
		return err
	}
	now := s.Now().UTC().Truncate(time.Microsecond)
	team, err := s.Apps.RegisteredTeam(r.Context(), now)
	if err != nil {
		return err
	}
	appID, err := id.NewFrom[id.App](s.Random)
	if err != nil {
		return err
	}
	a := &app.App{ID: appID, Team: team, Origin: app.DCR, CreatedAt: now}
	reg.apply(a)
	if err := a.Validate(); err != nil {
		return fail(invalidMetadata, "%s", detail(err))
	}
	manage, err := s.newManageToken(a)
	if err != nil {
		return err
	}
	if s.Registration == "open" {
		// Anybody may come, and each leaves a row: so many from one network, whoever they say they are.
		if err := s.Gate.Try("register", s.Kit.Client(r), string(a.ID)); err != nil {
			return err
		}
	}
	actor := audit.Actor{Label: "dcr"}
	if _, err := s.Apps.CreateApp(r.Context(), a, actor.New(now, "app.register", string(a.ID), team, map[string]string{"name": a.Name})); err != nil {
		return err
	}
	clientSecret, err := s.newClientSecret(r.Context(), a, actor, now)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, s.registered(a, clientSecret, manage.Reveal()))
}

// mayRegister says whether whoever asks may register: anybody, who holds an initial access token, or nobody.
func (s *Server) mayRegister(r *http.Request) error {
	switch s.Registration {
	case "open":
		return nil
	case "token":
		scheme, credential, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return &failure{Code: invalidToken, Status: http.StatusUnauthorized, Bearer: "Bearer", Detail: "registration needs an initial access token"}
		}
		actor, err := s.Verifier.Asker(r.Context(), credential, "", s.Kit.Client(r))
		if fault.Is(err, fault.Unauthenticated) {
			return &failure{Code: invalidToken, Status: http.StatusUnauthorized, Bearer: "Bearer", Detail: "the initial access token is not good"}
		}
		if err != nil {
			return err
		}
		view, err := s.Verifier.Catalog(r.Context())
		if err != nil {
			return err
		}
		if !view.Management().Scopes.Covers(actor.Scopes, registrationScope, actor.Reach.Server()) {
			return &failure{Code: insufficientScope, Status: http.StatusForbidden, Bearer: "Bearer", Detail: "the initial access token needs the scope " + registrationScope}
		}
		return nil
	}
	return &failure{Code: accessDenied, Status: http.StatusForbidden, Detail: "clients cannot register themselves here: ask whoever runs this server for a client"}
}

// newClientSecret makes the secret of an app that uses one; empty for others.
func (s *Server) newClientSecret(ctx context.Context, a *app.App, actor audit.Actor, now time.Time) (string, error) {
	if a.OAuth.AuthMethod != app.AuthBasic && a.OAuth.AuthMethod != app.AuthPost {
		return "", nil
	}
	keyID, err := id.NewFrom[id.Key](s.Random)
	if err != nil {
		return "", err
	}
	prefix := s.Prefix()
	text, err := secret.New(prefix, secret.Client, secret.Live, id.Chars(keyID), s.Random)
	if err != nil {
		return "", err
	}
	pepper, digest := s.Ring.MAC(text.Reveal())
	k := &key.Key{
		ID: keyID, App: a.ID, Team: a.Team, Name: "registered", Kind: secret.Client, Mode: secret.Live, Prefix: prefix, CreatedAt: now,
		Versions: []key.Version{{Number: 1, Digest: digest[:], Scheme: key.SchemeMAC, Pepper: pepper, CreatedAt: now}},
	}
	_, err = s.Keys.CreateKeys(ctx, []*key.Key{k}, actor.New(now, "key.create", string(keyID), a.Team, map[string]string{"kind": string(secret.Client)}))
	return text.Reveal(), err
}

// newManageToken gives the app the token that its registration is managed with (RFC 7592).
func (s *Server) newManageToken(a *app.App) (secret.Secret, error) {
	_, text, err := secret.NewTicket(s.Random)
	if err != nil {
		return secret.Secret{}, err
	}
	pepper, digest := s.Ring.MAC(manageText(text.Reveal()))
	a.ManagePepper, a.ManageDigest = pepper, digest[:]
	return text, nil
}

func manageText(token string) string { return "registration\x00" + token }

// managed finds the app that a registration access token manages. An app that is gone, another's token and none are the
// same (RFC 7592 section 2).
func (s *Server) managed(r *http.Request) (*app.App, error) {
	refused := &failure{Code: invalidToken, Status: http.StatusUnauthorized, Bearer: "Bearer", Detail: "this needs the registration access token of the client"}
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	appID, err := id.Parse[id.App](r.PathValue("app"))
	if err != nil || !strings.EqualFold(scheme, "Bearer") {
		return nil, refused
	}
	a, err := s.Apps.App(r.Context(), audit.ServerReach(), appID)
	if fault.Is(err, fault.NotFound) {
		return nil, refused
	}
	if err != nil {
		return nil, err
	}
	if a.Origin != app.DCR || !a.DisabledAt.IsZero() || !s.matches(r.Context(), a.ManagePepper, a.ManageDigest, manageText(text)) {
		return nil, refused
	}
	return a, nil
}

// readRegistration is GET /oauth/register/{app} (RFC 7592 section 2.1).
func (s *Server) readRegistration(w http.ResponseWriter, r *http.Request) error {
	a, err := s.managed(r)
	if err != nil {
		return err
	}
	_, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return writeJSON(w, http.StatusOK, s.registered(a, "", text))
}

// updateRegistration is PUT /oauth/register/{app}: what is sent replaces what there is (RFC 7592 section 2.2).
func (s *Server) updateRegistration(w http.ResponseWriter, r *http.Request) error {
	a, err := s.managed(r)
	if err != nil {
		return err
	}
	reg, err := s.readRegistrationBody(w, r)
	if err != nil {
		return err
	}
	if reg.ClientID != string(a.ID) {
		return fail(invalidMetadata, "client_id must be the client's")
	}
	if err := s.checkRegistration(r.Context(), reg); err != nil {
		return err
	}
	now := s.Now().UTC().Truncate(time.Microsecond)
	actor := audit.Actor{Label: string(a.ID), App: a.ID}
	updated, _, err := s.Apps.UpdateApp(r.Context(), audit.ServerReach(), a.ID, actor.New(now, "app.update", string(a.ID), a.Team, nil), func(a *app.App) error {
		method := a.OAuth.AuthMethod
		reg.apply(a)
		if method != a.OAuth.AuthMethod && (a.OAuth.AuthMethod == app.AuthBasic || a.OAuth.AuthMethod == app.AuthPost) != (method == app.AuthBasic || method == app.AuthPost) {
			return fail(invalidMetadata, "token_endpoint_auth_method cannot change between a secret and none: register anew")
		}
		return a.Validate()
	})
	if err != nil {
		return err
	}
	_, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return writeJSON(w, http.StatusOK, s.registered(updated, "", text))
}

// deleteRegistration is DELETE /oauth/register/{app}: every grant and token of the client ends with it.
func (s *Server) deleteRegistration(w http.ResponseWriter, r *http.Request) error {
	a, err := s.managed(r)
	if err != nil {
		return err
	}
	now := s.Now().UTC().Truncate(time.Microsecond)
	actor := audit.Actor{Label: string(a.ID), App: a.ID}
	_, _, err = s.Apps.UpdateApp(r.Context(), audit.ServerReach(), a.ID, actor.New(now, "app.delete", string(a.ID), a.Team, nil), func(a *app.App) error {
		a.DeletedAt = now
		return nil
	})
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// registration is a client's own description (RFC 7591 section 2, OpenID Connect Registration section 2).
type registration struct {
	ClientID  string   `json:"client_id,omitempty"`
	Name      string   `json:"client_name,omitempty"`
	URI       string   `json:"client_uri,omitempty"`
	Scope     string   `json:"scope,omitempty"`
	Statement string   `json:"software_statement,omitempty"`
	EncAlg    string   `json:"id_token_encrypted_response_alg,omitempty"`
	EncUser   string   `json:"userinfo_encrypted_response_alg,omitempty"`
	EncTold   string   `json:"introspection_encrypted_response_alg,omitempty"` // RFC 9701 section 6
	EncObject string   `json:"request_object_encryption_alg,omitempty"`
	Responses []string `json:"response_types,omitempty"`
	app.OAuth
}

// registeredClient is the answer.
type registeredClient struct {
	registration
	Secret        string `json:"client_secret,omitempty"`
	SecretExpires *int64 `json:"client_secret_expires_at,omitempty"`
	IssuedAt      int64  `json:"client_id_issued_at,omitempty"`
	ManageToken   string `json:"registration_access_token,omitempty"`
	ManageURI     string `json:"registration_client_uri,omitempty"`
}

func (s *Server) registered(a *app.App, clientSecret, manage string) registeredClient {
	out := registeredClient{
		registration: registration{ClientID: a.ClientID(), Name: a.Name, URI: a.HomepageURL, Scope: strings.Join(a.OAuth.Scopes, " "), Responses: []string{"code"}, OAuth: a.OAuth},
		Secret:       clientSecret, IssuedAt: a.CreatedAt.Unix(), ManageToken: manage, ManageURI: s.Issuer + "/oauth/register/" + string(a.ID),
	}
	out.OAuth.Scopes = nil
	if clientSecret != "" {
		out.SecretExpires = new(int64)
	}
	return out
}

func (s *Server) readRegistrationBody(w http.ResponseWriter, r *http.Request) (*registration, error) {
	body, err := s.Kit.ReadBody(w, r)
	if err != nil {
		return nil, fail(invalidMetadata, "%s", detail(err))
	}
	return parseRegistration(body)
}

// parseRegistration reads a description. Members that are not known are ignored (RFC 7591 section 2), those that only this
// server's own people may set are dropped.
func parseRegistration(body []byte) (*registration, error) {
	var reg registration
	if len(body) == 0 || strict.Unmarshal(body, &reg) != nil {
		return nil, fail(invalidMetadata, "the body is no JSON object with the members of a client's metadata")
	}
	reg.FirstParty, reg.Rotation, reg.RequiredScopes, reg.Scopes = false, "", nil, words(reg.Scope)
	return &reg, nil
}

// checkRegistration completes a description with its defaults and checks every member. Everything that is asked later is
// decided here: what was not registered is refused.
func (s *Server) checkRegistration(ctx context.Context, reg *registration) error {
	if reg.Statement != "" {
		return fail("unapproved_software_statement", "software statements are not taken here")
	}
	if reg.EncAlg+reg.EncUser+reg.EncTold+reg.EncObject != "" {
		return fail(invalidMetadata, "nothing is encrypted or decrypted here beyond TLS: leave out the members that ask for it")
	}
	if len(reg.GrantTypes) == 0 {
		reg.GrantTypes = []string{app.AuthorizationCode}
		if reg.AuthMethod == app.AuthNone {
			reg.GrantTypes = append(reg.GrantTypes, app.RefreshToken)
		}
	}
	if reg.AuthMethod == "" {
		reg.AuthMethod = app.AuthBasic
	}
	if reg.Name == "" {
		reg.Name = nameless(reg)
	}
	for _, kind := range reg.Responses {
		if kind != "code" {
			return fail(invalidMetadata, "response_types must be code")
		}
	}
	reg.IDTokenAlg = defaultTo(reg.IDTokenAlg, "RS256") // what silence means in OpenID Connect Registration section 2
	for _, grantType := range reg.GrantTypes {
		if grantType == app.TokenExchange || grantType == app.JWTBearer {
			return fail(invalidMetadata, "the grant type %s is not for clients that register themselves", short(grantType))
		}
	}
	if err := reg.OAuth.Check(); err != nil {
		if f := detail(err); strings.HasPrefix(f, "redirect_uris") {
			return fail(invalidRedirect, "%s", f)
		}
		return fail(invalidMetadata, "%s", detail(err))
	}
	if len(reg.JWKS) > 0 {
		if _, err := parseJWKS(reg.JWKS); err != nil {
			return err
		}
	}
	if err := s.checkFetched(ctx, reg); err != nil {
		return err
	}
	view, err := s.Verifier.Catalog(ctx)
	if err != nil {
		return err
	}
	return checkRegisteredScopes(view, reg)
}

func defaultTo(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}

// checkFetched refuses addresses that this server would fetch and must not (SECURITY-CASES 148), and reads the sector
// identifier, which has to list every redirect URI (OpenID Connect Registration section 5).
func (s *Server) checkFetched(ctx context.Context, reg *registration) error {
	for name, address := range map[string]string{"jwks_uri": reg.JWKSURI, "sector_identifier_uri": reg.SectorURI, "backchannel_logout_uri": reg.BackchannelURI, "logo_uri": reg.LogoURI} {
		if address == "" {
			continue
		}
		if err := s.Outbound.CheckURL(address); err != nil {
			return fail(invalidMetadata, "%s %s", name, detail(err))
		}
	}
	for _, address := range reg.RequestURIs {
		if err := s.Outbound.CheckURL(address); err != nil {
			return fail(invalidMetadata, "request_uris %s", detail(err))
		}
	}
	if reg.SectorURI == "" {
		return nil
	}
	answer, err := s.Outbound.Get(ctx, reg.SectorURI, outbound.GetOptions{Accept: "application/json", MaxBytes: maxDocument})
	if err != nil || answer.Status != http.StatusOK {
		return fail(invalidMetadata, "sector_identifier_uri could not be read")
	}
	var listed []string
	if strict.Unmarshal(answer.Body, &listed) != nil {
		return fail(invalidMetadata, "sector_identifier_uri holds no JSON list of addresses")
	}
	for _, uri := range reg.RedirectURIs {
		if !slices.Contains(listed, uri) {
			return fail(invalidMetadata, "sector_identifier_uri does not list every redirect URI")
		}
	}
	return nil
}

// checkRegisteredScopes: what any user may grant, and nothing of this server's own.
func checkRegisteredScopes(view *verify.CatalogView, reg *registration) error {
	for _, scope := range reg.Scopes {
		if isOpenID(scope) {
			continue
		}
		api := view.ByScope(scope)
		switch {
		case api == nil:
			return fail(invalidMetadata, "there is no scope %s", short(scope))
		case api.Policy == view.Management():
			return fail(invalidMetadata, "the scope %s is not for clients that register themselves", scope)
		}
		if declared := api.Policy.Scopes.Get(scope); declared.GrantableBy != "" && declared.GrantableBy != "everyone" {
			return fail(invalidMetadata, "the scope %s is not for clients that register themselves", scope)
		}
	}
	if slices.Contains(reg.GrantTypes, app.ClientCredentials) {
		return fail(invalidMetadata, "client_credentials is not for clients that register themselves")
	}
	return nil
}

// nameless is what a client is called that did not say.
func nameless(reg *registration) string {
	for _, address := range append([]string{reg.URI}, reg.RedirectURIs...) {
		if u, err := url.Parse(address); err == nil && u.Hostname() != "" {
			return u.Hostname()
		}
	}
	return "A client without a name"
}

// apply writes a description into an app. What its users are shown of it is its document: who allowed an app that then calls
// itself something else, or sends them elsewhere, is asked anew.
func (reg *registration) apply(a *app.App) {
	a.Name, a.HomepageURL, a.OAuth = clip(reg.Name, 100), reg.URI, reg.OAuth
	a.Document = documentDigest([]byte(strings.Join(slices.Concat([]string{a.Name, a.HomepageURL, a.OAuth.LogoURI, a.OAuth.PolicyURI, a.OAuth.TermsURI}, a.OAuth.RedirectURIs), "\n")))
	a.Type = app.Confidential
	if reg.AuthMethod == app.AuthNone {
		a.Type = app.Public
	}
}
