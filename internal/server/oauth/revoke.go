package oauth

import (
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/policy"
)

// revoke is POST /oauth/revoke (RFC 7009): an app ends a token of its own. A token that is unknown or over is no error: it is
// of no use, which is what was wanted. One of another app is left alone, and that is said. A database that does not answer
// is a 503, never a success (SECURITY-CASES 48).
func (s *Server) revoke(w http.ResponseWriter, r *http.Request) error {
	p, err := s.form(w, r)
	if err != nil {
		return err
	}
	c, err := s.authenticate(r, p)
	if err != nil {
		return err
	}
	text := p.get("token")
	if text == "" {
		return fail(invalidRequest, "token is missing")
	}
	if err := s.revokeToken(r, c, text); err != nil {
		return err
	}
	// Who asked may look at once whether it worked. That this node cannot look now undoes nothing: other nodes learn of it too.
	_ = s.Sync(r.Context())
	w.Header()["Cache-Control"] = []string{"no-store"}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Server) revokeToken(r *http.Request, c *caller, text string) error {
	ctx, a, now := r.Context(), c.app, s.Now().UTC().Truncate(time.Microsecond)
	actor := audit.Actor{Label: string(a.ID), App: a.ID}
	foreign := fail(unauthorizedClient, "this token belongs to another client")
	otherMode := fail(unauthorizedClient, "this token is of the other mode than the client's secret")
	f, _, err := s.chain(ctx, text)
	if err != nil {
		return err
	}
	if f != nil {
		switch {
		case f.App != a.ID:
			return foreign
		case f.Mode != c.mode:
			return otherMode
		case now.After(f.IdleAt.Add(maxLife)):
			return nil // and so is every token under it
		}
		_, err = s.Chains.RevokeFamily(ctx, f.ID, actor.New(now, "family.revoke", string(f.ID), a.Team, map[string]string{"grant": string(f.Grant)}))
		return err
	}
	if !strings.Contains(text, "_at_") && strings.Count(text, ".") != 2 {
		return nil
	}
	state, err := s.Verifier.Token(ctx, text, netip.Addr{})
	if err != nil {
		return err
	}
	switch {
	case state.Claims.ID == "":
		return nil
	case state.Claims.App != a.ID:
		return foreign
	case state.Claims.Mode != c.mode:
		return otherMode
	case state.Code == policy.Expired:
		return nil
	}
	// The access token alone: its chain goes on, as the app asked.
	token := id.Of[id.Token](state.Claims.ID)
	_, err = s.Grants.RevokeToken(ctx, token, state.Claims.ExpiresAt.Add(5*time.Minute), actor.New(now, "token.revoke", string(token), a.Team, nil))
	return err
}
