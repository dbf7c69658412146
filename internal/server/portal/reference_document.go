package portal

import (
	"bytes"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// document is an OpenAPI document, as far as the reference shows it.
type document struct {
	Info struct {
		Description string `yaml:"description"`
	} `yaml:"info"`
	Tags       []tag                           `yaml:"tags"`
	Paths      map[string]map[string]operation `yaml:"paths"`
	Components struct {
		Schemas map[string]schema `yaml:"schemas"`
	} `yaml:"components"`
}

type tag struct {
	Name        string `yaml:"name"`
	Description string `yaml:"description"`
}

type operation struct {
	ID          string                `yaml:"operationId"`
	Summary     string                `yaml:"summary"`
	Description string                `yaml:"description"`
	Tags        []string              `yaml:"tags"`
	Security    []map[string][]string `yaml:"security"`
	Parameters  []parameter           `yaml:"parameters"`
	Request     struct {
		Required bool  `yaml:"required"`
		Content  media `yaml:"content"`
	} `yaml:"requestBody"`
	Responses map[string]struct {
		Content media `yaml:"content"`
	} `yaml:"responses"`
}

// media is a body by its content types.
type media map[string]struct {
	Schema schema `yaml:"schema"`
}

type parameter struct {
	Name        string `yaml:"name"`
	In          string `yaml:"in"`
	Description string `yaml:"description"`
	Required    bool   `yaml:"required"`
	Schema      schema `yaml:"schema"`
}

type schema struct {
	Ref         string            `yaml:"$ref"`
	Type        string            `yaml:"type"`
	Format      string            `yaml:"format"`
	Description string            `yaml:"description"`
	Enum        []string          `yaml:"enum"`
	Required    []string          `yaml:"required"`
	Properties  map[string]schema `yaml:"properties"`
	Items       *schema           `yaml:"items"`
	More        additional        `yaml:"additionalProperties"`
}

// additional is what a schema says of members it does not name: whether there may be any, or what they hold.
type additional struct{ *schema }

// UnmarshalYAML reads a schema, and passes over true and false.
func (a *additional) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind != yaml.MappingNode {
		return nil
	}
	a.schema = &schema{}
	return node.Decode(a.schema)
}

// object is the name of the schema that a reference leads to, or "".
func (s schema) object() string {
	name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/")
	if !ok {
		return ""
	}
	return name
}

func readDocument(text []byte) (document, error) {
	var doc document
	if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&doc); err != nil {
		return doc, fmt.Errorf("read the OpenAPI document for the reference: %w", err)
	}
	return doc, nil
}
