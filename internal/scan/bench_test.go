package scan

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// sourceText is some megabytes of programs.
func sourceText(b *testing.B) []byte {
	var all bytes.Buffer
	root := os.DirFS(othersTrees(b)[1])
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") {
			return err
		}
		if all.Len() > 32<<20 {
			return fs.SkipAll
		}
		text, err := fs.ReadFile(root, path)
		all.Write(text)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return all.Bytes()
}

func BenchmarkFind(b *testing.B) {
	random := dice(30)
	source := sourceText(b)
	noise := make([]byte, 16<<20)
	_, _ = random.Read(noise)
	key := issue(b, random, "lyd", secret.Key, secret.Live)
	for name, data := range map[string][]byte{
		"programs":         source,
		"noise":            noise,
		"base64":           []byte(base64.StdEncoding.EncodeToString(noise)),
		"PEM":              []byte(wrap(64, "\n")(base64.StdEncoding.EncodeToString(noise[:2<<20]))),
		"hexadecimal":      []byte(hex.EncodeToString(noise)),
		"escaped":          []byte(each(`\x%02x`, "")(string(noise[:1<<20]))),
		"credentials":      bytes.Repeat([]byte("key="+key+"\n"), 10_000),
		"heads":            bytes.Repeat([]byte("lyd_key_live_"), 100_000),
		"token heads":      bytes.Repeat([]byte("lyd_at_live_"+strings.Repeat("a", 1300)), 1000),
		"heads in base64":  []byte(strings.Repeat("bHlkX2tleV9saXZl", 100_000)),
		"heads in wide":    bytes.Repeat([]byte(widen("lyd_key_live_")+"\x00"), 100_000),
		"escaped heads":    []byte(strings.Repeat(each(`\u%04x`, "l")("lyd_key_live_"), 30_000)),
		"backslashes":      bytes.Repeat([]byte{'\\'}, 1<<20),
		"breaks in base64": []byte(strings.Repeat("bHlkX2tleV9saXZl\n", 100_000)),
		"breaks":           bytes.Repeat([]byte{'\n'}, 1<<20),
		"continued lines":  []byte(strings.Repeat("l\\\n", 1<<18)),
	} {
		b.Run(name, func(b *testing.B) {
			f := finder(b, "lyd", "acme")
			s := f.search()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				for rest := data; len(rest) > 0; rest = rest[min(len(rest), 64<<10):] { // as files are, not all memory at once
					s.run(rest[:min(len(rest), 64<<10)])
				}
			}
		})
	}
}

// BenchmarkTree goes through a tree as a person does, and has grep do so too: the ratio is what counts, on any machine.
func BenchmarkTree(b *testing.B) {
	root := othersTrees(b)[1]
	if chosen := os.Getenv("LANYARD_SCAN_TREE"); chosen != "" {
		root = chosen
	}
	s := Scanner{Finder: finder(b, "lyd"), Closed: true}
	var totals Totals
	var ours, theirs time.Duration
	for b.Loop() {
		start := time.Now()
		var err error
		totals, err = s.Walk(context.Background(), os.DirFS(root), Receiver{Found: func(Finding) error { return nil }})
		if err != nil {
			b.Fatal(err)
		}
		ours += time.Since(start)
		start = time.Now()
		// It ends with 1 where nothing is found.
		if out, err := exec.Command("grep", "-rF", "lyd_key_live_", root).CombinedOutput(); err != nil && len(out) > 0 {
			b.Fatal(err, string(out))
		}
		theirs += time.Since(start)
	}
	b.SetBytes(totals.Bytes)
	mb := float64(totals.Bytes) * float64(b.N) / 1e6
	b.ReportMetric(mb/ours.Seconds(), "scan-MB/s")
	b.ReportMetric(mb/theirs.Seconds(), "grep-MB/s")
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), "of-grep")
}
