package rest

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lanyard-auth/lanyard"
)

const changesRead = "lanyard.changes.read"

type changesQuery struct {
	After       string `query:"after" maxLength:"100" doc:"cursor of the answer before; absent: from the oldest kept; now: behind the newest"`
	Limit       int    `query:"limit" minimum:"1" maximum:"1000" doc:"How many at most; absent: 1000"`
	LastEventID string `header:"Last-Event-ID" maxLength:"100" doc:"What a reconnecting event stream sends in place of after"`
}

func (a *api) addChanges() {
	schema := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[lanyard.Changes](), true, "Changes")
	addStream(a, route{
		id: "read-changes", method: http.MethodGet, path: "/v1/changes", tag: "logs", scopes: []string{changesRead},
		summary: "Follow the log of changes",
		description: "Whatever can alter a decision, oldest first. An unknown cursor is 410 `changes_reset`: forget what you cached and start without one.\n\n" +
			"With `Accept: text/event-stream` the answer is a stream. Each event `changes` holds a page, and its id is the cursor after it. " +
			"Between them stand comments such as `: as_of_age_ms=120`: everything that was so old when the comment was sent has been sent before it. " +
			"An event `reset` holds a problem and ends the stream. It also ends within a second of the credential's revocation.",
		responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
			"application/json": {Schema: schema}, "text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}},
		}}},
	}, func(c *call, in *changesQuery) error {
		if strings.Contains(c.r.Header.Get("Accept"), "text/event-stream") {
			return a.streamChanges(c, in)
		}
		page, err := a.Service.ChangesAfter(c.r.Context(), c.actor, in.After, in.Limit)
		if err != nil {
			return err
		}
		c.w.Header().Set("Content-Type", "application/json")
		return gone(c, json.NewEncoder(c.w).Encode(page))
	})
}
