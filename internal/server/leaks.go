package server

import (
	"context"
	"time"

	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/leak"
	"github.com/lanyard-auth/lanyard/internal/outbound"
	"github.com/lanyard-auth/lanyard/internal/server/rest"
)

// endEvery is how often each node looks for what leaked and whose time has come. Of several nodes one ends it.
const endEvery = 5 * time.Second

// finders are the services whose reports of leaks count, as the settings say.
func (s *Server) finders() (rest.Finders, error) {
	made := rest.Finders{GitLabToken: s.Settings.LeakGitLabToken}
	var err error
	if made.GitHub, err = s.signers("GitHub", s.Settings.LeakGitHubKeysURL); err != nil {
		return made, err
	}
	made.GitLab, err = s.signers("GitLab", s.Settings.LeakGitLabKeysURL)
	return made, err
}

// signers checks by the keys that a service publishes at an address; nil: there is none.
func (s *Server) signers(service, address string) (*leak.Signers, error) {
	if address == "" {
		return nil, nil //nolint:nilnil // it may not report
	}
	allow := s.Settings.OutboundAllow
	if here := config.LocalHost(address); here != "" {
		allow = append(allow[:len(allow):len(allow)], here)
	}
	client, err := outbound.New(outbound.Options{Allow: allow, CAFile: s.Settings.OutboundCAFile})
	if err != nil {
		return nil, err
	}
	return &leak.Signers{Service: service, Now: s.opts.Now, Get: func(ctx context.Context) (int, []byte, error) {
		answer, err := client.Get(ctx, address, outbound.GetOptions{Accept: "application/json"})
		if err != nil {
			return 0, nil, err
		}
		return answer.Status, answer.Body, nil
	}}, nil
}

// endLeaked ends what leaked and whose time has come.
func (s *Server) endLeaked(ctx context.Context) error {
	_, err := s.Manage.EndLeaked(ctx)
	return err
}
