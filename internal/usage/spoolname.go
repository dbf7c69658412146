package usage

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// nameFile holds what the directory is called wherever its uses are waited for, from one start to the next.
const nameFile = "name"

// readName reads the directory's name, or draws one for a new directory.
func readName(dir string, random io.Reader) (string, error) {
	path := filepath.Join(dir, nameFile)
	text, err := os.ReadFile(path) // #nosec G304 -- our own directory
	if errors.Is(err, fs.ErrNotExist) {
		return drawName(path, random)
	}
	if err != nil {
		return "", err
	}
	if b, err := hex.DecodeString(string(text)); err != nil || len(b) != 16 {
		return "", fmt.Errorf("%s does not hold 32 hex digits: if it was damaged remove it, and what dead nodes held of quotas stays used until their period ends", path)
	}
	return string(text), nil
}

func drawName(path string, random io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("draw a name for the usage spool: %w", err)
	}
	name := hex.EncodeToString(b[:])
	fresh := path + ".new"
	if err := os.WriteFile(fresh, []byte(name), 0o600); err != nil {
		return "", err
	}
	return name, os.Rename(fresh, path)
}

// Name is the directory's: 32 hex digits, the same at every start.
func (s *Spool) Name() string { return s.dirName }

// Recovered reports whether everything that earlier starts left in the directory was absorbed.
func (s *Spool) Recovered() bool {
	own := hex.EncodeToString(s.epoch[:])
	return !slices.ContainsFunc(s.Sealed(), func(g Segment) bool { return g.Epoch != own })
}
