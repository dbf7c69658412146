package policy

import (
	"fmt"
	"sort"
	"strings"
	"time"
)

// AnyMethod matches every method. It is less specific than a named one.
const AnyMethod = "ANY"

// Operation is one method and path template of an API with what it asks.
type Operation struct {
	Name   string // "GET /v1/forecast", as declared; how usage and restrictions name it
	Takes  Takes  // empty: as the API says
	Scopes []string
	Cost   int64         // units a call spends; 0 is free, and declared as 1 unless said otherwise
	MaxAge time.Duration // how long ago the user may have signed in; 0: whenever
}

// Operations finds the operation of a request. Templates match as in net/http's ServeMux: `{name}` takes one segment,
// `{name...}` or a final slash the rest, `{$}` the end; the most specific wins whatever the order of declaration. The zero value matches nothing.
type Operations struct {
	byName map[string]*Operation
	root   *node
}

// node is one segment of the tree. A literal is tried before a wildcard and a wildcard before the rest, going back when
// a branch fails; since NewOperations refuses ties, the first match is the most specific.
type node struct {
	literal map[string]*node
	single  *node
	rest    map[string]*Operation // by method
	end     map[string]*Operation
}

// NewOperations compiles declarations. Two templates that both match some request while neither is more specific are
// refused, as is a template written twice under other wildcard names.
func NewOperations(ops []Operation) (*Operations, error) {
	set := &Operations{byName: make(map[string]*Operation, len(ops)), root: &node{}}
	patterns := make([]pattern, 0, len(ops))
	for i := range ops {
		op := ops[i]
		p, err := parsePattern(op.Name)
		if err != nil {
			return nil, err
		}
		if op.Takes != "" && !op.Takes.Valid() {
			return nil, fmt.Errorf("operation %.100q takes %.40q, want key, token, either or both", op.Name, op.Takes)
		}
		if op.Cost < 0 {
			return nil, fmt.Errorf("operation %.100q costs %d, want 0 or more", op.Name, op.Cost)
		}
		for _, other := range patterns {
			if err := p.tie(other); err != nil {
				return nil, err
			}
		}
		patterns = append(patterns, p)
		set.byName[op.Name] = &op
		set.root.add(p, &op)
	}
	return set, nil
}

// Named returns the operation declared under exactly that name, such as "GET /v1/forecast", or nil.
func (s *Operations) Named(name string) *Operation {
	if s == nil {
		return nil
	}
	return s.byName[name]
}

// Len is how many operations are declared.
func (s *Operations) Len() int {
	if s == nil {
		return 0
	}
	return len(s.byName)
}

// Names returns the declared names in order.
func (s *Operations) Names() []string {
	if s == nil {
		return nil
	}
	names := make([]string, 0, len(s.byName))
	for name := range s.byName {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Match returns the operation of a request, or nil. path is in normal form (NormalPath). HEAD is served by GET's operation
// unless it has one of its own. A method that is missing or holds a lower-case letter matches nothing, not even ANY: methods are
// case-sensitive (RFC 9110 section 9.1) but not to every upstream, and "get" must not slip past the rule of GET.
func (s *Operations) Match(method, path string) *Operation {
	if s == nil || s.root == nil || !plainMethod(method) || path == "" || path[0] != '/' {
		return nil
	}
	return s.root.match(method, path[1:])
}

func (n *node) add(p pattern, op *Operation) {
	for _, seg := range p.segments {
		switch seg.kind {
		case literal:
			if n.literal == nil {
				n.literal = map[string]*node{}
			}
			next := n.literal[seg.text]
			if next == nil {
				next = &node{}
				n.literal[seg.text] = next
			}
			n = next
		case single:
			if n.single == nil {
				n.single = &node{}
			}
			n = n.single
		case rest:
			if n.rest == nil {
				n.rest = map[string]*Operation{}
			}
			n.rest[p.method] = op
			return
		}
	}
	if n.end == nil {
		n.end = map[string]*Operation{}
	}
	n.end[p.method] = op
}

// match finds path, given without its leading slash: "" is the empty last segment of "/a/".
func (n *node) match(method, path string) *Operation {
	segment, tail, more := strings.Cut(path, "/")
	if next := n.literal[segment]; next != nil {
		if op := next.finish(method, tail, more); op != nil {
			return op
		}
	}
	if n.single != nil && segment != "" {
		if op := n.single.finish(method, tail, more); op != nil {
			return op
		}
	}
	return byMethod(n.rest, method)
}

func (n *node) finish(method, tail string, more bool) *Operation {
	if more {
		return n.match(method, tail)
	}
	return byMethod(n.end, method)
}

func plainMethod(method string) bool {
	for i := range len(method) {
		if c := method[i]; c <= ' ' || c >= 0x7f || c >= 'a' && c <= 'z' {
			return false
		}
	}
	return method != ""
}

func byMethod(ops map[string]*Operation, method string) *Operation {
	if ops == nil {
		return nil
	}
	if op := ops[method]; op != nil {
		return op
	}
	if method == "HEAD" {
		if op := ops["GET"]; op != nil {
			return op
		}
	}
	return ops[AnyMethod]
}
