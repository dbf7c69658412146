package catalog

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-auth/lanyard"
)

// Diff says what differs between two catalogs, one change a value, in the order of their paths. A path reads as in
// lanyard.yaml: apis.weather.scopes.forecast.read.text. Nothing in a catalog is secret.
func Diff(before, after State) []lanyard.CatalogChange {
	was, is := leaves(before), leaves(after)
	paths := maps.Clone(was)
	maps.Copy(paths, is)
	changes := []lanyard.CatalogChange{}
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		old, had := was[path]
		now, has := is[path]
		switch {
		case !had:
			changes = append(changes, lanyard.CatalogChange{Path: path, Action: "add", After: now})
		case !has:
			changes = append(changes, lanyard.CatalogChange{Path: path, Action: "remove", Before: old})
		case old != now:
			changes = append(changes, lanyard.CatalogChange{Path: path, Action: "change", Before: old, After: now})
		}
	}
	return changes
}

// leaves returns every single value of a catalog by its path. It goes through JSON, so that a field added to the wire
// types cannot be forgotten here.
func leaves(s State) map[string]string {
	out := map[string]string{}
	collect(out, "brand", plain(s.Brand))
	delete(out, "brand") // an empty brand is no brand
	for name, api := range s.APIs {
		api.Name = "" // it stands in the path
		collect(out, "apis."+name, plain(api))
	}
	return out
}

// plain is a wire value as maps, slices and scalars.
func plain(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		panic("catalog: a wire type does not encode: " + err.Error()) // strings, numbers and maps of them always do
	}
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	var out any
	if err := decoder.Decode(&out); err != nil {
		panic("catalog: a wire type does not decode: " + err.Error())
	}
	return out
}

func collect(out map[string]string, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 {
			out[path] = "{}" // something is there, though it says nothing
		}
		for name, inner := range v {
			collect(out, path+"."+name, inner)
		}
	case []any:
		var words []string
		for i, inner := range v {
			if _, object := inner.(map[string]any); object {
				collect(out, path+"["+strconv.Itoa(i)+"]", inner)
				continue
			}
			words = append(words, fmt.Sprint(inner))
		}
		if len(words) > 0 {
			out[path] = strings.Join(words, ", ")
		}
	default:
		out[path] = fmt.Sprint(v)
	}
}
