package admin

import (
	"maps"
	"slices"
)

// Patterns are all routes of the administration.
func Patterns() []string {
	return append(slices.Sorted(maps.Keys((&rooms{}).routes())), "POST /admin/apis/import", "POST /setup/api")
}
