package lanyard

import "strings"

// Kinds of changes that Touches tells apart.
const (
	changedKey          = "key"
	changedApp          = "app"
	changedTeam         = "team"
	changedUser         = "user"
	changedGrant        = "grant"
	changedAPI          = "api"
	changedSubscription = "subscription"
	changedBrand        = "brand"
	changedRevocation   = "revocation"
)

// Touches reports whether a change may alter the decision made for an API: whoever remembers decisions forgets those. In doubt it may.
func (c Change) Touches(api string, d *Decision) bool {
	app, team, user, credential, family, beside := "", refID(d.Team), refID(d.User), "", "", refID(d.APIKey)
	if d.App != nil {
		app = d.App.ID
	}
	if d.Credential != nil {
		credential, family = d.Credential.ID, d.Credential.FamilyID
	}
	switch c.Kind {
	case changedKey: // personal tokens too
		return sameChars(credential, c.ID) || sameChars(beside, c.ID)
	case changedApp:
		return app == c.ID
	case changedTeam:
		return team == c.ID
	case changedUser:
		return user == c.ID || user == "" && team == ""
	case changedGrant:
		return d.GrantID == c.ID
	case changedAPI:
		return api == c.ID
	case changedSubscription: // team_…/api
		return team == "" || strings.HasPrefix(c.ID, team+"/")
	case changedBrand:
		return false
	case changedRevocation: // an id alone, or with a version or an epoch
		for _, one := range [...]string{credential, family, beside, d.GrantID, app, user} {
			if one != "" && strings.Contains(c.ID, one) {
				return true
			}
		}
		return false
	}
	return true // the keyring, what was imported or restored, and what a later version knows
}

func refID(r *DecisionRef) string {
	if r == nil {
		return ""
	}
	return r.ID
}

// sameChars compares ids without their first word: a key is key_… or pub_… by its kind, and one thing under both.
func sameChars(a, b string) bool {
	_, a, ok := strings.Cut(a, "_")
	_, b, _ = strings.Cut(b, "_")
	return ok && a == b
}
