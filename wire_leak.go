package lanyard

import "time"

// LeakReport is a text in which credentials were found, and where it stands.
type LeakReport struct {
	Text string `json:"text,omitempty" doc:"Any text that holds credentials"`
	// Credentials are what was found already.
	Credentials []string `json:"credentials,omitempty"`
	Place       string   `json:"place,omitempty" doc:"Address, commit and path, as far as known"`
}

// LeakQuestion asks whether credentials work, by their ids alone.
type LeakQuestion struct {
	IDs []string `json:"ids" minItems:"1" maxItems:"200" doc:"key_…, the part of a credential that is public"`
}

// LeakCheck is the state of one credential.
type LeakCheck struct {
	ID    string `json:"id"`
	State string `json:"state" enum:"live,dead,unknown" doc:"unknown: out of reach, or there is none"`
}

// LeakChecks has one state for each id, in order.
type LeakChecks struct {
	Items []LeakCheck `json:"items"`
}

// Leak is a key that somebody found where it does not belong, and what was done about it.
type Leak struct {
	ID      string     `json:"id"`
	KeyID   string     `json:"key_id"`
	Version int        `json:"version" doc:"Which secret of the key"`
	TeamID  string     `json:"team_id"`
	Kind    string     `json:"kind"`
	Name    string     `json:"name"`
	Place   string     `json:"place,omitempty" doc:"As the reporter says"`
	Source  string     `json:"source" doc:"How the report came: report, github, gitlab or gitlab_self_managed, and behind a stroke what its sender calls the kind of place: github/commit"`
	Outcome string     `json:"outcome" enum:"revoked,waiting,mended,notified,dead" doc:"revoked: it was ended. waiting: it works until due_at and then ends. mended: it waited, and had ended before due_at. notified: it works on. dead: it did not work any more when it was found"`
	FoundAt time.Time  `json:"found_at"`
	DueAt   *time.Time `json:"due_at,omitempty" doc:"When it ends, or was to end, where its owners get notice"`
}

// FoundCredential is what a service that scans says that it found.
type FoundCredential struct {
	Token    string `json:"token"`
	Type     string `json:"type,omitempty" doc:"The service's name for the pattern"`
	URL      string `json:"url,omitempty"`
	Location string `json:"location,omitempty" doc:"What a GitLab that somebody runs says in place of url"`
	Source   string `json:"source,omitempty" doc:"GitHub's word for the kind of place"`
}

// FoundVerdict says to a service whether what it found is a credential of this server.
type FoundVerdict struct {
	TokenHash string `json:"token_hash" doc:"SHA-256 of the token, in hexadecimal"`
	TokenType string `json:"token_type"`
	Label     string `json:"label" enum:"true_positive,false_positive"`
}

// RevocableTypes are the names of what may be reported.
type RevocableTypes struct {
	Types []string `json:"types"`
}
