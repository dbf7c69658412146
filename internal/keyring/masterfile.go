package keyring

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// maxFileSize is far above any master key's text and keeps a wrong path from filling the memory.
const maxFileSize = 4096

// ReadMasterFile reads a master key from a file that its owner alone may read: the text of ParseMaster and at most one
// line end. A missing file is an error that is fs.ErrNotExist; one that others may read is a fault.Conflict that names
// the remedy.
func ReadMasterFile(path string) (Master, error) {
	file, err := os.Open(path) // #nosec G304 -- the path is the operator's own setting
	if err != nil {
		return Master{}, fmt.Errorf("read master key: %w", err)
	}
	defer file.Close() //nolint:errcheck // nothing was written
	// The open file is asked, not the path, so that it cannot be exchanged in between.
	info, err := file.Stat()
	if err != nil {
		return Master{}, fmt.Errorf("read master key: %w", err)
	}
	if !info.Mode().IsRegular() {
		return Master{}, fault.New(fault.Conflict, "the master key file %s is not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return Master{}, fault.New(fault.Conflict, "the master key file %s is open to other users (mode %04o): run chmod 600 %s", path, mode, path)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxFileSize))
	if err != nil {
		return Master{}, fmt.Errorf("read master key: %w", err)
	}
	m, err := ParseMaster(strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"))
	if err != nil {
		return Master{}, fmt.Errorf("master key file %s: %w", path, err)
	}
	return m, nil
}

// WriteMasterFile writes a new file that only its owner may read and returns when it is on the disk. It never overwrites:
// if the file is there the error is fs.ErrExist, for the file may be the only copy of a key.
func WriteMasterFile(path string, m Master) error {
	if m.isZero() {
		return fault.New(fault.Invalid, "there is no master key to write to %s", path)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // #nosec G304 -- the operator's own setting
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("write master key: a key is never overwritten, move the old file away first: %w", err)
	}
	if err != nil {
		return fmt.Errorf("write master key: %w", err)
	}
	_, err = file.WriteString(m.Reveal() + "\n")
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		// Half a key would stand in the way of the next attempt, and nothing is wrapped under it yet.
		return fmt.Errorf("write master key: %w", errors.Join(err, os.Remove(path)))
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the name of a new file as durable as its bytes.
func syncDir(path string) error {
	dir, err := os.Open(path) // #nosec G304 -- the parent of the operator's own setting
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("sync directory %s: %w", path, err)
	}
	return nil
}
