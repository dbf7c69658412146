package web

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// sample is the struct that bodies of these tests are read into.
type sample struct {
	Name   string            `json:"name"`
	Limits []sampleLimit     `json:"limits"`
	At     *time.Time        `json:"at"`
	Meta   map[string]string `json:"meta"`
	On     bool              `json:"on"`
}

type sampleLimit struct {
	Window int64 `json:"window_seconds"`
}

func TestCheckJSONRefuses(t *testing.T) {
	for _, test := range []struct{ name, body, field string }{
		{"empty", "", ""},
		{"blank", " \n", ""},
		{"truncated", `{"name":"a"`, ""},
		{"truncated in a value", `{"name":"a`, "name"},
		{"truncated literal", `{"on":tru`, "on"},
		{"trailing bytes", `{"name":"a"} x`, ""},
		{"two values", `{}{}`, ""},
		{"trailing NUL", "{}\x00", ""},
		{"duplicate", `{"name":"a","name":"b"}`, "name"},
		{"duplicate, the same value", `{"name":"a","name":"a"}`, "name"},
		{"duplicate by escape", `{"name":"a","\u006eame":"b"}`, "name"},
		{"duplicate below", `{"limits":[{"window_seconds":1,"window_seconds":1}]}`, "limits[0].window_seconds"},
		{"raw NUL", "{\"name\":\"a\x00b\"}", "name"},
		{"escaped NUL", `{"name":"a\u0000b"}`, "name"},
		{"escaped NUL after an escaped backslash", `{"name":"a\\\u0000b"}`, "name"},
		{"NUL in a name", `{"na\u0000me":"a"}`, "na\x00me"},
		{"invalid UTF-8", "{\"name\":\"\xff\"}", "name"},
		{"lone surrogate", `{"name":"\ud800"}`, "name"},
		{"huge number", `{"limits":[{"window_seconds":123456789012345678901234567890}]}`, "limits[0].window_seconds"},
		{"number of a megabyte", `{"on":` + strings.Repeat("9", 1<<20) + `}`, "on"},
		{"exponent", `{"limits":[{"window_seconds":1e3}]}`, "limits[0].window_seconds"},
		{"exponent at once", `{"a":1E400}`, "a"},
		{"33 levels", strings.Repeat("[", 33) + strings.Repeat("]", 33), strings.TrimPrefix(strings.Repeat("[0]", 32), "[0]")},
		{"a million levels", strings.Repeat("[", 1<<20), ""},
		{"a million levels of objects", strings.Repeat(`{"a":`, 1<<18), ""},
		{"comment", `{/**/}`, ""},
		{"single quotes", `{'name':'a'}`, ""},
		{"trailing comma", `{"name":"a",}`, ""},
		{"NaN", `{"on":NaN}`, "on"},
		{"leading zero", `{"on":01}`, ""},
		{"byte order mark", "\ufeff{}", ""},
		{"UTF-16", "{\x00}\x00", ""},
		{"number as a name", `{1:2}`, ""},
	} {
		err := CheckJSON([]byte(test.body))
		var e *fault.Error
		if !errors.As(err, &e) || e.Kind != fault.Invalid {
			t.Errorf("%s: CheckJSON(%.60q) = %v, want a fault of kind %s", test.name, test.body, err, fault.Invalid)
			continue
		}
		if test.field != "" && e.Field != test.field && !strings.HasPrefix(test.name, "33") {
			t.Errorf("%s: CheckJSON(%.60q) names the field %q, want %q (%v)", test.name, test.body, e.Field, test.field, err)
		}
	}
}

func TestCheckJSONAccepts(t *testing.T) {
	for _, body := range []string{
		`{}`, ` {"a":[1,2,-3],"b":{"c":null,"d":true}} `, `[]`, `"text"`, `0`,
		`{"a":"\\u0000 is text here"}`, `{"a":"ein Gruß 🙂"}`, `{"e":"E+20"}`, `{"a":12345678901234567890}`, `{"a":0.5}`,
		strings.Repeat("[", 32) + strings.Repeat("]", 32),
		`{"A":1,"a":2}`, // two names; whether both are fields is DecodeStrict's question
	} {
		if err := CheckJSON([]byte(body)); err != nil {
			t.Errorf("CheckJSON(%q) = %v, want nil", body, err)
		}
	}
}

func TestDecodeStrictRefuses(t *testing.T) {
	for _, test := range []struct{ body, field string }{
		{`{"nam":"a"}`, "nam"},
		{`{"Name":"a"}`, "Name"},
		{`{"name":"a","NAME":"b"}`, "NAME"},
		{`{"limits":[{"window_seconds":1},{"Window_seconds":1}]}`, "limits[1].Window_seconds"},
		{`{"name":1}`, "name"},
		{`{"name":["a"]}`, "name"},
		{`{"limits":{}}`, "limits"},
		{`{"limits":[{"window_seconds":"60"}]}`, "limits[0].window_seconds"},
		{`{"limits":[{"window_seconds":1.5}]}`, "limits[0].window_seconds"},
		{`{"limits":[{"window_seconds":9223372036854775808}]}`, "limits[0].window_seconds"},
		{`{"at":"yesterday"}`, "at"},
		{`{"at":"2026-11-23 10:00:00Z"}`, "at"},
		{`{"at":5}`, "at"},
		{`{"meta":{"a":1}}`, "meta.a"},
		{`{"on":"true"}`, "on"},
		{`{"at":null}`, "at"},
		{`{"name":"null","on":true,"limits":null}`, "limits"},
		{`{"limits":[{"window_seconds":1},{"window_seconds":null}],"on":false}`, "limits[1].window_seconds"},
		{`{"meta":{"null":null}}`, "meta.null"},
		{`[]`, ""},
		{`null`, ""},
		{`"{}"`, ""},
		{`5`, ""},
	} {
		err := DecodeStrict([]byte(test.body), &sample{})
		var e *fault.Error
		if !errors.As(err, &e) || e.Kind != fault.Invalid || e.Field != test.field || e.Detail == "" {
			t.Errorf("DecodeStrict(%s) = %v, want a fault of kind %s about %q", test.body, err, fault.Invalid, test.field)
		}
	}
}

func TestDecodeStrictReads(t *testing.T) {
	var got sample
	err := DecodeStrict([]byte(`{"name":"a","limits":[{"window_seconds":60}],"at":"2026-11-23T10:00:00Z","meta":{"null":"n\"ull"},"on":true}`), &got)
	if err != nil || got.Name != "a" || len(got.Limits) != 1 || got.Limits[0].Window != 60 || got.At == nil || got.Meta["null"] != `n"ull` || !got.On {
		t.Errorf("DecodeStrict(all fields) = %+v, %v", got, err)
	}
}

func TestFaultsHoldNoValues(t *testing.T) {
	const key = "lyd_key_live_8fK2mQz7Lr0Xc41Zabcdefghijklmnopqrstuvwxyz012345abcdef"
	for _, body := range []string{
		`{"on":"` + key + `"}`, `{"at":"` + key + `"}`, `{"` + key + `":1}`, `{"name":"` + key, `{"limits":"` + key + `"}`,
	} {
		if err := DecodeStrict([]byte(body), &sample{}); err == nil || strings.Contains(err.Error(), "abcdefghij") {
			t.Errorf("DecodeStrict(%q) = %v, want an error without the secret", body, err)
		}
	}
}

func TestPathIsCut(t *testing.T) {
	err := DecodeStrict([]byte(`{"`+strings.Repeat("ü", 5000)+`":1}`), &sample{})
	var e *fault.Error
	if !errors.As(err, &e) || len(e.Field) > 200 {
		t.Errorf("DecodeStrict(long name) names a field of %d bytes, want at most 200", len(e.Field))
	}
}

func FuzzDecodeStrict(f *testing.F) {
	for _, seed := range []string{`{}`, `{"name":null}`, `{"name":"a","limits":[{"window_seconds":1}]}`, `{"Name":"a"}`, `{"at":"2026-11-23T10:00:00Z"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var strict, plain sample
		if err := DecodeStrict(data, &strict); err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("DecodeStrict(%q) = %v, want kind %s", data, err, fault.Invalid)
			}
			return
		}
		if err := json.Unmarshal(data, &plain); err != nil || !reflect.DeepEqual(strict, plain) {
			t.Fatalf("DecodeStrict(%q) reads %+v, encoding/json %+v, %v", data, strict, plain, err)
		}
	})
}

func FuzzCheckJSON(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":"\u0000"}`, `{"a":1,"a":2}`, `{"a":1e5}`, `[[[[`, "\"\xff\"", `{"a":"\\u0000"}`, `-0.00000000000000000000000000001`, `[1,2`, "\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		err := CheckJSON(data)
		if slow := diagnose(data); (err == nil) != (slow == nil) {
			t.Fatalf("CheckJSON(%q) = %v, but token by token %v", data, err, slow)
		}
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("CheckJSON(%q) = %v, want kind %s", data, err, fault.Invalid)
			}
			return
		}
		if !json.Valid(data) {
			t.Fatalf("CheckJSON(%q) = nil, but it is not JSON", data)
		}
		var v any
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatalf("CheckJSON(%q) = nil, but encoding/json says %v", data, err)
		}
		noNUL(t, v)
	})
}

func noNUL(t *testing.T, v any) {
	switch v := v.(type) {
	case string:
		if strings.Contains(v, "\x00") {
			t.Fatalf("a NUL passed in %q", v)
		}
	case []any:
		for _, e := range v {
			noNUL(t, e)
		}
	case map[string]any:
		for name, e := range v {
			noNUL(t, name)
			noNUL(t, e)
		}
	}
}

func BenchmarkCheckJSON(b *testing.B) {
	body := []byte(`{"credential":"lyd_key_live_x","api":"weather","method":"GET","path":"/v1/forecast","scopes":["a","b"],"cost":1}`)
	for b.Loop() {
		if err := CheckJSON(body); err != nil {
			b.Fatal(err)
		}
	}
}
