package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	strict "github.com/go-json-experiment/json"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/outbound"
)

// Bounds of client id metadata documents (draft-ietf-oauth-client-id-metadata-document, PROTOCOLS).
const (
	maxDocument      = 5 << 10
	minDocumentFresh = 5 * time.Minute
	maxDocumentFresh = 24 * time.Hour
)

// client finds the app of a client id. One that is the address of a metadata document is read there, when it is new to us or
// what we read is no longer fresh; a document that cannot be read is no client, and is not remembered as none. Anybody may bring an
// address, and a new one becomes an app: how many do is limited by the network that asks and by the document's host.
func (s *Server) client(ctx context.Context, clientID string, from netip.Addr) (*app.App, error) {
	a, err := s.Verifier.Client(ctx, clientID)
	if err != nil || !strings.HasPrefix(clientID, "https://") {
		return a, err
	}
	if a != nil && (a.Origin != app.ByAddress || a.DocumentFresh(s.Now())) {
		return a, nil
	}
	if err := checkDocumentAddress(clientID); err != nil {
		return nil, err
	}
	if a != nil {
		return s.bringIn(ctx, clientID, a)
	}
	u, err := url.Parse(clientID)
	if err != nil {
		return nil, err
	}
	back, err := s.Gate.Guess("document", from, strings.ToLower(u.Hostname()))
	if err != nil {
		return nil, err
	}
	if a, err = s.bringIn(ctx, clientID, nil); err != nil {
		back() // nothing came of it
	}
	return a, err
}

// bringIn reads the document at an address and makes its app, or brings the one there is up to date.
func (s *Server) bringIn(ctx context.Context, address string, there *app.App) (*app.App, error) {
	body, fresh, err := s.fetchDocument(ctx, address)
	if err != nil {
		return nil, err
	}
	reg, err := s.readDocument(ctx, address, body)
	if err != nil {
		return nil, err
	}
	return s.keepDocument(ctx, address, there, reg, documentDigest(body), s.Now().Add(fresh))
}

// checkDocumentAddress: https, with a path, without fragment, user, dot segments or a query that would make it many.
func checkDocumentAddress(text string) error {
	bad := fail(invalidRequest, "client_id is an address, but not one of a client id metadata document: https, with a path, and nothing odd")
	u, err := url.Parse(text)
	if err != nil || len(text) > 500 || u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Contains(text, "#") || u.Path == "" || u.Path == "/" {
		return bad
	}
	if err := app.CheckWebAddress(text); err != nil {
		return bad
	}
	for segment := range strings.SplitSeq(strings.ToLower(u.EscapedPath()), "/") {
		plain := strings.ReplaceAll(segment, "%2e", ".")
		if plain == "." || plain == ".." {
			return bad
		}
	}
	return nil
}

func (s *Server) fetchDocument(ctx context.Context, address string) ([]byte, time.Duration, error) {
	bad := fail(invalidRequest, "client_id is the address of a document that could not be read as JSON")
	answer, err := s.Outbound.Get(ctx, address, outbound.GetOptions{Accept: "application/json", MaxBytes: maxDocument})
	if err != nil {
		// Whoever asks learns nothing of what is behind a name that we can see and they cannot.
		s.Log.InfoContext(ctx, "a client id metadata document could not be read", "address", address, "error", err)
		return nil, 0, bad
	}
	if answer.Status != http.StatusOK || !strings.Contains(answer.Header.Get("Content-Type"), "json") {
		return nil, 0, bad
	}
	return answer.Body, freshFor(answer.Header), nil
}

// freshFor is how long a document counts by its own headers, within bounds.
func freshFor(h http.Header) time.Duration {
	fresh := minDocumentFresh
	for directive := range strings.SplitSeq(h.Get("Cache-Control"), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		if strings.EqualFold(name, "max-age") {
			if seconds, err := strconv.Atoi(value); err == nil {
				fresh = time.Duration(seconds) * time.Second
			}
		}
		if strings.EqualFold(name, "no-store") || strings.EqualFold(name, "no-cache") {
			return minDocumentFresh
		}
	}
	return min(max(fresh, minDocumentFresh), maxDocumentFresh)
}

// readDocument checks a document like a registration, and that it is about its own address.
func (s *Server) readDocument(ctx context.Context, address string, body []byte) (*registration, error) {
	var told struct {
		ClientID string          `json:"client_id"`
		Secret   json.RawMessage `json:"client_secret"`
		Expires  json.RawMessage `json:"client_secret_expires_at"`
	}
	if err := strict.Unmarshal(body, &told); err != nil || told.ClientID != address {
		return nil, fail(invalidRequest, "client_id is not what the document at that address says it is")
	}
	if len(told.Secret) > 0 || len(told.Expires) > 0 {
		return nil, fail(invalidRequest, "client_id is the address of a document that holds a secret, which everybody can read")
	}
	reg, err := parseRegistration(body)
	if err != nil {
		return nil, err
	}
	if reg.AuthMethod == "" {
		reg.AuthMethod = app.AuthNone
	}
	if reg.AuthMethod != app.AuthNone && reg.AuthMethod != app.AuthPrivateKeyJWT {
		return nil, fail(invalidRequest, "client_id is the address of a document whose token_endpoint_auth_method needs a secret")
	}
	err = s.checkRegistration(ctx, reg)
	var wrong *failure
	if errors.As(err, &wrong) {
		err = fail(invalidRequest, "client_id is the address of a document that is not valid: %s", wrong.Detail)
	}
	return reg, err
}

// keepDocument makes the app of a document, or brings it up to date.
func (s *Server) keepDocument(ctx context.Context, address string, there *app.App, reg *registration, digest string, until time.Time) (*app.App, error) {
	now := s.Now().UTC().Truncate(time.Microsecond)
	actor := audit.Actor{Label: "cimd"}
	apply := func(a *app.App) error {
		reg.apply(a)
		a.Document, a.DocumentUntil = digest, until
		return a.Validate()
	}
	if there == nil {
		team, err := s.Apps.RegisteredTeam(ctx, now)
		if err != nil {
			return nil, err
		}
		appID, err := id.NewFrom[id.App](s.Random)
		if err != nil {
			return nil, err
		}
		a := &app.App{ID: appID, Team: team, Origin: app.ByAddress, ClientURL: address, CreatedAt: now}
		if err := apply(a); err != nil {
			return nil, fail(invalidRequest, "client_id is the address of a document that is not valid: %s", detail(err))
		}
		_, err = s.Apps.CreateApp(ctx, a, actor.New(now, "app.register", string(a.ID), team, map[string]string{"document": address}))
		if err == nil {
			return a, nil
		}
		if !fault.Is(err, fault.Conflict) {
			return nil, err
		}
		if there, err = s.Apps.AppByAddress(ctx, address); err != nil { // somebody else read it at the same moment
			return nil, err
		}
	}
	if !there.DisabledAt.IsZero() || !there.DeletedAt.IsZero() {
		return nil, nil //nolint:nilnil // no such client
	}
	updated, _, err := s.Apps.UpdateApp(ctx, audit.ServerReach(), there.ID, actor.New(now, "app.document", string(there.ID), there.Team, map[string]string{"document": address}), apply)
	return updated, err
}
