package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// printer writes lines and remembers the first error, so that run can return it.
type printer struct {
	w   io.Writer
	err error
}

func (o *printer) Write(b []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.w.Write(b)
	o.err = err
	return n, err
}

func (o *printer) linef(format string, args ...any) { o.text(fmt.Sprintf(format, args...) + "\n") }

func (o *printer) text(text string) { _, _ = io.WriteString(o, text) } // kept in o.err

// asJSON says whether the answer is to be JSON.
func (p *program) asJSON() bool { return p.format == "json" }

// json prints a value as indented JSON.
func (p *program) json(v any) error {
	enc := json.NewEncoder(p.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// table prints aligned columns under a head.
func (p *program) table(head []string, rows [][]string) error {
	w := tabwriter.NewWriter(p.out, 0, 0, 3, ' ', 0)
	for _, row := range append([][]string{head}, rows...) {
		if _, err := io.WriteString(w, strings.Join(cells(row), "\t")+"\n"); err != nil {
			return err
		}
	}
	return w.Flush()
}

// fields prints names and values, leaving out values that are empty.
func (p *program) fields(pairs ...string) error {
	w := tabwriter.NewWriter(p.out, 0, 0, 3, ' ', 0)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			continue
		}
		if _, err := io.WriteString(w, pairs[i]+"\t"+cell(pairs[i+1])+"\n"); err != nil {
			return err
		}
	}
	return w.Flush()
}

func cells(row []string) []string {
	out := make([]string, len(row))
	for i, text := range row {
		if out[i] = cell(text); text == "" {
			out[i] = "-"
		}
	}
	return out
}

// cell keeps what others have written from moving the cursor of whoever reads the table.
func cell(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
}

// thousands writes 1234567 as 1,234,567.
func thousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return sign + text
}

// count is "1 request" or "1,000 requests".
func count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return thousands(n) + " " + what + "s"
}

// when is a time as a table shows it, in UTC to the minute.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

func whenever(t *time.Time) string {
	if t == nil {
		return ""
	}
	return when(*t)
}

// The colours of differences.
const (
	green  = "32"
	yellow = "33"
	red    = "31"
)

// paint colours a text if the answer goes to a terminal that shows colours.
func (p *program) paint(colour, text string) string {
	if !p.colour {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}
