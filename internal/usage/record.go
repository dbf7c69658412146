package usage

import (
	"encoding/binary"
	"hash/crc32"
)

// A record is the length of the event (4 bytes, little endian), the CRC-32C of length and event, and the event. The checksum is
// seeded by node and epoch, so that stale disk blocks of another start do not pass, nor does a run of zeros.
const (
	recordHead = 8
	minEvent   = 8    // flags, time, units, four lengths, one byte of outcome
	maxEvent   = 1024 // above everything Check lets through
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli) //nolint:gochecknoglobals // a table

func appendRecord(b []byte, seed uint32, ev *Event) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	b = AppendEvent(b, ev)
	head, event := b[start:start+recordHead], b[start+recordHead:]
	binary.LittleEndian.PutUint32(head, uint32(len(event))) // #nosec G115 -- below maxEvent
	binary.LittleEndian.PutUint32(head[4:], checksum(seed, head[:4], event))
	return b
}

func checksum(seed uint32, length, event []byte) uint32 {
	return crc32.Update(crc32.Update(seed, castagnoli, length), castagnoli, event)
}

// firstEvent returns the event bytes of the record that b begins with, or nil if b does not begin with a whole and sound one.
func firstEvent(b []byte, seed uint32) []byte {
	if len(b) < recordHead+minEvent {
		return nil
	}
	n := binary.LittleEndian.Uint32(b)
	if n < minEvent || n > maxEvent || int(n) > len(b)-recordHead {
		return nil
	}
	event := b[recordHead : recordHead+int(n)]
	if checksum(seed, b[:4], event) != binary.LittleEndian.Uint32(b[4:]) {
		return nil
	}
	return event
}

// eachRecord gives every event of b to fn and returns how many bytes of b are sound records. The Event is reused.
func eachRecord(b []byte, seed uint32, fn func(*Event) error) (sound int, err error) {
	var ev Event
	shared := words{}
	for {
		event := firstEvent(b[sound:], seed)
		if event == nil || decodeEvent(event, &ev, shared) != nil {
			return sound, nil //nolint:nilerr // the end of what is sound is an answer, not a failure
		}
		if err := fn(&ev); err != nil {
			return sound, err
		}
		sound += recordHead + len(event)
	}
}

// holdsRecord says whether a sound record begins anywhere in b: then b is not merely the torn end of a write.
func holdsRecord(b []byte, seed uint32) bool {
	for i := range b {
		if firstEvent(b[i:], seed) != nil {
			return true
		}
	}
	return false
}
