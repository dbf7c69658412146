package main

import (
	"strings"
	"testing"
)

func TestCount(t *testing.T) {
	for n, want := range map[int64]string{0: "0 requests", 1: "1 request", 7: "7 requests", 999: "999 requests", 1000: "1,000 requests", 1234567: "1,234,567 requests"} {
		if got := count(n, "request"); got != want {
			t.Errorf("count(%d) = %q, want %q", n, got, want)
		}
	}
	if got := thousands(-1234); got != "-1,234" {
		t.Errorf("thousands(-1234) = %q, want -1,234", got)
	}
}

// What others have written cannot move the cursor, change colours or break the table.
func TestTable(t *testing.T) {
	var out strings.Builder
	p := &program{out: &printer{w: &out}}
	if err := p.table([]string{"NAME", "STATE"}, [][]string{{"a\x1b[2Jb\tc\nd", ""}, {"\u009bm", "on"}}); err != nil {
		t.Fatal(err)
	}
	if want := "NAME         STATE\na [2Jb c d   -\n m           on\n"; out.String() != want {
		t.Errorf("table = %q, want %q", out.String(), want)
	}
}

func TestPaint(t *testing.T) {
	for colour, want := range map[bool]string{false: "x", true: "\x1b[32mx\x1b[0m"} {
		p := &program{colour: colour}
		if got := p.paint(green, "x"); got != want {
			t.Errorf("paint with colour %t = %q, want %q", colour, got, want)
		}
	}
}
