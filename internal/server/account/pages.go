package account

import (
	"embed"

	"github.com/lanyard-auth/lanyard/internal/page"
)

//go:embed templates/*.html
var templates embed.FS

// pages parses the surface's templates: overview, apps, sessions, password, profile, tokens, new-token, new-secret. None is stored anywhere.
func pages(kit *page.Kit) *page.Set { return kit.Templates(templates, "templates/*.html").Private() }
