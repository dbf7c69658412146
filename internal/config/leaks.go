package config

import (
	"errors"
	"net/url"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/leak"
)

// Off switches off what has a default.
const Off = "off"

// minLeakToken is the shortest token that a GitLab may show, in characters: it ends credentials.
const minLeakToken = 20

// completeLeaks reads the rules for leaks and looks at what the services that report some are checked by. It repeats no secret.
func (s *Settings) completeLeaks() error {
	rules, err := leak.ParseRules(s.LeakPolicy)
	if err != nil {
		var wrong *fault.Error
		if errors.As(err, &wrong) {
			err = fault.New(fault.Invalid, "LANYARD_LEAK_POLICY %s", wrong.Detail)
		}
		return err
	}
	s.LeakRules = rules
	if s.LeakGitHubKeysURL == Off {
		s.LeakGitHubKeysURL = ""
	}
	if s.LeakGitLabKeysURL == Off {
		s.LeakGitLabKeysURL = ""
	}
	for name, address := range map[string]string{"LANYARD_LEAK_GITHUB_KEYS_URL": s.LeakGitHubKeysURL, "LANYARD_LEAK_GITLAB_KEYS_URL": s.LeakGitLabKeysURL} {
		if address == "" {
			continue
		}
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
			return fault.New(fault.Invalid, "%s must be an https address, such as https://api.github.com/meta/public_keys/secret_scanning, or off; http is for this machine alone", name)
		}
	}
	if !s.LeakGitLabToken.IsZero() && len(s.LeakGitLabToken.Reveal()) < minLeakToken {
		return fault.New(fault.Invalid, "LANYARD_LEAK_GITLAB_TOKEN must have at least %d characters: whoever knows it may report what is to be ended", minLeakToken)
	}
	return nil
}

// LocalHost is the host and port of an address where that is this machine, which outbound requests are otherwise kept from; else "".
func LocalHost(address string) string {
	u, err := url.Parse(address)
	if err != nil || !loopback(u.Hostname()) {
		return ""
	}
	return u.Host
}
