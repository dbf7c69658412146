package billing

import (
	"math"
	"testing"
)

func TestMarkReached(t *testing.T) {
	for _, tc := range []struct {
		part, whole int64
		want        int
	}{
		{0, 0, 0},
		{5, 0, 0},
		{0, 1, 0},
		{1, 1, 100},
		{2, 1, 100},
		{3, 4, 0},
		{4, 5, 80},
		{79, 100, 0},
		{80, 100, 80},
		{99, 100, 80},
		{100, 100, 100},
		{7, 9, 0},
		{8, 9, 80},
		{math.MaxInt64 / 5 * 4, math.MaxInt64, 0},
		{math.MaxInt64/5*4 + 4, math.MaxInt64, 80},
		{math.MaxInt64, math.MaxInt64, 100},
	} {
		if got := MarkReached(tc.part, tc.whole); got != tc.want {
			t.Errorf("MarkReached(%d, %d) = %d, want %d", tc.part, tc.whole, got, tc.want)
		}
	}
}
