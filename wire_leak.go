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
	ID      string    `json:"id"`
	KeyID   string    `json:"key_id"`
	Version int       `json:"version" doc:"Which secret of the key"`
	TeamID  string    `json:"team_id"`
	Kind    string    `json:"kind"`
	Name    string    `json:"name"`
	Place   string    `json:"place,omitempty" doc:"As the reporter says"`
	Outcome string    `json:"outcome" enum:"revoked,notified,dead" doc:"dead: it did not work any more"`
	FoundAt time.Time `json:"found_at"`
}
