package oauth

import (
	"net/http"
	"net/url"
	"time"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// deviceAuthorization is POST /oauth/device_authorization (RFC 8628 section 3.1).
func (s *Server) deviceAuthorization(w http.ResponseWriter, r *http.Request) error {
	p, err := s.form(w, r)
	if err != nil {
		return err
	}
	c, err := s.introduce(r, p)
	if err != nil {
		return err
	}
	if !c.app.MayUse(app.DeviceCode) {
		return fail(unauthorizedClient, "this client did not register the device grant")
	}
	jkt, err := s.proof(r, s.Issuer+"/oauth/device_authorization")
	if err != nil {
		return err
	}
	view, err := s.Verifier.Catalog(r.Context())
	if err != nil {
		return err
	}
	t, err := s.resolve(view, c.app, p.list("scope"), p.all("resource"))
	if err != nil {
		return err
	}
	issue := grant.Issue{Scopes: t.scopes, API: t.apiName(), Audience: t.audience, JKT: jkt}
	device, code, userCode, err := s.newDevice(c, issue)
	if err != nil {
		return err
	}
	// Two devices with one user code are so unlikely that a second try is all it takes.
	if err := s.Devices.CreateDevice(r.Context(), device); fault.Is(err, fault.Conflict) {
		if device, code, userCode, err = s.newDevice(c, issue); err != nil {
			return err
		}
		if err := s.Devices.CreateDevice(r.Context(), device); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, struct {
		DeviceCode string `json:"device_code"`
		UserCode   string `json:"user_code"`
		Address    string `json:"verification_uri"`
		Complete   string `json:"verification_uri_complete"`
		ExpiresIn  int64  `json:"expires_in"`
		Interval   int64  `json:"interval"`
	}{
		code.Reveal(), userCode, s.Issuer + "/device", s.Issuer + "/device?user_code=" + url.QueryEscape(userCode),
		int64(grant.DeviceLife / time.Second), int64(grant.PollEvery / time.Second),
	})
}

func (s *Server) newDevice(c *caller, issue grant.Issue) (*grant.Device, secret.Secret, string, error) {
	ticket, code, err := secret.NewTicket(s.Random)
	if err != nil {
		return nil, secret.Secret{}, "", err
	}
	userCode, err := factor.NewUserCode(s.Random)
	if err != nil {
		return nil, secret.Secret{}, "", err
	}
	canonical, _ := factor.CanonicalUserCode(userCode)
	now := s.Now().UTC().Truncate(time.Microsecond)
	pepper, digest := s.Ring.MAC(deviceText(code.Reveal()))
	_, userDigest := s.Ring.MAC(factor.UserCodeText(canonical))
	return &grant.Device{
		ID: id.Of[id.Device](ticket), Digest: digest[:], UserDigest: userDigest[:], Pepper: pepper, App: c.app.ID, Issue: issue, State: grant.DevicePending,
		Interval: grant.PollEvery, CreatedAt: now, ExpiresAt: now.Add(grant.DeviceLife),
	}, code, userCode, nil
}
