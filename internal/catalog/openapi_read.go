package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"go.yaml.in/yaml/v3"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

const (
	maxOpenAPI = 5 << 20 // bytes
	maxDepth   = 200     // of mappings and lists in each other
	maxAliased = 200_000 // values that come from aliases of YAML
)

// object is a mapping of the document.
type object = map[string]any

// parseDocument reads JSON as JSON, because YAML does not allow its tabs, and everything else as YAML. A name that stands twice
// is refused in both: each of two readers would take another `security` for the real one.
func parseDocument(text []byte) (object, error) {
	if len(text) > maxOpenAPI {
		return nil, fault.New(fault.Invalid, "the OpenAPI document is larger than %d MB", maxOpenAPI>>20)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	root, err := parseTree(text)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the OpenAPI document cannot be read: %.300s", strings.Join(strings.Fields(err.Error()), " "))
	}
	doc, ok := root.(object)
	if !ok {
		return nil, fault.New(fault.Invalid, "the OpenAPI document is no mapping: is it the right file?")
	}
	return doc, nil
}

func parseTree(text []byte) (any, error) {
	if !bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		return parseYAML(text)
	}
	var root any
	err := json.Unmarshal(text, &root)
	if err == nil {
		return root, checkDepth(root, 0)
	}
	if root, asYAML := parseYAML(text); asYAML == nil { // a mapping of YAML may begin with a brace, too
		return root, nil
	}
	return nil, err
}

func parseYAML(text []byte) (any, error) {
	var root yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	switch err := dec.Decode(&root); {
	case errors.Is(err, io.EOF):
		return nil, nil //nolint:nilnil // an empty document is null
	case err != nil:
		return nil, err
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("the file holds more than one document; keep one")
	}
	return (&treeBuilder{open: map[*yaml.Node]bool{}}).value(&root, 0)
}

func checkDepth(v any, depth int) error {
	if depth > maxDepth {
		return errDeep
	}
	switch v := v.(type) {
	case object:
		for _, below := range v {
			if err := checkDepth(below, depth+1); err != nil {
				return err
			}
		}
	case []any:
		for _, below := range v {
			if err := checkDepth(below, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

var errDeep = fmt.Errorf("it is nested deeper than %d levels", maxDepth)

// treeBuilder makes of YAML what JSON would have been: names are text, as they are written, so that the status 200 is "200". It
// stands in for package yaml's own decoder, whose search for repeated names takes time quadratic in their number.
type treeBuilder struct {
	open    map[*yaml.Node]bool // anchors on the way from the root
	aliased int                 // values that came from aliases
	inside  int                 // aliases on the way from the root
}

func (b *treeBuilder) value(n *yaml.Node, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errDeep
	}
	if b.inside > 0 {
		if b.aliased++; b.aliased > maxAliased {
			return nil, fmt.Errorf("its aliases stand for more than %d values", maxAliased)
		}
	}
	switch n.Kind {
	case yaml.DocumentNode:
		return b.value(n.Content[0], depth)
	case yaml.AliasNode:
		if b.open[n.Alias] {
			return nil, fmt.Errorf("line %d: the anchor %.60q contains itself", n.Line, n.Value)
		}
		b.inside++
		v, err := b.value(n.Alias, depth)
		b.inside--
		return v, err
	case yaml.SequenceNode:
		b.open[n] = true
		defer delete(b.open, n)
		out := make([]any, 0, len(n.Content))
		for _, item := range n.Content {
			v, err := b.value(item, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	case yaml.MappingNode:
		b.open[n] = true
		defer delete(b.open, n)
		return b.mapping(n, depth)
	case yaml.ScalarNode:
		return scalarNode(n)
	}
	return nil, fmt.Errorf("line %d: there is something that YAML does not have", n.Line)
}

func (b *treeBuilder) mapping(n *yaml.Node, depth int) (object, error) {
	out := make(object, len(n.Content)/2)
	var merged []any
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("line %d: a name is no text", key.Line)
		}
		v, err := b.value(n.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		if key.ShortTag() == "!!merge" {
			merged = append(merged, v)
			continue
		}
		if _, twice := out[key.Value]; twice {
			return nil, fmt.Errorf("line %d: the name %.60q stands twice in one mapping", key.Line, key.Value)
		}
		out[key.Value] = v
	}
	for _, v := range merged {
		if err := mergeInto(out, v); err != nil {
			return nil, fmt.Errorf("line %d: %w", n.Line, err)
		}
	}
	return out, nil
}

// mergeInto adds what `<<` names, a mapping or several, where the mapping itself says nothing.
func mergeInto(into object, v any) error {
	several, is := v.([]any)
	if !is {
		several = []any{v}
	}
	for _, v := range several {
		from, is := v.(object)
		if !is {
			return errors.New("what << merges is no mapping")
		}
		for name, below := range from {
			if _, there := into[name]; !there {
				into[name] = below
			}
		}
	}
	return nil
}

func scalarNode(n *yaml.Node) (any, error) {
	switch n.ShortTag() {
	case "!!null":
		return nil, nil //nolint:nilnil // null is a value
	case "!!bool", "!!int", "!!float":
		var v any
		if err := n.Decode(&v); err != nil {
			return nil, err
		}
		return v, nil
	}
	return n.Value, nil
}

// mapping, list and text are what a value is, or nothing.
func mapping(v any) object {
	m, _ := v.(object)
	return m
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// scalar is a value as text: YAML reads a port, a year or a version without quotes as a number.
func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int, int64, uint64, float64, bool:
		return fmt.Sprint(v)
	}
	return ""
}

// plainText is text on one line, without control characters.
func plainText(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r) || r == utf8.RuneError:
			return -1
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// shorten cuts a text at a word, so that it has at most so many characters, and shows that it did.
func shorten(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	cut := string([]rune(text)[:most-1])
	if space := strings.LastIndexByte(cut, ' '); space > len(cut)/2 {
		cut = cut[:space]
	}
	return strings.TrimRight(cut, " ,;:.-") + "…"
}

// names lists the names of a mapping in order.
func names(o object) []string { return slices.Sorted(maps.Keys(o)) }
