package main

import (
	"io"
	"net/url"
	"slices"
)

// What of SARIF 2.1.0 (OASIS) is written.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool              sarifTool         `json:"tool"`
		Invocations       []sarifInvocation `json:"invocations"`
		Results           []sarifResult     `json:"results"`
		ColumnKind        string            `json:"columnKind"`
		AutomationDetails struct {
			ID string `json:"id"`
		} `json:"automationDetails"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string      `json:"id"`
		ShortDescription sarifText   `json:"shortDescription"`
		Help             sarifText   `json:"help"`
		Configuration    sarifConfig `json:"defaultConfiguration"`
	}
	sarifConfig struct {
		Level string `json:"level"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifInvocation struct {
		ExecutionSuccessful bool                `json:"executionSuccessful"`
		Notifications       []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level   string    `json:"level"`
		Message sarifText `json:"message"`
	}
	sarifResult struct {
		RuleID       string             `json:"ruleId"`
		RuleIndex    int                `json:"ruleIndex"`
		Level        string             `json:"level"`
		Message      sarifText          `json:"message"`
		Locations    []sarifLocation    `json:"locations"`
		Fingerprints map[string]string  `json:"partialFingerprints,omitempty"`
		Suppressions []sarifSuppression `json:"suppressions,omitempty"`
		Properties   map[string]string  `json:"properties,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact struct {
			URI string `json:"uri"`
		} `json:"artifactLocation"`
		Region struct {
			StartLine   int `json:"startLine"`
			StartColumn int `json:"startColumn"`
		} `json:"region"`
	}
	sarifSuppression struct {
		Kind string `json:"kind"`
	}
)

const sarifSchema = "https://json.schemastore.org/sarif-2.1.0.json"

func writeSARIF(w io.Writer, r *scanResult) error {
	version, _ := built()
	run := sarifRun{Tool: sarifTool{Driver: sarifDriver{Name: "lanyard", Version: version, Rules: []sarifRule{}}}, Results: []sarifResult{}, ColumnKind: "unicodeCodePoints"}
	run.AutomationDetails.ID = "lanyard-scan/"
	done := sarifInvocation{ExecutionSuccessful: len(r.unread) == 0}
	for _, u := range slices.Concat(r.unread, r.odd) {
		done.Notifications = append(done.Notifications, sarifNotification{"warning", sarifText{u.path + ": " + sentence(u.err)}})
	}
	run.Invocations = []sarifInvocation{done}
	for i := range r.found {
		e := &r.found[i]
		at := slices.IndexFunc(run.Tool.Driver.Rules, func(rule sarifRule) bool { return rule.ID == e.rule })
		if at < 0 {
			at = len(run.Tool.Driver.Rules)
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{
				e.rule,
				sarifText{sentenceCase(e.what) + " in the open"},
				sarifText{"Put it into the environment or .env, and end it if others could see it: lanyard scan --revoke."},
				sarifConfig{e.level()},
			})
		}
		one := sarifResult{RuleID: e.rule, RuleIndex: at, Level: e.level(), Message: sarifText{e.inWords()}, Locations: []sarifLocation{{}}}
		place := &one.Locations[0].Physical
		place.Artifact.URI = (&url.URL{Path: e.path}).String()
		place.Region.StartLine, place.Region.StartColumn = max(1, e.line), max(1, e.column)
		if e.digest != "" {
			one.Fingerprints = map[string]string{"credentialSha256/v1": e.digest}
		}
		if kind := map[string]string{suppressedInline: "inSource", suppressedBaseline: "external"}[e.suppressed]; kind != "" {
			one.Suppressions = []sarifSuppression{{kind}}
		}
		if e.commit != "" {
			one.Properties = map[string]string{"commit": e.commit}
		}
		run.Results = append(run.Results, one)
	}
	return indented(w, sarifLog{Schema: sarifSchema, Version: "2.1.0", Runs: []sarifRun{run}})
}
