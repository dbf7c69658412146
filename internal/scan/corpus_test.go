package scan

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"mime/quotedprintable"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// literals are how a credential gets into a program: one line a language, %s for what is written in its quotes.
var literals = map[string]string{
	"ada":        "Key : constant String := \"%s\";\n",
	"c":          "static const char key[] = \"%s\"; /* é */\n",
	"clojure":    "(def key \"%s\")\n",
	"csharp":     "private const string Key = @\"%s\";\n",
	"dart":       "const key = '%s';\n",
	"docker":     "ENV WEATHER_KEY=%s\n",
	"elixir":     "config :weather, key: \"%s\"\n",
	"env":        "export WEATHER_KEY='%s'\n",
	"go":         "const key = `%s`\n",
	"haskell":    "key = \"%s\" :: Text\n",
	"html":       "<meta name=key content=\"%s\">\n",
	"java":       "static final String KEY = \"%s\";\n",
	"javascript": "const key=`%s`,x=1;fetch(u,{headers:{Authorization:`Bearer ${key}`}})\n",
	"json":       "{\"ключ\": {\"key\": \"%s\"}}\n",
	"jupyter":    "{\"cells\":[{\"cell_type\":\"code\",\"source\":[\"key = \\\"%s\\\"\\n\"]}]}\n",
	"kotlin":     "const val KEY = \"%s\"\n",
	"lua":        "local key = [[%s]]\n",
	"make":       "KEY:=%s\n",
	"markdown":   "Use `%s` as the key.\n",
	"perl":       "my $key = q{%s};\n",
	"php":        "<?php $key = '%s';\n",
	"powershell": "$env:KEY = \"%s\"\r\n",
	"python":     "key = b'%s'\n",
	"r":          "Sys.setenv(KEY = '%s')\n",
	"ruby":       "KEY = %%q(%s).freeze\n",
	"rust":       "const KEY: &str = r#\"%s\"#;\n",
	"scala":      "val key = \"\"\"%s\"\"\"\n",
	"shell":      "curl -H \"Authorization: Bearer %s\" https://api.example.com\n",
	"sql":        "INSERT INTO keys VALUES (1, '%s');\n",
	"swift":      "let key = \"%s\"\n",
	"terraform":  "variable \"key\" { default = \"%s\" }\n",
	"toml":       "key = '''%s'''\n",
	"url":        "https://api.example.com/?key=%s&page=2\n",
	"xml":        "<key><![CDATA[%s]]></key>\n",
	"yaml":       "key: %s # mine\n",
}

// each writes every character of text by format; only writes those of which alone has some.
func each(format string, alone string) func(string) string {
	return func(text string) string {
		var out strings.Builder
		for _, c := range []byte(text) {
			if alone == "" || strings.IndexByte(alone, c) >= 0 {
				fmt.Fprintf(&out, format, c)
			} else {
				out.WriteByte(c)
			}
		}
		return out.String()
	}
}

// wrap breaks text into lines.
func wrap(width int, with string) func(string) string {
	return func(text string) string {
		var lines []string
		for len(text) > width {
			lines = append(lines, text[:width])
			text = text[width:]
		}
		return strings.Join(append(lines, text), with)
	}
}

// written are the escapes in which the credential itself may stand between the quotes.
var written = []struct {
	encoding Encoding
	name     string
	write    func(string) string
}{
	{Plain, "as it is", func(s string) string { return s }},
	{Percent, "underscores", each("%%%02X", "_")},
	{Percent, "underscores, lower case", each("%%%02x", "_")},
	{Percent, "all", each("%%%02x", "")},
	{Percent, "capitals", each("%%%02x", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")},
	{Percent, "twice", each("%%25%02X", "_")},
	{Percent, "three times", each("%%2525%02X", "")},
	{Percent, "of JavaScript's escape", each("%%u%04X", "")},
	{Backslash, "JSON underscores", each(`\u%04x`, "_")},
	{Backslash, "JSON all", each(`\u%04X`, "")},
	{Backslash, "JSON in JSON", each(`\\u%04X`, "")},
	{Backslash, "JSON digits", each(`\u%04X`, "0123456789")},
	{Backslash, "Java", each(`\uuu%04x`, "l_")},
	{Backslash, "C hexadecimal", each(`\x%02x`, "")},
	{Backslash, "C octal", each(`\%03o`, "")},
	{Backslash, "Python long", each(`\U%08x`, "y")},
	{Backslash, "Rust", each(`\u{%x}`, "_a")},
	{Backslash, "Perl", each(`\x{%02x}`, "k")},
	{Backslash, "Markdown", each(`\%c`, "_")},
	{Backslash, "continued", wrap(11, "\\\n")},
	{Backslash, "continued often", wrap(2, "\\\r\n")},
	{Entity, "decimal", each("&#%d;", "_")},
	{Entity, "decimal, all", each("&#%03d;", "")},
	{Entity, "hexadecimal, all", each("&#x%X;", "")},
	{Entity, "named", func(s string) string { return strings.ReplaceAll(s, "_", "&lowbar;") }},
	{Entity, "twice", each("&amp;#x%x;", "_")},
	{QuotedPrintable, "underscores", each("=%02X", "_")},
	{QuotedPrintable, "broken", wrap(9, "=\r\n")},
	{QuotedPrintable, "broken in the secret", wrap(40, "=\n")},
}

func wide(order binary.AppendByteOrder, mark bool) func(string) []byte {
	return func(text string) []byte {
		if mark {
			text = "\ufeff" + text
		}
		var out []byte
		for _, unit := range utf16.Encode([]rune(text)) {
			out = order.AppendUint16(out, unit)
		}
		return out
	}
}

// inBase64At encodes with n bytes before, over what follows.
func inBase64At(n int, codec *base64.Encoding, inner func(string) []byte, then func(string) string) func(string) []byte {
	return func(text string) []byte {
		raw := append(bytes.Repeat([]byte("~"), n), inner(text)...)
		return []byte("data: " + then(codec.EncodeToString(raw)) + "\n")
	}
}

func bytesOf(s string) []byte { return []byte(s) }

func same(s string) string { return s }

// files are the encodings in which a whole file, literal and all, may be.
func files() map[string]func(string) []byte {
	all := map[string]func(string) []byte{
		"utf-8":               bytesOf,
		"utf-8, with mark":    func(s string) []byte { return []byte("\ufeff" + s) },
		"utf-16le":            wide(binary.LittleEndian, false),
		"utf-16be":            wide(binary.BigEndian, false),
		"utf-16le, with mark": wide(binary.LittleEndian, true),
		"utf-16be, with mark": wide(binary.BigEndian, true),
		"utf-16 after a byte": func(s string) []byte { return append([]byte{'x'}, wide(binary.BigEndian, false)(s)...) },
		"quoted-printable":    func(s string) []byte { return printable(s) },
	}
	for n := range 3 {
		for name, codec := range map[string]*base64.Encoding{"std": base64.StdEncoding, "url": base64.URLEncoding, "raw": base64.RawStdEncoding} {
			all[fmt.Sprint("base64 ", name, n)] = inBase64At(n, codec, bytesOf, same)
		}
		for name, then := range map[string]func(string) string{
			"PEM": wrap(64, "\n"), "MIME": wrap(76, "\r\n"), "narrow": wrap(40, "\n"), "YAML": wrap(76, "\n    "),
			"in JSON": wrap(60, `\n`), "in JSON, CRLF": wrap(60, `\r\n`),
		} {
			all[fmt.Sprint("base64 ", name, n)] = inBase64At(n, base64.StdEncoding, bytesOf, then)
		}
		all[fmt.Sprint("base64 of utf-16le ", n)] = inBase64At(n, base64.StdEncoding, wide(binary.LittleEndian, false), same)
		all[fmt.Sprint("base64 of utf-16be ", n)] = inBase64At(n, base64.StdEncoding, wide(binary.BigEndian, false), same)
		for m := range 3 {
			all[fmt.Sprint("base64 of base64 ", n, m)] = inBase64At(n, base64.StdEncoding, inBase64At(m, base64.StdEncoding, bytesOf, same), same)
		}
	}
	return all
}

func printable(s string) []byte {
	var out bytes.Buffer
	w := quotedprintable.NewWriter(&out)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return out.Bytes()
}

// Every credential that stands in a program in some language and encoding is found, once.
func TestRecall(t *testing.T) {
	random := dice(1)
	f := finder(t, "acme", "lyd")
	var all []string
	for _, prefix := range []string{"acme", "lyd"} {
		all = append(all, issueAll(t, random, prefix)...)
	}
	n, encodings := 0, files()
	for language, literal := range literals {
		for _, w := range written {
			for name, encode := range encodings {
				// Escapes in UTF-16 and in base64 are found where the head is plain; what else is inside another is below.
				if w.encoding != Plain && !strings.HasPrefix(name, "utf-8") {
					continue
				}
				text := all[n%len(all)]
				n++
				file := encode(fmt.Sprintf(literal, w.write(text)))
				if got := texts(f.Find(file)); !slices.Equal(got, []string{text}) {
					t.Fatalf("Find(%s, %s, %s %s) = %q, want %q\n%.300q", language, name, w.encoding, w.name, got, text, file)
				}
			}
		}
	}
	t.Logf("%d files", n)
}

// All kinds, in every encoding.
func TestRecallOfKinds(t *testing.T) {
	random := dice(2)
	f := finder(t, "lyd", "a1")
	for _, text := range append(issueAll(t, random, "lyd"), issueAll(t, random, "a1")...) {
		for _, w := range written {
			got := f.Find([]byte("key " + w.write(text) + " end"))
			if len(got) != 1 || got[0].Credential.Reveal() != text || got[0].Offset != 4 || got[0].Column != 5 || got[0].Line != 1 {
				t.Errorf("Find(%s %s of %s) = %q, want one at 4", w.encoding, w.name, text, texts(got))
				continue
			}
			public, err := secret.Parse(text)
			if err != nil {
				public, _, err = secret.ParseToken(text, nil)
			}
			if g := got[0]; err != nil || g.Kind != public.Kind || g.Mode != public.Mode || g.ID != public.ID || g.Encoding != w.encoding && w.write(text) != text {
				t.Errorf("Find(%s %s of %s) = %s, want %v", w.encoding, w.name, text, brief(g), public)
			}
		}
		for name, encode := range files() {
			if got := texts(f.Find(encode("key=" + text))); !slices.Equal(got, []string{text}) {
				t.Errorf("Find(%s of %s) = %q", name, text, got)
			}
		}
	}
}

// A break anywhere in base64 hides nothing, whatever the width of its lines.
func TestRecallOfFoldedBase64(t *testing.T) {
	random := dice(3)
	f := finder(t, "lyd")
	text := issue(t, random, "lyd", secret.Key, secret.Live)
	for before := range 120 {
		for _, width := range []int{40, 57, 64, 76} {
			for _, with := range []string{"\n", "\r\n", "\n\t  ", `\n`} {
				for _, inner := range []func(string) []byte{bytesOf, wide(binary.LittleEndian, false)} {
					file := inBase64At(before, base64.StdEncoding, inner, wrap(width, with))(text)
					if got := texts(f.Find(file)); !slices.Equal(got, []string{text}) {
						t.Fatalf("%d bytes before, lines of %d, %q: Find = %q, want %q\n%s", before, width, with, got, text, file)
					}
				}
			}
		}
	}
}

// Any of a credential's characters may be escaped, each in its own way.
func TestRecallOfMixedEscapes(t *testing.T) {
	random := dice(4)
	f := finder(t, "lyd")
	forms := []string{"%c", "%c", "%c", "%%%02X", `\u%04x`, `\x%02x`, "&#%d;", "%%25%02x", "\\\n%c"}
	for round := range 2000 {
		text := issue(t, random, "lyd", []secret.Kind{secret.Key, secret.Client, secret.Access}[round%3], secret.Test)
		var out strings.Builder
		out.WriteString("x=")
		for _, c := range []byte(text) {
			fmt.Fprintf(&out, forms[int(random.Uint64()%uint64(len(forms)))], c)
		}
		if got := texts(f.Find([]byte(out.String() + ";"))); !slices.Equal(got, []string{text}) {
			t.Fatalf("Find(%q) = %q, want %q", out.String(), got, text)
		}
	}
}
