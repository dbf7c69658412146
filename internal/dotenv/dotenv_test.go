package dotenv

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"A=1\nhunter2\n":        "line 2: no = follows the name",
		"A=1\n\nB='hunter2\nC=": "line 3: a quoted value has no end",
		"A='x' hunter2":         "line 1: something other than a comment follows a quoted value",
		"A='x\ny' hunter2":      "line 2: something other than a comment",
		"?hunter2=1":            "line 1: it does not begin with the name",
		"export":                "line 1: no = follows",
	} {
		_, err := Parse(text)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Parse(%q) = %v, want an error with %q and nothing of the text", text, err, want)
		}
	}
}

func TestSetRefuses(t *testing.T) {
	for _, test := range []struct{ text, name, value, want string }{
		{"", "1A", "x", "no digit first"},
		{"", "", "x", "the name of a variable"},
		{"", "A-B", "x", "the name of a variable"},
		{"A='\n", "B", "x", "line 1"},
		{"", "A", "hunter2\x00", "control character"},
		{"", "A", "hunter2\r\n", "carriage return"},
		{"", "A", "hunter2\xff", "UTF-8"},
		{"", "A", `hunter2'"`, "mixes quotes"},
		{"", "A", `hunter2'$`, "mixes quotes"},
		{"", "A", `hunter2\\x`, "mixes quotes"},
		{"", "A", `hunter2\`, "mixes quotes"},
	} {
		got, err := Set(test.text, test.name, test.value)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") || got != "" {
			t.Errorf("Set(%q, %q, %q) = %q, %v, want an error with %q", test.text, test.name, test.value, got, err, test.want)
		}
	}
}

func TestSet(t *testing.T) {
	for name, test := range map[string]struct{ before, value, want string }{
		"empty":           {"", "v", "K=v\n"},
		"empty value":     {"", "", "K=\n"},
		"comments":        {"# mine\nA=1 # one\n\n", "v", "# mine\nA=1 # one\n\nK=v\n"},
		"no line end":     {"A=1", "v", "A=1\nK=v\n"},
		"in its place":    {"A=1\nK=old\nB=2\n", "v", "A=1\nK=v\nB=2\n"},
		"exported":        {"export  K: old\n", "v", "export K=v\n"},
		"its comment":     {"K=old # note\n", "v", "K='v' # note\n"},
		"empties it":      {"K=old # note\n", "", "K='' # note\n"},
		"two marks":       {"K=old # a # b\n", "v", "K='v' # a # b\n"},
		"twice":           {"K=old\nA=1\nK=older\n", "v", "K=v\nA=1\n"},
		"over lines":      {"A=1\nK='a\nb'\nB=2\n", "v", "A=1\nK=v\nB=2\n"},
		"inside a value":  {"A='\nK=x\n'\n", "v", "A='\nK=x\n'\nK=v\n"},
		"longer names":    {"MY_K=1\nK2=2\n", "v", "MY_K=1\nK2=2\nK=v\n"},
		"in a comment":    {"# K=old\n", "v", "# K=old\nK=v\n"},
		"Windows":         {"A=1\r\nK=old # n\r\n", "v", "A=1\r\nK='v' # n\n"},
		"byte order mark": {"\ufeffA=1\n", "v", "A=1\nK=v\n"},
		"blanks":          {"", "a b", "K='a b'\n"},
		"an apostrophe":   {"", "it's", "K=\"it's\"\n"},
		"lines":           {"", "a\nb", "K='a\nb'\n"},
	} {
		if got, err := Set(test.before, "K", test.value); err != nil || got != test.want {
			t.Errorf("%s: Set(%q, %q) = %q, %v, want %q", name, test.before, test.value, got, err, test.want)
		}
	}
}

func TestEntries(t *testing.T) {
	file, err := Parse("# c\nA='x\ny'\nexport B=hunter2 # n\nA=3\n")
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%v %+v", file.Entries(), file.Entries()); strings.Contains(text, "hunter2") {
		t.Errorf("entries print %s", text)
	}
	var got []string
	for _, e := range file.Entries() {
		got = append(got, fmt.Sprint(e.Name, e.Line))
	}
	if diff := cmp.Diff([]string{"A2", "B4", "A5"}, got); diff != "" {
		t.Errorf("names and lines (-want +got):\n%s", diff)
	}
	if v, ok := file.Lookup("A"); v != "3" || !ok {
		t.Errorf("Lookup(A) = %q, %v, want the last one", v, ok)
	}
	if v, ok := file.Lookup("C"); v != "" || ok {
		t.Errorf("Lookup(C) = %q, %v, want none", v, ok)
	}
}

// without is a text with the lines of a name cut out.
func without(t *testing.T, text, name string) string {
	file, err := Parse(text)
	if err != nil {
		t.Fatalf("Parse(%q) = %v", text, err)
	}
	var out strings.Builder
	at := 0
	for _, e := range file.entries {
		if e.Name == name {
			out.WriteString(text[at:e.start])
			at = e.end
		}
	}
	out.WriteString(text[at:])
	return strings.TrimSuffix(strings.TrimPrefix(out.String(), bom), "\n")
}

// Nothing makes Parse panic. What Set accepts is there afterwards, without doubt, and every other line is as it was.
func FuzzSet(f *testing.F) {
	for _, line := range lines {
		f.Add(line.text, "A", "value")
		f.Add("B=1 # c\n"+line.text, "K", line.want)
	}
	f.Add("K='a\nb' # c\nexport K=2", "K", "it's\nso")
	f.Add("A=\"x\\\ny\"\r\n", "K", "a\\b c")
	f.Fuzz(func(t *testing.T, text, name, value string) {
		file, err := Parse(text)
		if err != nil {
			return
		}
		for i, e := range file.entries {
			if e.start >= e.end || e.end > len(text) || i > 0 && e.start < file.entries[i-1].end || e.Line != 1+strings.Count(text[:e.start], "\n") {
				t.Fatalf("Parse(%q): entry %d is [%d, %d) in line %d", text, i, e.start, e.end, e.Line)
			}
		}
		after, err := Set(text, name, value)
		if err != nil {
			if fault.Is(err, fault.Conflict) {
				t.Errorf("Set(%q, %q, %q) = %v", text, name, value, err)
			}
			return
		}
		read, err := Parse(after)
		if err != nil {
			t.Fatalf("Set(%q, %q, %q) = %q, which reads %v", text, name, value, after, err)
		}
		if got, ok := read.Lookup(name); !ok || got != value {
			t.Errorf("Set(%q, %q, %q) = %q, which holds %q, %v", text, name, value, after, got, ok)
		}
		for _, e := range read.entries {
			if e.Name == name && e.Doubt != "" && !strings.Contains(text, "\r") {
				t.Errorf("Set(%q, %q, %q) = %q, about which there is doubt: %s", text, name, value, after, e.Doubt)
			}
		}
		if was, is := without(t, text, name), without(t, after, name); was != is {
			t.Errorf("Set(%q, %q, %q) = %q: the other lines were %q, are %q", text, name, value, after, was, is)
		}
	})
}
