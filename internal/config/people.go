package config

import (
	"net/mail"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/notify"
	"github.com/lanyard-auth/lanyard/internal/outbound"
)

// checkPeople looks at the settings about who comes in, who is written to and whom the server itself may call.
func (s *Settings) checkPeople() error {
	switch {
	case s.Signup != Closed && s.Signup != Invite && s.Signup != Open:
		return fault.New(fault.Invalid, "LANYARD_SIGNUP must be closed, invite or open, not %.20q", s.Signup)
	case s.DCR != Closed && s.DCR != Token && s.DCR != Open:
		return fault.New(fault.Invalid, "LANYARD_DCR must be closed, token or open, not %.20q", s.DCR)
	case s.SMTPURL.IsZero() != (s.MailFrom == ""):
		return fault.New(fault.Invalid, "LANYARD_SMTP_URL and LANYARD_MAIL_FROM go together; one of them is missing")
	case s.AdminPassword.IsZero() != (s.AdminEmail == ""):
		return fault.New(fault.Invalid, "LANYARD_ADMIN_EMAIL and LANYARD_ADMIN_PASSWORD go together; one of them is missing")
	}
	if s.AdminEmail != "" {
		if a, err := mail.ParseAddress(s.AdminEmail); err != nil || a.Address != s.AdminEmail {
			return fault.New(fault.Invalid, "LANYARD_ADMIN_EMAIL must be a mail address such as admin@example.com")
		}
	}
	if !s.SMTPURL.IsZero() {
		if _, err := notify.NewSMTP(s.SMTPURL, s.MailFrom); err != nil {
			return err
		}
	}
	return outbound.CheckAllow(s.OutboundAllow)
}

// Warnings are settings that work together less well than somebody may expect, one sentence each.
func (s *Settings) Warnings() []string {
	var found []string
	if s.Signup != Closed && s.SMTPURL.IsZero() {
		found = append(found, "LANYARD_SIGNUP is "+s.Signup+" but no mail can be sent, so nobody can confirm an address: set LANYARD_SMTP_URL and LANYARD_MAIL_FROM")
	}
	if s.DCR == Open {
		found = append(found, "LANYARD_DCR is open: anybody can register software here, under any name; MCP clients need it only where they know no client id metadata documents")
	}
	if len(s.OutboundAllow) > 0 {
		found = append(found, "LANYARD_OUTBOUND_ALLOW lets strangers' addresses lead to hosts inside: it is meant for tests")
	}
	return found
}
