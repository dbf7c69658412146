package developers

import (
	"slices"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// card shows a key as the ID card that it is. edit is where it is made worth less to a thief; empty: the card has no link.
func card(k *lanyard.Key, appName, teamName string, view *verify.CatalogView, now time.Time, edit string) page.Pass {
	made := page.Pass{
		Kind: kindOf(k.Kind), Name: appName, ID: k.ID, Mode: k.Mode, Gone: gone(k), May: textsOf(k.Scopes, view),
		Facts: []page.Fact{{Term: "Key", Text: k.Name}, {Term: "Who is it?", Text: "the app, for team " + teamName}},
	}
	made.Facts = append(made.Facts, page.Fact{Term: "From", Text: fromWhere(k)})
	if len(k.Operations) > 0 {
		made.Facts = append(made.Facts, page.Fact{Term: "Only", Text: strings.Join(k.Operations, ", ")})
	}
	if k.Quota != nil {
		made.Facts = append(made.Facts, page.Fact{Term: "Use at most", Text: page.CountOf(k.Quota.Units, "unit") + " a " + k.Quota.Period})
	}
	life := "until you rotate it"
	if k.ExpiresAt != nil {
		life = "until " + k.ExpiresAt.Format("2 January 2006")
	}
	made.Facts = append(made.Facts,
		page.Fact{Term: "Life span", Text: life + " · made " + page.Ago(now, k.CreatedAt)},
		page.Fact{Term: "Last used", Text: lastUse(k, now)})
	facts := advice.Card{Kind: advice.Kind(k.Kind), Now: now, Status: policy.Code(k.Status), Networks: k.IPAllow, Origins: k.Origins, Test: k.Mode == string(secret.Test)}
	if k.ExpiresAt != nil {
		facts.Expires = *k.ExpiresAt
	}
	made.Stolen, made.Bad = strings.TrimPrefix(k.IfStolen, "If stolen: "), advice.IfStolen(facts).Bad
	if mend := advice.Shorten(facts); mend != "" && edit != "" {
		made.Mend = page.Link{Text: mend, URL: edit}
	}
	return made
}

func kindOf(kind string) string {
	switch kind {
	case string(secret.Publishable):
		return "ID card · publishable key"
	case string(secret.Client):
		return "ID card · client secret"
	}
	return "ID card · API key"
}

// gone is what is stamped on a key that works no more.
func gone(k *lanyard.Key) string {
	switch {
	case k.RevokedAt != nil && strings.HasPrefix(k.RevokeReason, "leak"):
		return "leaked"
	case k.Status == string(policy.Valid) || k.Status == string(policy.NotYetValid):
		return ""
	}
	return strings.ReplaceAll(k.Status, "_", " ")
}

func fromWhere(k *lanyard.Key) string {
	from := slices.Concat(k.IPAllow, k.Origins)
	if len(from) == 0 {
		return "anywhere"
	}
	return strings.Join(from, ", ")
}

func lastUse(k *lanyard.Key, now time.Time) string {
	if k.LastUsed == nil {
		return "never"
	}
	text := page.Ago(now, k.LastUsed.At)
	if k.LastUsed.Network != "" {
		text += ", " + k.LastUsed.Network
	}
	return text
}

// textsOf are scopes in words. One that no API declares any more lets do nothing and is left out.
func textsOf(scopes []string, view *verify.CatalogView) []string {
	var out []string
	for _, name := range scopes {
		if api := view.ByScope(name); api != nil {
			out = append(out, api.Policy.Scopes.Get(name).Text)
		}
	}
	return out
}

// titleOf is what people call an API.
func titleOf(api *catalog.Compiled) string {
	if api.Spec.Title != "" {
		return api.Spec.Title
	}
	return page.Upper(api.Policy.Name)
}

// variable is the name of the environment variable for a key: that of the first API it is for.
func variable(k *lanyard.Key, view *verify.CatalogView) string {
	name := "API"
	for _, scope := range k.Scopes {
		if api := view.ByScope(scope); api != nil {
			name = strings.ToUpper(strings.ReplaceAll(api.Policy.Name, "-", "_")) + "_API"
			break
		}
	}
	if k.Mode == string(secret.Test) {
		name += "_TEST"
	}
	return name + "_KEY"
}

// state is a key's state as a cell of a table.
func state(k *lanyard.Key, now time.Time) page.Cell {
	text := gone(k)
	switch {
	case text == "leaked":
		return page.Cell{Text: text, Pill: "bad"}
	case text == "disabled":
		return page.Cell{Text: text, Pill: "warn"}
	case text != "":
		return page.Cell{Text: text, Pill: "plain"}
	case overlap(k) != nil:
		return page.Cell{Text: "two secrets work", Pill: "warn"}
	case k.ExpiresAt != nil && k.ExpiresAt.Sub(now) < 7*24*time.Hour:
		return page.Cell{Text: "ends soon", Pill: "warn"}
	}
	return page.Cell{Text: "works", Pill: "good"}
}

// overlap is the rotated secret of a key that still works beside the current one, or nil.
func overlap(k *lanyard.Key) *lanyard.KeyVersion {
	for i := range k.Versions {
		v := &k.Versions[i]
		if v.Version < k.Version && v.OverlapUntil != nil && v.RevokedAt == nil {
			return v
		}
	}
	return nil
}
