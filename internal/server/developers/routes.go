// Package developers serves /developers: what a team does for itself. Its apps and their keys, OAuth clients, usage, members, webhooks, leaks.
//
// Every page stands under its team, /developers/team_…/, and shows nothing of another one: whatever id an address holds, a thing of
// another team is not there. The acts are package manage's, with the rights of the person who is signed in; a page only leaves out
// what their role does not let them do. One file a page; this one is the list of them.
package developers

import (
	"embed"
	"maps"
	"net/http"
	"slices"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/page"
)

//go:embed templates/*.html
var templates embed.FS

// Register adds every page to mux.
func Register(mux *http.ServeMux, c Config) {
	p := &rooms{Config: c, set: c.Page.Templates(templates, "templates/*.html").Private()}
	for pattern, serve := range p.routes() {
		mux.Handle(pattern, p.handle(serve))
	}
}

// Patterns lists every route, for whoever walks them all.
func Patterns() []string { return slices.Sorted(maps.Keys((&rooms{}).routes())) }

// routes are the pages, by pattern.
func (p *rooms) routes() map[string]func(http.ResponseWriter, *http.Request, *desk) error {
	return map[string]func(http.ResponseWriter, *http.Request, *desk) error{
		"GET /setup/call":  p.showSetup,
		"POST /setup/call": p.setUp,

		"GET /developers":         p.enter,
		"POST /developers":        p.start,
		"GET /developers/get-key": p.goForKey,
		"GET /developers/{team}":  p.overview,

		"GET /developers/{team}/apps":                p.showApps,
		"GET /developers/{team}/apps/{app}":          p.showApp,
		"POST /developers/{team}/apps/{app}":         p.saveApp,
		"POST /developers/{team}/apps/{app}/disable": p.switchApp(true, "disabled"),
		"POST /developers/{team}/apps/{app}/enable":  p.switchApp(false, "enabled"),
		"POST /developers/{team}/apps/{app}/delete":  p.deleteApp,

		"GET /developers/{team}/keys":                  p.showKeys,
		"GET /developers/{team}/keys/new":              p.getKey,
		"POST /developers/{team}/keys/new":             p.makeKey,
		"GET /developers/{team}/keys/{key}":            p.showKey,
		"GET /developers/{team}/keys/{key}/edit":       p.showEdit,
		"POST /developers/{team}/keys/{key}/edit":      p.saveKey,
		"GET /developers/{team}/keys/{key}/first-call": p.showFirstCall,
		"POST /developers/{team}/keys/{key}/rotate":    p.rotateKey,
		"POST /developers/{team}/keys/{key}/undo":      p.act("undone", p.undoRotation),
		"POST /developers/{team}/keys/{key}/disable":   p.act("disabled", p.disableKey),
		"POST /developers/{team}/keys/{key}/enable":    p.act("enabled", p.enableKey),
		"POST /developers/{team}/keys/{key}/revoke":    p.act("revoked", p.revokeKey),

		"GET /developers/{team}/try":  p.showTry,
		"POST /developers/{team}/try": p.try,

		"GET /developers/{team}/usage": p.showUsage,

		"GET /developers/{team}/billing":           p.showBilling,
		"POST /developers/{team}/plan":             p.changePlan,
		"POST /developers/{team}/alerts":           p.setAlerts,
		"GET /developers/{team}/billing/{invoice}": p.showInvoice,

		"GET /developers/{team}/members":                          p.showMembers,
		"POST /developers/{team}/members/{user}/role":             p.setRole,
		"POST /developers/{team}/members/{user}/remove":           p.removeMember,
		"POST /developers/{team}/leave":                           p.leave,
		"POST /developers/{team}/name":                            p.rename,
		"POST /developers/{team}/invitations":                     p.invite,
		"POST /developers/{team}/invitations/{invitation}/again":  p.inviteAgain,
		"POST /developers/{team}/invitations/{invitation}/revoke": p.revokeInvitation,

		"GET /developers/{team}/clients":                             p.showClients,
		"GET /developers/{team}/clients/new":                         p.showNewClient,
		"POST /developers/{team}/clients/new":                        p.makeClient,
		"GET /developers/{team}/clients/{app}":                       p.showClient,
		"GET /developers/{team}/clients/{app}/edit":                  p.showEditClient,
		"POST /developers/{team}/clients/{app}/edit":                 p.saveClient,
		"POST /developers/{team}/clients/{app}/secrets":              p.makeSecret,
		"POST /developers/{team}/clients/{app}/secrets/{key}/rotate": p.rotateSecret,
		"POST /developers/{team}/clients/{app}/secrets/{key}/revoke": p.revokeSecret,
		"POST /developers/{team}/clients/{app}/delete":               p.deleteClient,

		"GET /developers/{team}/webhooks":                              p.showHooks,
		"GET /developers/{team}/webhooks/new":                          p.showNewHook,
		"POST /developers/{team}/webhooks/new":                         p.makeHook,
		"GET /developers/{team}/webhooks/{hook}":                       p.showHook,
		"GET /developers/{team}/webhooks/{hook}/edit":                  p.showEditHook,
		"POST /developers/{team}/webhooks/{hook}/edit":                 p.saveHook,
		"POST /developers/{team}/webhooks/{hook}/test":                 p.hookAct("tested", p.testHook),
		"POST /developers/{team}/webhooks/{hook}/deliveries/{message}": p.hookAct("again", p.replayHook),
		"POST /developers/{team}/webhooks/{hook}/disable":              p.hookAct("disabled", p.switchHook(true)),
		"POST /developers/{team}/webhooks/{hook}/enable":               p.hookAct("enabled", p.switchHook(false)),
		"POST /developers/{team}/webhooks/{hook}/rotate":               p.rotateHook,
		"POST /developers/{team}/webhooks/{hook}/delete":               p.deleteHook,

		"GET /developers/{team}/warnings":  p.showWarnings,
		"POST /developers/{team}/warnings": p.setWarningMail,

		"GET /developers/{team}/leaks": p.showLeaks,

		"GET /developers/{team}/activity": p.showActivity,
	}
}

// tabs are the pages of a team, as far as the role opens them.
func tabs(d *desk) []page.Tab {
	if d.Team.ID == "" {
		return nil
	}
	var out []page.Tab
	for _, t := range []struct {
		text, part string
		role       audit.Role
	}{
		{"Overview", "", audit.RoleAny},
		{"Apps", "apps", audit.RoleDeveloper},
		{"Keys", "keys", audit.RoleDeveloper},
		{"OAuth clients", "clients", audit.RoleDeveloper},
		{"Try it", "try", audit.RoleDeveloper},
		{"Usage", "usage", audit.RoleAny},
		{"Billing", "billing", audit.RoleBilling},
		{"Members", "members", audit.RoleAny},
		{"Webhooks", "webhooks", audit.RoleDeveloper},
		{"Warnings", "warnings", audit.RoleDeveloper},
		{"Leaks", "leaks", audit.RoleDeveloper},
		{"Activity", "activity", audit.RoleAny},
	} {
		if d.May(t.role) {
			to := d.path()
			if t.part != "" {
				to = d.path(t.part)
			}
			out = append(out, page.Tab{Text: t.text, URL: to})
		}
	}
	return out
}
