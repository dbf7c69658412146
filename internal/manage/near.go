package manage

import (
	"slices"
	"strings"
)

// nearest returns up to three of the names that a mistyped one may have meant, nearest first: a few letters off, or with
// the text inside.
func nearest(text string, names []string) []string {
	const most = 3
	type candidate struct {
		name     string
		distance int
	}
	if len(text) > 64 || text == "" {
		return nil
	}
	var found []candidate
	for _, name := range names {
		d := distance(strings.ToLower(text), name)
		if d > max(2, len(name)/4) {
			if len(text) < 4 || !strings.Contains(name, text) {
				continue
			}
			d = len(name)
		}
		found = append(found, candidate{name, d})
	}
	slices.SortFunc(found, func(a, b candidate) int {
		if a.distance != b.distance {
			return a.distance - b.distance
		}
		return strings.Compare(a.name, b.name)
	})
	var out []string
	for _, c := range found[:min(most, len(found))] {
		out = append(out, c.name)
	}
	return out
}

// distance is how many letters must be put in, taken out or changed to make b of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(row[j]+1, row[j-1]+1, cost)
		}
	}
	return row[len(b)]
}
