package catalog

import (
	"slices"

	"github.com/lanyard-auth/lanyard/internal/policy"
)

// settle leaves out what would make the declaration say something else than the document: of two operations that match the same
// requests while neither is more specific, both, or the one that asks less; and what would match the requests of an operation
// that is left out, and ask less of them. What remains is free of ties.
func (im *openAPI) settle() {
	for i, a := range im.candidates {
		for _, b := range im.candidates[:i] {
			if a.out || b.out {
				continue
			}
			if lies := a.template.Against(b.template); lies == policy.Same || lies == policy.Tied {
				im.untie(b, a)
			}
		}
	}
	gone := slices.DeleteFunc(slices.Clone(im.candidates), func(c *candidate) bool { return !c.out || c.name == "" })
	for len(gone) > 0 {
		left := gone[0]
		gone = gone[1:]
		for _, c := range im.candidates {
			if c.out || c.asks.atLeast(left.asks) {
				continue
			}
			if lies := c.template.Against(left.template); lies == policy.Apart || lies == policy.Narrower {
				continue
			}
			c.out = true
			gone = append(gone, c)
			im.note("operation %.100q is left out as well: it would match requests of %.100q, which the document guards otherwise", c.place, left.place)
		}
	}
}

// untie leaves out one of two operations, or both. first is the one that the document has first.
func (im *openAPI) untie(first, second *candidate) {
	const why = "operation %.100q is left out: %.100q matches the same requests, and neither is more specific"
	keepFirst, keepSecond := first.asks.atLeast(second.asks), second.asks.atLeast(first.asks)
	switch {
	case keepFirst:
		second.out = true
		im.note(why+"; the other one stays, which asks no less", second.place, first.place)
	case keepSecond:
		first.out = true
		im.note(why+"; the other one stays, which asks no less", first.place, second.place)
	default:
		first.out, second.out = true, true
		im.note(why, first.place, second.place)
		im.note(why, second.place, first.place)
	}
}

// atLeast reports whether whoever fulfils d fulfils other, too. Nothing is known to be as much as what cannot be said.
func (d *demand) atLeast(other *demand) bool {
	if d == nil || other == nil {
		return false
	}
	mine, theirs := d.takes(), other.takes()
	if mine != theirs && mine != policy.TakesBoth && theirs != policy.TakesEither {
		return false
	}
	return !slices.ContainsFunc(other.scopes, func(scope string) bool { return !slices.Contains(d.scopes, scope) })
}
