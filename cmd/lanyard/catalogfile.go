package main

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-auth/lanyard"
)

// maxCatalog is the size of a lanyard.yaml in bytes; the largest catalogs are a tenth of it.
const maxCatalog = 5 << 20

// parseCatalog reads lanyard.yaml. A field nobody knows, or one that stands twice, is an error with its line: ignoring it
// could leave open what it was meant to close.
func parseCatalog(name string, text []byte) (lanyard.Catalog, error) {
	var c lanyard.Catalog
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	err := dec.Decode(&c)
	if errors.Is(err, io.EOF) {
		return c, usage("%s is empty", name)
	}
	if err != nil {
		return c, usage("%s: %s", name, plainYAML(err))
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return c, usage("%s holds more than one document; keep one", name)
	}
	if c.Brand == nil && len(c.APIs) == 0 {
		return c, usage(`%s declares nothing: it needs "apis:" or "brand:"`, name)
	}
	return c, nil
}

var (
	unknownField = regexp.MustCompile(`field (\S+) not found in type lanyard\.(\w+)`)
	wrongType    = regexp.MustCompile("cannot unmarshal !!(\\w+) (`[^`]*` )?into (\\S+)")
)

// plainYAML says in one line what is wrong, without the types of this program.
func plainYAML(err error) string {
	text := err.Error()
	var several *yaml.TypeError
	if errors.As(err, &several) {
		text = strings.Join(several.Errors, "; ")
	}
	text = strings.TrimPrefix(text, "yaml: ")
	text = unknownField.ReplaceAllStringFunc(text, func(found string) string {
		m := unknownField.FindStringSubmatch(found)
		return "unknown field " + m[1] + " in " + place(m[2])
	})
	text = wrongType.ReplaceAllStringFunc(text, func(found string) string {
		m := wrongType.FindStringSubmatch(found)
		return strings.TrimSpace("a "+yamlWord(m[1])+" "+m[2]) + " stands where " + wanted(m[3]) + " belongs"
	})
	return strings.ReplaceAll(text, "mapping key", "field")
}

func place(kind string) string {
	switch kind {
	case "Catalog":
		return "the file's top level; known are brand and apis"
	case "API", "CORS":
		return "an API"
	case "TokenRules":
		return "token"
	}
	return "a " + strings.ToLower(kind)
}

func yamlWord(tag string) string {
	switch tag {
	case "seq":
		return "list"
	case "map":
		return "group of fields"
	case "str":
		return "text"
	case "int", "float":
		return "number"
	case "bool":
		return "true or false"
	}
	return tag
}

func wanted(kind string) string {
	switch {
	case strings.HasPrefix(kind, "[]"):
		return "a list"
	case kind == "string":
		return "text"
	case kind == "bool":
		return "true or false"
	case strings.HasPrefix(kind, "int"):
		return "a whole number"
	}
	return "a group of fields"
}
