package main

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard"
)

func (p *program) keys() *cobra.Command {
	return parent(&cobra.Command{
		Use:   "keys",
		Short: "API keys: make, rotate, take back",
		Long:  "An API key is an app's ID card: it says which app is calling, and works until you rotate or revoke it.",
	}, p.keysCreate(), p.keysList(), p.keysShow(), p.keysUpdate(), p.keysRotate(), p.keysRevoke(), p.keysDisable(), p.keysEnable(), p.keysImport())
}

func (p *program) keysList() *cobra.Command {
	var app string
	cmd := &cobra.Command{
		Use:     "list [APP]",
		Short:   "List keys, newest first",
		Example: "  lanyard keys list WeatherDashboard\n  lanyard keys list -o json",
		Args:    takesUpTo(0, "APP"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.client()
			if err != nil {
				return err
			}
			if len(args) == 1 {
				app = args[0]
			}
			q := lanyard.KeyQuery{ListQuery: biggest()}
			if app != "" {
				owner, err := findApp(cmd.Context(), c, app)
				if err != nil {
					return err
				}
				q.AppID = owner.ID
			}
			keys, rows := []lanyard.Key{}, [][]string{}
			for k, err := range c.AllKeys(cmd.Context(), q) {
				if err != nil {
					return err
				}
				used := "never"
				if k.LastUsed != nil {
					used = when(k.LastUsed.At)
				}
				keys, rows = append(keys, k), append(rows, []string{
					k.ID, k.Name, k.Kind, k.Mode, k.Status, strings.Join(k.Scopes, " "), whenever(k.ExpiresAt), used,
				})
			}
			if p.asJSON() {
				return p.json(keys)
			}
			return p.table([]string{"ID", "NAME", "KIND", "MODE", "STATUS", "SCOPES", "EXPIRES", "LAST USED"}, rows)
		},
	}
	cmd.Flags().StringVar(&app, "app", "", "only of this app, by id or name")
	return cmd
}

func (p *program) keysShow() *cobra.Command {
	var app string
	cmd := &cobra.Command{
		Use:     "show NAME",
		Short:   "Show a key: everything but its secret",
		Example: "  lanyard keys show production --app WeatherDashboard\n  lanyard keys show key_8fK2mQz7Lr0Xc41Z -o json",
		Args:    takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.client()
			if err != nil {
				return err
			}
			k, err := findKey(cmd.Context(), c, args[0], app)
			if err != nil {
				return err
			}
			return p.showKey(k)
		},
	}
	appFlag(cmd, &app)
	return cmd
}

// appFlag narrows which keys a NAME may mean.
func appFlag(cmd *cobra.Command, app *string) {
	cmd.Flags().StringVar(app, "app", "", "the app whose key it is, when the key's name is not unique")
}

func (p *program) showKey(k lanyard.Key) error {
	if p.asJSON() {
		return p.json(k)
	}
	pairs := []string{
		"id", k.ID, "name", k.Name, "app", k.AppID, "kind", k.Kind, "mode", k.Mode, "status", k.Status, "shows as", k.Hint,
		"scopes", strings.Join(k.Scopes, " "), "addresses", strings.Join(k.IPAllow, " "), "origins", strings.Join(k.Origins, " "),
		"operations", strings.Join(k.Operations, ", "), "APIs", strings.Join(k.APIs, " "), "limits", limitsText(k.Limits), "quota", quotaText(k.Quota),
		"not before", whenever(k.NotBefore), "expires", whenever(k.ExpiresAt), "disabled", whenever(k.DisabledAt), "revoked", whenever(k.RevokedAt),
		"reason", k.RevokeReason, "made", when(k.CreatedAt),
	}
	if k.RotateEveryDays > 0 {
		pairs = append(pairs, "rotate every", count(int64(k.RotateEveryDays), "day"))
	}
	for _, v := range k.Versions {
		pairs = append(pairs, "version "+strconv.Itoa(v.Version), versionText(v))
	}
	if k.LastUsed != nil {
		pairs = append(pairs, "last used", strings.TrimSpace(when(k.LastUsed.At)+" "+k.LastUsed.Operation))
	}
	if err := p.fields(append(pairs, metadataPairs(k.Metadata)...)...); err != nil {
		return err
	}
	p.out.linef("%s", cell(k.IfStolen))
	return nil
}

func versionText(v lanyard.KeyVersion) string {
	text := "made " + when(v.CreatedAt)
	if v.Imported {
		text = "imported " + when(v.CreatedAt)
	}
	switch {
	case v.RevokedAt != nil:
		text += ", revoked " + when(*v.RevokedAt)
	case v.OverlapUntil != nil:
		text += ", works until " + when(*v.OverlapUntil)
	}
	return text
}

func quotaText(q *lanyard.Quota) string {
	if q == nil {
		return ""
	}
	return thousands(q.Units) + " units a " + q.Period
}

func metadataPairs(m lanyard.Metadata) []string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		pairs = append(pairs, cell(name), m[name])
	}
	return pairs
}
