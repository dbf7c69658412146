package servertest

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// escaped is a byte that an editor would not show.
var escaped = regexp.MustCompile(`\\x[0-9a-f]{2}`)

// Corpus reads a file of hostile texts, one a line: lines that begin with "# " are comments, \x.. is a byte.
func Corpus(tb testing.TB, name string) []string {
	tb.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(raw)) {
		if line = strings.TrimSuffix(line, "\n"); strings.HasPrefix(line, "# ") {
			continue
		}
		all = append(all, escaped.ReplaceAllStringFunc(line, func(code string) string {
			b, err := strconv.ParseUint(code[2:], 16, 8)
			if err != nil {
				tb.Fatal(err)
			}
			return string([]byte{byte(b)})
		}))
	}
	if len(all) == 0 {
		tb.Fatalf("%s is empty: nothing would be tried", name)
	}
	return all
}
