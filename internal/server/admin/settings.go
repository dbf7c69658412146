package admin

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// settingsPage is GET /admin/settings.
type settingsPage struct {
	page.Room
	Brand    []fact
	Settings page.Table
}

// settings is GET /admin/settings: what the server started with, secrets aside, and the brand.
func (p *rooms) settings(w http.ResponseWriter, r *http.Request, d *desk) (err error) {
	view := settingsPage{Room: p.room(r, d, "/admin/settings", "Settings"), Settings: p.settingsTable()}
	if view.Done, err = p.told(r, d); err != nil {
		return err
	}
	found, err := p.Manage.Catalog(r.Context(), d.Actor)
	if err != nil {
		return err
	}
	b := lanyard.Brand{}
	if found.Brand != nil {
		b = *found.Brand
	}
	none := "not said"
	view.Brand = []fact{{"Name", cmp.Or(b.Name, none)}, {"Colour", cmp.Or(b.Color, none)}, {"Logo", cmp.Or(b.Logo, "the first letter of the name")}, {"Support", cmp.Or(b.Support, none)}, {"Terms", cmp.Or(b.Terms, none)}, {"Privacy", cmp.Or(b.Privacy, none)}, {"Keys begin with", cmp.Or(p.Settings.KeyPrefix, b.KeyPrefix, "lyd")}}
	return p.set.Render(w, r, http.StatusOK, "settings", view)
}

// settingsTable lists the settings by the names they are set by.
func (p *rooms) settingsTable() page.Table {
	s := p.Settings
	engine := "SQLite, in the data directory or where it says"
	if s.Postgres() {
		engine = "PostgreSQL"
	}
	var proxies []string
	for _, net := range s.TrustedProxies {
		proxies = append(proxies, net.String())
	}
	kept := func(of secret.Secret) string {
		if of.IsZero() {
			return ""
		}
		return "set, and not shown"
	}
	made := page.Table{Caption: "Settings", Heads: []page.Head{{Text: "Setting"}, {Text: "Value"}, {Text: "What it is"}}}
	for _, row := range []struct{ name, value, what string }{
		{"LANYARD_PUBLIC_URL", s.PublicURL, "Where people and apps reach this server"},
		{"LANYARD_LISTEN", s.Listen, "Where this process listens"},
		{"LANYARD_METRICS_LISTEN", s.MetricsListen, "Where it serves its metrics"},
		{"LANYARD_DATABASE_URL", engine, "The address may hold a password, so it is not shown"},
		{"LANYARD_DATA_DIR", s.DataDir, "The spool, the master key, a SQLite database"},
		{"LANYARD_REDIS_URL", kept(s.RedisURL), "Counts limits for all nodes together; without it each node counts by itself"},
		{"LANYARD_MASTER_KEY", kept(s.MasterKey), "From the environment; else from a file in the data directory"},
		{"LANYARD_DURABILITY", s.Durability, "What a counted call survives"},
		{"LANYARD_INVOICE_GRACE", s.InvoiceGrace.String(), "How long after a period ends its invoice takes in what arrives late"},
		{"LANYARD_STRIPE_KEY", kept(s.StripeKey), "Tells Stripe what was counted, at LANYARD_STRIPE_URL"},
		{"LANYARD_LEAK_POLICY", s.LeakPolicy, "What follows when a credential is found in the open; not set: keys, client secrets and personal tokens end, of publishable keys their owners are told"},
		{"LANYARD_LEAK_GITHUB_KEYS_URL", s.LeakGitHubKeysURL, "What reports by GitHub are checked by"},
		{"LANYARD_LEAK_GITLAB_KEYS_URL", s.LeakGitLabKeysURL, "What reports by GitLab.com are checked by"},
		{"LANYARD_LEAK_GITLAB_TOKEN", kept(s.LeakGitLabToken), "What another GitLab shows when it reports"},
		{"LANYARD_MAX_STALENESS", s.MaxStaleness.String(), "How old what a decision rests on may be"},
		{"LANYARD_SIGNUP", s.Signup, "Who may make an account: closed, invite or open"},
		{"LANYARD_DCR", s.DCR, "Which apps may register themselves: closed, token or open"},
		{"LANYARD_SMTP_URL", kept(s.SMTPURL), "Without it no mail is sent"},
		{"LANYARD_MAIL_FROM", s.MailFrom, "Who mails come from"},
		{"LANYARD_TRUSTED_PROXIES", strings.Join(proxies, ", "), "Whose X-Forwarded-For is believed"},
		{"LANYARD_OUTBOUND_ALLOW", fmt.Sprint(strings.Join(s.OutboundAllow, ", ")), "Inner addresses that may be fetched for apps"},
		{"LANYARD_TLS_CERT_FILE", s.TLSCertFile, "Its own certificate"},
		{"LANYARD_LOG_LEVEL", s.LogLevel, "What is logged"},
		{"LANYARD_KEY_PREFIX", s.KeyPrefix, "What credentials begin with, whatever the brand says"},
	} {
		made.Rows = append(made.Rows, page.Row{Cells: []page.Cell{{Text: row.name, Code: true}, {Text: cmp.Or(row.value, "not set")}, {Text: row.what}}})
	}
	return made
}
