package main

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
)

// naive is what masker does, on a whole text: every byte of an occurrence goes.
func naive(text string, secrets []string) string {
	hidden := make([]bool, len(text))
	for at := range len(text) {
		for _, s := range secrets {
			if s != "" && strings.HasPrefix(text[at:], s) {
				for i := range len(s) {
					hidden[at+i] = true
				}
			}
		}
	}
	var out strings.Builder
	for at := range len(text) {
		switch {
		case !hidden[at]:
			out.WriteByte(text[at])
		case at == 0 || !hidden[at-1]:
			out.WriteString(mask)
		}
	}
	return out.String()
}

// FuzzMasker: however the output is divided, what comes out is what a replacement in the whole would give.
func FuzzMasker(f *testing.F) {
	f.Add("the hunter2 and the hunter2hunter2", "hunter2", "hunter", "er2h", byte(3))
	f.Add("aaaaaaaab", "aab", "aaaa", "", byte(1))
	f.Add("abcdabcabcd", "abcd", "bc", "da", byte(2))
	f.Fuzz(func(t *testing.T, text, a, b, c string, size byte) {
		var out bytes.Buffer
		m := newMasker(&out, []string{a, b, c})
		want := naive(text, []string{a, b, c})
		longest := max(len(a), len(b), len(c))
		for rest := text; rest != ""; {
			n := min(len(rest), 1+int(size)%7)
			if got, err := m.Write([]byte(rest[:n])); got != n || err != nil {
				t.Fatalf("Write = %d, %v, want %d", got, err, n)
			}
			rest = rest[n:]
			if !strings.HasPrefix(want, out.String()) {
				t.Fatalf("mask(%q) of %q, %q, %q began %q, want %q", text, a, b, c, out.String(), want)
			}
			if len(m.held) >= max(longest, 1) {
				t.Fatalf("%d bytes are held back of secrets of at most %d", len(m.held), longest)
			}
		}
		if err := m.Close(); err != nil || out.String() != want {
			t.Errorf("mask(%q) of %q, %q, %q = %q, %v, want %q", text, a, b, c, out.String(), err, want)
		}
	})
}

// What cannot be the beginning of a secret is passed on at once.
func TestMaskerHoldsBackLittle(t *testing.T) {
	var out bytes.Buffer
	m := newMasker(&out, []string{"hunter2"})
	for _, step := range []struct{ in, want string }{{"Password: ", "Password: "}, {"hun", "Password: "}, {"ted\n", "Password: hunted\n"}, {"hunter2", "Password: hunted\n[redacted]"}, {"!", "Password: hunted\n[redacted]!"}} {
		if _, err := m.Write([]byte(step.in)); err != nil || out.String() != step.want {
			t.Errorf("after %q: %q, %v, want %q", step.in, out.String(), err, step.want)
		}
	}
}

func TestWrittenForms(t *testing.T) {
	const value = `pa$$ "word"/é&+`
	for name, text := range map[string]string{
		"plain": value, "query": "q=pa%24%24+%22word%22%2F%C3%A9%26%2B&", "path": "/pa$$%20%22word%22%2F%C3%A9&+/", "JSON": `{"p":"pa$$ \"word\"/é&+"}`, "JSON for HTML": `{"p":"pa$$ \"word\"/é\u0026+"}`,
		"base64": base64.StdEncoding.EncodeToString([]byte(value)), "Basic": base64.StdEncoding.EncodeToString([]byte("user:" + value)), "URL base64": base64.URLEncoding.EncodeToString([]byte("u" + value + "more")),
	} {
		var out bytes.Buffer
		m := newMasker(&out, writtenForms(value))
		if _, err := m.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), mask) || strings.Contains(out.String(), "word") || len(out.String()) > len(mask)+16 {
			t.Errorf("%s: %q passes as %q", name, text, out.String())
		}
	}
	if forms := writtenForms("abc"); len(forms) != 0 {
		t.Errorf("writtenForms of three letters = %q, want none: they are in every text", forms)
	}
}

func TestSecretValues(t *testing.T) {
	for _, test := range []struct {
		name, value string
		want        int
	}{
		{"PORT", "3000", 0},
		{"NODE_ENV", "production", 0},
		{"API_KEY", "short", 0},
		{"API_KEY", "hunter2hunter2", 1},
		{"DBPASSWORD", "hunter2hunter2", 1},
		{"DATABASE_URL", "postgres://u:hunter2@h/d", 1},
		{"DATABASE_URL", "postgres://u:hun%20ter2@h/d", 2},
		{"ANYTHING", credential, 1},
		{"MONKEYS_URL", "https://example.com", 1},
	} {
		if got := secretValues(test.name, test.value); len(got) != test.want {
			t.Errorf("secretValues(%s, %s) = %d values, want %d", test.name, test.value, len(got), test.want)
		}
	}
}
