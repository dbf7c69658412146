package policy

import (
	"fmt"
	"strings"
)

type segmentKind uint8

const (
	literal segmentKind = iota
	single
	rest
)

type segment struct {
	kind segmentKind
	text string
}

type pattern struct {
	name     string
	method   string
	segments []segment
}

func parsePattern(name string) (pattern, error) {
	method, path, ok := strings.Cut(name, " ")
	if !ok || !validMethod(method) {
		return pattern{}, fmt.Errorf(`operation %.100q must read "METHOD /path", with GET, POST, … or ANY`, name)
	}
	if len(path) > 512 || !strings.HasPrefix(path, "/") {
		return pattern{}, fmt.Errorf(`operation %.100q: the path must begin with "/" and stay below 512 characters`, name)
	}
	p := pattern{name: name, method: method}
	seen := map[string]bool{}
	texts := strings.Split(path[1:], "/")
	for i, text := range texts {
		last := i == len(texts)-1
		seg, err := parseSegment(text, last)
		if err != nil {
			return pattern{}, fmt.Errorf("operation %.100q: %w", name, err)
		}
		if seg.kind != literal && seg.text != "" {
			if seen[seg.text] {
				return pattern{}, fmt.Errorf("operation %.100q: wildcard {%s} stands twice", name, seg.text)
			}
			seen[seg.text] = true
		}
		p.segments = append(p.segments, seg)
	}
	return p, nil
}

func parseSegment(text string, last bool) (segment, error) {
	inner, isWildcard := strings.CutPrefix(text, "{")
	if !isWildcard {
		if strings.ContainsAny(text, "{}%") {
			return segment{}, fmt.Errorf("segment %q must be a literal without percent signs or one whole {wildcard}", text)
		}
		if text == "" && last {
			return segment{kind: rest}, nil // "/a/" is everything below it
		}
		if _, err := NormalPath("/" + text); err != nil || text == "" {
			return segment{}, fmt.Errorf("segment %q: %w", text, ErrAmbiguousPath)
		}
		return segment{kind: literal, text: text}, nil
	}
	inner, closed := strings.CutSuffix(inner, "}")
	inner, isRest := strings.CutSuffix(inner, "...")
	switch {
	case !closed || strings.ContainsAny(inner, "{}"):
		return segment{}, fmt.Errorf("segment %q is no {wildcard}", text)
	case inner == "$" && !isRest && last:
		return segment{kind: literal}, nil // "/a/{$}" is just "/a/"
	case !identifier(inner):
		return segment{}, fmt.Errorf("wildcard %q needs a name of letters, digits and underscores", text)
	case isRest && !last:
		return segment{}, fmt.Errorf("wildcard %q may only stand at the end", text)
	case isRest:
		return segment{kind: rest, text: inner}, nil
	}
	return segment{kind: single, text: inner}, nil
}

func validMethod(method string) bool {
	if method == "" || len(method) > 20 {
		return false
	}
	for _, c := range method {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}

func identifier(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// tie returns an error if p and other both match some request and neither is more specific.
func (p pattern) tie(other pattern) error {
	methods := compareMethods(p.method, other.method)
	if methods == disjoint {
		return nil
	}
	paths := p.comparePaths(other)
	if paths == disjoint {
		return nil
	}
	switch methods | paths {
	case equal:
		return fmt.Errorf("operations %q and %q are the same", other.name, p.name)
	case moreSpecific | moreGeneral:
		return fmt.Errorf("operations %q and %q both match some requests and neither is more specific", other.name, p.name)
	default:
		return nil
	}
}

// relation is a set of bits, so that two relations of parts combine with |: equal and moreSpecific is moreSpecific,
// moreSpecific and moreGeneral is a tie.
type relation uint8

const (
	equal        relation = 0
	moreSpecific relation = 1 << (iota - 1)
	moreGeneral
	disjoint
)

func compareMethods(a, b string) relation {
	switch {
	case a == b:
		return equal
	case a == AnyMethod:
		return moreGeneral
	case b == AnyMethod:
		return moreSpecific
	case a == "GET" && b == "HEAD":
		return moreGeneral
	case a == "HEAD" && b == "GET":
		return moreSpecific
	}
	return disjoint
}

func (p pattern) comparePaths(q pattern) relation {
	var result relation
	for i := 0; ; i++ {
		a, b := p.at(i), q.at(i)
		switch {
		case a == nil && b == nil:
			return result
		case a == nil || b == nil:
			// Only a rest wildcard reaches beyond the end of the other, and it wants at least one more segment.
			return disjoint
		case a.kind == rest && b.kind == rest:
			return result
		case a.kind == rest:
			return result | moreGeneral
		case b.kind == rest:
			return result | moreSpecific
		case a.kind == literal && b.kind == literal:
			if a.text != b.text {
				return disjoint
			}
		case a.kind == single && b.kind == single:
		case a.kind == single:
			if b.text == "" { // a wildcard never takes the empty last segment
				return disjoint
			}
			result |= moreGeneral
		default:
			if a.text == "" {
				return disjoint
			}
			result |= moreSpecific
		}
	}
}

func (p pattern) at(i int) *segment {
	if i >= len(p.segments) {
		return nil
	}
	return &p.segments[i]
}
