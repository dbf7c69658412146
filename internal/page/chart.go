package page

import (
	"fmt"
	"strconv"
)

// Chart is bars made here, with their numbers in a table below, as the partial "chart" shows them.
type Chart struct {
	ID      string
	Caption string // what is counted, and over what: "Requests a day"
	What    string // the head of the labels: "Day"
	Bars    []Bar
}

// Bar is one step of time.
type Bar struct {
	Label            string // "12 Nov"
	Allowed, Refused int64  // not below 0
}

// step is the width a bar and the gap beside it have together, in the drawing's units. Its height is 100.
const step = 10

// Width is the drawing's, in its own units.
func (c Chart) Width() int { return max(1, len(c.Bars)) * step }

// shape is a rectangle of the drawing.
type shape struct {
	X, Y, Height string
	Refused      bool
}

// Shapes are the bars: refused upon allowed, the highest as high as the drawing, and none that counts anything too low to be seen.
func (c Chart) Shapes() []shape {
	_, most := c.highest()
	var shapes []shape
	for i, bar := range c.Bars {
		floor := 100.0
		for _, part := range []struct {
			count   int64
			refused bool
		}{{bar.Allowed, false}, {bar.Refused, true}} {
			if part.count <= 0 {
				continue
			}
			height := min(max(float64(part.count)/float64(most)*100, 1), floor)
			floor -= height
			shapes = append(shapes, shape{strconv.FormatFloat(float64(i*step)+1.5, 'f', 1, 64), decimal(floor), decimal(height), part.refused})
		}
	}
	return shapes
}

func decimal(n float64) string { return strconv.FormatFloat(n, 'f', 2, 64) }

// highest finds the bar that counts most, and what it counts, at least 1.
func (c Chart) highest() (label string, most int64) {
	most = 0
	for _, bar := range c.Bars {
		if n := bar.Allowed + bar.Refused; n > most {
			label, most = bar.Label, n
		}
	}
	return label, max(most, 1)
}

// Summary is the drawing in words.
func (c Chart) Summary() string {
	label, most := c.highest()
	if label == "" {
		return c.Caption + ": nothing yet"
	}
	return fmt.Sprintf("%s, highest %s on %s", c.Caption, Count(most), label)
}

// First is the label the drawing begins with.
func (c Chart) First() string {
	if len(c.Bars) == 0 {
		return ""
	}
	return c.Bars[0].Label
}

// Last is the label the drawing ends with.
func (c Chart) Last() string {
	if len(c.Bars) == 0 {
		return ""
	}
	return c.Bars[len(c.Bars)-1].Label
}

// Table holds the numbers of the bars that count anything, newest first.
func (c Chart) Table() Table {
	made := Table{Caption: c.Caption, Heads: []Head{{Text: c.What}, {Text: "Allowed", Number: true}, {Text: "Refused", Number: true}}}
	for i := len(c.Bars) - 1; i >= 0; i-- {
		bar := c.Bars[i]
		if bar.Allowed+bar.Refused > 0 {
			made.Rows = append(made.Rows, Row{Cells: []Cell{{Text: bar.Label}, {Text: Count(bar.Allowed)}, {Text: Count(bar.Refused)}}})
		}
	}
	return made
}

// Count writes a number as people read it: "1,234,567".
func Count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	begin := 0
	if n < 0 {
		begin = 1
	}
	for i := len(digits) - 3; i > begin; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
