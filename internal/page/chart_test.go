package page

import (
	"math"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestChart(t *testing.T) {
	c := Chart{Caption: "Requests a day", What: "Day", Bars: []Bar{{"1 Nov", 10, 0}, {"2 Nov", 0, 0}, {"3 Nov", 1500, 500}, {"4 Nov", 1, 0}}}
	want := []shape{
		{"1.5", "99.00", "1.00", false}, // 0.5 would not be seen
		{"21.5", "25.00", "75.00", false},
		{"21.5", "0.00", "25.00", true},
		{"31.5", "99.00", "1.00", false},
	}
	if diff := cmp.Diff(want, c.Shapes()); diff != "" {
		t.Errorf("Shapes (-want +got):\n%s", diff)
	}
	if got, want := c.Summary(), "Requests a day, highest 2,000 on 3 Nov"; got != want {
		t.Errorf("Summary = %q, want %q", got, want)
	}
	if c.Width() != 40 || c.First() != "1 Nov" || c.Last() != "4 Nov" || len(c.Table().Rows) != 3 || c.Table().Rows[0].Cells[0].Text != "4 Nov" {
		t.Errorf("the chart is %d wide from %s to %s with %+v", c.Width(), c.First(), c.Last(), c.Table())
	}
	none := Chart{Caption: "Requests a day"}
	if len(none.Shapes()) != 0 || none.Summary() != "Requests a day: nothing yet" || none.Width() != 10 || none.First()+none.Last() != "" || len(none.Table().Rows) != 0 {
		t.Errorf("a chart of nothing = %+v %q", none.Shapes(), none.Summary())
	}
}

// No bar leaves the drawing, whatever is counted.
func TestShapesStayInside(t *testing.T) {
	for _, n := range []int64{1, 2, 99, 1_000_000, math.MaxInt64 / 4} {
		for _, s := range (Chart{Bars: []Bar{{"a", n, 1}, {"b", 1, n}, {"c", n, n}, {"d", -1, 0}}}).Shapes() {
			y, errY := strconv.ParseFloat(s.Y, 64)
			height, errHeight := strconv.ParseFloat(s.Height, 64)
			if errY != nil || errHeight != nil || y < 0 || height <= 0 || y+height > 100.01 {
				t.Errorf("with %d a bar stands at %s and is %s high", n, s.Y, s.Height)
			}
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1: "-1", -100: "-100", -1000: "-1,000", math.MinInt64: "-9,223,372,036,854,775,808"} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
}
