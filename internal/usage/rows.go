package usage

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

const (
	rowsVersion = 1

	microsPerMinute = 60_000_000
	maxMinute       = maxAt/microsPerMinute - 1
	minRow          = 1 + 1 + 1 + 1 // fields that differ, one of them, count, units
)

// The bits say which fields of a row differ from the row before it; the first row is compared with an empty one.
const (
	newMinute = 1 << iota
	newTeam
	newApp
	newKey
	newUser
	newAPI
	newOperation
	newOutcome
	newMode
	allFields = 1<<iota - 1
)

// EncodeRows returns the ledger entry of the rows, which must be sorted and distinct, as a Batch's are: a version byte, the number
// of rows, and for each row a uvarint of bits for the fields that differ from the row before, those fields, count and units.
// Minutes are written as the number of minutes since the row before, ids as their 16 characters after a length, texts after a
// length, numbers as uvarints.
func EncodeRows(rows []Row) []byte {
	b := binary.AppendUvarint([]byte{rowsVersion}, uint64(len(rows)))
	var last Row
	for i := range rows {
		b = appendRow(b, &last, &rows[i])
		last = rows[i]
	}
	return b
}

func appendRow(b []byte, last, r *Row) []byte {
	differs := r.differs(last)
	b = binary.AppendUvarint(b, differs)
	if differs&newMinute != 0 {
		b = binary.AppendUvarint(b, uint64((r.Minute-last.Minute)/microsPerMinute)) // #nosec G115 -- sorted
	}
	for _, field := range [...]struct {
		bit  uint64
		text string
	}{
		{newTeam, id.Chars(r.Team)},
		{newApp, id.Chars(r.App)},
		{newKey, id.Chars(r.Key)},
		{newUser, id.Chars(r.User)},
		{newAPI, r.API},
		{newOperation, r.Operation},
		{newOutcome, r.Outcome},
		{newMode, string(r.Mode)},
	} {
		if differs&field.bit != 0 {
			b = appendText(b, field.text)
		}
	}
	b = binary.AppendUvarint(b, uint64(r.Count))    // #nosec G115 -- never negative
	return binary.AppendUvarint(b, uint64(r.Units)) // #nosec G115 -- never negative
}

func (r *Row) differs(last *Row) uint64 {
	var bits uint64
	set := func(bit uint64, is bool) {
		if is {
			bits |= bit
		}
	}
	set(newMinute, r.Minute != last.Minute)
	set(newTeam, r.Team != last.Team)
	set(newApp, r.App != last.App)
	set(newKey, r.Key != last.Key)
	set(newUser, r.User != last.User)
	set(newAPI, r.API != last.API)
	set(newOperation, r.Operation != last.Operation)
	set(newOutcome, r.Outcome != last.Outcome)
	set(newMode, r.Mode != last.Mode)
	return bits
}

// DecodeRows reads what EncodeRows wrote. It refuses every other byte string: whatever it accepts, EncodeRows turns back into the
// same bytes.
func DecodeRows(b []byte) ([]Row, error) {
	r := reader{b: b, words: words{}}
	if version := r.byte(); version != rowsVersion {
		return nil, fmt.Errorf("decode usage rows: version %d, want %d", version, rowsVersion)
	}
	n := r.int(int64(len(r.b) / minRow))
	rows := make([]Row, 0, n)
	var last Row
	for range n {
		row, err := r.row(last)
		if err != nil {
			return nil, fmt.Errorf("decode usage row %d: %w", len(rows), err)
		}
		rows = append(rows, row)
		last = row
	}
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("decode usage rows: %w", err)
	}
	return rows, nil
}

func (r *reader) row(last Row) (Row, error) {
	row := last
	differs := uint64(r.int(allFields)) // #nosec G115 -- not negative
	if differs&newMinute != 0 {
		row.Minute += microsPerMinute * r.int(maxMinute-last.Minute/microsPerMinute)
	}
	readRowID(r, differs&newTeam != 0, &row.Team)
	readRowID(r, differs&newApp != 0, &row.App)
	readRowID(r, differs&newKey != 0, &row.Key)
	readRowID(r, differs&newUser != 0, &row.User)
	for _, field := range [...]struct {
		bit   uint64
		text  *string
		limit int
	}{
		{newAPI, &row.API, MaxAPI},
		{newOperation, &row.Operation, MaxOperation},
		{newOutcome, &row.Outcome, MaxOutcome},
		{newMode, (*string)(&row.Mode), len(secret.Live)},
	} {
		if differs&field.bit != 0 {
			*field.text = r.text(field.limit)
		}
	}
	row.Count = r.int(math.MaxInt64)
	row.Units = r.int(math.MaxInt64)
	switch {
	case r.bad || row.differs(&last) != differs || row.Count == 0 || row.Outcome == "" || row.Mode != "" && !row.Mode.Known():
		return Row{}, errNotCanonical
	case compareRows(&last, &row) >= 0:
		return Row{}, fmt.Errorf("%w: rows out of order", errNotCanonical)
	}
	return row, nil
}

func readRowID[K id.Kind](r *reader, is bool, to *K) {
	if !is {
		return
	}
	switch r.int(id.Length) {
	case 0:
		*to = ""
	case id.Length:
		*to = readID[K](r)
	default:
		r.bad = true
	}
}
