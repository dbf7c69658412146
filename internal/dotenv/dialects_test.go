package dotenv

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/joho/godotenv"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// dialects is what programs read: a value, or one of the marks below.
//
// Bash (`set -a; . ./.env`), Node.js (util.parseEnv, which is --env-file) and godotenv 1.5.1 are run by the tests. The others are
// recorded: Docker Compose from compose-go 2.9.1 and python-dotenv 1.2.2 as they answered, Ruby's dotenv 3 from its expressions.
type dialects struct{ bash, node, godotenv, compose, python, ruby string }

const (
	same    = "="
	refused = "!"
	absent  = "-"
)

// lines says of each text which value the variable has, and where programs differ, what each makes of it.
var lines = []struct {
	text, want string
	differ     dialects // all empty: every program reads what we read
}{
	{text: "A=plain\n", want: "plain"},
	{text: "A=\n", want: ""},
	{text: "A=''\n", want: ""},
	{text: "A=\"\"\n", want: ""},
	{text: "export A=x\n", want: "x"},
	{text: "  A=x\n", want: "x"},
	{text: "A='x y'\n", want: "x y"},
	{text: "A=\"x y\"\n", want: "x y"},
	{text: "A=x # note\n", want: "x"},
	{text: "A='x' # note\n", want: "x"},
	{text: "A='x' # it's # two\n", want: "x"},
	{text: "A='a\nb'\n", want: "a\nb"},
	{text: "A=\"a\nb\"\n", want: "a\nb"},
	{text: "A='a # b'\n", want: "a # b"},
	{text: "A='$HOME'\n", want: "$HOME"},
	{text: "A='say \"x\"'\n", want: "say \"x\""},
	{text: "A=\"it's\"\n", want: "it's"},
	{text: "A='a\\nb'\n", want: "a\\nb"},
	{text: "A=a=b\n", want: "a=b"},
	{text: "A=postgres://u:p@h:5432/d,e?x=%2F\n", want: "postgres://u:p@h:5432/d,e?x=%2F"},
	{text: "A=1\nA=2\n", want: "2"},
	{text: "# note\n\nA=x\n", want: "x"},
	{text: "A=x", want: "x"},
	{text: "A=' x '\n", want: " x "},
	{text: "A='\n x\n\n'\n", want: "\n x\n\n"},
	{text: "A=lyd_key_live_0123\n", want: "lyd_key_live_0123"},
	{text: "A=é\n", want: "é"},
	{text: "A=x!y\n", want: "x!y"},
	{text: "A='x!y'\n", want: "x!y"},
	{"A= x\n", "x", dialects{"!", "=", "=", "=", "=", "="}},
	{"A =x\n", "x", dialects{"!", "=", "=", "=", "=", "="}},
	{"A=x y\n", "x y", dialects{"!", "=", "=", "=", "=", "="}},
	{"A=x#y\n", "x#y", dialects{"=", "x", "=", "=", "=", "x"}},
	{"A=#y\n", "#y", dialects{"=", "", "=", "=", "=", ""}},
	{"A= # note\n", "", dialects{"=", "=", "# note", "# note", "# note", "="}},
	{"A=x\t# note\n", "x", dialects{"=", "x\t", "=", "x\t# note", "=", "="}},
	{"A=x # a # b\n", "x", dialects{"=", "=", "x # a", "=", "=", "="}},
	{"A=\"a\\nb\"\n", "a\nb", dialects{"a\\nb", "=", "=", "=", "=", "a\\nb"}},
	{"A=\"a\\tb\"\n", "a\tb", dialects{"a\\tb", "a\\tb", "atb", "=", "=", "atb"}},
	{"A=\"a\\\"b\"\n", "a\"b", dialects{"=", "a\\", "=", "=", "=", "="}},
	{"A=\"a\\\\b\"\n", "a\\b", dialects{"=", "a\\\\b", "=", "=", "=", "="}},
	{"A='a\\'b'\n", "a'b", dialects{"!", "a\\", "a\\'b", "=", "=", "a\\'b"}},
	{"A='a\\\\b'\n", "a\\\\b", dialects{"=", "=", "=", "=", "a\\b", "="}},
	{"A=a\\b\n", "a\\b", dialects{"ab", "=", "=", "=", "=", "ab"}},
	{"A=a$B\n", "a$B", dialects{"a", "=", "a", "a", "=", "a"}},
	{"A=\"a$B\"\n", "a$B", dialects{"a", "=", "a", "a", "=", "a"}},
	{"A=${B}\n", "${B}", dialects{"", "=", "", "", "", ""}},
	{"A=$(echo hi)\n", "$(echo hi)", dialects{"hi", "=", "=", "=", "=", "hi"}},
	{"A=`x`\n", "`x`", dialects{"!", "x", "=", "=", "=", "="}},
	{"A=a'b\n", "a'b", dialects{"!", "=", "=", "=", "=", "="}},
	{"A=a\"b\"c\n", "a\"b\"c", dialects{"abc", "=", "=", "=", "=", "="}},
	{"A=a;b\n", "a;b", dialects{"!", "=", "=", "=", "=", "="}},
	{"A=(a)\n", "(a)", dialects{"-", "=", "=", "=", "=", "="}},
	{"A=~\n", "~", dialects{"/h", "=", "=", "=", "=", "="}},
	{"A: x\n", "x", dialects{"!", "-", "=", "=", "-", "="}},
	{"A:x\n", "x", dialects{"!", "-", "=", "=", "-", "-"}},
	{"A\n", "!", dialects{"=", "-", "=", "-", "-", ""}},
	{"export A\n", "-", dialects{"=", "=", "!", "=", "=", "!"}},
	{"export  A=x\n", "x", dialects{"=", "-", "=", "=", "=", "="}},
	{"A-B=x\n", "x", dialects{"!", "=", "!", "=", "=", "-"}},
	{"A.B=x\n", "x", dialects{"!", "=", "=", "=", "=", "="}},
	{"1A=x\n", "x", dialects{"!", "=", "=", "=", "=", "="}},
	{"\ufeffA=x\n", "x", dialects{"!", "-", "!", "=", "-", "="}},
	{"A=x\r\nB=y\r\n", "x", dialects{"x\r", "=", "=", "=", "=", "="}},
	{"A='x\r\ny'\r\n", "x\ny", dialects{"x\r\ny\r", "=", "=", "x\r\ny", "x\r\ny", "="}},
	{"A='x'# note\n", "x", dialects{"!", "=", "=", "=", "=", "="}},
	{"A='x' y\n", "!", dialects{"=", "x", "=", "x", "-", "'x' y"}},
	{"A='x'y\n", "!", dialects{"xy", "x", "=", "x", "-", "'x'y"}},
	{"A='x\nB=2\n", "!", dialects{"=", "'x", "=", "=", "-", "'x"}},
	{"=x\n", "!", dialects{"=", "-", "-", "-", "-", "-"}},
}

// variable is the name that a text of the table is about.
func variable(text string) string {
	for _, name := range []string{"A-B", "A.B", "1A"} {
		if strings.Contains(text, name) {
			return name
		}
	}
	return "A"
}

// told is what a reading says of a name, in the marks of the table.
func told(all map[string]string, err error, name string) string {
	value, ok := all[name]
	switch {
	case err != nil:
		return refused
	case !ok:
		return absent
	}
	return value
}

func TestDialects(t *testing.T) {
	texts := make([]string, len(lines))
	for i, line := range lines {
		texts[i] = line.text
	}
	node := byNode(t, texts...)
	for i, line := range lines {
		name := variable(line.text)
		file, err := Parse(line.text)
		got, doubt := refused, ""
		if err == nil {
			got = told(file.Values(), nil, name)
			for _, e := range file.Entries() {
				if e.Name == name {
					doubt = e.Doubt
				}
			}
		}
		if got != line.want {
			t.Errorf("Parse(%q) = %q, want %q", line.text, got, line.want)
		}
		if value := line.want != refused && line.want != absent; value && (doubt != "") != (line.differ != dialects{}) {
			t.Errorf("Parse(%q) doubt = %q, but programs read %+v", line.text, doubt, line.differ)
		}
		for who, read := range map[string]func(*testing.T, string) (map[string]string, error){
			"bash": byBash, "godotenv": byGodotenv, "node": func(*testing.T, string) (map[string]string, error) { return node[i], nil },
		} {
			all, err := read(t, line.text)
			got := told(all, err, name)
			want := map[string]string{"bash": line.differ.bash, "node": line.differ.node, "godotenv": line.differ.godotenv}[who]
			if want == same || line.differ == (dialects{}) {
				want = line.want
			}
			if got != want && (who != "node" || got != line.want) { // a Node.js to come may agree
				t.Errorf("%s reads %q as %q, the table says %q", who, line.text, got, want)
			}
		}
	}
}

func byGodotenv(_ *testing.T, text string) (map[string]string, error) {
	return godotenv.Unmarshal(text)
}

func byBash(t *testing.T, text string) (map[string]string, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".env"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env, err := exec.LookPath("env")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "--norc", "-c", "set -a; . ./.env || exit 9; "+env+" -0")
	cmd.Dir, cmd.Env = dir, []string{"HOME=/h", "PATH=" + dir}
	out, err := cmd.Output()
	all := map[string]string{}
	for pair := range strings.SplitSeq(string(out), "\x00") {
		name, value, _ := strings.Cut(pair, "=")
		all[name] = value
	}
	return all, err
}

// byNode has one Node.js read every text: it takes longer to start than to read.
func byNode(t *testing.T, texts ...string) []map[string]string {
	t.Helper()
	in, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "-e", `process.stdout.write(JSON.stringify(JSON.parse(require("fs").readFileSync(0, "utf8")).map(t => require("util").parseEnv(t))))`)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v", err)
	}
	var all []map[string]string
	if err := json.Unmarshal(out, &all); err != nil || len(all) != len(texts) {
		t.Fatalf("node answers %q: %v", out, err)
	}
	return all
}

// What Set writes, a shell, Node.js and godotenv read as the value that was set.
func TestSetIsReadAlike(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"a", "Z", "0", " ", "\t", "\n", "'", `"`, "$", "`", `\`, "#", "=", ":", ";", "&", "!", "~", "(", ")", "é", "\u00a0", "\u2028", "{", "*", "%", "/", "+", "export ", "$HOME", "$(x)", "\\n"}
	text, want, none := "# first\n", map[string]string{}, 0
	for i := range 1000 {
		var value strings.Builder
		for range random.IntN(8) {
			value.WriteString(pieces[random.IntN(len(pieces))])
		}
		name := fmt.Sprintf("V%d", i)
		next, err := Set(text, name, value.String())
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("Set(%q) = %v, want it set or refused", value.String(), err)
			}
			none++
			continue
		}
		text, want[name] = next, value.String()
		if i%5 == 0 { // set again, behind a comment and export
			text = strings.TrimSuffix(text, "\n") + " # it's \"one\" # two\n"
			before, rest, _ := strings.Cut(text, name+"=")
			if text, err = Set(before+"export "+name+"="+rest, name, value.String()); err != nil {
				t.Errorf("Set(%q) again: %v", value.String(), err)
			}
		}
	}
	if none > 300 {
		t.Errorf("of 1000 values %d cannot be written", none)
	}
	for who, read := range map[string]func(*testing.T, string) (map[string]string, error){
		"bash": byBash, "godotenv": byGodotenv, "node": func(*testing.T, string) (map[string]string, error) { return byNode(t, text)[0], nil },
	} {
		got, err := read(t, text)
		if err != nil {
			t.Errorf("%s does not read it: %v", who, err)
		}
		wrong := 0
		for name, value := range want {
			if got[name] != value {
				if wrong++; wrong < 5 {
					at := strings.Index(text, name+"=")
					t.Errorf("%s reads %q as %q, want %q", who, text[at:min(at+60, len(text))], got[name], value)
				}
			}
		}
	}
	if bytes.Contains([]byte(text), []byte("\r")) {
		t.Error("there is a carriage return in it")
	}
}
