package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard"
)

// importRow is a key in a JSON file: as the API takes it, or with a bare digest.
type importRow struct {
	Name      string           `json:"name"`
	Secret    string           `json:"secret"`
	Hash      importHash       `json:"hash"`
	Mode      string           `json:"mode"`
	Scopes    []string         `json:"scopes"`
	ExpiresAt *time.Time       `json:"expires_at"`
	Metadata  lanyard.Metadata `json:"metadata"`
}

// importHash reads both "…" and {"algorithm": "sha256", "value": "…"}.
type importHash struct{ lanyard.ImportHash }

func (h *importHash) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(text, []byte(`"`)) {
		h.Algorithm = "sha256"
		return json.Unmarshal(text, &h.Value)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	return dec.Decode(&h.ImportHash)
}

// parseImport reads keys from a file. Errors say where, and quote nothing: what stands there are secrets.
func parseImport(format, name string, text []byte, hashed bool) ([]lanyard.ImportKey, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if format == "" {
		format = guessFormat(name, text)
	}
	var keys []lanyard.ImportKey
	var err error
	switch format {
	case "json":
		keys, err = parseImportJSON(text)
	case "csv":
		keys, err = parseImportCSV(text)
	default:
		return nil, usage("--format must be json or csv, not %.20q", format)
	}
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, usage("there are no keys in it")
	}
	if hashed {
		for i := range keys {
			if keys[i].Secret != "" {
				keys[i].Secret, keys[i].Hash = "", &lanyard.ImportHash{Algorithm: "sha256", Value: keys[i].Secret}
			}
		}
	}
	return keys, nil
}

func guessFormat(name string, text []byte) string {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".json":
		return "json"
	case ".csv":
		return "csv"
	}
	if first := bytes.TrimSpace(text); len(first) > 0 && (first[0] == '[' || first[0] == '{') {
		return "json"
	}
	return "csv"
}

func parseImportJSON(text []byte) ([]lanyard.ImportKey, error) {
	var rows []importRow
	var into any = &rows
	var wrapped struct {
		Keys []importRow `json:"keys"`
	}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		into = &wrapped
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return nil, usage("the JSON cannot be read: %s", plainJSON(err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, usage("the JSON cannot be read: there is more after its end")
	}
	rows = append(rows, wrapped.Keys...)
	keys := make([]lanyard.ImportKey, 0, len(rows))
	for _, r := range rows {
		k := lanyard.ImportKey{Secret: r.Secret, Name: r.Name, Mode: r.Mode, Scopes: r.Scopes, ExpiresAt: r.ExpiresAt, Metadata: r.Metadata}
		if r.Hash != (importHash{}) {
			k.Hash = &r.Hash.ImportHash
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// plainJSON says what is wrong with a JSON text without quoting it.
func plainJSON(err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("it breaks off or is malformed near byte %d", syntax.Offset)
	case errors.As(err, &kind):
		return fmt.Sprintf("%s has the wrong type near byte %d", kind.Field, kind.Offset)
	case strings.Contains(err.Error(), "unknown field"):
		return strings.TrimPrefix(err.Error(), "json: ")
	}
	return "it breaks off or is malformed"
}

// csvColumns are the names a head line may have.
var csvColumns = []string{"name", "secret", "hash", "scopes", "mode", "expires_at"}

func parseImportCSV(text []byte) ([]lanyard.ImportKey, error) {
	r := csv.NewReader(bytes.NewReader(text))
	r.ReuseRecord = true
	record, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	head := slices.Clone(record)
	for i := range head {
		if head[i] = strings.ToLower(strings.TrimSpace(head[i])); !slices.Contains(csvColumns, head[i]) || slices.Index(head, head[i]) != i {
			err = errors.New("unknown or repeated")
		}
	}
	if err != nil || !slices.Contains(head, "name") {
		return nil, usage("the first line of the CSV must name its columns, each once, of %s, and name among them", strings.Join(csvColumns, ", "))
	}
	var keys []lanyard.ImportKey
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return keys, nil
		}
		line, _ := r.FieldPos(0)
		if err != nil {
			return nil, usage("the CSV cannot be read near line %d: each line needs %d columns, and quotes in pairs", len(keys)+2, len(head))
		}
		k, err := importLine(head, record)
		if err != nil {
			return nil, usage("line %d of the CSV: %s", line, err)
		}
		keys = append(keys, k)
	}
}

func importLine(head, record []string) (lanyard.ImportKey, error) {
	var k lanyard.ImportKey
	for i, column := range head {
		value := record[i]
		switch column {
		case "name":
			k.Name = value
		case "secret":
			k.Secret = value
		case "hash":
			if value != "" {
				k.Hash = &lanyard.ImportHash{Algorithm: "sha256", Value: value}
			}
		case "scopes":
			k.Scopes = strings.Fields(value)
		case "mode":
			k.Mode = value
		case "expires_at":
			if value == "" {
				continue
			}
			t, err := time.Parse(time.RFC3339, value)
			if err != nil {
				return k, errors.New("expires_at must read like 2026-12-31T00:00:00Z")
			}
			k.ExpiresAt = &t
		}
	}
	return k, nil
}
