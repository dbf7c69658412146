package page

import (
	"fmt"
	"math"
	"strconv"
)

// rgb is a colour in sRGB.
type rgb struct{ r, g, b uint8 }

// ownColor is the colour of a provider who named none.
var ownColor = rgb{0x0b, 0x7a, 0x5c} //nolint:gochecknoglobals // a constant that Go has no word for

// The grounds that page.css puts text on, in both themes; a test holds them to the sheet.
var (
	lightGrounds = []rgb{{0xfb, 0xfa, 0xf8}, {0xff, 0xff, 0xff}, {0xf3, 0xf1, 0xed}} // paper, card, raise
	darkGrounds  = []rgb{{0x0e, 0x11, 0x10}, {0x16, 0x1a, 0x19}, {0x1d, 0x22, 0x21}}
	white        = rgb{0xff, 0xff, 0xff} //nolint:gochecknoglobals // a constant
	black        = rgb{}                 //nolint:gochecknoglobals // a constant
)

// Contrast that text and the edges of things need (WCAG 2.2, 1.4.3 and 1.4.11).
const (
	forText  = 4.5
	forEdges = 3
)

// parseColor reads "#0a7" or "#00aa77". Everything else is our own colour: what cannot be read as digits never reaches a style sheet.
func parseColor(text string) rgb {
	if len(text) != 4 && len(text) != 7 || text[0] != '#' {
		return ownColor
	}
	digits := text[1:]
	if len(digits) == 3 {
		digits = string([]byte{digits[0], digits[0], digits[1], digits[1], digits[2], digits[2]})
	}
	n, err := strconv.ParseUint(digits, 16, 24)
	if err != nil {
		return ownColor
	}
	return rgb{uint8(n >> 16), uint8(n >> 8), uint8(n)} //nolint:gosec // the bits of one byte each
}

// hex is six digits, as in a style sheet after the number sign.
func (c rgb) hex() string { return fmt.Sprintf("%02x%02x%02x", c.r, c.g, c.b) }

// luminance is the relative luminance of WCAG 2.2, 0 to 1.
func (c rgb) luminance() float64 {
	linear := func(v uint8) float64 {
		x := float64(v) / 255
		if x <= 0.04045 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c.r) + 0.7152*linear(c.g) + 0.0722*linear(c.b)
}

// contrast is the ratio of WCAG 2.2, 1 to 21.
func contrast(a, b rgb) float64 {
	light, dark := max(a.luminance(), b.luminance()), min(a.luminance(), b.luminance())
	return (light + 0.05) / (dark + 0.05)
}

// mix returns share of b and the rest of c.
func (c rgb) mix(b rgb, share float64) rgb {
	one := func(x, y uint8) uint8 { return uint8(math.Round(float64(x)*(1-share) + float64(y)*share)) }
	return rgb{one(c.r, b.r), one(c.g, b.g), one(c.b, b.b)}
}

// readable moves c towards end (black or white), no further than it must, until it stands out from all grounds.
func (c rgb) readable(end rgb, grounds []rgb, ratio float64) rgb {
	for percent := range 100 {
		moved := c.mix(end, float64(percent)/100)
		if standsOut(moved, grounds, ratio) {
			return moved
		}
	}
	return end
}

func standsOut(c rgb, grounds []rgb, ratio float64) bool {
	for _, ground := range grounds {
		if contrast(c, ground) < ratio {
			return false
		}
	}
	return true
}

// ink is the colour of words on c: white where it can be read, else whichever of black and white reads better.
func (c rgb) ink() rgb {
	if contrast(c, white) >= forText || contrast(c, white) > contrast(c, black) {
		return white
	}
	return black
}

// pair is a colour for the light theme and one for the dark.
type pair struct{ light, dark rgb }

func (p pair) css() string { return "light-dark(#" + p.light.hex() + ", #" + p.dark.hex() + ")" }

// palette is what the pages derive from the provider's colour.
type palette struct {
	main, on         rgb  // a filled button and the words on it
	soft, words, rim pair // a tinted ground; words and edges that stand out from every ground, the tinted one too
}

func newPalette(main rgb) palette {
	p := palette{main: main, on: main.ink()}
	p.soft = pair{main.mix(white, 0.9), darkGrounds[1].mix(main, 0.2)}
	light, dark := append([]rgb{p.soft.light}, lightGrounds...), append([]rgb{p.soft.dark}, darkGrounds...)
	p.words = pair{main.readable(black, light, forText), main.readable(white, dark, forText)}
	p.rim = pair{main.readable(black, light, forEdges), main.readable(white, dark, forEdges)}
	return p
}

// sheet is the style sheet that colours the pages.
func (p palette) sheet() string {
	return ":root {\n" +
		"  --brand: #" + p.main.hex() + ";\n" +
		"  --on-brand: #" + p.on.hex() + ";\n" +
		"  --brand-soft: " + p.soft.css() + ";\n" +
		"  --brand-ink: " + p.words.css() + ";\n" +
		"  --brand-rim: " + p.rim.css() + ";\n" +
		"}\n"
}

// icon is a card with its slot, for the browser's tab.
func (p palette) icon() string {
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">` +
		`<rect x="4" y="2" width="24" height="28" rx="6" fill="#` + p.main.hex() + `" stroke="#` + p.on.hex() + `"/>` +
		`<g fill="#` + p.on.hex() + `"><rect x="11.5" y="6" width="9" height="3" rx="1.5"/>` +
		`<circle cx="16" cy="15.5" r="3.5"/><path d="M9 26c0-3.6 3.1-5.5 7-5.5s7 1.9 7 5.5z"/></g></svg>` + "\n"
}
