package page

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/page/pagetest"
)

// Every partial is executed with its struct, in all its states.
func TestStyleguide(t *testing.T) {
	k := New(acme())
	w := ask(k, k.Styleguide(), request(browser))
	body := w.Body.String()
	if w.Code != http.StatusOK {
		t.Fatalf("GET /styleguide = %d %s", w.Code, body)
	}
	for _, fault := range pagetest.Faults(body) {
		t.Error(fault)
	}
	for _, want := range []string{
		`class="pass idcard"`, `class="pass badge"`, `class="pass idcard gone"`, `class="pass badge gone"`, `<p class="stamp">leaked</p>`, `<s><bdi>`, `If stolen:`, `12:40`,
		`aria-invalid="true" aria-describedby="mail-error mail-hint"`, `id="scope-profile.read" checked disabled`, `<input type="hidden" name="scope" value="profile.read">`,
		`id="scope-posts.write" name="scope" value="posts.write">`, `class="changed"`, `class="n"`, `<figcaption`, `WEATHER_API_KEY=acme_key_live_thisIsNoKeyButLooksLikeOne`,
		`role="alert"`, `role="status"`, `aria-current="step"`, "No call was refused", "No API is declared yet",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the styleguide lacks %s", want)
		}
	}
	if strings.Contains(body, "never shown") {
		t.Error("the styleguide writes a password back")
	}
	pagetest.Keep(t, k.Assets(), "styleguide", body)
	names := k.own.Names()
	slices.Sort(names)
	if want := []string{"failure", "form-post", "styleguide"}; !slices.Equal(names, want) {
		t.Errorf("the kit's own pages are %q, want %q: each needs a test", names, want)
	}
}

// surfaces are where templates stand.
var surfaces = []string{"templates", "templates/own", "../server/portal/templates", "../server/portal/templates/once", "../server/login/templates", "../server/account/templates", "../server/developers/templates", "../server/admin/templates"}

// Each class that a template writes is styled, and each that is styled is written.
func TestClasses(t *testing.T) {
	written := map[string]bool{}
	for _, folder := range surfaces {
		names, err := filepath.Glob(folder + "/*.html")
		if err != nil || len(names) == 0 {
			t.Fatalf("%s holds %d templates (%v)", folder, len(names), err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`class="((?:[^"{]|\{\{[^}]*\}\})*)"`).FindAllStringSubmatch(string(text), -1) {
				for class := range strings.FieldsSeq(regexp.MustCompile(`\{\{[^}]*\}\}`).ReplaceAllString(m[1], " ")) {
					written[class] = true
				}
			}
			if regexp.MustCompile(`class="[^">]*\{\{(?:with|template|range)`).Match(text) {
				t.Errorf("%s makes a class in a way this test does not read", name)
			}
		}
	}
	written["plain"] = true // a cell's tone
	script, err := assets.ReadFile("assets/live.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`className = "([a-z ]+)"`).FindAllStringSubmatch(string(script), -1) {
		for class := range strings.FieldsSeq(m[1]) {
			written[class] = true
		}
	}
	rules := regexp.MustCompile(`\{[^{}]*\}|/\*[^*]*\*/`).ReplaceAllString(sheetText, "")
	for _, m := range regexp.MustCompile(`\.([a-z]+)`).FindAllStringSubmatch(rules, -1) {
		if !written[m[1]] {
			t.Errorf("page.css styles .%s, which no template writes", m[1])
		}
	}
	for class := range written {
		if !regexp.MustCompile(`\.` + class + `\b`).MatchString(rules) {
			t.Errorf("a template writes the class %s, which page.css does not style", class)
		}
	}
}

func TestSheetIsSmall(t *testing.T) {
	if got := len(sheetText); got > 40_000 {
		t.Errorf("page.css has %d bytes, want at most 40,000", got)
	}
}
