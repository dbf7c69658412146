package usage

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/lanyard-auth/lanyard/internal/id"
)

// The head of a segment file: magic with the format's version, the node's 16 characters, the epoch, the number (little endian)
// and the CRC-32C of all that. Records follow to the end of the file.
const (
	magic    = "LYDUSE\x00\x01"
	headSize = 8 + id.Length + 16 + 8 + 4
)

// The endings of the files in a spool. A segment's name begins with its number in 12 digits, so that names sort by it.
const (
	openEnd    = ".open"    // being written, or left by a crash
	sealedEnd  = ".sealed"  // complete, waiting for the database
	asideEnd   = ".aside"   // the database knows other contents under this marker; for a person to look at
	corruptEnd = ".corrupt" // what stood behind the first unsound record; for a person to look at
	lockName   = "lock"
)

// ErrDamaged says that a sealed segment does not consist of sound records to its end. Spool.Repair cuts it.
var ErrDamaged = errors.New("usage segment is damaged")

// origin is what all segments of one start share.
type origin struct {
	node  id.Node
	epoch [16]byte
}

func (o origin) name(number uint64, end string) string {
	return fmt.Sprintf("%012d-%x%s", number, o.epoch, end)
}

func (o origin) head(number uint64) []byte {
	b := append(make([]byte, 0, headSize), magic...)
	b = append(b, id.Chars(o.node)...)
	b = append(b, o.epoch[:]...)
	b = binary.LittleEndian.AppendUint64(b, number)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// seed starts the checksum of every record of this start.
func (o origin) seed() uint32 {
	return crc32.Checksum(append([]byte(id.Chars(o.node)), o.epoch[:]...), castagnoli)
}

// parseHead reads the head of a segment file.
func parseHead(b []byte) (origin, uint64, error) {
	if len(b) < headSize {
		return origin{}, 0, errors.New("the head is cut short")
	}
	b = b[:headSize]
	if crc32.Checksum(b[:headSize-4], castagnoli) != binary.LittleEndian.Uint32(b[headSize-4:]) {
		return origin{}, 0, errors.New("the head's checksum is wrong")
	}
	if string(b[:len(magic)]) != magic {
		return origin{}, 0, fmt.Errorf("the head begins with %q: not a usage segment of this version", b[:len(magic)])
	}
	b = b[len(magic):]
	node, err := id.Parse[id.Node](string(id.Of[id.Node](string(b[:id.Length]))))
	if err != nil {
		return origin{}, 0, fmt.Errorf("the head's node: %w", err)
	}
	o := origin{node: node, epoch: [16]byte(b[id.Length : id.Length+16])}
	return o, binary.LittleEndian.Uint64(b[id.Length+16:]), nil
}

// Segment is a sealed segment that waits to be absorbed.
type Segment struct {
	Node   id.Node
	Epoch  string // 32 hex digits
	Number uint64

	origin origin
	path   string
	limit  int64 // where its records end; 0 means at the end of the file
	spool  *Spool
}

func (g Segment) String() string { return filepath.Base(g.path) }

// Read gives every event to fn, in the order written, and returns the marker of what it gave. The Event is reused: fn copies what
// it keeps. The file is synced first, so that no power cut can change what the database is about to absorb. An error wraps
// ErrDamaged if the file is not whole; fn may have seen a part of it by then.
func (g Segment) Read(fn func(*Event) error) (Marker, error) {
	data, err := g.load()
	if err != nil {
		return Marker{}, fmt.Errorf("read usage segment %s: %w", g, err)
	}
	records := data[headSize:]
	sound, err := eachRecord(records, g.origin.seed(), fn)
	if err != nil {
		return Marker{}, fmt.Errorf("read usage segment %s: %w", g, err)
	}
	if sound < len(records) {
		return Marker{}, fmt.Errorf("read usage segment %s: %w at byte %d", g, ErrDamaged, headSize+sound)
	}
	return Marker{Node: g.Node, Epoch: g.Epoch, Segment: g.Number, SHA256: sha256.Sum256(records)}, nil
}

func (g Segment) load() (data []byte, err error) {
	f, err := os.Open(g.path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Sync(); err != nil {
		return nil, err
	}
	if data, err = os.ReadFile(g.path); err != nil {
		return nil, err
	}
	if g.limit > 0 && int64(len(data)) > g.limit {
		data = data[:g.limit]
	}
	o, number, err := parseHead(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if o != g.origin || number != g.Number {
		return nil, fmt.Errorf("%w: its head names another segment", ErrDamaged)
	}
	return data, nil
}

// Remove deletes the segment once the database has it. Deleting one that is gone is no error.
func (g Segment) Remove() error {
	if err := os.Remove(g.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove usage segment: %w", err)
	}
	g.spool.forget(g)
	return nil
}

// SetAside keeps the file under another ending, for a person to look at, and offers it no more.
func (g Segment) SetAside() error {
	if err := os.Rename(g.path, g.path+asideEnd); err != nil {
		return fmt.Errorf("set usage segment aside: %w", err)
	}
	g.spool.forget(g)
	return nil
}

func newSegment(s *Spool, o origin, number uint64, path string, limit int64) Segment {
	return Segment{
		Node: o.node, Epoch: hex.EncodeToString(o.epoch[:]), Number: number,
		origin: o, path: path, limit: limit, spool: s,
	}
}
