package portal

import (
	"maps"
	"slices"
	"strings"
)

// curl is a call of an operation with what it needs and nothing else. What is to be filled in ends with "…".
func (d document) curl(op operation, method, path, publicURL string) string {
	address := publicURL + path
	var query []string
	for _, p := range op.Parameters {
		value := sampleOf(p.Name, p.Schema)
		if strings.HasSuffix(p.Description, "_…") {
			value = p.Description
		}
		switch {
		case p.In == "path":
			address = strings.ReplaceAll(address, "{"+p.Name+"}", value)
		case p.In == "query" && p.Required:
			query = append(query, p.Name+"="+value)
		}
	}
	if len(query) > 0 {
		address += "?" + strings.Join(query, "&")
	}
	call := `curl -H @token` // of which the page's beginning says what it holds: curl's arguments are seen by other users
	if method != "GET" {
		call = "curl -X " + method + strings.TrimPrefix(call, "curl")
	}
	if json, is := op.Request.Content["application/json"]; is {
		if method == "POST" { // as curl does by itself
			call = strings.Replace(call, " -X POST", "", 1)
		}
		call += ` --json '` + d.sample("", json.Schema) + `'`
	}
	return call + ` "` + address + `"`
}

// sample is a value of a schema as JSON: of an object what it requires, or one member where it requires nothing.
func (d document) sample(name string, s schema) string {
	if ref := s.object(); ref != "" {
		s = d.Components.Schemas[ref]
	}
	switch {
	case s.Items != nil:
		return "[" + d.sample(name, *s.Items) + "]"
	case s.More.schema != nil:
		return `{"weather":` + d.sample("", *s.More.schema) + "}"
	case len(s.Properties) > 0:
		return d.sampleObject(s)
	case s.Type == "boolean":
		return "true"
	case s.Type == "integer", s.Type == "number":
		return "1"
	}
	return `"` + sampleOf(name, s) + `"`
}

func (d document) sampleObject(s schema) string {
	names := s.Required
	if len(names) == 0 {
		for _, name := range append([]string{"takes", "name", "apis"}, slices.Sorted(maps.Keys(s.Properties))...) {
			if _, is := s.Properties[name]; is {
				names = []string{name}
				break
			}
		}
	}
	fields := make([]string, 0, len(names))
	for _, name := range names {
		fields = append(fields, `"`+name+`":`+d.sample(name, s.Properties[name]))
	}
	return "{" + strings.Join(fields, ",") + "}"
}

// samplesByName are values as people would write them.
var samplesByName = map[string]string{ //nolint:gosec // the credential is none
	"api": "weather", "app_id": "app_…", "credential": "lyd_key_live_…", "email": "ada@acme.example", "plan": "free", "reason": "it was in a screenshot", "role": "developer",
}

func sampleOf(name string, s schema) string {
	switch {
	case len(s.Enum) > 0:
		return s.Enum[0]
	case s.Format == "date-time":
		return "2026-01-01T00:00:00Z"
	case samplesByName[name] != "":
		return samplesByName[name]
	case name == "name" && s.Description == "The API's name":
		return "weather"
	}
	return "WeatherDashboard"
}
