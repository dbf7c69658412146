package face

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
)

// Result is what the API said to a button.
type Result struct {
	Act    string
	Status int // 0: no answer
	Body   []byte
}

// Name is what the button says.
func (r *Result) Name() string {
	return map[string]string{"profile": "Read my profile", "messages": "Read my mail", "post": "Post for me"}[r.Act]
}

func (r *Result) good() bool { return r.Status >= 200 && r.Status < 300 }

// Tone is good, warn or bad.
func (r *Result) Tone() string {
	switch {
	case r.good():
		return "good"
	case r.Status == http.StatusUnauthorized:
		return "bad"
	}
	return "warn"
}

// Said is the status in words.
func (r *Result) Said() string {
	if r.Status == 0 {
		return "no answer"
	}
	return fmt.Sprintf("%d %s", r.Status, http.StatusText(r.Status))
}

// Text puts the answer into words. A refusal is a problem document (RFC 9457) whose detail was written for people: it is shown as it
// is.
func (r *Result) Text() string {
	switch {
	case r.good():
		return "The API let PostPal do this for you."
	case r.Status == 0:
		return "The API or the provider cannot be reached just now, or the badge is gone. Try again in a moment."
	}
	var problem struct {
		Detail string `json:"detail"`
	}
	if json.Unmarshal(r.Body, &problem) != nil || problem.Detail == "" {
		return "The API did not say why."
	}
	return problem.Detail
}

// Pretty is an answer's JSON, indented; "": there is nothing to show.
func (r *Result) Pretty() string {
	var pretty bytes.Buffer
	if !r.good() || json.Indent(&pretty, bytes.TrimSpace(r.Body), "", "  ") != nil {
		return ""
	}
	return pretty.String()
}
