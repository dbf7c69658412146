package developers

import (
	"maps"
	"slices"
)

// Routes lists the patterns of every page, for tests that walk them all.
func Routes() []string { return slices.Sorted(maps.Keys((&rooms{}).routes())) }
