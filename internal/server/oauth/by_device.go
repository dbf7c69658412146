package oauth

import (
	"slices"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// byDevice answers a polling device (RFC 8628 section 3.4). What is issued is what the user ticked, whatever scope the device asks
// for now: some libraries repeat what they asked for first.
func (s *Server) byDevice(c *call) (*answer, error) {
	text := c.params.get("device_code")
	if text == "" {
		return nil, fail(invalidRequest, "device_code is missing")
	}
	unknown := fail(invalidGrant, "the device code is not one of this client's")
	ticket, ok := secret.TicketID(text)
	if !ok {
		return nil, unknown
	}
	d, err := s.Devices.Device(c.ctx, id.Of[id.Device](ticket))
	if fault.Is(err, fault.NotFound) {
		return nil, unknown
	}
	if err != nil {
		return nil, err
	}
	if !s.matches(c.ctx, d.Pepper, d.Digest, deviceText(text)) || d.App != c.caller.app.ID {
		return nil, unknown
	}
	poll, err := s.Devices.PollDevice(c.ctx, d.ID, s.Now())
	if err != nil {
		return nil, err
	}
	d = &poll.Device
	switch {
	case !s.Now().Before(d.ExpiresAt) || !d.ConsumedAt.IsZero():
		return nil, fail(expiredToken, "the device code is over: begin again")
	case poll.Slow:
		return nil, fail(slowDown, "ask more slowly: every %d seconds", int(d.Interval.Seconds()))
	case d.State == grant.DevicePending:
		return nil, fail(pending, "the user has not answered yet")
	case d.State == grant.DeviceDenied:
		return nil, fail(accessDenied, "the user said no")
	case d.Issue.JKT != "" && d.Issue.JKT != c.jkt:
		return nil, fail(invalidProof, "the device code is bound to another key")
	}
	g, err := s.Grants.GrantForDecision(c.ctx, d.Grant)
	if err != nil {
		return nil, err
	}
	on, err := s.footing(c.ctx, c.caller.app, d.User, g)
	if err != nil {
		return nil, err
	}
	issue := d.Issue
	if !slices.ContainsFunc(issue.Scopes, func(scope string) bool { return !isOpenID(scope) }) {
		issue.API, issue.Audience = "", s.Issuer // nothing of the API was ticked
	}
	chain, refresh, err := s.newChain(c, chainOf{user: d.User, grant: d.Grant, session: d.Session, issue: issue})
	if err != nil {
		return nil, err
	}
	outcome, err := s.Devices.RedeemDevice(c.ctx, d.ID, chain.ID, kept(chain, refresh), s.Now())
	if err != nil {
		return nil, err
	}
	if outcome != grant.Won {
		return nil, fail(expiredToken, "the device code was used, or is over: begin again")
	}
	return s.issueAll(c, on, chain, refresh)
}

// deviceText is what a device code is kept as a MAC of.
func deviceText(code string) string { return "device\x00" + code }
