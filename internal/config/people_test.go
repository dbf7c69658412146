package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

func TestPeopleRefuses(t *testing.T) {
	for _, test := range []struct {
		values map[string]string
		says   string
	}{
		{map[string]string{"LANYARD_SMTP_URL": "smtp://ada:hush@mail.example?tls=none", "LANYARD_MAIL_FROM": "a@acme.example"}, "LANYARD_SMTP_URL"},
		{map[string]string{"LANYARD_SMTP_URL": "mail.example:hush", "LANYARD_MAIL_FROM": "a@acme.example"}, "LANYARD_SMTP_URL"},
		{map[string]string{"LANYARD_SMTP_URL": "smtp://ada:hush@mail.example", "LANYARD_MAIL_FROM": "Acme"}, "LANYARD_MAIL_FROM"},
		{map[string]string{"LANYARD_ADMIN_EMAIL": "Admin <admin@acme.example>", "LANYARD_ADMIN_PASSWORD": "hush"}, "LANYARD_ADMIN_EMAIL"},
		{map[string]string{"LANYARD_ADMIN_EMAIL": "admin", "LANYARD_ADMIN_PASSWORD": "hush"}, "LANYARD_ADMIN_EMAIL"},
		{map[string]string{"LANYARD_ADMIN_EMAIL": "admin@acme.example", "LANYARD_ADMIN_PASSWORD": "hush", "LANYARD_ADMIN_PASSWORD_FILE": "/nowhere/at/all"}, "cannot be read"},
	} {
		_, err := load(t, test.values, "")
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "hush") {
			t.Errorf("Load with %v error = %v, want invalid_request that says %q and no secret", test.values, err, test.says)
		}
	}
}

func TestPeople(t *testing.T) {
	s, err := load(t, nil, "")
	if err != nil || s.Signup != Closed || s.DCR != Closed || !s.SMTPURL.IsZero() || !s.AdminPassword.IsZero() || s.OutboundAllow != nil || len(s.Warnings()) != 0 {
		t.Errorf("Load = %+v, %v, warnings %q, want everything closed", s, err, s.Warnings())
	}
	s, err = load(t, map[string]string{
		"LANYARD_SIGNUP": "open", "LANYARD_DCR": "token", "LANYARD_SMTP_URL": "smtps://ada:hush@mail.example", "LANYARD_MAIL_FROM": "Acme <a@acme.example>",
		"LANYARD_OUTBOUND_ALLOW": " suite, 10.0.0.0/8,,tool:8080 ", "LANYARD_OUTBOUND_CA_FILE": "ca.pem",
		"LANYARD_ADMIN_EMAIL": "admin@acme.example", "LANYARD_ADMIN_PASSWORD": "hush",
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	if s.Signup != Open || s.DCR != Token || s.SMTPURL.Reveal() != "smtps://ada:hush@mail.example" || s.MailFrom != "Acme <a@acme.example>" ||
		s.OutboundCAFile != "ca.pem" || s.AdminEmail != "admin@acme.example" || s.AdminPassword.Reveal() != "hush" {
		t.Errorf("Load = %+v, want what was set", s)
	}
	if diff := cmp.Diff([]string{"suite", "10.0.0.0/8", "tool:8080"}, s.OutboundAllow); diff != "" {
		t.Errorf("OutboundAllow (-want +got):\n%s", diff)
	}
}

// TestWarnings: what works, but not as somebody may expect, is told and does not stop the start.
func TestWarnings(t *testing.T) {
	for _, test := range []struct{ name, value, says string }{
		{"LANYARD_SIGNUP", "invite", "no mail can be sent"},
		{"LANYARD_SIGNUP", "open", "no mail can be sent"},
		{"LANYARD_DCR", "open", "anybody can register"},
		{"LANYARD_OUTBOUND_ALLOW", "suite", "hosts inside"},
	} {
		s, err := load(t, map[string]string{test.name: test.value}, "")
		if got := s.Warnings(); err != nil || len(got) != 1 || !strings.Contains(got[0], test.says) {
			t.Errorf("%s=%s: warnings %q, error %v, want one that says %q", test.name, test.value, got, err, test.says)
		}
	}
}

func TestPublicURL(t *testing.T) {
	for _, good := range []string{"https://auth.example", "https://auth.example:8443", "https://auth.example/tenant/one", "http://localhost:8420", "http://127.0.0.1:8420", "http://[::1]:8420", "http://a.localhost:1"} {
		if s, err := load(t, map[string]string{"LANYARD_PUBLIC_URL": good}, ""); err != nil || s.PublicURL != good {
			t.Errorf("Load with LANYARD_PUBLIC_URL=%s = %q, %v, want it accepted", good, s.PublicURL, err)
		}
	}
	for listen, want := range map[string]string{":80": "http://localhost", ":8080": "http://localhost:8080", "127.0.0.1:0": "http://localhost:0", ":443": "http://localhost:443"} {
		if s, err := load(t, map[string]string{"LANYARD_LISTEN": listen}, ""); err != nil || s.PublicURL != want {
			t.Errorf("Load with LANYARD_LISTEN=%s has the public URL %q, %v, want %s", listen, s.PublicURL, err, want)
		}
	}
}
