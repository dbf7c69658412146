package leak

import (
	"bytes"

	"github.com/go-json-experiment/json"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// Bounds of a report by a service.
const (
	MaxReport = 4 << 20 // bytes of a body
	MaxFound  = 10000   // entries in it
)

// Found is what a service says that it found. Its text is a secret, or may be one.
type Found struct {
	Token string `json:"token"`
	Type  string `json:"type"` // the name that the service has for the pattern
	URL   string `json:"url"`  // may be empty
	// Location is what a GitLab with the token of this server says in place of URL.
	Location string `json:"location"`
	Source   string `json:"source"` // GitHub's word for the kind of place: "commit"
}

// Place is where it was found, as far as it was said.
func (f *Found) Place() string {
	if f.URL != "" {
		return f.URL
	}
	return f.Location
}

// ParseFound reads the body of a report by a service. Members that are not known are passed over: the services add some. No error holds
// any of it.
func ParseFound(body []byte) ([]Found, error) {
	var found []Found
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '[' {
		return nil, fault.New(fault.Invalid, `the body must be a JSON array of what was found: [{"token", "type", "url"}]`)
	}
	if err := json.Unmarshal(body, &found); err != nil {
		return nil, fault.New(fault.Invalid, `the body is no JSON array of what was found: [{"token", "type", "url"}]; nothing was done`)
	}
	if len(found) > MaxFound {
		return nil, fault.New(fault.Invalid, "the body holds %d entries; at most %d are looked at in one report, so send it in parts", len(found), MaxFound)
	}
	return found, nil
}
