package oauth

import (
	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// Resolve is resolve of a server of an issuer: what a request asks for, as scopes, the name of the one API and the audience.
func Resolve(issuer string, view *verify.CatalogView, a *app.App, asked, resources []string) (scopes []string, api, audience string, err error) {
	s := &Server{Config: Config{Issuer: issuer}}
	t, err := s.resolve(view, a, asked, resources)
	return t.scopes, t.apiName(), t.audience, err
}

// IsRefresh is isRefresh.
func IsRefresh(text string) bool { return isRefresh(text) }
