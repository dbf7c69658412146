package policy

// Template is the method and path template of one operation, parsed so as to be compared with others.
type Template struct{ pattern pattern }

// ParseTemplate reads "GET /v1/{thing}". What it refuses NewOperations refuses too.
func ParseTemplate(name string) (Template, error) {
	p, err := parsePattern(name)
	return Template{p}, err
}

// Overlap says which requests two templates share.
type Overlap uint8

// How one template lies to another.
const (
	Apart    Overlap = iota // no request matches both
	Same                    // every request that matches one matches the other
	Narrower                // it matches some of the other's requests, and wins them
	Wider                   // it matches all of the other's requests, and loses them to it
	Tied                    // some requests match both, and neither wins
)

// Against says how t lies to another template.
func (t Template) Against(other Template) Overlap {
	methods := compareMethods(t.pattern.method, other.pattern.method)
	if methods == disjoint {
		return Apart
	}
	paths := t.pattern.comparePaths(other.pattern)
	switch {
	case paths == disjoint:
		return Apart
	case methods|paths == equal:
		return Same
	case methods|paths == moreSpecific:
		return Narrower
	case methods|paths == moreGeneral:
		return Wider
	}
	return Tied
}

// Rest reports whether the template takes paths of any length: it ends with a slash or `{name...}`.
func (t Template) Rest() bool {
	last := len(t.pattern.segments) - 1
	return last >= 0 && t.pattern.segments[last].kind == rest
}
