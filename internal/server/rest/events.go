package rest

import (
	"mime"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/web"
)

const usageWrite = "lanyard.usage.write"

// The media types of CloudEvents in JSON: one, and many (CloudEvents 1.0, JSON format, sections 3 and 4).
const (
	cloudEvent  = "application/cloudevents+json"
	cloudEvents = "application/cloudevents-batch+json"
)

func (a *api) addEvents() {
	registry := a.huma.OpenAPI().Components.Schemas
	one := reflect.TypeFor[lanyard.CloudEvent]()
	single := registry.Schema(one, true, one.Name())
	batch := &huma.Schema{Type: huma.TypeArray, Items: single, MaxItems: new(1000)}
	counted := reflect.TypeFor[lanyard.EventsCounted]()
	a.huma.OpenAPI().AddOperation(&huma.Operation{
		OperationID: "record-events", Method: http.MethodPost, Path: "/v1/usage/events", Tags: []string{"usage"}, Security: security([]string{usageWrite}),
		Summary: "Count events on the meters of APIs",
		Description: "CloudEvents 1.0 in JSON, one or up to 1,000, which are counted together or, where one is refused, not at all. An event is counted once by its source and id, however " +
			"often it is sent, and at most 35 days after it happened. Needs a credential of the server's own team.",
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			cloudEvent: {Schema: single}, cloudEvents: {Schema: batch}, "application/json": {Schema: single},
		}},
		Responses: map[string]*huma.Response{
			"200":     {Description: "OK", Content: map[string]*huma.MediaType{"application/json": {Schema: registry.Schema(counted, true, counted.Name())}}},
			"default": problemResponse(),
		},
	})
}

// recordEvents is POST /v1/usage/events.
func (a *api) recordEvents(w http.ResponseWriter, r *http.Request) error {
	web.Guard(w.Header())
	actor, err := a.admit(r, route{scopes: []string{usageWrite}})
	if err != nil {
		return err
	}
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media == cloudEvent || media == cloudEvents { // read as any other body is: no longer, no slower
		r = r.Clone(r.Context())
		r.Header.Set("Content-Type", "application/json")
	}
	body, err := a.Kit.ReadBody(w, r)
	if err != nil {
		return err
	}
	events, err := readEvents(media, body)
	if err != nil {
		return err
	}
	counted, err := a.Service.RecordEvents(r.Context(), actor, events)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.MarshalWrite(w, counted) // who does not read it has gone
	return nil
}

// readEvents reads one event or a list of them. Attributes that are not known are passed over, since CloudEvents may have any; a name
// that stands twice is refused.
func readEvents(media string, body []byte) ([]lanyard.CloudEvent, error) {
	many := jsontext.Value(body).Kind() == '['
	switch {
	case media == cloudEvent && many:
		return nil, fault.Field("body", "is a list; many events have the media type %s", cloudEvents)
	case media == cloudEvents && !many:
		return nil, fault.Field("body", "is no list; one event has the media type %s", cloudEvent)
	}
	var events []lanyard.CloudEvent
	if many {
		if err := json.Unmarshal(body, &events); err != nil {
			return nil, badEvents(err)
		}
		return events, nil
	}
	var one lanyard.CloudEvent
	if err := json.Unmarshal(body, &one); err != nil {
		return nil, badEvents(err)
	}
	return []lanyard.CloudEvent{one}, nil
}

func badEvents(err error) error {
	return &fault.Error{Kind: fault.Invalid, Field: "body", Detail: "is no CloudEvent in JSON, and no list of them: specversion, id, source, type and subject are texts, time is RFC 3339, data an object with units", Err: err}
}
