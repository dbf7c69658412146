package catalog

import (
	"github.com/lanyard-auth/lanyard/internal/policy"
)

// Management returns Lanyard's own API: every scope of CONTRACT with what it includes, who may grant it, and whether it is
// of use only to the server's own apps. identifier is its audience.
func Management(identifier string) *policy.API {
	nouns := []struct {
		name, text string
		grantable  policy.Grantor
		server     bool // reading or writing needs the whole server's reach
	}{
		{"apps", "apps", policy.GrantableByEveryone, false},
		{"keys", "API keys", policy.GrantableByEveryone, false},
		{"usage", "usage", policy.GrantableByEveryone, false},
		{"leaks", "leak reports", policy.GrantableByEveryone, false},
		{"billing", "plans and bills", policy.GrantableByTeamOwner, false},
		{"catalog", "the catalog of APIs", policy.GrantableByAdmin, true},
		{"users", "people and teams", policy.GrantableByAdmin, true},
		{"grants", "what users allowed", policy.GrantableByAdmin, true},
		{"audit", "the audit log", policy.GrantableByAdmin, true},
	}
	var scopes []policy.Scope
	var all []string
	for _, n := range nouns {
		read, write := "lanyard."+n.name+".read", "lanyard."+n.name+".write"
		scopes = append(scopes,
			policy.Scope{Name: read, Text: "see " + n.text, GrantableBy: n.grantable, ServerReach: n.server},
			policy.Scope{Name: write, Text: "change " + n.text, Writes: true, Includes: []string{read}, GrantableBy: n.grantable, ServerReach: n.server},
		)
		all = append(all, write)
	}
	scopes = append(scopes,
		policy.Scope{Name: "lanyard.verify", Text: "ask whether a request may pass", GrantableBy: policy.GrantableByAdmin},
		policy.Scope{Name: "lanyard.changes.read", Text: "follow the log of changes", GrantableBy: policy.GrantableByAdmin, ServerReach: true},
	)
	all = append(all, "lanyard.verify", "lanyard.changes.read")
	scopes = append(scopes, policy.Scope{Name: "lanyard.admin", Text: "do everything", Writes: true, Includes: all, GrantableBy: policy.GrantableByAdmin, ServerReach: true})
	set, err := policy.NewScopes(scopes)
	if err != nil {
		panic("catalog: the management scopes contradict each other: " + err.Error()) // constant input
	}
	return &policy.API{Name: ManagementName, Identifier: identifier, Takes: policy.TakesEither, Unmetered: true, Scopes: set}
}
