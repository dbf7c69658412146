package login

import (
	"embed"

	"github.com/lanyard-auth/lanyard/internal/page"
)

//go:embed templates/*.html
var templates embed.FS

// pages parses the surface's templates: login, signup, forgot, check-mail, link-confirm, reset, consent, device, device-approve,
// done, logout, signed-out, setup, invitation. None is stored anywhere.
func pages(kit *page.Kit) *page.Set { return kit.Templates(templates, "templates/*.html").Private() }
