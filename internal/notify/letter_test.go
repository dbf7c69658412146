package notify

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
)

func TestEncodeRefuses(t *testing.T) {
	good := Letter{Kind: Reset, To: "ada@demo.test", Link: "https://auth.example/l/x"}
	for name, change := range map[string]func(*Letter){
		"no kind":             func(l *Letter) { l.Kind = "" },
		"unknown kind":        func(l *Letter) { l.Kind = "../layout" },
		"no address":          func(l *Letter) { l.To = "" },
		"two addresses":       func(l *Letter) { l.To = "ada@demo.test,eve@demo.test" },
		"address with a name": func(l *Letter) { l.To = "Ada <ada@demo.test>" },
		"address in brackets": func(l *Letter) { l.To = "<ada@demo.test>" },
		"newline in address":  func(l *Letter) { l.To = "ada@demo.test\r\nBcc: eve@demo.test" },
		"space in address":    func(l *Letter) { l.To = "ada@demo.test " },
		"quoted address":      func(l *Letter) { l.To = `"a b"@demo.test` },
		"comment in address":  func(l *Letter) { l.To = "ada@demo.test(x)" },
		"long address":        func(l *Letter) { l.To = strings.Repeat("a", 250) + "@demo.test" },
		"no link":             func(l *Letter) { l.Link = "" },
		"script":              func(l *Letter) { l.Link = "javascript:alert(1)" },
		"relative link":       func(l *Letter) { l.Link = "/l/x" },
		"link with a user":    func(l *Letter) { l.Link = "https://auth.example@evil.example/" },
		"newline in link":     func(l *Letter) { l.Link = "https://auth.example/\nhttps://evil.example/" },
		"link turned around":  func(l *Letter) { l.Link = "https://auth.example/\u202e" },
		"link out of a tag":   func(l *Letter) { l.Link = `https://auth.example/"><b` },
		"a list that is none": func(l *Letter) { l.Kind, l.Data = KeyWarnings, map[string]string{"warnings": "x"} },
		"a list with a script": func(l *Letter) {
			l.Kind, l.Data = KeyWarnings, map[string]string{"warnings": `[{"link":"javascript:alert(1)"}]`}
		},
		"a list that leads elsewhere": func(l *Letter) {
			l.Kind, l.Data = KeyWarnings, map[string]string{"warnings": `[{"link":"https://evil.example/"}]`}
		},
		"a list that says not where to": func(l *Letter) { l.Kind, l.Data = KeyWarnings, map[string]string{"warnings": `[{"of":"a"}]`} },
		"too much":                      func(l *Letter) { l.Data = map[string]string{"a": strings.Repeat("x", maxLetter)} },
	} {
		l := good
		change(&l)
		if text, err := Encode(l); err == nil {
			t.Errorf("Encode with %s = %s, want an error", name, text)
		} else if strings.Contains(err.Error(), "evil") || strings.Contains(err.Error(), "eve@") {
			t.Errorf("Encode with %s quotes it: %v", name, err)
		}
	}
	for _, text := range []string{"", "null", "[]", `{"kind":"reset"}`, `{"kind":"reset","to":"ada@demo.test","link":"https://a"} x`, strings.Repeat(" ", maxLetter) + "{}"} {
		if l, err := Decode([]byte(text)); err == nil {
			t.Errorf("Decode(%.40q) = %+v, want an error", text, l)
		}
	}
}

func TestEncode(t *testing.T) {
	for _, l := range []Letter{
		{Kind: Reset, To: "ada.o'hara+x@demo.test", Link: "https://auth.example/l/x?a=b#c"},
		{Kind: Invite, To: "ada@demo.test", Name: "Ada\nLovelace", Link: "http://localhost:8420/l/x", Data: map[string]string{"by": "Grace"}},
		{Kind: AccountExists, To: "ada@demo.test"},
	} {
		text, err := Encode(l)
		if err != nil {
			t.Errorf("Encode(%+v) = %v", l, err)
			continue
		}
		if got, err := Decode(text); err != nil || !cmp.Equal(got, l) {
			t.Errorf("Decode(%s) = %+v, %v, want %+v", text, got, err, l)
		}
	}
}

// FuzzDecode: what can be read can be rendered, in one line where one line is wanted, with no link but its own.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"kind":"invite","to":"ada@demo.test","name":"A\r\nB","link":"https://auth.example/l/x","data":{"by":"<b>http://evil.example</b>","team":"x\u0000"}}`))
	f.Add([]byte(`{"kind":"token_expiring","to":"ada@demo.test","data":{"days":"1","token":"{{.Link}}"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := Decode(text)
		if err != nil {
			return
		}
		m, err := Render("", l, lanyard.Brand{Name: "Acme"})
		if err != nil {
			t.Fatalf("Render(%+v) = %v", l, err)
		}
		if strings.ContainsAny(m.Subject, "\r\n\x00") || m.Subject == "" {
			t.Errorf("subject of %+v is %q", l, m.Subject)
		}
		rest := m.Text
		if l.Link != "" {
			rest = strings.Replace(rest, l.Link, "", 1)
		}
		if strings.Contains(rest, "://") || strings.Count(m.HTML, "<a ") > 1 || l.Link == "" && strings.Contains(m.HTML, "<a ") {
			t.Errorf("the mail of %+v has a link that is not its own: %s", l, m.Text)
		}
	})
}
