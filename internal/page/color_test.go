package page

import (
	"math"
	"regexp"
	"strings"
	"testing"
)

func TestParseColor(t *testing.T) {
	for text, want := range map[string]rgb{
		"": ownColor, "#": ownColor, "#12": ownColor, "#12345": ownColor, "#1234567": ownColor, "red": ownColor, "0a7": ownColor, "#ggg": ownColor,
		"#+12345": ownColor, "#12_456": ownColor, "#0x1234": ownColor, "#-12": ownColor, "#12;}x{": ownColor, "#äöü": ownColor,
		"#0a7": {0x00, 0xaa, 0x77}, "#0A7": {0x00, 0xaa, 0x77}, "#00aa77": {0x00, 0xaa, 0x77}, "#fff": white, "#000000": black,
	} {
		if got := parseColor(text); got != want {
			t.Errorf("parseColor(%q) = %v, want %v", text, got, want)
		}
	}
}

func FuzzParseColor(f *testing.F) {
	f.Add("#0a7")
	f.Add("#fd0;}body{display:none")
	f.Fuzz(func(t *testing.T, text string) {
		if got := parseColor(text).hex(); len(got) != 6 || strings.Trim(got, "0123456789abcdef") != "" {
			t.Errorf("parseColor(%q).hex() = %q, want six digits", text, got)
		}
	})
}

// The published examples of WCAG: black on white, and the lightest grey that passes.
func TestContrast(t *testing.T) {
	for _, test := range []struct {
		a, b rgb
		want float64
	}{{black, white, 21}, {white, white, 1}, {rgb{0x76, 0x76, 0x76}, white, 4.54}, {white, rgb{0x76, 0x76, 0x76}, 4.54}, {rgb{0xff, 0, 0}, white, 4}} {
		if got := contrast(test.a, test.b); math.Abs(got-test.want) > 0.005 {
			t.Errorf("contrast(%v, %v) = %.3f, want %.2f", test.a, test.b, got, test.want)
		}
	}
}

// Whatever colour a provider picks, words and edges can be seen in both themes.
func TestPaletteIsReadable(t *testing.T) {
	for r := 0; r <= 255; r += 51 {
		for g := 0; g <= 255; g += 51 {
			for b := 0; b <= 255; b += 51 {
				main := rgb{uint8(r), uint8(g), uint8(b)}
				p := newPalette(main)
				if got := contrast(p.main, p.on); got < forText {
					t.Errorf("newPalette(%s): words on a button have contrast %.2f", main.hex(), got)
				}
				for _, theme := range []struct {
					words, rim, soft, ink rgb
					grounds               []rgb
				}{
					{p.words.light, p.rim.light, p.soft.light, token(t, "ink").light, lightGrounds},
					{p.words.dark, p.rim.dark, p.soft.dark, token(t, "ink").dark, darkGrounds},
				} {
					grounds := append([]rgb{theme.soft}, theme.grounds...)
					if !standsOut(theme.words, grounds, forText) || !standsOut(theme.rim, grounds, forEdges) || contrast(theme.ink, theme.soft) < forText {
						t.Errorf("newPalette(%s): words %s, edges %s or ink %s fade on %v", main.hex(), theme.words.hex(), theme.rim.hex(), theme.ink.hex(), grounds)
					}
				}
			}
		}
	}
	if got := newPalette(ownColor); got.words.light != ownColor || got.on != white {
		t.Errorf("newPalette(our own) = %+v, want the colour itself for words and white on it", got)
	}
	if got := newPalette(rgb{0xff, 0xdd, 0x00}); got.on != black || got.words.light == got.main {
		t.Errorf("newPalette(yellow) = %+v, want black on it and darker words", got)
	}
}

var (
	themed    = regexp.MustCompile(`--([a-z-]+): light-dark\(#([0-9a-f]{6}), #([0-9a-f]{6})\);`)
	sheetText = string(static()["page.css"].body)
)

func token(t *testing.T, name string) pair {
	t.Helper()
	for _, m := range themed.FindAllStringSubmatch(sheetText, -1) {
		if m[1] == name {
			return pair{parseColor("#" + m[2]), parseColor("#" + m[3])}
		}
	}
	t.Fatalf("page.css has no --%s", name)
	return pair{}
}

func TestSheet(t *testing.T) {
	for i, name := range []string{"paper", "card", "raise"} {
		if got, want := token(t, name), (pair{lightGrounds[i], darkGrounds[i]}); got != want {
			t.Errorf("page.css: --%s = %v, want %v as color.go has it", name, got, want)
		}
	}
	grounds := func(name string) pair { return token(t, name) }
	for _, test := range []struct {
		front, ground string
		ratio         float64
	}{
		{"ink", "paper", forText},
		{"ink", "card", forText},
		{"ink", "raise", forText},
		{"soft", "paper", forText},
		{"soft", "card", forText},
		{"soft", "raise", forText},
		{"good", "card", forText},
		{"good", "raise", forText},
		{"good", "good-soft", forText},
		{"good", "paper", forText},
		{"bad", "card", forText},
		{"bad", "paper", forText},
		{"warn", "card", forText},
		{"ink", "warn-soft", forText},
		{"warn", "warn-soft", forText},
		{"bad", "bad-soft", forText},
		{"field", "card", forEdges},
		{"field", "paper", forEdges},
		{"field", "raise", forEdges},
	} {
		front, ground := token(t, test.front), grounds(test.ground)
		if light, dark := contrast(front.light, ground.light), contrast(front.dark, ground.dark); light < test.ratio || dark < test.ratio {
			t.Errorf("page.css: --%s on --%s has contrast %.2f light, %.2f dark, want %v", test.front, test.ground, light, dark, test.ratio)
		}
	}
	for _, bad := range []string{"http:", "https:", "//", "@import", "url("} {
		if strings.Contains(sheetText, bad) {
			t.Errorf("page.css holds %q: nothing comes from elsewhere", bad)
		}
	}
	if strings.Count(sheetText, "{") != strings.Count(sheetText, "}") {
		t.Error("page.css: braces do not match")
	}
}
