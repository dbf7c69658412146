package store

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// maxBackupLine bounds what one line makes us remember; the longest are entries of the ledger.
const maxBackupLine = 256 << 20

// maxRevision keeps what a backup says of its revision far from where numbers end.
const maxRevision = 1 << 53

// spooledBackup is a backup that was read whole, found sound and kept uncompressed in a temporary file.
type spooledBackup struct {
	Summary
	file *os.File
}

// spool reads a backup to its end before anything is done with it. Whatever is wrong with it is a fault.Invalid.
func spool(from io.Reader) (b *spooledBackup, err error) {
	file, err := os.CreateTemp("", "lanyard-restore-*")
	if err != nil {
		return nil, fmt.Errorf("make a temporary file for the backup: %w", err)
	}
	b = &spooledBackup{file: file}
	w := bufio.NewWriterSize(file, 1<<16)
	if b.Summary, err = checkBackup(from, w); err == nil {
		err = w.Flush()
	}
	if err != nil {
		return nil, errors.Join(err, b.remove())
	}
	return b, nil
}

func (b *spooledBackup) remove() error {
	return errors.Join(b.file.Close(), os.Remove(b.file.Name()))
}

// each calls table at each table and row at each of its rows.
func (b *spooledBackup) each(table func(backupTable) error, row func([]any) error) error {
	if _, err := b.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read the temporary file: %w", err)
	}
	lines := newLines(b.file)
	lines.Scan() // the header
	for lines.Scan() {
		switch line := lines.Bytes(); line[0] {
		case '[':
			values, err := parseRow(line)
			if err != nil {
				return err
			}
			if err := row(values); err != nil {
				return err
			}
		default:
			var t backupTable
			if err := json.Unmarshal(line, &t); err != nil {
				return fmt.Errorf("read the temporary file: %w", err)
			}
			if t.Table == "" { // the trailer
				return nil
			}
			if err := table(t); err != nil {
				return err
			}
		}
	}
	return lines.Err()
}

// checkBackup copies the lines of a backup to w, and says what it holds if it is whole, unaltered and of a kind we know.
func checkBackup(from io.Reader, w io.Writer) (sum Summary, err error) {
	unzipped, err := gzip.NewReader(from)
	if err != nil {
		return sum, damaged("it is not compressed as a backup is", err)
	}
	lines, digest := newLines(unzipped), sha256.New()
	both := io.MultiWriter(w, digest)
	check := &backupCheck{digest: digest, counted: map[string]int64{}}
	for header := true; lines.Scan(); header = false {
		if header {
			err = sum.readHeader(lines.Bytes())
		} else {
			err = check.line(lines.Bytes())
		}
		if err != nil {
			return sum, err
		}
		if _, err := fmt.Fprintf(both, "%s\n", lines.Bytes()); err != nil {
			return sum, fmt.Errorf("write the temporary file: %w", err)
		}
	}
	if err := lines.Err(); err != nil {
		return sum, damaged("it is cut off or damaged", err)
	}
	if check.trailer == nil {
		return sum, damaged("it is cut off: the last line is missing", nil)
	}
	sum.Rows, sum.SHA256 = check.trailer.Rows, check.trailer.SHA256
	return sum, nil
}

func (sum *Summary) readHeader(line []byte) error {
	var h backupHeader
	if err := json.Unmarshal(line, &h); err != nil || h.Format != backupFormat {
		return damaged("its first line is not that of a backup", err)
	}
	if h.Version != backupVersion {
		return fault.New(fault.Invalid, "the backup has format version %d, and this program reads %d: use the program that made it, or a newer one", h.Version, backupVersion)
	}
	if h.Revision < 0 || h.Revision > maxRevision || h.Schema < 1 || h.CreatedAt.IsZero() {
		return damaged("its first line says what cannot be", nil)
	}
	sum.Schema, sum.Engine, sum.CreatedAt, sum.Revision = h.Schema, h.Engine, h.CreatedAt.UTC(), id.Revision(h.Revision)
	return nil
}

// backupCheck follows the lines after the header.
type backupCheck struct {
	digest  hash.Hash // of the lines before
	tables  []string
	columns int
	counted map[string]int64
	trailer *backupTrailer
}

// line checks one line.
func (c *backupCheck) line(line []byte) error {
	if c.trailer != nil {
		return damaged("something follows its last line", nil)
	}
	if len(line) > 0 && line[0] == '[' {
		values, err := parseRow(line)
		if err != nil || len(c.tables) == 0 || len(values) != c.columns {
			return damaged("a row is not as its table says", err)
		}
		c.counted[c.tables[len(c.tables)-1]]++
		return nil
	}
	var either struct {
		backupTable
		backupTrailer
	}
	if err := json.Unmarshal(line, &either); err != nil {
		return damaged("a line makes no sense", err)
	}
	if either.Table == "" {
		if either.SHA256 != hex.EncodeToString(c.digest.Sum(nil)) || !maps.Equal(either.Rows, c.counted) {
			return damaged("it was altered, or a part is missing: its checksum or its numbers of rows do not fit", nil)
		}
		c.trailer = &either.backupTrailer
		return nil
	}
	if !slices.Contains(backedUp, either.Table) || slices.Contains(c.tables, either.Table) || len(either.Columns) == 0 {
		return damaged(fmt.Sprintf("it holds a table %.40q that is unknown or there twice", either.Table), nil)
	}
	c.tables, c.columns = append(c.tables, either.Table), len(either.Columns)
	c.counted[either.Table] = 0
	return nil
}

func damaged(why string, err error) error {
	return &fault.Error{Kind: fault.Invalid, Field: "backup", Detail: "this backup cannot be restored: " + why, Err: err}
}

// newLines cuts at "\n" alone, and a last line without one is an error: every byte counts for the checksum.
func newLines(from io.Reader) *bufio.Scanner {
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 0, 1<<16), maxBackupLine)
	lines.Split(func(data []byte, atEOF bool) (int, []byte, error) {
		if i := bytes.IndexByte(data, '\n'); i >= 0 {
			return i + 1, data[:i:i], nil
		}
		if atEOF && len(data) > 0 {
			return 0, nil, io.ErrUnexpectedEOF
		}
		return 0, nil, nil
	})
	return lines
}

// parseRow reads a row: int64, string, []byte or nil for each column.
func parseRow(line []byte) ([]any, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	var values []any
	if err := d.Decode(&values); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("a row is followed by something on its line")
	}
	for i, v := range values {
		switch v := v.(type) {
		case nil, string:
		case json.Number:
			n, err := v.Int64()
			if err != nil {
				return nil, err
			}
			values[i] = n
		case map[string]any:
			text, ok := v["b64"].(string)
			if !ok || len(v) != 1 {
				return nil, errors.New("a value is neither number, text nor bytes")
			}
			decoded, err := base64.StdEncoding.Strict().DecodeString(text)
			if err != nil {
				return nil, err
			}
			values[i] = decoded
		default:
			return nil, fmt.Errorf("a value is a %T", v)
		}
	}
	return values, nil
}
