package scan

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Baseline is the findings that are known, by Finding.Digest: it holds no credential. The zero value knows none.
type Baseline struct {
	digests map[string]struct{}
}

// Add makes a finding known.
func (b *Baseline) Add(f Finding) { b.AddDigest(f.Digest()) }

// AddDigest makes the finding with this Finding.Digest known.
func (b *Baseline) AddDigest(digest string) {
	if b.digests == nil {
		b.digests = map[string]struct{}{}
	}
	b.digests[digest] = struct{}{}
}

// Has says whether a finding is known, wherever it stands.
func (b *Baseline) Has(f Finding) bool {
	if len(b.digests) == 0 {
		return false
	}
	_, ok := b.digests[f.Digest()]
	return ok
}

// Len returns how many are known.
func (b *Baseline) Len() int { return len(b.digests) }

// WriteTo writes one digest a line, in order.
func (b *Baseline) WriteTo(w io.Writer) (int64, error) {
	var text strings.Builder
	text.WriteString("# Credentials that lanyard scan does not report, as SHA-256 of their text.\n")
	for _, digest := range slices.Sorted(maps.Keys(b.digests)) {
		text.WriteString(digest + "\n")
	}
	n, err := io.WriteString(w, text.String())
	return int64(n), err
}

// ReadBaseline reads what WriteTo wrote. Of a line only the first word counts, and none that begins with #. A line that is no
// digest is an error, which does not repeat it: somebody may have written a credential there.
func ReadBaseline(r io.Reader) (Baseline, error) {
	b := Baseline{digests: map[string]struct{}{}}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		sum, err := hex.DecodeString(words[0])
		if err != nil || len(sum) != 32 {
			return Baseline{}, fmt.Errorf("read baseline: line %d is no SHA-256 in 64 hexadecimal digits", n)
		}
		b.digests[hex.EncodeToString(sum)] = struct{}{}
	}
	if err := lines.Err(); err != nil {
		return Baseline{}, fmt.Errorf("read baseline: %w", err)
	}
	return b, nil
}
