package extauthz_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	authfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3" // so that the file's types are known
	managerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3" // so that the file's types are known
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/lanyard-auth/lanyard/internal/server/doors"
	"github.com/lanyard-auth/lanyard/internal/server/extauthz"
)

// TestShipped: every name in docs/doors/envoy.yaml is one of Envoy's messages, their own rules hold, and what must not be lost is there. Envoy
// itself has not run it.
func TestShipped(t *testing.T) {
	text, err := os.ReadFile("../../../docs/doors/envoy.yaml")
	must(t, err)
	var tree any
	must(t, yaml.Unmarshal(text, &tree))
	plain, err := json.Marshal(tree)
	must(t, err)
	var file bootstrapv3.Bootstrap
	must(t, protojson.Unmarshal(plain, &file))
	must(t, file.ValidateAll())
	filters := map[string]*authfilterv3.ExtAuthz{}
	for _, l := range file.GetStaticResources().GetListeners() {
		var manager managerv3.HttpConnectionManager
		must(t, l.GetFilterChains()[0].GetFilters()[0].GetTypedConfig().UnmarshalTo(&manager))
		must(t, manager.ValidateAll())
		if !manager.GetUseRemoteAddress().GetValue() {
			t.Errorf("%s: callers could make up their addresses", l.GetName())
		}
		var filter authfilterv3.ExtAuthz
		must(t, manager.GetHttpFilters()[0].GetTypedConfig().UnmarshalTo(&filter))
		must(t, filter.ValidateAll())
		filters[l.GetName()] = &filter
		if filter.GetFailureModeAllow() || filter.GetStatusOnError().GetCode() != 503 || !filter.GetEncodeRawHeaders() || filter.GetClearRouteCache() || filter.GetWithRequestBody() != nil {
			t.Errorf("%s: %v", l.GetName(), &filter)
		}
	}
	if filters["grpc"].GetGrpcService().GetTimeout().GetSeconds() < 1 || filters["grpc"].GetAllowedHeaders() != nil {
		t.Errorf("grpc: %v", filters["grpc"])
	}
	service := filters["http"].GetHttpService()
	if service.GetPathPrefix() != extauthz.Prefix || filters["http"].GetAllowedHeaders().GetPatterns()[0].GetSafeRegex().GetRegex() != ".*" {
		t.Errorf("http: %v", filters["http"])
	}
	var names []string
	for _, p := range service.GetAuthorizationResponse().GetAllowedUpstreamHeaders().GetPatterns() {
		names = append(names, p.GetExact())
	}
	want := []string{"cookie"}
	for _, name := range doors.IdentityHeaders() {
		want = append(want, strings.ToLower(name))
	}
	slices.Sort(names)
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("the upstream gets %q, want %q", names, want)
	}
}
