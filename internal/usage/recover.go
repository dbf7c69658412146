package usage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// recover looks at every segment in the directory: those left open are cut at their torn end and sealed. It returns all that wait,
// in the order of their names.
func (s *Spool) recover() ([]Segment, error) {
	entries, err := os.ReadDir(s.opts.Dir)
	if err != nil {
		return nil, err
	}
	var waiting []Segment
	for _, entry := range entries {
		path := filepath.Join(s.opts.Dir, entry.Name())
		switch filepath.Ext(path) {
		case openEnd:
			if path, err = s.recoverOpen(path); err != nil {
				return nil, err
			}
			if path == "" {
				continue
			}
		case sealedEnd:
		default:
			continue
		}
		g, err := s.found(path)
		if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
			return nil, err // the disk's fault, not the file's
		}
		if err != nil {
			// The records behind an unreadable head have no marker to be counted under.
			s.opts.Log.Error("a usage segment cannot be read and was kept for you to look at", "segment", path, "err", err)
			if err := os.Rename(path, path+corruptEnd); err != nil {
				return nil, err
			}
			continue
		}
		waiting = append(waiting, g)
	}
	if s.opts.Fsync {
		return waiting, syncDir(s.opts.Dir)
	}
	return waiting, nil
}

// found names the segment in a file by its head, which must agree with the file's name.
func (s *Spool) found(path string) (_ Segment, err error) {
	f, err := os.Open(path) // #nosec G304 G703 -- our own directory, and a name that was found in it
	if err != nil {
		return Segment{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	head := make([]byte, headSize)
	if _, err := f.ReadAt(head, 0); err != nil {
		return Segment{}, err
	}
	o, number, err := parseHead(head)
	if err != nil {
		return Segment{}, err
	}
	if want := o.name(number, filepath.Ext(path)); filepath.Base(path) != want {
		return Segment{}, fmt.Errorf("its head says that its name is %s", want)
	}
	return newSegment(s, o, number, path, 0), nil
}

// recoverOpen cuts what a crash left half-written and seals the rest. It returns the path of the sealed file, "" if nothing was in
// it, or the path unchanged if its head does not even say what it is.
func (s *Spool) recoverOpen(path string) (string, error) {
	data, err := os.ReadFile(path) // #nosec G304 -- our own directory
	if err != nil {
		return "", err
	}
	if len(data) < headSize {
		// The head is written before any record: nothing was acknowledged.
		return "", os.Remove(path)
	}
	o, _, err := parseHead(data)
	if err != nil {
		return path, nil //nolint:nilerr // whose head cannot be read is whole as far as anybody can tell; found reports it
	}
	kept, err := s.cut(path, data, o, false)
	if err != nil {
		return "", err
	}
	if kept == headSize {
		return "", os.Remove(path)
	}
	sealed := strings.TrimSuffix(path, openEnd) + sealedEnd
	return sealed, os.Rename(path, sealed)
}

// cut ends the file behind its last sound record in one piece from the head, and returns that size. The torn end of the last write
// goes; whatever else stands behind is kept in a file of its own and reported, for it may hold what was acknowledged.
// Everything behind is kept if the segment was whole once.
func (s *Spool) cut(path string, data []byte, o origin, wasWhole bool) (int64, error) {
	sound, err := eachRecord(data[headSize:], o.seed(), func(*Event) error { return nil })
	if err != nil {
		return 0, err
	}
	end := int64(headSize + sound)
	rest := data[end:]
	if len(rest) == 0 {
		return end, nil
	}
	if wasWhole || holdsRecord(rest, o.seed()) {
		// Written before the cut and named by its place: a crash in between writes the same again.
		aside := fmt.Sprintf("%s.%d%s", path, end, corruptEnd)
		if err := writeSynced(aside, rest); err != nil {
			return 0, fmt.Errorf("keep the unsound end of %s: %w", path, err)
		}
		s.opts.Log.Error("a usage segment is corrupt: what stood behind the unsound record was kept for you to look at, uncounted",
			"segment", path, "at", end, "bytes", len(rest), "kept", aside)
	} else {
		s.opts.Log.Warn("the torn end of a usage segment was cut", "segment", path, "at", end, "bytes", len(rest))
	}
	return end, truncateSynced(path, end)
}

// Repair cuts a sealed segment that Read found damaged, keeping the rest beside it in a .corrupt file, so that its sound records can
// be absorbed. It says whether anything is left to absorb: one whose head is unreadable is kept whole and offered no more.
func (s *Spool) Repair(g Segment) (left bool, err error) {
	data, err := os.ReadFile(g.path)
	if err != nil {
		return false, fmt.Errorf("repair usage segment: %w", err)
	}
	if g.limit > 0 && int64(len(data)) > g.limit {
		data = data[:g.limit]
	}
	o, number, err := parseHead(data)
	if err != nil || o != g.origin || number != g.Number {
		s.opts.Log.Error("a usage segment cannot be read and was kept for you to look at", "segment", g.path, "err", err)
		if err := os.Rename(g.path, g.path+corruptEnd); err != nil {
			return false, fmt.Errorf("repair usage segment: %w", err)
		}
		s.forget(g)
		return false, nil
	}
	kept, err := s.cut(g.path, data, o, true)
	if err != nil {
		return false, fmt.Errorf("repair usage segment: %w", err)
	}
	if kept == headSize {
		return false, g.Remove()
	}
	return true, nil
}

func writeSynced(path string, data []byte) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) // #nosec G304 G703 -- our own directory, and a name that was found in it
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}

func truncateSynced(path string, size int64) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0) // #nosec G304 -- our own directory
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Truncate(size); err != nil {
		return err
	}
	return f.Sync()
}
