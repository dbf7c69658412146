package manage

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/session"
	"github.com/lanyard-auth/lanyard/internal/team"
	"github.com/lanyard-auth/lanyard/internal/usage"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// From the nouns to what is sent. Nothing here holds a secret or a digest.

// at is a time as it is sent: absent when there is none.
func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func wireApp(a *app.App) lanyard.App {
	return lanyard.App{
		ID: string(a.ID), ClientID: a.ClientID(), TeamID: string(a.Team), Name: a.Name, Type: string(a.Type), Description: a.Description,
		HomepageURL: a.HomepageURL, Limits: wireLimits(a.Limits), Metadata: a.Metadata, Disabled: !a.DisabledAt.IsZero(),
		CreatedAt: a.CreatedAt, DisabledAt: at(a.DisabledAt), Origin: string(a.Origin), OAuthSettings: wireOAuth(&a.OAuth),
	}
}

func wireKey(k *key.Key, now time.Time) lanyard.Key {
	out := lanyard.Key{
		ID: string(k.ID), AppID: string(k.App), TeamID: string(k.Team), Name: k.Name, Kind: string(k.Kind), Mode: string(k.Mode),
		Status: string(k.StatusAt(now)), Hint: hint(k), Scopes: append([]string{}, k.Scopes...), IPAllow: networks(k), Origins: k.Restrictions.Origins,
		Operations: k.Restrictions.Operations, APIs: k.APIs, Limits: wireLimits(k.Limits), Metadata: k.Metadata, CreatedAt: k.CreatedAt,
		NotBefore: at(k.NotBefore), ExpiresAt: at(k.ExpiresAt), DisabledAt: at(k.DisabledAt), RevokedAt: at(k.RevokedAt), RevokeReason: k.RevokeReason,
		RotateEveryDays: int(k.RotateEvery / (24 * time.Hour)), Versions: []lanyard.KeyVersion{}, IfStolen: ifStolen(k, now),
	}
	if k.Quota.Units > 0 {
		out.Quota = &lanyard.Quota{Units: k.Quota.Units, Period: string(k.Quota.Period)}
	}
	if k.LastUsed.At.After(time.Time{}) {
		out.LastUsed = &lanyard.LastUsed{At: k.LastUsed.At, Network: k.LastUsed.Network, API: k.LastUsed.API, Operation: k.LastUsed.Operation}
	}
	for i := len(k.Versions) - 1; i >= 0; i-- {
		v := &k.Versions[i]
		out.Version = max(out.Version, v.Number)
		out.Versions = append(out.Versions, lanyard.KeyVersion{
			Version: v.Number, CreatedAt: v.CreatedAt, OverlapUntil: at(endOf(k, v)), RevokedAt: at(v.RevokedAt), Imported: v.Imported,
		})
	}
	if current := k.Current(); current != nil {
		out.Version = current.Number
	}
	return out
}

// endOf is when a rotated secret stops working: at the end of its overlap, or with the key if that is sooner.
func endOf(k *key.Key, v *key.Version) time.Time {
	if !v.EndsAt.IsZero() && !k.ExpiresAt.IsZero() && k.ExpiresAt.Before(v.EndsAt) {
		return k.ExpiresAt
	}
	return v.EndsAt
}

// hint is the public part of the credential. Of one made elsewhere nothing is kept that could be shown.
func hint(k *key.Key) string {
	if k.Prefix == "" {
		return "imported"
	}
	return k.Prefix + "_" + string(k.Kind) + "_" + string(k.Mode) + "_" + id.Chars(k.ID) + "…"
}

func networks(k *key.Key) []string { return prefixes(k.Restrictions.IPs) }

func prefixes(networks []netip.Prefix) []string {
	var out []string
	for _, network := range networks {
		text := network.String()
		if network.IsSingleIP() {
			text = network.Addr().String()
		}
		out = append(out, text)
	}
	return out
}

// ifStolen says what a thief of the key's current secret would get.
func ifStolen(k *key.Key, now time.Time) string {
	card := advice.Card{
		Kind: advice.Kind(k.Kind), Status: k.StatusAt(now), Now: now, NotBefore: k.NotBefore, Expires: k.ExpiresAt,
		Test: k.Mode == "test", Networks: networks(k), Origins: k.Restrictions.Origins,
	}
	switch current := k.Current(); {
	case current == nil:
		card.Status = policy.Revoked
	case card.Status == policy.Valid || card.Status == policy.NotYetValid:
		if status := current.StatusAt(now); status != policy.Valid {
			card.Status = status
		}
		if end := endOf(k, current); !end.IsZero() {
			card.Expires = end
		}
	}
	return advice.IfStolen(card).Text
}

func wirePersonal(p *key.Personal, now time.Time) lanyard.PersonalToken {
	out := lanyard.PersonalToken{
		ID: string(p.ID), UserID: string(p.User), Name: p.Name, Mode: string(p.Mode), Status: string(p.StatusAt(now)),
		Hint:   p.Prefix + "_" + string(secret.Personal) + "_" + string(p.Mode) + "_" + id.Chars(p.ID) + "…",
		Scopes: append([]string{}, p.Scopes...), IPAllow: prefixes(p.Restrictions.IPs), CreatedAt: p.CreatedAt, ExpiresAt: p.ExpiresAt,
		RevokedAt: at(p.RevokedAt), RevokeReason: p.RevokeReason,
		IfStolen: advice.IfStolen(advice.Card{
			Kind: advice.Personal, Status: p.StatusAt(now), Now: now, Expires: p.ExpiresAt, Test: p.Mode == secret.Test, Networks: prefixes(p.Restrictions.IPs),
		}).Text,
	}
	if !p.LastUsed.At.IsZero() {
		out.LastUsed = &lanyard.LastUsed{At: p.LastUsed.At, Network: p.LastUsed.Network, API: p.LastUsed.API, Operation: p.LastUsed.Operation}
	}
	return out
}

func wireGrant(g *grant.Grant) lanyard.Grant {
	return lanyard.Grant{
		ID: string(g.ID), UserID: string(g.User), AppID: string(g.App), TeamID: string(g.Team), Scopes: append([]string{}, g.Scopes...),
		CreatedAt: g.CreatedAt, UpdatedAt: g.UpdatedAt, LastUsedAt: at(g.LastUsedAt), RevokedAt: at(g.RevokedAt),
	}
}

func wireSession(s *session.Session) lanyard.Session {
	return lanyard.Session{
		ID: string(s.ID), UserID: string(s.User), Network: s.Network, Agent: s.Agent, AuthAt: s.AuthAt, CreatedAt: s.CreatedAt, SeenAt: s.SeenAt,
		ExpiresAt: s.ExpiresAt,
	}
}

func wireTeam(t *team.Team) lanyard.Team {
	return lanyard.Team{ID: string(t.ID), Name: t.Name, Suspended: !t.SuspendedAt.IsZero(), Limits: wireLimits(t.Limits), CreatedAt: t.CreatedAt, StripeCustomer: t.StripeCustomer, WarningMail: !t.NoDigest}
}

func wireUser(u *user.User) lanyard.User {
	return lanyard.User{ID: string(u.ID), Email: u.Email, Name: u.Name, Admin: u.Admin, Disabled: !u.DisabledAt.IsZero(), Limits: wireLimits(u.Limits), CreatedAt: u.CreatedAt}
}

func wireEvent(ev audit.Event) lanyard.AuditEvent {
	return lanyard.AuditEvent{
		ID: string(ev.ID), At: ev.At, Actor: ev.Actor, Action: ev.Action, Target: ev.Target, TeamID: string(ev.Team), Details: ev.Details,
	}
}

func wireAttempt(a usage.Attempt) lanyard.Attempt {
	return lanyard.Attempt{Source: a.Source, Code: a.Code, Start: a.Start, Count: a.Count, LastAt: a.LastAt, Sample: a.Sample}
}

func wireUsage(sum usage.Sum) lanyard.UsageRow {
	return lanyard.UsageRow{
		Start: sum.Start, Team: string(sum.Team), App: string(sum.App), Key: string(sum.Key), API: sum.API, Operation: sum.Operation,
		Outcome: sum.Outcome, Mode: string(sum.Mode), Count: sum.Count, Units: sum.Units,
	}
}

// whenText is a time in an audit line; "" for none.
func whenText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func listText(items []string) string { return strings.Join(items, " ") }

func boolText(b bool) string { return strconv.FormatBool(b) }
