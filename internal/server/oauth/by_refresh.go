package oauth

import (
	"context"
	"crypto/hmac"
	"encoding/binary"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

func errRefresh() *failure {
	return fail(invalidGrant, "the refresh token is not one of this client's, or no longer good: the user has to log in again")
}

// byRefresh takes a chain one step on (DESIGN section 4): shape and MAC, then whose it is, then the key it is bound to, and
// only then the one statement that decides. A failed binding changes nothing.
func (s *Server) byRefresh(c *call) (*answer, error) {
	text := c.params.get("refresh_token")
	if text == "" {
		return nil, fail(invalidRequest, "refresh_token is missing")
	}
	f, counter, err := s.chain(c.ctx, text)
	if err != nil {
		return nil, err
	}
	if f == nil || f.App != c.caller.app.ID || f.Mode != c.caller.mode {
		return nil, errRefresh()
	}
	if f.Issue.JKT != "" && f.Issue.JKT != c.jkt {
		return nil, fail(invalidProof, "the refresh token is bound to another key")
	}
	scopes, err := narrowed(f.Issue.Scopes, c.params.list("scope"))
	if err != nil {
		return nil, err
	}
	if err := sameResource(&f.Issue, c.params.all("resource")); err != nil {
		return nil, err
	}
	g, err := s.Verifier.Grant(c.ctx, f.Grant)
	if err != nil {
		return nil, err
	}
	on, err := s.footing(c.ctx, c.caller.app, f.User, g)
	if err != nil {
		return nil, err
	}
	f, refresh, err := s.rotate(c, f, counter, text)
	if err != nil {
		return nil, err
	}
	access, err := s.access(c.ctx, &mint{footing: on, app: c.caller.app, mode: f.Mode, user: f.User, family: f.ID, issue: &f.Issue, scopes: scopes, jkt: c.jkt})
	if err != nil {
		return nil, err
	}
	out := answerWith(access, c.jkt)
	out.RefreshToken = refresh.Reveal()
	out.IDToken, err = s.idToken(c.ctx, c.caller.app, f.User, f.Session, again(&f.Issue, access.scopes), access.text.Reveal())
	return out, err
}

// rotate asks for the chain's next token, or for a sign of life where the app keeps its token.
func (s *Server) rotate(c *call, f *grant.Family, counter uint32, text string) (*grant.Family, secret.Secret, error) {
	keep := !c.caller.app.Rotates()
	next, version, err := s.refreshToken(f, counter+1)
	if err != nil {
		return nil, secret.Secret{}, err
	}
	row, outcome, err := s.Chains.RotateRefresh(c.ctx, grant.Rotation{Family: f.ID, Counter: counter, KeyVersion: version, Keep: keep, Now: s.Now()})
	if err != nil {
		return nil, secret.Secret{}, err
	}
	switch {
	case outcome == grant.Won && keep:
		return row, secret.Of(text), nil
	case outcome == grant.Won:
		return row, next, nil
	case outcome == grant.Same:
		// Its answer may have been lost: it gets the same successor, whoever else got it.
		next, err = s.refreshTokenWith(row, row.Counter, row.KeyVersion)
		return row, next, err
	case outcome == grant.Ahead:
		s.Log.ErrorContext(c.ctx, "a genuine refresh token is ahead of the database: it was put back, or a key was stolen; the chain is revoked", "app", f.App, "family", f.ID)
	case outcome == grant.Reused:
		s.Log.WarnContext(c.ctx, "an old refresh token was presented: its chain is revoked", "app", f.App, "family", f.ID)
	}
	return nil, secret.Secret{}, errRefresh()
}

// chain finds the row of a refresh token and checks that the token is genuine; nil if it is not.
func (s *Server) chain(ctx context.Context, text string) (*grant.Family, uint32, error) {
	public, body, err := secret.ParseRefresh(text)
	if err != nil {
		return nil, 0, nil //nolint:nilerr // malformed is as good as unknown
	}
	f, err := s.Chains.Family(ctx, id.Of[id.Family](public.ID))
	if fault.Is(err, fault.NotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	if public.Mode != f.Mode {
		return nil, 0, nil
	}
	message := refreshMessage(public.Prefix, f, body.Counter)
	mac, known := s.Ring.RefreshMACWith(int(body.Version), message)
	if !known {
		if err := s.Ring.Reload(ctx); err != nil {
			return nil, 0, fault.Down(err, "the keyring cannot be read")
		}
		if mac, known = s.Ring.RefreshMACWith(int(body.Version), message); !known {
			return nil, 0, nil
		}
	}
	if !hmac.Equal(mac[:], body.MAC[:]) {
		return nil, 0, nil
	}
	return f, body.Counter, nil
}

// refreshMessage is what a refresh token's MAC is over.
func refreshMessage(prefix string, f *grant.Family, counter uint32) []byte {
	b := make([]byte, 0, 96)
	for _, part := range []string{prefix, string(secret.Refresh), string(f.Mode), string(f.ID)} {
		b = append(b, byte(len(part))) // #nosec G115 -- words and ids of a few characters
		b = append(b, part...)
	}
	b = binary.BigEndian.AppendUint32(b, counter)
	return append(b, f.Seed...)
}

// refreshToken makes the chain's token at a counter with the current key.
func (s *Server) refreshToken(f *grant.Family, counter uint32) (secret.Secret, int, error) {
	prefix := s.Prefix()
	version, mac := s.Ring.RefreshMAC(refreshMessage(prefix, f, counter))
	text, err := assembleRefresh(prefix, f, counter, version, mac)
	return text, version, err
}

// refreshTokenWith makes it with the key that the row names.
func (s *Server) refreshTokenWith(f *grant.Family, counter uint32, version int) (secret.Secret, error) {
	prefix := s.Prefix()
	mac, known := s.Ring.RefreshMACWith(version, refreshMessage(prefix, f, counter))
	if !known {
		return secret.Secret{}, fault.New(fault.Unavailable, "the key of this refresh token is not here yet; try again")
	}
	return assembleRefresh(prefix, f, counter, version, mac)
}

func assembleRefresh(prefix string, f *grant.Family, counter uint32, version int, mac secret.RefreshMAC) (secret.Secret, error) {
	body := secret.RefreshBody{Version: byte(version), Counter: counter, MAC: mac} // #nosec G115 -- the ring has no more than 255 versions
	return secret.Assemble(prefix, secret.Refresh, f.Mode, id.Chars(f.ID), body.Encode())
}

// again is what an ID token at a refresh says: the same, without the nonce of the login (OpenID Connect Core section 12.2).
func again(issue *grant.Issue, scopes []string) *grant.Issue {
	later := *issue
	later.Scopes, later.Nonce = scopes, ""
	return &later
}
