package notify

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/id"
)

var update = flag.Bool("update", false, "write testdata/mails.txt anew")

const (
	message id.Message = "msg_AAAAAAAAAAAAAAAA"
	link    string     = "https://auth.example/link/abc?x=1&y=2"
)

// letters is a letter of every kind, in the order in which people meet them.
func letters() []Letter {
	all := []Letter{
		{Kind: Invite, Data: map[string]string{"by": "Grace Hopper", "team": "Sunny & Co."}},
		{Kind: Invitation, Data: map[string]string{"by": "Grace Hopper", "team": "Sunny & Co.", "role": "developer"}},
		{Kind: Verify},
		{Kind: AccountExists},
		{Kind: Reset},
		{Kind: PasswordChanged, Data: map[string]string{"when": "1 July 2026 at 12:00 UTC", "from": "192.0.2.1"}},
		{Kind: WebhookDisabled, Data: map[string]string{"url": "https://app.example/hooks", "why": "failing", "team": "Sunny & Co."}},
		{Kind: Leak, Data: map[string]string{"name": "production", "place": "https://git.example/a/b.py", "kind": "key", "policy": "revoke"}},
		{Kind: Leak, Data: map[string]string{"name": "production", "place": "https://git.example/a/b.py", "kind": "key", "policy": "revoke_after", "until": "1 August 2026, 00:00 UTC"}},
		{Kind: Leak, Data: map[string]string{"name": "nightly", "kind": "pat", "policy": "revoke_after", "until": "1 August 2026, 00:00 UTC"}},
		{Kind: Leak, Data: map[string]string{"name": "page", "kind": "pub", "policy": "notify"}},
		{Kind: Leak, Data: map[string]string{"name": "production", "kind": "key", "policy": "notify"}},
		{Kind: QuotaReached, Data: map[string]string{"percent": "80", "limit": "1000", "api": "Weather", "team": "Sunny & Co.", "until": "1 August 2026, 00:00 UTC"}},
		{Kind: QuotaReached, Data: map[string]string{"percent": "100", "limit": "1000", "key": "production", "team": "Sunny & Co.", "until": "1 August 2026, 00:00 UTC"}},
		{Kind: SpendReached, Data: map[string]string{"total": "40.12", "currency": "USD", "percent": "80", "spend_limit": "50.00", "api": "Weather", "team": "Sunny & Co.", "until": "1 August 2026, 00:00 UTC"}},
		{Kind: SpendReached, Data: map[string]string{"total": "50.00", "currency": "USD", "percent": "100", "spend_limit": "50.00", "api": "Weather", "team": "Sunny & Co.", "until": "1 August 2026, 00:00 UTC"}},
		{Kind: SpendReached, Data: map[string]string{"total": "20.50", "currency": "USD", "amount": "20.00", "api": "Weather", "team": "Sunny & Co.", "until": "1 August 2026, 00:00 UTC"}},
		{Kind: KeyWarnings, Data: map[string]string{"team": "Sunny & Co.", "count": "17", "more": "15", "warnings": `[` +
			`{"of":"WeatherDashboard · production","text":"It ends in 2 days, on 3 July 2026. Make a new key.","link":"https://auth.example/developers/team_1/keys/key_1"},` +
			`{"of":"Evil.example · http://evil.example/","text":"It was used from 2001:db8::/48 for the first time 1 day ago.","link":"https://auth.example/developers/team_1/keys/key_2"}]`}},
		{Kind: TokenExpiring, Data: map[string]string{"token": "backup script", "days": "7"}},
	}
	for i := range all {
		all[i].To, all[i].Name, all[i].Link = "ada@demo.test", "Ada", link
	}
	return all
}

// TestRender holds the words of every mail to testdata/mails.txt, which is there to be read.
func TestRender(t *testing.T) {
	brand := lanyard.Brand{Name: "Acme", Color: "#fd0", Support: "help@acme.example"}
	var got strings.Builder
	seen := map[Kind]bool{}
	for _, l := range letters() {
		seen[l.Kind] = true
		m, err := Render(message, l, brand)
		if err != nil {
			t.Fatalf("Render(%s) = %v", l.Kind, err)
		}
		got.WriteString("=== " + string(l.Kind) + ": " + m.Subject + "\n" + m.Text + "\n")
		if m.To != "ada@demo.test" || m.ID != message || m.FromName != "Acme" {
			t.Errorf("%s: mail %s goes to %s from %q", l.Kind, m.ID, m.To, m.FromName)
		}
		for _, want := range []string{`<a href="https://auth.example/link/abc?x=1&amp;y=2"`, "background:#ffdd00;color:#000000", "Hello Ada,", "Questions: help@acme.example"} {
			if !strings.Contains(m.HTML, want) {
				t.Errorf("%s: the HTML lacks %q", l.Kind, want)
			}
		}
		wellFormed(t, l.Kind, m.HTML)
		for _, p := range strings.Split(m.Text, "\n\n")[1:] {
			if p = strings.TrimSpace(p); !strings.Contains(p, "https://auth.example/") && !strings.HasPrefix(p, "--") && !strings.Contains(unescape(m.HTML), "<p>"+p+"</p>") {
				t.Errorf("%s: the HTML does not say %q", l.Kind, p)
			}
		}
	}
	if len(seen) != len(kinds) {
		t.Errorf("%d kinds were rendered, there are %d", len(seen), len(kinds))
	}
	if *update {
		if err := os.WriteFile("testdata/mails.txt", []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/mails.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("the mails are not those of testdata/mails.txt (go test -update writes it):\n%s", got.String())
	}
}

func unescape(html string) string {
	return strings.NewReplacer("&amp;", "&", "&#39;", "'", "&#43;", "+", "&#34;", `"`).Replace(html)
}

// wellFormed reads HTML as XML, which finds tags that are left open.
func wellFormed(t *testing.T, kind Kind, html string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(html))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Errorf("%s: the HTML does not parse: %v", kind, err)
			return
		}
	}
}

// TestRenderBare: without data, name, brand and (where none is needed) link, no mail has a hole in it.
func TestRenderBare(t *testing.T) {
	for kind, life := range kinds {
		l := Letter{Kind: kind, To: "ada@demo.test"}
		if life > 0 {
			l.Link = link
		}
		m, err := Render(message, l, lanyard.Brand{})
		if err != nil {
			t.Errorf("Render(%s) = %v", kind, err)
			continue
		}
		for _, hole := range []string{"<no value>", "  ", " .", " ,", "“”", "{{", " 0 minutes"} {
			if strings.Contains(m.Text, hole) || strings.Contains(m.Subject, hole) {
				t.Errorf("%s has the hole %q: %s\n%s", kind, hole, m.Subject, m.Text)
			}
		}
		if !strings.Contains(m.Text, "Lanyard") || !strings.Contains(m.HTML, "Hello,") || strings.Contains(m.HTML, "<a ") != (life > 0) {
			t.Errorf("%s without a name and a brand:\n%s", kind, m.Text)
		}
	}
	if _, err := Render(message, Letter{Kind: "unknown", To: "ada@demo.test"}, lanyard.Brand{}); err == nil {
		t.Error("Render of an unknown kind = nil, want an error")
	}
}

// TestRenderHostile: names that strangers chose neither add lines, nor tags, nor links.
func TestRenderHostile(t *testing.T) {
	for _, hostile := range []string{
		"Ada\r\nBcc: eve@demo.test", "Ada\n\nhttps://evil.example/", "<script>alert(1)</script>", "</p><a href=//evil.example>x</a>", "{{.Link}}", "www.evil.example",
		"evil.example/path", "HTTPS://EVIL.EXAMPLE", "evil。example", "eve@evil.example", "a\u202egnp.exe", "a\x00b", strings.Repeat("long ", 100), "javascript:alert(1)",
	} {
		l := Letter{Kind: Invite, To: "ada@demo.test", Name: hostile, Link: link, Data: map[string]string{"by": hostile, "team": hostile}}
		m, err := Render(message, l, lanyard.Brand{Name: "Acme"})
		if err != nil {
			t.Errorf("Render(%q) = %v", hostile, err)
			continue
		}
		if strings.ContainsAny(m.Subject, "\r\n") || len(m.Subject) > 200 {
			t.Errorf("%q: subject %q", hostile, m.Subject)
		}
		rest := strings.Replace(m.Text, link, "", 1)
		for _, bad := range []string{"\r", "\x00", "\u202e", "://", "evil.example", "evil。example", "EVIL.EXAMPLE", "www.evil", "\nBcc", "\nhttps", "@evil"} {
			if strings.Contains(rest, bad) {
				t.Errorf("%q: the text has %q:\n%s", hostile, bad, m.Text)
			}
		}
		if strings.Count(m.HTML, "<a ") != 1 || strings.Contains(m.HTML, "<script") || strings.Count(m.HTML, "<p") != strings.Count(m.HTML, "</p>") {
			t.Errorf("%q gets into the HTML:\n%s", hostile, m.HTML)
		}
	}
}

func TestPlainWords(t *testing.T) {
	for in, want := range map[string]string{
		"Ada Lovelace":             "Ada Lovelace",
		"  Ada \t\n Lovelace ":     "Ada Lovelace",
		"Dr. J. O'Hara-Smith":      "Dr. J. O'Hara-Smith",
		"192.0.2.1 at 12:00":       "192.0.2.1 at 12:00",
		"evil.example":             "evil. example",
		"https://evil.example/a/b": "https: / / evil. example/ a/ b",
		"Ада":                      "Ада",
		"a\xffb":                   "ab",
		"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz": "abcdefghijklmnopqrstuvwxyzabcdefghijklmn…",
	} {
		if got := plainWords(in, 40); got != want {
			t.Errorf("plainWords(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestColors(t *testing.T) {
	for brand, want := range map[string][2]string{
		"":          {ownColor, "#ffffff"},
		"#fd0":      {"#ffdd00", "#000000"},
		"#002244":   {"#002244", "#ffffff"},
		"red;}":     {ownColor, "#ffffff"},
		"#12345":    {ownColor, "#ffffff"},
		"#12 45678": {ownColor, "#ffffff"},
		"#ggg":      {ownColor, "#ffffff"},
	} {
		if color, ink := colors(brand); color != want[0] || ink != want[1] {
			t.Errorf("colors(%q) = %s, %s, want %s", brand, color, ink, want)
		}
	}
}
