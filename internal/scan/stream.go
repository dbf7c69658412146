package scan

import (
	"errors"
	"io"
)

// window is how a stream is cut: what is in memory at once, how much of its end is looked at again with the next, and how much
// before that is kept to be read with it. All are even, for UTF-16.
type window struct{ size, ahead, behind int }

// usual is the window of everything but tests. ahead holds the longest written form and the line after it, behind what is looked
// at before a hit.
func usual() window {
	return window{size: 256 << 10, ahead: maxWritten + 2*allowReach, behind: 4 << 10}
}

// stream finds what is in buf[:filled] and then in r, and returns how many bytes that were. buf is what it keeps in memory; at is
// where those bytes begin. An error is r's or found's.
func (f *Finder) stream(r io.Reader, buf []byte, filled int, w window, found func(Finding) error) (total int64, err error) {
	s := f.search()
	defer f.scratch.Put(s)
	var (
		at   place
		base int64
		from int // where hits begin that were not yet reported
	)
	total = int64(filled)
	for first := true; ; first = false {
		n, readErr := fill(r, buf[filled:])
		filled, total = filled+n, total+int64(n)
		last := readErr != nil
		if first {
			at = newPlace(buf[:filled])
		}
		limit := filled
		if !last {
			limit = filled - w.ahead
		}
		here, stood := at, 0
		for _, h := range s.run(buf[:filled]) {
			if h.start < from || h.start >= limit {
				continue
			}
			stood = here.walk(buf, stood, h.start)
			if err := found(here.finding(buf[:filled], h, base)); err != nil {
				return total, err
			}
		}
		if last {
			if errors.Is(readErr, io.EOF) {
				return total, nil
			}
			return total, readErr
		}
		keep := limit - w.behind
		at.advance(buf[:keep])
		filled = copy(buf, buf[keep:filled])
		base += int64(keep)
		from = w.behind
	}
}

// fill reads until buf is full. Unlike io.ReadFull it returns the reader's own error, io.EOF at its end: a compressed file that was
// cut is told from one that is over.
func fill(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var more int
		more, err = r.Read(buf[n:])
		n += more
	}
	return n, err
}
