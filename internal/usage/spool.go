package usage

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

const (
	defaultSegment = 8 << 20
	// largestSegment bounds memory while one is read, and keeps its sum of units within an int64: at 17 bytes and more a
	// record, fewer than 4 million records of at most MaxUnits.
	largestSegment = 64 << 20
)

// Options says where and how a spool is kept.
type Options struct {
	Dir        string       // made if it is not there; one process at a time
	Node       id.Node      // whose counts these are
	Fsync      bool         // Record returns only when power loss cannot take the event either
	MaxSegment int64        // bytes after which a segment is sealed; 0 means 8 MiB, at most 64 MiB
	Log        *slog.Logger // what recovery found; nil means slog.Default()
	Rand       io.Reader    // for the epoch; nil means crypto/rand

	create func(path string) (file, error) // nil means a file of the system; tests make it fail
}

// file is what a spool does with an open segment.
type file interface {
	io.WriteCloser
	Sync() error
	Truncate(size int64) error
}

// Spool keeps events in segment files until the database has absorbed them. Its methods may be called from many goroutines.
type Spool struct {
	opts Options
	origin
	queue   queue
	unlock  func() error
	dirName string

	// The open segment belongs to whoever leads the queue.
	current file
	path    string
	number  uint64 // of the segment begun last
	size    int64  // up to the last committed group

	mu     sync.Mutex
	sealed []Segment // oldest first
}

// Open takes the directory for this process, recovers what earlier starts left, and offers it under Sealed.
func Open(opts Options) (_ *Spool, err error) {
	if _, err := id.Parse[id.Node](string(opts.Node)); err != nil {
		return nil, fmt.Errorf("open usage spool: %w", err)
	}
	opts.MaxSegment = min(cmp.Or(opts.MaxSegment, defaultSegment), largestSegment)
	opts.Log = cmp.Or(opts.Log, slog.Default())
	if opts.Rand == nil {
		opts.Rand = rand.Reader
	}
	if opts.create == nil {
		opts.create = createFile
	}
	s := &Spool{opts: opts, origin: origin{node: opts.Node}}
	if _, err := io.ReadFull(opts.Rand, s.epoch[:]); err != nil {
		return nil, fmt.Errorf("open usage spool: draw an epoch: %w", err)
	}
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open usage spool: %w", err)
	}
	if s.unlock, err = lockDir(filepath.Join(opts.Dir, lockName)); err != nil {
		return nil, fmt.Errorf("open usage spool: %s is in use by another process, or cannot be locked: %w", opts.Dir, err)
	}
	if s.dirName, err = readName(opts.Dir, opts.Rand); err != nil {
		return nil, errors.Join(fmt.Errorf("open usage spool: %w", err), s.unlock())
	}
	if s.sealed, err = s.recover(); err != nil {
		return nil, errors.Join(fmt.Errorf("recover usage spool %s: %w", opts.Dir, err), s.unlock())
	}
	s.queue = queue{seed: s.seed(), commit: s.commit}
	s.queue.start()
	return s, nil
}

func createFile(path string) (file, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600) // #nosec G304 -- our own directory
}

// Record implements Recorder.
func (s *Spool) Record(ev *Event) error { return s.queue.record(ev) }

// Add implements Recorder. Without a Record to go with, an added event is written by the next Seal.
func (s *Spool) Add(ev *Event) { s.queue.add(ev) }

// Stats returns the counts since Open.
func (s *Spool) Stats() Stats { return s.queue.counted() }

// Seal writes what is pending and seals the open segment, so that Sealed offers everything recorded before. It fails only
// after Close: where the disk refused the pending events, their callers know, and what was written before is sealed all the same.
func (s *Spool) Seal() error {
	if err := s.queue.flush(true, false); errors.Is(err, errClosed) {
		return err
	}
	return nil
}

// Close writes what is pending, seals the open segment and lets the directory go. Record fails from then on.
func (s *Spool) Close() error {
	err := s.queue.flush(true, true)
	if errors.Is(err, errClosed) {
		return err
	}
	return errors.Join(err, s.unlock())
}

// Sealed returns the segments that wait to be absorbed, oldest first.
func (s *Spool) Sealed() []Segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sealed)
}

func (s *Spool) forget(g Segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = slices.DeleteFunc(s.sealed, func(other Segment) bool { return other.path == g.path })
}

// commit runs for one leader at a time.
func (s *Spool) commit(w work) error {
	var err error
	if w.count > 0 {
		err = s.write(w.records)
	}
	if w.seal || s.size >= s.opts.MaxSegment {
		s.seal(0)
	}
	if err != nil {
		return fault.Down(err, "the use of this call could not be recorded")
	}
	return nil
}

// write appends one group whole, or not at all.
func (s *Spool) write(records []byte) error {
	if s.current == nil {
		if err := s.begin(); err != nil {
			return err
		}
	}
	_, err := s.current.Write(records) // io.Writer: a short write is an error
	lost := false
	if err == nil && s.opts.Fsync {
		// After a failed sync the kernel may forget the pages and call the next sync a success: such a file is done with.
		err = s.current.Sync()
		lost = err != nil
	}
	if err == nil {
		s.size += int64(len(records))
		return nil
	}
	if cut := s.current.Truncate(s.size); cut != nil {
		err, lost = errors.Join(err, cut), true
	}
	if lost {
		s.seal(s.size)
	}
	return fmt.Errorf("append to %s: %w", s.path, err)
}

// begin makes the next segment. The file is durable, head and name, before a record goes in.
func (s *Spool) begin() error {
	s.number++
	path := filepath.Join(s.opts.Dir, s.name(s.number, openEnd))
	f, err := s.opts.create(path)
	if err != nil {
		return fmt.Errorf("begin usage segment: %w", err)
	}
	_, err = f.Write(s.head(s.number))
	if err == nil && s.opts.Fsync {
		err = syncDir(s.opts.Dir) // the head is synced with the first group
	}
	if err != nil {
		return errors.Join(fmt.Errorf("begin usage segment: %w", err), f.Close(), os.Remove(path))
	}
	s.current, s.path, s.size = f, path, headSize
	return nil
}

// seal closes the open segment and offers it. limit says where its records end if it could not be cut there; 0 means at its end.
// Nothing here can lose a record, so what goes wrong is logged: a file that keeps its first name is recovered under it.
func (s *Spool) seal(limit int64) {
	if s.current == nil {
		return
	}
	f, from, size := s.current, s.path, s.size
	s.current, s.path, s.size = nil, "", 0
	if err := f.Close(); err != nil {
		s.opts.Log.Error("closing a usage segment failed", "segment", from, "err", err)
	}
	if size == headSize {
		if err := os.Remove(from); err != nil {
			s.opts.Log.Error("removing an empty usage segment failed", "segment", from, "err", err)
		}
		return
	}
	to := filepath.Join(s.opts.Dir, s.name(s.number, sealedEnd))
	if limit > 0 {
		to = from // recovery must look at it again if it is not absorbed before a crash
	} else if err := os.Rename(from, to); err != nil {
		s.opts.Log.Error("renaming a sealed usage segment failed", "segment", from, "err", err)
		to = from
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = append(s.sealed, newSegment(s, s.origin, s.number, to, limit))
}

func syncDir(dir string) (err error) {
	d, err := os.Open(dir) // #nosec G304 -- our own directory
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.Sync()
}
