package web

import (
	"bytes"
	"encoding"
	"errors"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

const (
	maxDepth  = 32 // objects and arrays within each other
	maxNumber = 20 // characters of a number: more than any integer of the contract has
)

// CheckJSON refuses what two readers of the same bytes might understand differently or choke on: names given twice,
// invalid UTF-8, NUL in any spelling, more than 32 levels, numbers of more than 20 characters or with an exponent, bytes
// after the value, and what is not JSON at all. Errors are of kind fault.Invalid and name the field as a dotted path; they
// never hold a value. Names are compared as they are read, so that "a" and "\u0061" are the same.
//
// It allocates nothing for JSON it accepts.
func CheckJSON(data []byte) error {
	if plain(data) && jsontext.Value(data).IsValid() {
		return nil
	}
	return diagnose(data)
}

// DecodeStrict reads one JSON object into v, a pointer to a struct. Beyond what CheckJSON refuses, it refuses members that
// v does not have (names are case-sensitive, CVE-2026-27896) and null, which one reader takes for "clear it" and another
// for "leave it".
func DecodeStrict(data []byte, v any) error {
	if err := CheckJSON(data); err != nil {
		return err
	}
	if body := bytes.TrimLeft(data, " \t\r\n"); body[0] != '{' {
		return fault.New(fault.Invalid, "the body must be a JSON object")
	}
	if err := json.Unmarshal(data, v, json.RejectUnknownMembers(true)); err != nil {
		return mismatch(err)
	}
	return checkNull(data)
}

// checkNull refuses null. data is known to be JSON, so outside strings only null has an n that follows no letter.
func checkNull(data []byte) error {
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			i = max(i, stringEnd(data, i+1))
		case 't', 'f': // true and false
			i += 3
		case 'n':
			d := jsontext.NewDecoder(bytes.NewBuffer(data))
			for {
				if token, err := d.ReadToken(); err != nil || token.Kind() == 'n' {
					return fault.Field(Path(d.StackPointer()), "is null; leave it out instead")
				}
			}
		}
	}
	return nil
}

// plain looks for the three things that jsontext lets pass. It may cry wolf on what is not JSON; diagnose decides.
func plain(data []byte) bool {
	depth, number := 0, 0
	for i := 0; i < len(data); i++ {
		c := data[i]
		switch {
		case c == '"':
			end := stringEnd(data, i+1)
			if end < 0 {
				return false
			}
			i, number = end, 0
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return false
			}
			number = 0
		case c == '}' || c == ']':
			depth--
			number = 0
		case c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.':
			if number++; number > maxNumber {
				return false
			}
		case (c == 'e' || c == 'E') && number > 0:
			return false
		default:
			number = 0
		}
	}
	return true
}

// stringEnd returns the place of the quote that ends the string which begins at data[i], or -1 if there is none or the
// string holds an escaped NUL. (A raw one is no JSON.)
func stringEnd(data []byte, i int) int {
	for ; i < len(data); i++ {
		switch data[i] {
		case '"':
			return i
		case '\\':
			if bytes.HasPrefix(data[i+1:], []byte("u0000")) {
				return -1
			}
			i++
		}
	}
	return -1
}

// diagnose reads token by token to say what is wrong, and where.
func diagnose(data []byte) error {
	if len(bytes.TrimLeft(data, " \t\r\n")) == 0 {
		return fault.New(fault.Invalid, "the body is empty; a JSON object is wanted")
	}
	d := jsontext.NewDecoder(bytes.NewBuffer(data))
	for {
		kind := d.PeekKind()
		if d.StackDepth() >= maxDepth && (kind == '{' || kind == '[') {
			return fault.Field(Path(d.StackPointer()), "is nested more than %d levels deep", maxDepth)
		}
		token, err := d.ReadToken()
		if err != nil {
			return syntax(err)
		}
		switch kind {
		case '"':
			if strings.IndexByte(token.String(), 0) >= 0 {
				return fault.Field(Path(d.StackPointer()), "holds a NUL character")
			}
		case '0':
			if text := token.String(); len(text) > maxNumber || strings.ContainsAny(text, "eE") {
				return fault.Field(Path(d.StackPointer()), "is not a number of at most %d digits without an exponent", maxNumber)
			}
		default: // nothing that could hide something
		}
		if d.StackDepth() == 0 {
			break
		}
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return fault.New(fault.Invalid, "the body goes on after the JSON value")
	}
	return nil
}

// syntax says what jsontext found. Its own text may quote the input, so it is not passed on.
func syntax(err error) error {
	var e *jsontext.SyntacticError
	if !errors.As(err, &e) {
		return fault.New(fault.Invalid, "the body is not whole JSON")
	}
	field := Path(e.JSONPointer)
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return fault.Field(field, "is given twice")
	case errors.Is(err, jsontext.ErrNonStringName):
		return fault.Field(field, "has a member whose name is not a string")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fault.Field(field, "the body ends in the middle of it")
	case strings.Contains(e.Err.Error(), "UTF-8"):
		return fault.Field(field, "is not valid UTF-8")
	}
	return fault.Field(field, "the body is not JSON from byte %d on", e.ByteOffset)
}

// mismatch says which member does not fit. The value is not repeated: it may be a secret.
func mismatch(err error) error {
	var e *json.SemanticError
	if !errors.As(err, &e) {
		return syntax(err)
	}
	field := Path(e.JSONPointer)
	if errors.Is(err, json.ErrUnknownName) {
		return fault.Field(field, "there is no such field; names are case-sensitive")
	}
	return fault.Field(field, "must be %s", wanted(e.GoType))
}

func wanted(t reflect.Type) string {
	if t == nil {
		return "of another type"
	}
	if t == reflect.TypeFor[time.Time]() {
		return "an RFC 3339 time such as 2026-11-23T10:00:00Z"
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return "a text of its format"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number within its range"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Pointer:
		return wanted(t.Elem())
	default:
		return "of another type"
	}
}

// Path turns a JSON pointer into the path that problems use: `/limits/0/name` is `limits[0].name`. What looks like an index
// is taken for one. A path is cut at 200 bytes, and a credential within it, which may have been sent as a name, is redacted.
func Path(pointer jsontext.Pointer) string {
	var out strings.Builder
	for token := range pointer.Tokens() {
		if n, err := strconv.ParseUint(token, 10, 32); err == nil && out.Len() > 0 {
			out.WriteString("[" + strconv.FormatUint(n, 10) + "]")
			continue
		}
		if out.Len() > 0 {
			out.WriteByte('.')
		}
		out.WriteString(token)
		if out.Len() > 200 {
			break
		}
	}
	text := secret.Redact(strings.ToValidUTF8(out.String(), "�"))
	if len(text) > 200 {
		text = text[:200]
		for !utf8.ValidString(text) {
			text = text[:len(text)-1]
		}
	}
	return text
}
